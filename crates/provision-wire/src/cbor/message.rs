//! The shape all messages share.

use super::{Decoder, MessageFault, major};

/// A message whose kind is known, with the values of its fields.
///
/// Fields are numbers, byte strings and texts under the keys from 1 on. Messages are append-only:
/// what else a newer peer added is passed over.
pub(crate) struct Message<'b> {
    pub(crate) kind: u32,
    fields: [Option<Value<'b>>; KEYS],
}

#[derive(Clone, Copy)]
enum Value<'b> {
    Uint(u32),
    Bytes(&'b [u8]),
    Text(&'b [u8]),
}

/// No message has more.
const KEYS: usize = 6;

impl<'b> Message<'b> {
    /// Reads a message of one of the kinds from 1 to `kind_max`.
    pub(crate) fn decode(payload: &'b [u8], kind_max: u32) -> Result<Self, MessageFault> {
        let mut decoder = Decoder::new(payload);
        let mut message = Self { kind: 0, fields: [None; KEYS] };
        let fields = message.read_head(&mut decoder);
        if fields.is_some() && !(1..=kind_max).contains(&message.kind) {
            return Err(MessageFault::UnknownKind { kind: message.kind });
        }
        let read = fields.and_then(|fields| message.read_fields(&mut decoder, fields));
        if read.is_some() && decoder.is_finished() {
            Ok(message)
        } else {
            Err(MessageFault::Malformed { at: decoder.position() })
        }
    }

    fn read_head(&mut self, decoder: &mut Decoder<'b>) -> Option<u64> {
        if decoder.array()? != 2 {
            return None;
        }
        self.kind = decoder.uint()?;
        decoder.map()
    }

    fn read_fields(&mut self, decoder: &mut Decoder<'b>, fields: u64) -> Option<()> {
        let mut last = None;
        for _ in 0..fields {
            let key = decoder.uint()?;
            // Keys must ascend: one meaning, one encoding.
            if last.is_some_and(|last| key <= last) {
                return None;
            }
            last = Some(key);
            let value = value(decoder)?;
            if let Some(place) = key.checked_sub(1).and_then(|at| self.fields.get_mut(at as usize))
            {
                *place = value;
            }
        }
        Some(())
    }

    pub(crate) fn uint(&self, key: usize) -> Option<u32> {
        match self.field(key)? {
            Value::Uint(value) => Some(value),
            _ => None,
        }
    }

    pub(crate) fn bytes(&self, key: usize) -> Option<&'b [u8]> {
        match self.field(key)? {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// A byte string of exactly `N` bytes.
    pub(crate) fn fixed<const N: usize>(&self, key: usize) -> Option<[u8; N]> {
        self.bytes(key).and_then(|bytes| bytes.try_into().ok())
    }

    pub(crate) fn text(&self, key: usize) -> Option<&'b str> {
        match self.field(key)? {
            Value::Text(text) => core::str::from_utf8(text).ok(),
            _ => None,
        }
    }

    fn field(&self, key: usize) -> Option<Value<'b>> {
        key.checked_sub(1).and_then(|at| *self.fields.get(at)?)
    }
}

/// A value that a field may have; `None` inside for others that may come later.
fn value<'b>(decoder: &mut Decoder<'b>) -> Option<Option<Value<'b>>> {
    let value = match decoder.peek()? {
        major::UINT => Value::Uint(match u32::try_from(decoder.long_uint()?) {
            Ok(value) => value,
            Err(_) => return Some(None),
        }),
        major::BYTES => Value::Bytes(decoder.bytes()?),
        major::TEXT => Value::Text(decoder.raw_text()?),
        _ => return decoder.skip().map(|()| None),
    };
    Some(Some(value))
}
