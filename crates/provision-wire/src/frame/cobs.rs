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

/// Decodes whole blocks in place; the result is never longer.
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
