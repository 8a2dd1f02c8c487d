//! DER (ITU-T X.690), read and written one element at a time: strict, small, and without a panic.
//!
//! By hand, because the crate `der` would take seven kilobytes of flash more: its errors carry
//! positions and names, of which a device has no use, and it asks every value for its length at
//! each level of nesting.

/// One element: identifier, length, contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    /// The identifier byte: class, constructed or not, tag number below 31.
    pub tag: u8,
    /// What the element holds.
    pub contents: &'a [u8],
    /// All of it, header included.
    pub encoded: &'a [u8],
}

/// Elements that stand one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads from the start of `bytes`.
    #[must_use]
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether everything was read.
    #[must_use]
    pub const fn is_finished(&self) -> bool {
        self.0.is_empty()
    }

    /// The next element. `None`: there is none, it is cut off, or it is not DER (a length that
    /// could be shorter, or is not given; a tag number of 31 or more, which X.509 never uses).
    #[expect(clippy::should_implement_trait, reason = "an iterator would not end at an error")]
    pub fn next(&mut self) -> Option<Element<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        if tag & 0x1f == 0x1f {
            return None;
        }
        let (&short, rest) = rest.split_first()?;
        let (len, rest) = match short {
            0..=0x7f => (usize::from(short), rest),
            0x81 => {
                let (&len, rest) = rest.split_first()?;
                (usize::from(len), if len >= 0x80 { rest } else { return None })
            }
            0x82 => {
                let (len, rest) = rest.split_first_chunk()?;
                let len = u16::from_be_bytes(*len);
                (usize::from(len), if len >= 0x100 { rest } else { return None })
            }
            _ => return None,
        };
        let (contents, after) = rest.split_at_checked(len)?;
        let encoded = self.0.split_at_checked(self.0.len().checked_sub(after.len())?)?.0;
        self.0 = after;
        Some(Element { tag, contents, encoded })
    }

    /// The contents of the next element, which must have this tag.
    // Not inlined: it is called from everywhere.
    #[inline(never)]
    pub fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.next().filter(|element| element.tag == tag).map(|element| element.contents)
    }
}

/// Writes from the start of a buffer. What does not fit is counted and not written.
pub(crate) struct Writer<'b> {
    out: &'b mut [u8],
    len: usize,
}

impl<'b> Writer<'b> {
    pub(crate) const fn new(out: &'b mut [u8]) -> Self {
        Self { out, len: 0 }
    }

    /// Leaves so many bytes as they are.
    pub(crate) const fn skip(&mut self, len: usize) {
        self.len += len;
    }

    /// Bytes so far.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// Appends as it is.
    // Not inlined: it is called ten times.
    #[inline(never)]
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        let room = self.out.get_mut(self.len..).and_then(|rest| rest.get_mut(..bytes.len()));
        if let Some(room) = room {
            room.copy_from_slice(bytes);
        }
        self.len = self.len.saturating_add(bytes.len());
    }

    /// Appends identifier and length; contents of so many bytes, up to 65,535, must follow.
    pub(crate) fn header(&mut self, tag: u8, contents_len: usize) {
        let [.., high, low] = contents_len.to_be_bytes();
        match contents_len {
            0..=0x7f => self.put(&[tag, low]),
            0x80..=0xff => self.put(&[tag, 0x81, low]),
            _ => self.put(&[tag, 0x82, high, low]),
        }
    }

    /// What was written; `None` if it did not fit.
    pub(crate) fn finish(self) -> Option<&'b [u8]> {
        self.out.get(..self.len)
    }
}

/// Length of an element with so many bytes of contents, up to 65,535.
// Not inlined: it is called in many sums.
#[inline(never)]
pub(crate) const fn tlv_len(contents_len: usize) -> usize {
    let length_len = match contents_len {
        0..=0x7f => 1,
        0x80..=0xff => 2,
        _ => 3,
    };
    1 + length_len + contents_len
}

/// INTEGER
pub const INTEGER: u8 = 0x02;
/// BIT STRING
pub const BIT_STRING: u8 = 0x03;
/// OBJECT IDENTIFIER
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
/// UTF8String
pub(crate) const UTF8_STRING: u8 = 0x0c;
/// PrintableString
pub(crate) const PRINTABLE_STRING: u8 = 0x13;
/// SEQUENCE, SEQUENCE OF
pub const SEQUENCE: u8 = 0x30;
/// SET, SET OF
pub(crate) const SET: u8 = 0x31;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_one_after_the_other() {
        let mut reader = Reader::new(&[0x30, 3, 2, 1, 5, 0x04, 0]);
        let first = reader.next().unwrap();
        assert_eq!((first.tag, first.contents, first.encoded.len()), (0x30, &[2, 1, 5][..], 5));
        assert_eq!(Reader::new(first.contents).expect(INTEGER), Some(&[5][..]));
        assert_eq!(reader.expect(0x04), Some(&[][..]));
        assert!(reader.is_finished());
        assert_eq!(reader.next(), None);
    }

    #[test]
    fn long_lengths() {
        for (len, header) in
            [(0x7f, &[4, 0x7f][..]), (0x80, &[4, 0x81, 0x80]), (0x100, &[4, 0x82, 1, 0])]
        {
            let mut bytes = [0; 300];
            bytes[..header.len()].copy_from_slice(header);
            let found = Reader::new(&bytes).next().unwrap();
            assert_eq!((found.contents.len(), found.encoded.len()), (len, len + header.len()));
        }
    }

    #[test]
    fn what_is_written_is_read() {
        for len in [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x1ff] {
            let (mut out, contents) = ([0; 600], [7; 600]);
            let mut writer = Writer::new(&mut out);
            writer.header(SET, len);
            writer.put(&contents[..len]);
            let written = writer.finish().unwrap();
            assert_eq!(written.len(), tlv_len(len));
            let found = Reader::new(written).next().unwrap();
            assert_eq!((found.tag, found.contents), (SET, &contents[..len]));
            assert_eq!(found.encoded, written);
        }
    }

    #[test]
    fn what_does_not_fit_is_not_written() {
        for room in 0..4 {
            let mut out = [0; 4];
            let mut writer = Writer::new(&mut out[..room]);
            writer.header(SET, 2);
            writer.put(&[7; 2]);
            assert_eq!(writer.finish(), None, "{room}");
        }
    }

    #[test]
    fn what_is_not_der() {
        for bad in [
            &[][..],
            &[0x30],
            &[0x30, 1],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x81, 1, 0],
            &[0x30, 0x82, 0, 1, 0],
            &[0x30, 0x83, 1, 0, 0],
            &[0x1f, 0x81, 0, 0],
        ] {
            assert_eq!(Reader::new(bad).next(), None, "{bad:02x?}");
        }
    }
}
