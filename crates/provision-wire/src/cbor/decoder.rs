//! Reading CBOR.

use super::major;

/// Reads items one after the other. `None` from any method: it is not that, cut off, or not in the
/// deterministic encoding; [`position`](Self::position) then says about where.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decoder<'b> {
    rest: &'b [u8],
    len: usize,
}

impl<'b> Decoder<'b> {
    pub(crate) const fn new(bytes: &'b [u8]) -> Self {
        Self { rest: bytes, len: bytes.len() }
    }

    /// Bytes read so far.
    pub(crate) const fn position(&self) -> usize {
        self.len.saturating_sub(self.rest.len())
    }

    pub(crate) const fn is_finished(&self) -> bool {
        self.rest.is_empty()
    }

    /// Major type of the next item.
    pub(super) fn peek(&self) -> Option<u8> {
        self.rest.first().map(|first| first >> 5)
    }

    pub(crate) fn uint(&mut self) -> Option<u32> {
        self.long_uint().and_then(|value| u32::try_from(value).ok())
    }

    pub(crate) fn long_uint(&mut self) -> Option<u64> {
        self.head_of(major::UINT)
    }

    pub(crate) fn bytes(&mut self) -> Option<&'b [u8]> {
        let len = self.head_of(major::BYTES)?;
        self.take(len)
    }

    pub(crate) fn text(&mut self) -> Option<&'b str> {
        self.raw_text().and_then(|text| core::str::from_utf8(text).ok())
    }

    /// A text, not looked at.
    pub(super) fn raw_text(&mut self) -> Option<&'b [u8]> {
        let len = self.head_of(major::TEXT)?;
        self.take(len)
    }

    pub(crate) fn array(&mut self) -> Option<u64> {
        self.head_of(major::ARRAY)
    }

    pub(crate) fn map(&mut self) -> Option<u64> {
        self.head_of(major::MAP)
    }

    /// This key of a map, and no other.
    pub(crate) fn key(&mut self, key: u32) -> Option<()> {
        let mut ahead = *self;
        if ahead.uint()? != key {
            return None;
        }
        *self = ahead;
        Some(())
    }

    /// Passes over one value of those that a later version may add, in constant stack. Each step
    /// takes at least one byte, so it ends with the input.
    pub(super) fn skip(&mut self) -> Option<()> {
        let mut left = 1_u64;
        while left > 0 {
            left = left.saturating_sub(1);
            let (major, argument) = self.head()?;
            match major {
                major::UINT => {}
                major::BYTES | major::TEXT => drop(self.take(argument)?),
                major::ARRAY => left = left.saturating_add(argument),
                major::MAP => left = left.saturating_add(argument).saturating_add(argument),
                major::SIMPLE if matches!(argument, 20 | 21) => {}
                _ => return None,
            }
        }
        Some(())
    }

    fn head_of(&mut self, major: u8) -> Option<u64> {
        if self.peek()? != major {
            return None;
        }
        self.head().map(|(_, argument)| argument)
    }

    /// Major type and argument of the next item (RFC 8949 section 3).
    // Not inlined: it is called from everywhere.
    #[inline(never)]
    fn head(&mut self) -> Option<(u8, u64)> {
        let (&first, mut rest) = self.rest.split_first()?;
        let (major, short) = (first >> 5, first & 0x1f);
        let mut argument = u64::from(short);
        if let Some(log_len) = short.checked_sub(24) {
            // 28 to 30 are reserved, 31 is an indefinite length.
            if log_len > 3 {
                return None;
            }
            let len = 1_usize << log_len;
            let bytes;
            (bytes, rest) = rest.split_at_checked(len)?;
            argument = bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
            let least = if log_len == 0 { 24 } else { 1 << (4_u32 << log_len) };
            if argument < least {
                return None;
            }
        }
        self.rest = rest;
        Some((major, argument))
    }

    fn take(&mut self, len: u64) -> Option<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(usize::try_from(len).ok()?)?;
        self.rest = rest;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::Decoder;

    #[test]
    fn numbers_have_one_encoding() {
        let read = |bytes: &[u8]| Decoder::new(bytes).long_uint();
        assert_eq!(read(&[23]), Some(23));
        assert_eq!(read(&[24, 24]), Some(24));
        assert_eq!(read(&[24, 255]), Some(255));
        assert_eq!(read(&[25, 1, 0]), Some(256));
        assert_eq!(read(&[26, 0, 1, 0, 0]), Some(65_536));
        assert_eq!(read(&[27, 0, 0, 0, 1, 0, 0, 0, 0]), Some(1 << 32));
        assert_eq!(read(&[27, 255, 255, 255, 255, 255, 255, 255, 255]), Some(u64::MAX));

        assert_eq!(read(&[24, 23]), None);
        assert_eq!(read(&[25, 0, 255]), None);
        assert_eq!(read(&[26, 0, 0, 255, 255]), None);
        assert_eq!(read(&[27, 0, 0, 0, 0, 255, 255, 255, 255]), None);
        assert_eq!(read(&[28]), None);
        assert_eq!(read(&[31]), None);
        assert_eq!(read(&[0x20]), None);
        assert_eq!(read(&[25, 1]), None);
        assert_eq!(read(&[]), None);
    }

    #[test]
    fn what_fails_is_not_passed() {
        for bytes in [&[0x43, 1, 2][..], &[0x58, 1, 7], &[0x5f, 0xff], &[0x61, 0x80], &[0x82, 1, 1]]
        {
            let mut decoder = Decoder::new(bytes);
            assert_eq!(decoder.bytes(), None, "{bytes:x?}");
            assert!(decoder.position() <= 1, "{bytes:x?}");
        }
        assert_eq!(Decoder::new(&[0x61, 0x80]).text(), None, "not UTF-8");
    }

    #[test]
    fn skipping_takes_what_the_protocol_may_grow_by_and_nothing_else() {
        let skip = |bytes: &[u8]| {
            let mut decoder = Decoder::new(bytes);
            decoder.skip().map(|()| decoder.position())
        };
        assert_eq!(skip(&[0x82, 1, 0x61, 0x78, 9]), Some(4));
        assert_eq!(skip(&[0xa2, 1, 0xf4, 2, 0x81, 0xf5, 9]), Some(6));
        assert_eq!(skip(&[0x80]), Some(1));
        assert_eq!(skip(&[0x82, 1]), None, "an item is missing");
        assert_eq!(skip(&[0xf6]), None, "null");
        assert_eq!(skip(&[0xf9, 0, 0]), None, "a float");
        assert_eq!(skip(&[0x20]), None, "a negative number");
        assert_eq!(skip(&[0xc0, 0]), None, "a tag");
        assert_eq!(skip(&[0x9f, 0xff]), None, "an indefinite length");
        // Claims 2^64 - 1 pairs, twice over: must neither overflow nor run on.
        assert_eq!(skip(&[0xbb, 255, 255, 255, 255, 255, 255, 255, 255, 1]), None);
    }
}
