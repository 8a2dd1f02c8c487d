//! What the station asks.

use crate::cbor::{Encodable, Encoder, Message, MessageFault, Sink};
use crate::{CHALLENGE_LEN, VERSION, VERSION_MIN};

/// The protocol versions a station speaks, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct VersionRange {
    /// Oldest.
    pub min: u32,
    /// Newest.
    pub max: u32,
}

impl VersionRange {
    /// What this crate speaks.
    pub const OURS: Self = Self { min: VERSION_MIN, max: VERSION };

    /// The newest version in both ranges.
    #[must_use]
    pub fn newest_common(self, other: Self) -> Option<u32> {
        let newest = self.max.min(other.max);
        (newest >= self.min.max(other.min)).then_some(newest)
    }
}

/// A question. Each may be asked twice; the second answer is as good as the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask<'a> {
    /// Opens a session: whatever was staged under another one is dropped.
    Hello {
        /// Versions the station speaks.
        versions: VersionRange,
    },
    /// For the public key, which is made if there is none.
    Key,
    /// For a CSR over this challenge; then fetched with [`Ask::Read`].
    Csr {
        /// Fresh, from the station.
        challenge: [u8; CHALLENGE_LEN],
    },
    /// For the bytes of the CSR from `offset` on.
    Read {
        /// In bytes.
        offset: u32,
    },
    /// Stages a piece of the delivery.
    Put {
        /// Where the piece goes, in bytes from the delivery's start.
        offset: u32,
        /// The piece.
        bytes: &'a [u8],
    },
    /// Stages a piece of the delivery that is [packed](crate::packed). Only for a device whose `Hello`
    /// names the dictionary.
    PutPacked {
        /// Where the piece goes, in bytes from the delivery's start.
        offset: u32,
        /// The piece, an LZ4 block.
        block: &'a [u8],
    },
    /// Has what was staged checked and stored.
    Commit {
        /// SHA-256 of the whole delivery.
        delivery_sha256: [u8; 32],
    },
    /// For a signature by the key of the stored leaf.
    Prove {
        /// Fresh, from the station.
        challenge: [u8; CHALLENGE_LEN],
    },
    /// Makes the identity final.
    Seal,
}

impl<'a> Ask<'a> {
    /// Reads an ask.
    ///
    /// # Errors
    ///
    /// [`MessageFault`]: it is not one, or one of a newer version.
    pub fn decode(payload: &'a [u8]) -> Result<Self, MessageFault> {
        let message = Message::decode(payload, KIND_MAX)?;
        Self::of(&message).ok_or(MessageFault::Malformed { at: payload.len() })
    }

    /// `None` if a field is missing, or is not what it should be.
    fn of(message: &Message<'a>) -> Option<Self> {
        Some(match message.kind {
            1 => {
                let (min, max) = (message.uint(1)?, message.uint(2)?);
                Self::Hello { versions: VersionRange { min, max } }
            }
            2 => Self::Key,
            3 => Self::Csr { challenge: message.fixed(1)? },
            4 => Self::Read { offset: message.uint(1)? },
            5 => Self::Put { offset: message.uint(1)?, bytes: message.bytes(2)? },
            6 => Self::Commit { delivery_sha256: message.fixed(1)? },
            7 => Self::Prove { challenge: message.fixed(1)? },
            8 => Self::Seal,
            KIND_MAX => Self::PutPacked { offset: message.uint(1)?, block: message.bytes(2)? },
            _ => return None,
        })
    }

    /// The ask's name, for people.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Hello { .. } => "hello",
            Self::Key => "key",
            Self::Csr { .. } => "csr",
            Self::Read { .. } => "read",
            Self::Put { .. } | Self::PutPacked { .. } => "put",
            Self::Commit { .. } => "commit",
            Self::Prove { .. } => "prove",
            Self::Seal => "seal",
        }
    }
}

impl Encodable for Ask<'_> {
    fn encode_to<S: Sink>(&self, to: &mut Encoder<S>) {
        match self {
            Self::Hello { versions } => {
                to.message(1, 2);
                to.uint_field(1, versions.min);
                to.uint_field(2, versions.max);
            }
            Self::Key => to.message(2, 0),
            Self::Csr { challenge } => {
                to.message(3, 1);
                to.bytes_field(1, challenge);
            }
            Self::Read { offset } => {
                to.message(4, 1);
                to.uint_field(1, *offset);
            }
            Self::Put { offset, bytes } => put_to(to, 5, *offset, bytes),
            Self::PutPacked { offset, block } => put_to(to, KIND_MAX, *offset, block),
            Self::Commit { delivery_sha256 } => {
                to.message(6, 1);
                to.bytes_field(1, delivery_sha256);
            }
            Self::Prove { challenge } => {
                to.message(7, 1);
                to.bytes_field(1, challenge);
            }
            Self::Seal => to.message(8, 0),
        }
    }
}

fn put_to<S: Sink>(to: &mut Encoder<S>, kind: u32, offset: u32, piece: &[u8]) {
    to.message(kind, 2);
    to.uint_field(1, offset);
    to.bytes_field(2, piece);
}

/// The last of the kinds above.
const KIND_MAX: u32 = 9;
