//! Consistent Overhead Byte Stuffing (Cheshire and Baker, 1999): bytes without a zero, one more in
//! 254 at most.
//!
//! A block is a code and `code - 1` bytes that are not zero. After it stands a zero that was left
//! out, unless the code is 255 or the block is the last.

/// Writes encoded bytes one after the other. What does not fit is lost, and known at the end.
pub(super) struct Encoder<'o> {
    out: &'o mut [u8],
    /// Where the next byte goes.
    at: usize,
    /// Where the code of the open block goes.
    code_at: usize,
}

impl<'o> Encoder<'o> {
    /// Writes into `out` from `start` on.
    pub(super) const fn new(out: &'o mut [u8], start: usize) -> Self {
        Self { out, at: start.saturating_add(1), code_at: start }
    }

    pub(super) fn push(&mut self, byte: u8) {
        if byte != 0 {
            self.set(self.at, byte);
            self.at = self.at.saturating_add(1);
        }
        if byte == 0 || self.code() == 0xff {
            self.close();
        }
    }

    /// Where the encoded bytes end; `None` if they did not fit.
    pub(super) fn finish(mut self) -> Option<usize> {
        let end = self.at;
        self.close();
        (end <= self.out.len()).then_some(end)
    }

    fn close(&mut self) {
        let code = self.code();
        self.set(self.code_at, code as u8);
        self.code_at = self.at;
        self.at = self.at.saturating_add(1);
    }

    const fn code(&self) -> usize {
        self.at.saturating_sub(self.code_at)
    }

    fn set(&mut self, at: usize, byte: u8) {
        if let Some(place) = self.out.get_mut(at) {
            *place = byte;
        }
    }
}

/// Length of what is encoded, if these are whole blocks.
pub(super) fn decoded_len(encoded: &[u8]) -> Option<usize> {
    let (mut at, mut decoded) = (0_usize, 0_usize);
    loop {
        let code = usize::from(*encoded.get(at)?);
        at = at.checked_add(code)?;
        decoded = decoded.checked_add(code.checked_sub(1)?)?;
        if at == encoded.len() {
            return Some(decoded);
        }
        if code < 0xff {
            decoded = decoded.checked_add(1)?;
        }
    }
}

/// Where the first zero is.
#[cfg(not(feature = "crc-table"))]
#[inline]
pub(super) fn first_zero(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == 0)
}

/// Where the first zero is. Many bytes at once.
#[cfg(feature = "crc-table")]
pub(super) fn first_zero(bytes: &[u8]) -> Option<usize> {
    let (chunks, _) = bytes.as_chunks::<32>();
    let without =
        chunks.iter().take_while(|chunk| !chunk.iter().fold(false, |any, b| any | (*b == 0)));
    let start = without.count().saturating_mul(32);
    let found = bytes.get(start..)?.iter().position(|byte| *byte == 0)?;
    start.checked_add(found)
}

/// Writes encoded bytes, block by block, and returns how many; `None` if they do not fit.
#[cfg(feature = "crc-table")]
pub(super) fn encode(bytes: &[u8], out: &mut [u8]) -> Option<usize> {
    let (mut rest, mut at) = (bytes, 0_usize);
    loop {
        let within = rest.get(..254).unwrap_or(rest);
        let block = first_zero(within).and_then(|len| within.get(..len)).unwrap_or(within);
        let code = block.len().checked_add(1)?;
        let end = at.checked_add(code)?;
        let (first, place) = out.get_mut(at..end)?.split_first_mut()?;
        *first = u8::try_from(code).ok()?;
        place.copy_from_slice(block);
        at = end;
        // A full block leaves no zero out, and the end of the bytes is none.
        rest = rest.get(block.len()..)?;
        match rest.split_first() {
            None if code == 0xff => {
                // As the encoder for devices does it: after a full block another one is open.
                *out.get_mut(at)? = 1;
                return at.checked_add(1);
            }
            None => return Some(at),
            Some((_zero, after)) if code < 0xff => rest = after,
            Some(_) => {}
        }
    }
}

/// Decodes whole blocks in place; the result is never longer.
#[cfg(feature = "crc-table")]
pub(super) fn decode_in_place(bytes: &mut [u8]) -> &mut [u8] {
    let (mut from, mut to) = (0_usize, 0_usize);
    while let Some(&code) = bytes.get(from) {
        let start = from.saturating_add(1);
        let end = from.saturating_add(usize::from(code)).clamp(start, bytes.len());
        bytes.copy_within(start..end, to);
        to = to.saturating_add(end.saturating_sub(start));
        from = end;
        if code < 0xff
            && from < bytes.len()
            && let Some(place) = bytes.get_mut(to)
        {
            *place = 0;
            to = to.saturating_add(1);
        }
    }
    bytes.get_mut(..to).unwrap_or_default()
}

/// Decodes whole blocks in place; the result is never longer.
#[cfg(not(feature = "crc-table"))]
pub(super) fn decode_in_place(bytes: &mut [u8]) -> &mut [u8] {
    let (mut from, mut to) = (0_usize, 0_usize);
    // Bytes until the next code, and whether that stands for a zero as well.
    let (mut left, mut zero) = (0_u8, false);
    while let Some(&byte) = bytes.get(from) {
        from = from.saturating_add(1);
        let decoded = if left > 0 {
            left = left.saturating_sub(1);
            byte
        } else {
            let after_full_block = !core::mem::replace(&mut zero, byte < 0xff);
            left = byte.saturating_sub(1);
            if after_full_block {
                continue;
            }
            0
        };
        if let Some(place) = bytes.get_mut(to) {
            *place = decoded;
        }
        to = to.saturating_add(1);
    }
    bytes.get_mut(..to).unwrap_or_default()
}

#[cfg(all(test, feature = "crc-table"))]
mod tests {
    use super::{Encoder, decode_in_place, decoded_len, encode};

    /// What hosts do block by block is what devices do byte by byte.
    #[test]
    fn blocks_are_as_bytes_are() {
        let zero_each = [1, 2, 7, 31, 32, 33, 253, 254, 255, 1_000];
        for len in 0..800_usize {
            for (nth, zero_each) in (0..).zip(zero_each) {
                let mut bytes = [0; 800];
                for (at, byte) in (nth..).zip(&mut bytes) {
                    *byte = u8::from(at % zero_each != 0) * (at % 255 + 1) as u8;
                }
                let bytes = bytes.get(..len).unwrap_or_default();
                let (mut by_bytes, mut by_blocks) = ([0; 810], [0; 810]);
                let mut encoder = Encoder::new(&mut by_bytes, 0);
                bytes.iter().for_each(|byte| encoder.push(*byte));
                let encoded = encoder.finish();
                assert_eq!(encode(bytes, &mut by_blocks), encoded, "{len} {zero_each}");
                let encoded = encoded.unwrap_or_default();
                assert_eq!(by_blocks.get(..encoded), by_bytes.get(..encoded), "{len} {zero_each}");

                let encoded = by_blocks.get_mut(..encoded).unwrap_or_default();
                assert_eq!(decoded_len(encoded), Some(len));
                assert_eq!(decode_in_place(encoded), bytes, "{len} {zero_each}");
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for room in 0..300 {
            let fits = encode(&[7; 260], [0; 300].get_mut(..room).unwrap_or_default());
            assert_eq!(fits.is_some(), room >= 262, "{room}");
        }
    }
}
