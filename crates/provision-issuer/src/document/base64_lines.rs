//! Base64 in lines of any length, decoded piece by piece, so that a long one is not in memory a second time.

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine as _};
use memchr::{memchr_iter, memchr3};
use thiserror::Error;

use super::positions::Positions;

/// Base64 as it arrives. White space stands anywhere in it (RFC 7468 section 3, `laxbase64text`).
#[derive(Default)]
pub(super) struct Base64Lines {
    /// What was not decoded yet.
    rest: Vec<u8>,
    /// Whether padding has come, behind which there is nothing.
    padded: bool,
    positions: Positions,
}

/// What is wrong with base64.
#[derive(Debug, PartialEq, Eq, Error)]
pub(super) enum Wrong {
    /// A byte is not of it.
    #[error("byte {at} of the file is {byte:#04x}, which is no base64 there")]
    Byte { at: usize, byte: u8 },
    /// It has not the length of any bytes.
    #[error("its base64 ends too soon, at byte {at} of the file")]
    Ends { at: usize },
}

impl Base64Lines {
    /// Takes more of the text, which stands at byte `at` of the file.
    pub(super) fn push(&mut self, text: &[u8], at: usize) {
        let mut begins = 0;
        for end in memchr_iter(b'\n', text).chain([text.len()]) {
            let line = &text[begins..end];
            // The lines of most files have nothing else in them.
            if memchr3(b' ', b'\t', b'\r', line).is_none() {
                self.push_word(line, at + begins);
            } else {
                let mut word_begins = begins;
                for word in line.split(|byte| matches!(byte, b' ' | b'\t' | b'\r')) {
                    self.push_word(word, at + word_begins);
                    word_begins += word.len() + 1;
                }
            }
            begins = end + 1;
        }
    }

    fn push_word(&mut self, word: &[u8], at: usize) {
        if !word.is_empty() {
            self.rest.extend_from_slice(word);
            self.positions.push(word.len(), at);
        }
    }

    /// Whether there is enough to be worth the call.
    pub(super) const fn has_piece(&self) -> bool {
        self.rest.len() >= PIECE
    }

    /// Decodes what makes whole bytes, onto `der`.
    pub(super) fn decode(&mut self, der: &mut Vec<u8>) -> Result<(), Wrong> {
        self.decode_some(self.rest.len() / 4 * 4, der)
    }

    /// Decodes all the rest, onto `der`. Returns where each character stood.
    pub(super) fn finish(mut self, der: &mut Vec<u8>) -> Result<Positions, Wrong> {
        self.decode_some(self.rest.len(), der)?;
        Ok(self.positions)
    }

    fn decode_some(&mut self, len: usize, der: &mut Vec<u8>) -> Result<(), Wrong> {
        let decoded = self.positions.count() - self.rest.len();
        let piece = self.rest.get(..len).unwrap_or_default();
        if self.padded && !piece.is_empty() {
            return Err(self.wrong_byte(decoded - 1, b'='));
        }
        STANDARD.decode_vec(piece, der).map_err(|error| match error {
            DecodeError::InvalidByte(at, byte)
            | DecodeError::InvalidLastSymbol { offset: at, symbol: byte, .. } => {
                self.wrong_byte(decoded + at, byte)
            }
            DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => {
                Wrong::Ends { at: self.position(decoded + len) }
            }
        })?;
        self.padded |= piece.ends_with(b"=");
        self.rest.drain(..len);
        Ok(())
    }

    fn wrong_byte(&self, character: usize, byte: u8) -> Wrong {
        Wrong::Byte { at: self.position(character), byte }
    }

    /// Where a character of the last piece stands in the file. It is known.
    fn position(&self, character: usize) -> usize {
        self.positions.of(character).unwrap_or_default()
    }

    /// Where each character stood.
    pub(super) const fn positions(&self) -> &Positions {
        &self.positions
    }
}

/// The byte of the file in which a byte of the DER begins, if it is known.
pub(super) fn byte_of_file(positions: &Positions, der_at: usize) -> Option<usize> {
    positions.of(der_at / 3 * 4 + der_at % 3)
}

/// Small beside what a long file takes, and long enough to be decoded fast.
pub(super) const PIECE: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes, or what is said of the text when it stands a hundred bytes into a file and comes in two parts.
    fn read(text: &str, parts: usize) -> Result<Vec<u8>, String> {
        let (mut lines, mut der) = (Base64Lines::default(), Vec::new());
        let (one, two) = text.as_bytes().split_at(parts);
        let all = (|| {
            for (part, at) in [(one, 100), (two, 100 + one.len())] {
                lines.push(part, at);
                // As if each part were a piece.
                lines.decode(&mut der)?;
            }
            lines.finish(&mut der)
        })();
        all.map(|_| der).map_err(|wrong: Wrong| wrong.to_string())
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place_in_the_file() {
        let no = |at: usize, byte: &str| {
            Err(format!("byte {at} of the file is {byte}, which is no base64 there"))
        };
        for (text, expected) in [
            ("QUJD\nREVG\n", Ok(b"ABCDEF".to_vec())),
            ("QUJ\nDR\r\n  EVG\n", Ok(b"ABCDEF".to_vec())),
            ("QU JD\tREVG", Ok(b"ABCDEF".to_vec())),
            ("QUJDRA==\n", Ok(b"ABCD".to_vec())),
            ("QUJD\nRE!G\n", no(107, "0x21")),
            ("\nQUJD\r\n  RE!G\n", no(111, "0x21")),
            ("QUJD\nRA==\nREVG", no(108, "0x3d")),
            ("QUJD\nRE\n", Err("its base64 ends too soon, at byte 107 of the file".into())),
            ("QUJD\nR\n", Err("its base64 ends too soon, at byte 106 of the file".into())),
            ("", Ok(vec![])),
        ] {
            for parts in 0..=text.len() {
                let read = read(text, parts);
                // Padding is wrong where it stands, or because something follows: one or two bytes.
                let same = read == expected || text.contains("==\nR") && read == no(107, "0x3d");
                assert!(same, "{text:?} in {parts}: {read:?}");
            }
        }
    }

    #[test]
    fn a_byte_of_der_is_found_in_the_file() {
        let mut lines = Base64Lines::default();
        lines.push(b"QUJD\nREVG\n", 100);
        let at = |der_at| byte_of_file(lines.positions(), der_at);
        // Each begins in the character in which the one before ends.
        assert_eq!([0, 1, 2, 3, 4, 6].map(at), [100, 101, 102, 105, 106, 109].map(Some));
    }
}
