//! Base64 in lines of any length, decoded piece by piece, so that a long one is not in memory a second time.

use base64::engine::general_purpose::STANDARD;
use base64::{DecodeError, Engine as _};

/// Base64 that arrives line by line.
#[derive(Default)]
pub(super) struct Base64Lines {
    /// What was not decoded yet: less than a piece and a line.
    rest: Vec<u8>,
    /// How many characters were decoded.
    decoded: usize,
    /// Whether padding has come, behind which there is nothing.
    padded: bool,
}

/// What is wrong with base64.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// At which of its characters, line ends not counted.
    at: usize,
    /// What stands there; nothing if it ends there.
    byte: Option<u8>,
}

impl Base64Lines {
    /// Takes a line, or a part of one.
    pub(super) fn push(&mut self, line: &[u8]) {
        self.rest.extend_from_slice(line.trim_ascii());
    }

    /// Whether there is enough to be worth the call.
    pub(super) const fn has_piece(&self) -> bool {
        self.rest.len() >= PIECE
    }

    /// Whether a piece was decoded.
    pub(super) const fn has_begun(&self) -> bool {
        self.decoded > 0
    }

    /// Decodes what makes whole bytes, onto `der`.
    pub(super) fn decode(&mut self, der: &mut Vec<u8>) -> Result<(), Wrong> {
        self.decode_some(self.rest.len() / 4 * 4, der)
    }

    /// Decodes all the rest, onto `der`.
    pub(super) fn finish(mut self, der: &mut Vec<u8>) -> Result<(), Wrong> {
        self.decode_some(self.rest.len(), der)
    }

    fn decode_some(&mut self, len: usize, der: &mut Vec<u8>) -> Result<(), Wrong> {
        let piece = self.rest.get(..len).unwrap_or_default();
        if self.padded && !piece.is_empty() {
            return Err(Wrong { at: self.decoded - 1, byte: Some(b'=') });
        }
        STANDARD.decode_vec(piece, der).map_err(|error| match error {
            DecodeError::InvalidByte(at, byte)
            | DecodeError::InvalidLastSymbol { offset: at, symbol: byte, .. } => {
                Wrong { at: self.decoded + at, byte: Some(byte) }
            }
            DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => {
                Wrong { at: self.decoded + len, byte: None }
            }
        })?;
        self.padded |= piece.ends_with(b"=");
        self.decoded += len;
        self.rest.drain(..len);
        Ok(())
    }
}

impl Wrong {
    /// In words, with the place in the file: `text` is what was given line by line, and begins at that byte of it.
    pub(super) fn in_file(&self, text: &[u8], begins: usize) -> String {
        let at = begins + self.place(text);
        match self.byte {
            Some(byte) => format!("byte {at} of the file is {byte:#04x}, which is no base64 there"),
            None => format!("its base64 ends too soon, at byte {at} of the file"),
        }
    }

    fn place(&self, text: &[u8]) -> usize {
        let (mut left, mut begins, mut end) = (self.at, 0, 0);
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let indent = line.len() - line.trim_ascii_start().len();
            let len = line.trim_ascii().len();
            if left < len {
                return begins + indent + left;
            }
            if len > 0 {
                end = begins + indent + len;
            }
            left -= len;
            begins += line.len();
        }
        end
    }
}

/// Small beside what a long file takes, and long enough to be decoded fast.
pub(super) const PIECE: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes, or what is said of the text when it stands a hundred bytes into a file.
    fn read(text: &str) -> Result<Vec<u8>, String> {
        let (mut lines, mut der) = (Base64Lines::default(), Vec::new());
        let all = (|| {
            for line in text.split('\n') {
                lines.push(line.as_bytes());
                // As if each line were a piece.
                lines.decode(&mut der)?;
            }
            lines.finish(&mut der)
        })();
        all.map(|()| der).map_err(|wrong| wrong.in_file(text.as_bytes(), 100))
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place_in_the_file() {
        let no = |at: usize, byte: &str| {
            Err(format!("byte {at} of the file is {byte}, which is no base64 there"))
        };
        for (text, expected) in [
            ("QUJD\nREVG\n", Ok(b"ABCDEF".to_vec())),
            ("QUJ\nDR\r\n  EVG\n", Ok(b"ABCDEF".to_vec())),
            ("QUJDRA==\n", Ok(b"ABCD".to_vec())),
            ("QUJD\nRE!G\n", no(107, "0x21")),
            ("\nQUJD\r\n  RE!G\n", no(111, "0x21")),
            ("QUJD\nRA==\nREVG", no(108, "0x3d")),
            ("QUJD\nRE\n", Err("its base64 ends too soon, at byte 107 of the file".into())),
            ("QUJD\nR\n", Err("its base64 ends too soon, at byte 106 of the file".into())),
            ("", Ok(vec![])),
        ] {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }
}
