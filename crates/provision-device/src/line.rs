//! One end of the serial line: bytes in, frames to the [`Enrollee`], answers out.
//!
//! ```text
//!   serve          embedded-io: waits for a byte, sends the answer      (line/blocking.rs)
//!   serve_async    embedded-io-async: the same, awaited                 (line/asynchronous.rs)
//!        └──► hear ── Deframer ── Enrollee ── frame of the answer       (here: no IO)
//! ```

#[cfg(feature = "async")]
mod asynchronous;
mod blocking;

use provision_csr::{Entropy, VerifyP256};
use provision_wire::frame::payload_len_max;
use provision_wire::{
    ANSWER_LEN_MAX, Answer, Deframer, Event, Header, Kind, Refusal, encode_frame,
};

use crate::{Enrollee, Limits, Vault};

/// One end of a serial line. `FRAME` bytes take the longest frame, twice: once each way.
#[derive(Debug)]
pub struct Line<const FRAME: usize> {
    deframer: Deframer<FRAME>,
    out: [u8; FRAME],
}

/// What one byte came to, for the application's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Served {
    /// Took a byte.
    Listened,
    /// Passed over something that was no frame: log text, or a frame that was hit.
    Noise,
    /// Answered.
    Answered {
        /// Why not, if it was refused.
        refusal: Option<Refusal>,
    },
}

impl<const FRAME: usize> Default for Line<FRAME> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const FRAME: usize> Line<FRAME> {
    /// What fits through this line. The answer that carries most is a `Chunk`: 16 bytes of CBOR
    /// around its bytes.
    pub const LIMITS: Limits = {
        let payload = payload_len_max(FRAME);
        // A proof has 140 bytes; an ask needs ASK_LEN_MIN.
        assert!(payload >= 256, "FRAME is too small for the answers");
        let answer = if payload < ANSWER_LEN_MAX { payload } else { ANSWER_LEN_MAX };
        Limits { ask_len_max: payload, chunk_len_max: answer.saturating_sub(16) }
    };

    /// A line on which nothing was heard yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { deframer: Deframer::new(), out: [0; FRAME] }
    }

    /// Takes one byte off the line; if it ended an ask, does what was asked and gives the frame
    /// of the answer, which is to be sent whole before the next byte is taken.
    ///
    /// What a port without `embedded-io` is served with (USB, a ring filled by DMA, a test). All
    /// the work of an ask is done within this call, some of it long: see
    /// [`serve_async`](Self::serve_async).
    pub fn hear<P, V, const N: usize>(
        &mut self,
        byte: u8,
        enrollee: &mut Enrollee<'_, P, N>,
        vault: &mut V,
        entropy: &mut impl Entropy,
    ) -> (Served, &[u8])
    where
        P: VerifyP256 + 'static,
        V: Vault,
    {
        self.hear_some(&mut &[byte][..], enrollee, vault, entropy)
    }

    /// Takes bytes from the front of `bytes`, up to the end of an ask or all of them: as
    /// [`hear`](Self::hear) does, for who has many at once.
    pub fn hear_some<P, V, const N: usize>(
        &mut self,
        bytes: &mut &[u8],
        enrollee: &mut Enrollee<'_, P, N>,
        vault: &mut V,
        entropy: &mut impl Entropy,
    ) -> (Served, &[u8])
    where
        P: VerifyP256 + 'static,
        V: Vault,
    {
        let Self { deframer, out } = self;
        let frame = match deframer.push_some(bytes) {
            Event::Pending => return (Served::Listened, &[]),
            Event::Noise { .. } => return (Served::Noise, &[]),
            Event::Frame(frame) => frame,
        };
        let header = Header { kind: Kind::Answer, ..frame.header };
        // It may have been made for a longer line, and its answers would have no room here.
        enrollee.keep_within(Self::LIMITS);
        let Some(answer) = enrollee.handle(&frame, vault, entropy) else {
            return (Served::Noise, &[]);
        };
        let refusal = match answer {
            Answer::Refused(refusal) => Some(refusal),
            _ => None,
        };
        // LIMITS was checked at compile time to hold every answer.
        let len = encode_frame(header, &answer, out).unwrap_or_default();
        (Served::Answered { refusal }, out.get(..len).unwrap_or_default())
    }
}
