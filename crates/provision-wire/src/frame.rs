//! Frames: how a message finds its way through noise.
//!
//! ```text
//!   00  COBS( version:1 | kind:1 | session:4 | sequence:2 | payload | crc32:4 )  00
//! ```
//!
//! Numbers are little-endian. The CRC is CRC-32/ISO-HDLC over everything before it. A frame begins
//! with a zero too, so that whatever a boot loader printed before it is cut off. `kind` tells a
//! question from an answer, so that a line that echoes is not mistaken for a device.

use crate::cbor::{DoesNotFit, Encodable, Encoder, Sink};

mod cobs;
mod crc32;
#[cfg(feature = "crc-table")]
mod whole;

use crc32::Crc32;

/// Version of the frame's layout; of the messages' see [`VERSION`](crate::VERSION).
pub const FRAME_VERSION: u8 = 1;

/// Bytes of a frame beside its payload, before COBS.
const HEADER_LEN: usize = 8;
const CRC_LEN: usize = 4;

/// Length of a buffer that takes any frame with a payload of at most `payload_len` bytes, both
/// zeros included.
#[must_use]
#[expect(clippy::arithmetic_side_effects, reason = "on constants of a few hundred")]
pub const fn frame_len_max(payload_len: usize) -> usize {
    let raw = HEADER_LEN + payload_len + CRC_LEN;
    raw + raw / 254 + 1 + 2
}

/// The longest payload of a frame that a buffer of `frame_len` bytes takes, both zeros included:
/// the inverse of [`frame_len_max`].
#[must_use]
#[expect(clippy::arithmetic_side_effects, reason = "on constants of a few hundred")]
pub const fn payload_len_max(frame_len: usize) -> usize {
    let encoded = frame_len.saturating_sub(3);
    (encoded - (encoded + 1) / 255).saturating_sub(HEADER_LEN + CRC_LEN)
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Kind {
    /// The station.
    Ask,
    /// The device.
    Answer,
}

/// What stands before the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Header {
    /// Who speaks.
    pub kind: Kind,
    /// Chosen by the station, at random, for one run of the dialogue.
    pub session: u32,
    /// Counts the station's asks; an answer carries that of its ask, an ask that is repeated its own.
    pub sequence: u16,
}

/// A frame whose CRC was right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame<'a> {
    /// What stands before the payload.
    pub header: Header,
    /// The message, undecoded.
    pub payload: &'a [u8],
}

/// Writes a frame into `out`, both zeros included, and returns its length in bytes.
///
/// # Errors
///
/// [`DoesNotFit`] if `out` is too small; [`frame_len_max`] tells how large it must be.
pub fn encode_frame(
    header: Header,
    message: &impl Encodable,
    out: &mut [u8],
) -> Result<usize, DoesNotFit> {
    *out.first_mut().ok_or(DoesNotFit)? = 0;
    let kind = match header.kind {
        Kind::Ask => 0,
        Kind::Answer => 1,
    };
    let [s0, s1, s2, s3] = header.session.to_le_bytes();
    let [q0, q1] = header.sequence.to_le_bytes();
    let header = [FRAME_VERSION, kind, s0, s1, s2, s3, q0, q1];
    #[cfg(feature = "crc-table")]
    {
        let mut raw = whole::Raw::new();
        if raw.write(header, message).is_some() {
            return raw.encode(out);
        }
    }
    let mut writer = FrameWriter { cobs: cobs::Encoder::new(out, 1), crc: Crc32::new() };
    writer.put(&header);
    let mut encoder = Encoder::new(writer);
    message.encode_to(&mut encoder);
    let FrameWriter { mut cobs, crc } = encoder.into_sink();
    for byte in crc.finish().to_le_bytes() {
        cobs.push(byte);
    }
    let end = cobs.finish().ok_or(DoesNotFit)?;
    *out.get_mut(end).ok_or(DoesNotFit)? = 0;
    end.checked_add(1).ok_or(DoesNotFit)
}

/// Encodes and checksums in one pass, so that a device needs no second buffer.
struct FrameWriter<'o> {
    cobs: cobs::Encoder<'o>,
    crc: Crc32,
}

impl Sink for FrameWriter<'_> {
    // Not inlined: it is called from every item.
    #[inline(never)]
    fn put(&mut self, bytes: &[u8]) {
        #[cfg(feature = "crc-table")]
        self.crc.push_all(bytes);
        for byte in bytes {
            #[cfg(not(feature = "crc-table"))]
            self.crc.push(*byte);
            self.cobs.push(*byte);
        }
    }
}

/// Why bytes between two zeros were no frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Noise {
    /// Longer than any frame this end takes.
    TooLong,
    /// Not COBS, too short, or another layout: log text, most often.
    NoFrame,
    /// The CRC is wrong: a frame that was hit.
    Damaged,
}

/// What one more byte meant.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Nothing yet.
    Pending,
    /// A frame ended here.
    Frame(Frame<'a>),
    /// Something else ended here.
    Noise {
        /// What it was not.
        noise: Noise,
        /// The bytes as they came, for a log; empty if they were too many. COBS was undone in
        /// place if the frame was [`Noise::Damaged`].
        bytes: &'a [u8],
    },
}

/// Finds frames in a stream of bytes. `N` is [`frame_len_max`] of the longest payload expected.
///
/// Whatever comes, it holds `N` bytes at most and is ready for a frame after the next zero.
#[derive(Debug)]
pub struct Deframer<const N: usize> {
    buffer: [u8; N],
    len: usize,
    overrun: bool,
    /// The frame handed out last is still in the buffer.
    done: bool,
}

impl<const N: usize> Default for Deframer<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> Deframer<N> {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        Self { buffer: [0; N], len: 0, overrun: false, done: false }
    }

    /// Takes one byte off the line.
    pub fn push(&mut self, byte: u8) -> Event<'_> {
        self.push_some(&mut &[byte][..])
    }

    /// Takes bytes from the front of `bytes` until they complete something or are all taken.
    pub fn push_some(&mut self, bytes: &mut &[u8]) -> Event<'_> {
        if self.done {
            (self.len, self.overrun, self.done) = (0, false, false);
        }
        loop {
            let run = cobs::first_zero(bytes);
            let (taken, rest) = bytes.split_at(run.unwrap_or(bytes.len()));
            let end = self.len.saturating_add(taken.len());
            match self.buffer.get_mut(self.len..end) {
                Some(place) => {
                    place.copy_from_slice(taken);
                    self.len = end;
                }
                None => self.overrun = true,
            }
            let Some((_zero, rest)) = rest.split_first() else {
                *bytes = rest;
                return Event::Pending;
            };
            *bytes = rest;
            // Two zeros in a row: the end of one frame and the start of the next.
            if self.len > 0 || self.overrun {
                return self.end();
            }
        }
    }

    /// A zero came, after something.
    fn end(&mut self) -> Event<'_> {
        self.done = true;
        if self.overrun {
            return Event::Noise { noise: Noise::TooLong, bytes: &[] };
        }
        let Some(encoded) = self.buffer.get_mut(..self.len) else {
            return Event::Noise { noise: Noise::TooLong, bytes: &[] };
        };
        // Decoding works in place and destroys what it cannot decode; noise is worth showing as it
        // came, so it is looked at first.
        let decoded_len = cobs::decoded_len(encoded).unwrap_or(0);
        if decoded_len < HEADER_LEN.saturating_add(CRC_LEN) {
            return Event::Noise { noise: Noise::NoFrame, bytes: encoded };
        }
        let decoded = &*cobs::decode_in_place(encoded);
        match parse(decoded) {
            Ok(frame) => Event::Frame(frame),
            Err(noise) => Event::Noise { noise, bytes: decoded },
        }
    }
}

fn parse(decoded: &[u8]) -> Result<Frame<'_>, Noise> {
    let (body, crc) = decoded.split_last_chunk::<CRC_LEN>().ok_or(Noise::NoFrame)?;
    let (header, payload) = body.split_first_chunk::<HEADER_LEN>().ok_or(Noise::NoFrame)?;
    let &[version, kind, s0, s1, s2, s3, q0, q1] = header;
    let mut expected = Crc32::new();
    expected.push_all(body);
    if expected.finish() != u32::from_le_bytes(*crc) {
        return Err(Noise::Damaged);
    }
    if version != FRAME_VERSION {
        return Err(Noise::NoFrame);
    }
    let kind = match kind {
        0 => Kind::Ask,
        1 => Kind::Answer,
        _ => return Err(Noise::NoFrame),
    };
    let header = Header {
        kind,
        session: u32::from_le_bytes([s0, s1, s2, s3]),
        sequence: u16::from_le_bytes([q0, q1]),
    };
    Ok(Frame { header, payload })
}
