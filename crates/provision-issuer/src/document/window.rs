//! A file of which no more is in memory than what is looked at.

use std::io::{ErrorKind, Read};

use zeroize::Zeroizing;

use super::DocumentError;

/// What was read of a file, and not passed over yet. It may be a private key, so it is wiped.
pub(super) struct Window<R> {
    input: R,
    bytes: Zeroizing<Vec<u8>>,
    start: usize,
    end: usize,
    /// Where `start` is in the file, in bytes.
    at: usize,
}

impl<R: Read> Window<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, bytes: Zeroizing::new(vec![0; LEN]), start: 0, end: 0, at: 0 }
    }

    /// What is there.
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Where that begins in the file, in bytes.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// Passes over so many bytes of it.
    pub(super) const fn pass(&mut self, len: usize) {
        self.start += len;
        self.at += len;
    }

    /// Reads on, and says whether there was more.
    pub(super) fn more(&mut self) -> Result<bool, DocumentError> {
        if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.bytes.len() {
            // Not by the `Vec` itself, which would leave what it held in memory.
            let mut larger = Zeroizing::new(vec![0; 2 * self.bytes.len()]);
            larger[..self.end].copy_from_slice(&self.bytes);
            self.bytes = larger;
        }
        loop {
            match self.input.read(&mut self.bytes[self.end..]) {
                Ok(len) => {
                    self.end += len;
                    return Ok(len > 0);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Reads on until so many bytes are there, or the file ends.
    pub(super) fn fill(&mut self, len: usize) -> Result<(), DocumentError> {
        while self.rest().len() < len && self.more()? {}
        Ok(())
    }
}

/// How long it is to begin with, in bytes.
pub(super) const LEN: usize = 64 << 10;
