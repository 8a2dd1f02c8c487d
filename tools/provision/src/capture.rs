//! What a device says besides the dialogue: boot logs, for who looks for a fault.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use provision_wire::frame::frame_len_max;
use provision_wire::{ANSWER_LEN_MAX, Deframer, Event};

use crate::fault::Fault;

/// Longest frame a device sends, in bytes.
const FRAME_LEN_MAX: usize = frame_len_max(ANSWER_LEN_MAX);

/// Tells log text from frames, and writes it to a file.
#[derive(Debug)]
pub(crate) struct Capture {
    path: PathBuf,
    file: File,
    /// Since the last zero: frames stand between zeros, and text has none.
    pending: Vec<u8>,
}

impl Capture {
    /// Opens `DIR/label-said.log`, at its end. (Windows takes COM3.log for the port.)
    pub(crate) fn open(dir: &Path, label: &str) -> Result<Self, Fault> {
        let name: String =
            label.trim_start_matches('/').replace(|c: char| !is_plain(c), "-") + "-said.log";
        let path = dir.join(name);
        let opened = std::fs::create_dir_all(dir)
            .and_then(|()| OpenOptions::new().append(true).create(true).open(&path));
        match opened {
            Ok(file) => Ok(Self { path, file, pending: Vec::new() }),
            Err(cause) => Err(Fault::Write { path, cause }),
        }
    }

    /// Takes what came off the line.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        for piece in bytes.split_inclusive(|byte| *byte == 0) {
            self.pending.extend_from_slice(piece);
            if piece.ends_with(&[0]) {
                self.pending.pop();
                self.close_piece()?;
            } else if self.pending.len() > FRAME_LEN_MAX {
                // No frame is as long.
                self.write_pending()?;
            }
        }
        Ok(())
    }

    /// What stands between two zeros is a frame or text.
    fn close_piece(&mut self) -> Result<(), Fault> {
        let mut deframer = Deframer::<FRAME_LEN_MAX>::new();
        let framed = [&[0], &*self.pending, &[0]].concat();
        let is_frame = framed.iter().any(|byte| matches!(deframer.push(*byte), Event::Frame(_)));
        if is_frame {
            self.pending.clear();
            return Ok(());
        }
        self.write_pending()
    }

    fn write_pending(&mut self) -> Result<(), Fault> {
        let written = self.file.write_all(&self.pending);
        self.pending.clear();
        written.map_err(|cause| Fault::Write { path: self.path.clone(), cause })
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        // There is nobody left to tell.
        let _ = self.write_pending();
    }
}

const fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')
}

#[cfg(test)]
mod tests {
    use provision_wire::{Answer, Header, Kind, encode_frame};

    use super::*;

    #[test]
    fn text_is_kept_and_frames_are_not() {
        let dir = std::env::temp_dir().join(format!("capture-{}", std::process::id()));
        let mut frame = [0; 64];
        let header = Header { kind: Kind::Answer, session: 1, sequence: 2 };
        let len = encode_frame(header, &Answer::Sealed, &mut frame).unwrap();
        let mut said = b"boot v1\r\nready\r\n".to_vec();
        said.extend_from_slice(&frame[..len]);
        said.extend_from_slice(b"a late line\n");
        let mut capture = Capture::open(&dir, "/dev/tty USB0").unwrap();
        for byte in said {
            capture.take(&[byte]).unwrap();
        }
        capture.take(&[b'x'; 5000]).unwrap();
        drop(capture);
        let kept = std::fs::read_to_string(dir.join("dev-tty-USB0-said.log")).unwrap();
        std::fs::remove_dir_all(&dir).unwrap();
        assert!(kept.starts_with("boot v1\r\nready\r\na late line\nxxx"), "{kept}");
        assert_eq!(kept.len(), 28 + 5000);
    }
}
