//! Writing CBOR.

use super::{DoesNotFit, major};

/// A message that can be written.
pub trait Encodable {
    /// Writes the CBOR form.
    fn encode_to<S: Sink>(&self, to: &mut Encoder<S>);

    /// Writes the CBOR form into `out` and returns its length in bytes.
    ///
    /// # Errors
    ///
    /// [`DoesNotFit`] if `out` is too small.
    fn encode_into(&self, out: &mut [u8]) -> Result<usize, DoesNotFit> {
        let mut encoder = Encoder::new(Buffer { out, len: 0 });
        self.encode_to(&mut encoder);
        let Buffer { out, len } = encoder.into_sink();
        if len <= out.len() { Ok(len) } else { Err(DoesNotFit) }
    }
}

/// Where bytes go. It remembers by itself if they were too many: that is asked once, at the end.
pub trait Sink {
    /// Takes some more.
    fn put(&mut self, bytes: &[u8]);
}

/// Writes items one after the other; see RFC 8949 section 3.
#[derive(Debug)]
pub struct Encoder<S> {
    sink: S,
}

impl<S: Sink> Encoder<S> {
    /// Writes into `sink`.
    pub const fn new(sink: S) -> Self {
        Self { sink }
    }

    /// Gives the sink back.
    pub fn into_sink(self) -> S {
        self.sink
    }

    /// An unsigned number.
    pub fn uint(&mut self, value: u32) {
        self.head(major::UINT, value);
    }

    /// An unsigned number that may be longer.
    pub fn long_uint(&mut self, value: u64) {
        match u32::try_from(value) {
            Ok(value) => self.uint(value),
            Err(_) => {
                self.sink.put(&[major::UINT << 5 | 27]);
                self.sink.put(&value.to_be_bytes());
            }
        }
    }

    /// A byte string.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.string(major::BYTES, bytes);
    }

    /// A text.
    pub fn text(&mut self, text: &str) {
        self.string(major::TEXT, text.as_bytes());
    }

    /// The head of an array; so many items must follow.
    pub fn array(&mut self, len: u32) {
        self.head(major::ARRAY, len);
    }

    /// The head of a map; so many keys with their values must follow.
    pub fn map(&mut self, len: u32) {
        self.head(major::MAP, len);
    }

    /// A message's head; so many fields must follow.
    pub fn message(&mut self, kind: u32, fields: u32) {
        self.array(2);
        self.uint(kind);
        self.map(fields);
    }

    /// A key with a number.
    #[inline(never)]
    pub fn uint_field(&mut self, key: u32, value: u32) {
        self.uint(key);
        self.uint(value);
    }

    /// A key with a byte string.
    pub fn bytes_field(&mut self, key: u32, bytes: &[u8]) {
        self.uint(key);
        self.bytes(bytes);
    }

    /// A key with a text.
    pub fn text_field(&mut self, key: u32, text: &str) {
        self.uint(key);
        self.text(text);
    }

    // Not inlined, as is `head`: they are called dozens of times.
    #[inline(never)]
    fn string(&mut self, major: u8, bytes: &[u8]) {
        // What is longer than 4 GiB fits no sink.
        self.head(major, u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.sink.put(bytes);
    }

    #[inline(never)]
    fn head(&mut self, major: u8, argument: u32) {
        let bytes = argument.to_be_bytes();
        let [.., b2, b3] = bytes;
        let major = major << 5;
        match argument {
            0..24 => self.sink.put(&[major | b3]),
            24..0x100 => self.sink.put(&[major | 24, b3]),
            0x100..0x1_0000 => self.sink.put(&[major | 25, b2, b3]),
            _ => {
                self.sink.put(&[major | 26]);
                self.sink.put(&bytes);
            }
        }
    }
}

/// What does not fit is counted and not written.
struct Buffer<'o> {
    out: &'o mut [u8],
    len: usize,
}

impl Sink for Buffer<'_> {
    fn put(&mut self, bytes: &[u8]) {
        let end = self.len.saturating_add(bytes.len());
        if let Some(room) = self.out.get_mut(self.len..end) {
            room.copy_from_slice(bytes);
        }
        self.len = end;
    }
}
