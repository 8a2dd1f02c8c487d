//! What the device answers.

use crate::cbor::{Encodable, Encoder, Message, MessageFault, Sink};
use crate::{DeviceSerial, Refusal, Stage};

/// What a device says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The version this session is held in.
    pub version: u32,
    /// Which device this is.
    pub device: DeviceSerial,
    /// How far it has come.
    pub stage: Stage,
    /// The longest payload of an ask it takes, in bytes; at least [`ASK_LEN_MIN`](crate::ASK_LEN_MIN).
    pub ask_len_max: u32,
    /// The longest delivery it takes, in bytes.
    pub delivery_len_max: u32,
    /// Number of the [dictionary](crate::packed) by which it unpacks pieces of a delivery. None of a
    /// device that does not.
    pub dictionary: Option<u32>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<'a> {
    /// To `Hello`.
    Hello(Hello),
    /// To `Key`.
    Key {
        /// SEC1 uncompressed point.
        public: [u8; 65],
    },
    /// To `Csr`: it is ready to be read.
    Csr {
        /// In bytes.
        len: u32,
        /// SHA-256 of the CSR.
        csr_sha256: [u8; 32],
    },
    /// To `Read`.
    Chunk {
        /// Where the piece belongs, in bytes.
        offset: u32,
        /// The piece; empty only at the end.
        bytes: &'a [u8],
    },
    /// To `Put`.
    Stored {
        /// Bytes staged so far, from the start and without a gap.
        have: u32,
    },
    /// To `Commit`: checked, and durable.
    Committed {
        /// SHA-256 of the delivery.
        delivery_sha256: [u8; 32],
    },
    /// To `Prove`.
    Proof {
        /// ECDSA `r || s` over SHA-256 of label, challenge, `leaf_sha256` and `delivery_sha256`.
        signature: [u8; 64],
        /// SHA-256 of the leaf as read back from the vault.
        leaf_sha256: [u8; 32],
        /// SHA-256 of the whole delivery as read back from the vault.
        delivery_sha256: [u8; 32],
    },
    /// To `Seal`: final, and durable.
    Sealed,
    /// To anything: no, and why. The state is what it was.
    Refused(Refusal),
}

impl<'a> Answer<'a> {
    /// Reads an answer.
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
            1 => Self::Hello(Hello {
                version: message.uint(1)?,
                device: DeviceSerial::new(message.text(2)?).ok()?,
                stage: Stage::from_code(message.uint(3)?)?,
                ask_len_max: message.uint(4)?,
                delivery_len_max: message.uint(5)?,
                dictionary: message.uint(6),
            }),
            2 => Self::Key { public: message.fixed(1)? },
            3 => Self::Csr { len: message.uint(1)?, csr_sha256: message.fixed(2)? },
            4 => Self::Chunk { offset: message.uint(1)?, bytes: message.bytes(2)? },
            5 => Self::Stored { have: message.uint(1)? },
            6 => Self::Committed { delivery_sha256: message.fixed(1)? },
            7 => Self::Proof {
                signature: message.fixed(1)?,
                leaf_sha256: message.fixed(2)?,
                delivery_sha256: message.fixed(3)?,
            },
            8 => Self::Sealed,
            KIND_MAX => {
                let facts = [message.uint(2), message.uint(3)];
                Self::Refused(Refusal::from_code(message.uint(1)?, facts))
            }
            _ => return None,
        })
    }

    /// The answer's name, for people.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Hello(_) => "hello",
            Self::Key { .. } => "key",
            Self::Csr { .. } => "csr",
            Self::Chunk { .. } => "chunk",
            Self::Stored { .. } => "stored",
            Self::Committed { .. } => "committed",
            Self::Proof { .. } => "proof",
            Self::Sealed => "sealed",
            Self::Refused(_) => "refused",
        }
    }
}

impl Encodable for Answer<'_> {
    fn encode_to<S: Sink>(&self, to: &mut Encoder<S>) {
        match self {
            Self::Hello(hello) => {
                to.message(1, if hello.dictionary.is_some() { 6 } else { 5 });
                to.uint_field(1, hello.version);
                to.text_field(2, hello.device.as_str());
                to.uint_field(3, hello.stage.code());
                to.uint_field(4, hello.ask_len_max);
                to.uint_field(5, hello.delivery_len_max);
                if let Some(dictionary) = hello.dictionary {
                    to.uint_field(6, dictionary);
                }
            }
            Self::Key { public } => {
                to.message(2, 1);
                to.bytes_field(1, public);
            }
            Self::Csr { len, csr_sha256 } => {
                to.message(3, 2);
                to.uint_field(1, *len);
                to.bytes_field(2, csr_sha256);
            }
            Self::Chunk { offset, bytes } => {
                to.message(4, 2);
                to.uint_field(1, *offset);
                to.bytes_field(2, bytes);
            }
            Self::Stored { have } => {
                to.message(5, 1);
                to.uint_field(1, *have);
            }
            Self::Committed { delivery_sha256 } => {
                to.message(6, 1);
                to.bytes_field(1, delivery_sha256);
            }
            Self::Proof { signature, leaf_sha256, delivery_sha256 } => {
                to.message(7, 3);
                to.bytes_field(1, signature);
                to.bytes_field(2, leaf_sha256);
                to.bytes_field(3, delivery_sha256);
            }
            Self::Sealed => to.message(8, 0),
            Self::Refused(refusal) => {
                let (code, facts) = refusal.to_code();
                let known = facts.iter().flatten().count() as u32;
                to.message(KIND_MAX, known.saturating_add(1));
                to.uint_field(1, code);
                for (key, fact) in (2..).zip(facts) {
                    if let Some(fact) = fact {
                        to.uint_field(key, fact);
                    }
                }
            }
        }
    }
}

/// The last of the kinds above.
const KIND_MAX: u32 = 9;
