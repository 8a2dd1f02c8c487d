//! What the device answers.

use minicbor::encode::{Encoder, Write};

use crate::ask::{one_field, placed_bytes};
use crate::cbor::{Encodable, Encoded, Message, MessageFault, fixed};
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
        let message = Message::open(payload)?;
        let malformed = MessageFault::Malformed { at: payload.len() };
        match message.kind {
            1 => {
                let (mut version, mut device, mut stage) = (None, None, None);
                let (mut ask_len_max, mut delivery_len_max) = (None, None);
                message.read_fields(|key, d| {
                    match key {
                        1 => version = Some(d.u32()?),
                        2 => device = DeviceSerial::new(d.str()?).ok(),
                        3 => stage = Stage::from_code(d.u32()?),
                        4 => ask_len_max = Some(d.u32()?),
                        5 => delivery_len_max = Some(d.u32()?),
                        _ => return Ok(false),
                    }
                    Ok(true)
                })?;
                match (version, device, stage, ask_len_max, delivery_len_max) {
                    (
                        Some(version),
                        Some(device),
                        Some(stage),
                        Some(ask_len_max),
                        Some(delivery_len_max),
                    ) => Ok(Self::Hello(Hello {
                        version,
                        device,
                        stage,
                        ask_len_max,
                        delivery_len_max,
                    })),
                    _ => Err(malformed),
                }
            }
            2 => one_field(message, fixed).map(|public| Self::Key { public }),
            3 => {
                let (mut len, mut digest) = (None, None);
                message.read_fields(|key, d| {
                    match key {
                        1 => len = Some(d.u32()?),
                        2 => digest = Some(fixed(d)?),
                        _ => return Ok(false),
                    }
                    Ok(true)
                })?;
                match (len, digest) {
                    (Some(len), Some(csr_sha256)) => Ok(Self::Csr { len, csr_sha256 }),
                    _ => Err(malformed),
                }
            }
            4 => placed_bytes(message).map(|(offset, bytes)| Self::Chunk { offset, bytes }),
            5 => one_field(message, |d| d.u32()).map(|have| Self::Stored { have }),
            6 => {
                one_field(message, fixed).map(|delivery_sha256| Self::Committed { delivery_sha256 })
            }
            7 => {
                let (mut signature, mut leaf, mut delivery) = (None, None, None);
                message.read_fields(|key, d| {
                    match key {
                        1 => signature = Some(fixed(d)?),
                        2 => leaf = Some(fixed(d)?),
                        3 => delivery = Some(fixed(d)?),
                        _ => return Ok(false),
                    }
                    Ok(true)
                })?;
                match (signature, leaf, delivery) {
                    (Some(signature), Some(leaf_sha256), Some(delivery_sha256)) => {
                        Ok(Self::Proof { signature, leaf_sha256, delivery_sha256 })
                    }
                    _ => Err(malformed),
                }
            }
            8 => message.read_fields(|_, _| Ok(false)).map(|()| Self::Sealed),
            9 => {
                let (mut code, mut facts) = (None, [None; 2]);
                message.read_fields(|key, d| {
                    match key {
                        1 => code = Some(d.u32()?),
                        2 => facts[0] = Some(d.u32()?),
                        3 => facts[1] = Some(d.u32()?),
                        _ => return Ok(false),
                    }
                    Ok(true)
                })?;
                let code = code.ok_or(malformed)?;
                Ok(Self::Refused(Refusal::from_code(code, facts)))
            }
            kind => Err(MessageFault::UnknownKind { kind }),
        }
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
    fn encode_to<W: Write>(&self, e: &mut Encoder<W>) -> Encoded<W::Error> {
        e.array(2)?;
        match self {
            Self::Hello(hello) => {
                e.u32(1)?.map(5)?;
                e.u32(1)?.u32(hello.version)?;
                e.u32(2)?.str(hello.device.as_str())?;
                e.u32(3)?.u32(hello.stage.code())?;
                e.u32(4)?.u32(hello.ask_len_max)?;
                e.u32(5)?.u32(hello.delivery_len_max)?.ok()
            }
            Self::Key { public } => e.u32(2)?.map(1)?.u32(1)?.bytes(public)?.ok(),
            Self::Csr { len, csr_sha256 } => {
                e.u32(3)?.map(2)?.u32(1)?.u32(*len)?.u32(2)?.bytes(csr_sha256)?.ok()
            }
            Self::Chunk { offset, bytes } => {
                e.u32(4)?.map(2)?.u32(1)?.u32(*offset)?.u32(2)?.bytes(bytes)?.ok()
            }
            Self::Stored { have } => e.u32(5)?.map(1)?.u32(1)?.u32(*have)?.ok(),
            Self::Committed { delivery_sha256 } => {
                e.u32(6)?.map(1)?.u32(1)?.bytes(delivery_sha256)?.ok()
            }
            Self::Proof { signature, leaf_sha256, delivery_sha256 } => {
                e.u32(7)?.map(3)?;
                e.u32(1)?.bytes(signature)?;
                e.u32(2)?.bytes(leaf_sha256)?;
                e.u32(3)?.bytes(delivery_sha256)?.ok()
            }
            Self::Sealed => e.u32(8)?.map(0)?.ok(),
            Self::Refused(refusal) => {
                let (code, facts) = refusal.to_code();
                let known = facts.iter().flatten().count() as u64;
                e.u32(9)?.map(known.saturating_add(1))?;
                e.u32(1)?.u32(code)?;
                for (key, fact) in (2..).zip(facts).filter_map(|(k, f)| f.map(|f| (k, f))) {
                    e.u32(key)?.u32(fact)?;
                }
                Ok(())
            }
        }
    }
}
