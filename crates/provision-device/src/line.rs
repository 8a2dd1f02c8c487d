//! The blocking adapter: bytes of a serial port in, frames to the [`Enrollee`], answers out.

use embedded_io::{Read, Write};
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

/// What a call to [`Line::serve`] did, for the application's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

    /// Waits for one byte and answers if it ended an ask.
    ///
    /// Reads byte by byte: what follows an ask is left in the port until the ask is answered.
    ///
    /// # Errors
    ///
    /// The port's own; nothing of the dialogue is lost by calling again.
    pub fn serve<S, P, V, const N: usize>(
        &mut self,
        serial: &mut S,
        enrollee: &mut Enrollee<'_, P, N>,
        vault: &mut V,
        entropy: &mut impl Entropy,
    ) -> Result<Served, S::Error>
    where
        S: Read + Write,
        P: VerifyP256 + 'static,
        V: Vault,
    {
        let mut byte = [0];
        if serial.read(&mut byte)? == 0 {
            return Ok(Served::Listened);
        }
        let [byte] = byte;
        let frame = match self.deframer.push(byte) {
            Event::Pending => return Ok(Served::Listened),
            Event::Noise { .. } => return Ok(Served::Noise),
            Event::Frame(frame) => frame,
        };
        let header = Header { kind: Kind::Answer, ..frame.header };
        let Some(answer) = enrollee.handle(&frame, vault, entropy) else {
            return Ok(Served::Noise);
        };
        let refusal = match answer {
            Answer::Refused(refusal) => Some(refusal),
            _ => None,
        };
        // LIMITS was checked at compile time to hold every answer.
        if let Ok(len) = encode_frame(header, &answer, &mut self.out)
            && let Some(bytes) = self.out.get(..len)
        {
            serial.write_all(bytes)?;
            serial.flush()?;
        }
        Ok(Served::Answered { refusal })
    }
}
