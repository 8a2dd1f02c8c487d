//! The shape all messages share: `[kind, { key => value }]`, keys ascending, lengths definite.
//!
//! Public for those who write messages of their own in tests; devices and stations need only
//! [`Ask`](crate::Ask) and [`Answer`](crate::Answer).

use core::fmt;

use minicbor::data::Type;
use minicbor::decode::Decoder;
pub use minicbor::encode::{Encoder, Error as EncodeError, Write};

/// A message could not be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
pub struct DoesNotFit;

impl fmt::Display for DoesNotFit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the buffer is too small for what was to be encoded")
    }
}

impl core::error::Error for DoesNotFit {}

/// What the encoder of any message returns; `E` is the writer's own error.
pub(crate) type Encoded<E> = Result<(), minicbor::encode::Error<E>>;

/// A message that can be written to any [`Write`].
pub trait Encodable {
    /// Writes the CBOR form.
    ///
    /// # Errors
    ///
    /// Only the writer's: it is full.
    fn encode_to<W: Write>(
        &self,
        encoder: &mut Encoder<W>,
    ) -> Result<(), minicbor::encode::Error<W::Error>>;

    /// Writes the CBOR form into `out` and returns its length in bytes.
    ///
    /// # Errors
    ///
    /// [`DoesNotFit`] if `out` is too small.
    fn encode_into(&self, out: &mut [u8]) -> Result<usize, DoesNotFit> {
        let room = out.len();
        let mut encoder = Encoder::new(out);
        self.encode_to(&mut encoder).map_err(|_| DoesNotFit)?;
        Ok(room.saturating_sub(encoder.writer().len()))
    }
}

/// Reads `[kind, {`, hands each known key to `field`, skips unknown ones, and demands the end.
///
/// `field` returns `false` for a key it does not know: messages are append-only, so what a newer
/// peer added is passed over.
pub(crate) struct Message<'b> {
    pub(crate) kind: u32,
    fields: u64,
    decoder: Decoder<'b>,
}

impl<'b> Message<'b> {
    pub(crate) fn open(payload: &'b [u8]) -> Result<Self, MessageFault> {
        let mut decoder = Decoder::new(payload);
        let mut head = || {
            if decoder.array()? != Some(2) {
                return Err(minicbor::decode::Error::message("expected [kind, fields]"));
            }
            let kind = decoder.u32()?;
            Ok((kind, definite(decoder.map()?)?))
        };
        match head() {
            Ok((kind, fields)) => Ok(Self { kind, fields, decoder }),
            Err(_) => Err(MessageFault::Malformed { at: decoder.position() }),
        }
    }

    pub(crate) fn read_fields(
        mut self,
        mut field: impl FnMut(u32, &mut Decoder<'b>) -> Result<bool, minicbor::decode::Error>,
    ) -> Result<(), MessageFault> {
        let ok = map_fields(&mut self.decoder, self.fields, &mut field).is_ok()
            && self.decoder.position() == self.decoder.input().len();
        if ok { Ok(()) } else { Err(MessageFault::Malformed { at: self.decoder.position() }) }
    }
}

/// Reads the entries of a map whose head was read already. Keys must ascend: one meaning, one
/// encoding.
pub(crate) fn map_fields<'b>(
    decoder: &mut Decoder<'b>,
    fields: u64,
    field: &mut impl FnMut(u32, &mut Decoder<'b>) -> Result<bool, minicbor::decode::Error>,
) -> Result<(), minicbor::decode::Error> {
    let mut last: Option<u32> = None;
    for _ in 0..fields {
        let key = decoder.u32()?;
        if last.is_some_and(|last| key <= last) {
            return Err(minicbor::decode::Error::message("keys must ascend"));
        }
        last = Some(key);
        if !field(key, decoder)? {
            skip(decoder)?;
        }
    }
    Ok(())
}

/// The length of an array or map; indefinite ones are not part of the protocol.
pub(crate) fn definite(len: Option<u64>) -> Result<u64, minicbor::decode::Error> {
    len.ok_or(minicbor::decode::Error::message("indefinite length"))
}

/// A byte string of exactly `N` bytes.
pub(crate) fn fixed<const N: usize>(
    decoder: &mut Decoder<'_>,
) -> Result<[u8; N], minicbor::decode::Error> {
    decoder.bytes()?.try_into().map_err(|_| minicbor::decode::Error::message("wrong length"))
}

/// Passes over one value, whatever it is, in constant stack. Each step takes at least one byte, so
/// it ends with the payload. minicbor's own `skip` costs two kilobytes of flash more.
fn skip(decoder: &mut Decoder<'_>) -> Result<(), minicbor::decode::Error> {
    let mut left = 1_u64;
    while left > 0 {
        left = left.saturating_sub(1);
        match decoder.datatype()? {
            Type::Array => left = left.saturating_add(definite(decoder.array()?)?),
            Type::Map => {
                left = left.saturating_add(definite(decoder.map()?)?.saturating_mul(2));
            }
            Type::Bytes => drop(decoder.bytes()?),
            Type::String => drop(decoder.str()?),
            Type::U8 | Type::U16 | Type::U32 | Type::U64 => drop(decoder.u64()?),
            Type::Bool => drop(decoder.bool()?),
            _ => return Err(minicbor::decode::Error::message("not of this protocol")),
        }
    }
    Ok(())
}
