//! What the station asks.

use minicbor::encode::{Encoder, Write};

use crate::cbor::{Encodable, Encoded, Message, MessageFault, fixed};
use crate::{CHALLENGE_LEN, VERSION, VERSION_MIN};

/// The protocol versions a station speaks, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
        let message = Message::open(payload)?;
        let kind = message.kind;
        let malformed = MessageFault::Malformed { at: payload.len() };
        // Each arm names its fields once; what is missing in the end makes the ask malformed.
        match kind {
            1 => {
                let (mut min, mut max) = (None, None);
                message.read_fields(|key, d| {
                    match key {
                        1 => min = Some(d.u32()?),
                        2 => max = Some(d.u32()?),
                        _ => return Ok(false),
                    }
                    Ok(true)
                })?;
                match (min, max) {
                    (Some(min), Some(max)) => {
                        Ok(Self::Hello { versions: VersionRange { min, max } })
                    }
                    _ => Err(malformed),
                }
            }
            2 => message.read_fields(|_, _| Ok(false)).map(|()| Self::Key),
            3 => one_field(message, fixed).map(|challenge| Self::Csr { challenge }),
            4 => one_field(message, |d| d.u32()).map(|offset| Self::Read { offset }),
            5 => placed_bytes(message).map(|(offset, bytes)| Self::Put { offset, bytes }),
            6 => one_field(message, fixed).map(|delivery_sha256| Self::Commit { delivery_sha256 }),
            7 => one_field(message, fixed).map(|challenge| Self::Prove { challenge }),
            8 => message.read_fields(|_, _| Ok(false)).map(|()| Self::Seal),
            kind => Err(MessageFault::UnknownKind { kind }),
        }
    }

    /// The ask's name, for people.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Hello { .. } => "hello",
            Self::Key => "key",
            Self::Csr { .. } => "csr",
            Self::Read { .. } => "read",
            Self::Put { .. } => "put",
            Self::Commit { .. } => "commit",
            Self::Prove { .. } => "prove",
            Self::Seal => "seal",
        }
    }
}

impl Encodable for Ask<'_> {
    fn encode_to<W: Write>(&self, e: &mut Encoder<W>) -> Encoded<W::Error> {
        e.array(2)?;
        match *self {
            Self::Hello { versions } => {
                e.u32(1)?.map(2)?.u32(1)?.u32(versions.min)?.u32(2)?.u32(versions.max)?.ok()
            }
            Self::Key => e.u32(2)?.map(0)?.ok(),
            Self::Csr { challenge } => e.u32(3)?.map(1)?.u32(1)?.bytes(&challenge)?.ok(),
            Self::Read { offset } => e.u32(4)?.map(1)?.u32(1)?.u32(offset)?.ok(),
            Self::Put { offset, bytes } => {
                e.u32(5)?.map(2)?.u32(1)?.u32(offset)?.u32(2)?.bytes(bytes)?.ok()
            }
            Self::Commit { delivery_sha256 } => {
                e.u32(6)?.map(1)?.u32(1)?.bytes(&delivery_sha256)?.ok()
            }
            Self::Prove { challenge } => e.u32(7)?.map(1)?.u32(1)?.bytes(&challenge)?.ok(),
            Self::Seal => e.u32(8)?.map(0)?.ok(),
        }
    }
}

/// Reads a message whose only field has key 1.
pub(crate) fn one_field<'b, T>(
    message: Message<'b>,
    read: impl Fn(&mut minicbor::decode::Decoder<'b>) -> Result<T, minicbor::decode::Error>,
) -> Result<T, MessageFault> {
    let mut found = None;
    message.read_fields(|key, d| {
        if key != 1 {
            return Ok(false);
        }
        found = Some(read(d)?);
        Ok(true)
    })?;
    found.ok_or(MessageFault::Malformed { at: 0 })
}

/// Reads a message of an offset (key 1) and the bytes that belong there (key 2).
pub(crate) fn placed_bytes(message: Message<'_>) -> Result<(u32, &[u8]), MessageFault> {
    let (mut offset, mut bytes) = (None, None);
    message.read_fields(|key, d| {
        match key {
            1 => offset = Some(d.u32()?),
            2 => bytes = Some(d.bytes()?),
            _ => return Ok(false),
        }
        Ok(true)
    })?;
    offset.zip(bytes).ok_or(MessageFault::Malformed { at: 0 })
}
