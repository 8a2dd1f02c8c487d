//! The CBOR of the messages, and the shape they share: `[kind, { key => value }]`.
//!
//! Written and read by hand, in the deterministic encoding of RFC 8949 section 4.2.1 and in no
//! other: definite lengths, shortest numbers, ascending keys. The crate minicbor took three
//! kilobytes of flash more; that the bytes mean the same to it, the tests say.
//!
//! Public for those who write messages of their own in tests; devices and stations need only
//! [`Ask`](crate::Ask) and [`Answer`](crate::Answer).

use core::fmt;

mod decoder;
mod encoder;
mod message;

pub(crate) use decoder::Decoder;
pub use encoder::{Encodable, Encoder, Sink};
pub(crate) use message::Message;

/// A message could not be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum MessageFault {
    /// Not CBOR of the documented shape.
    Malformed {
        /// Byte of the payload at which it stopped making sense.
        at: usize,
    },
    /// Well formed, but of a kind this version does not know.
    UnknownKind {
        /// The kind it claims to be.
        kind: u32,
    },
}

impl fmt::Display for MessageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { at } => write!(f, "not a message, at byte {at}"),
            Self::UnknownKind { kind } => write!(f, "a message of unknown kind {kind}"),
        }
    }
}

impl core::error::Error for MessageFault {}

/// The buffer is too small for what was to be encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct DoesNotFit;

impl fmt::Display for DoesNotFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the buffer is too small for what was to be encoded")
    }
}

impl core::error::Error for DoesNotFit {}

/// The major types of RFC 8949 section 3.1 that the protocol has.
mod major {
    pub(super) const UINT: u8 = 0;
    pub(super) const BYTES: u8 = 2;
    pub(super) const TEXT: u8 = 3;
    pub(super) const ARRAY: u8 = 4;
    pub(super) const MAP: u8 = 5;
    /// Of these, false and true.
    pub(super) const SIMPLE: u8 = 7;
}
