//! Looking on, step by step: what a replay shows, and what shows that it is one.

use core::fmt;
use std::io::Write;

use sha2_device::{Digest as _, Sha256};

/// Is told of every step of a shift.
pub trait Watch {
    /// Something happened.
    fn step(&mut self, step: &Step<'_>);
}

/// Nobody looks on.
impl Watch for () {
    fn step(&mut self, _: &Step<'_>) {}
}

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step<'a> {
    /// Counted from 1 for each shift; what belongs to one step has one number.
    pub number: u64,
    /// What, in a few words.
    pub what: &'a str,
    /// What went over the line, if that is what happened.
    pub bytes: &'a [u8],
}

impl fmt::Display for Step<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, what, bytes } = self;
        write!(f, "{number:6}  {what}")?;
        if bytes.is_empty() {
            return Ok(());
        }
        write!(f, " ({} bytes) ", bytes.len())?;
        bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Writes each step on a line of its own, and takes a digest of all of them.
#[derive(Debug)]
pub struct Trace<W> {
    out: W,
    digest: Sha256,
}

impl<W: Write> Trace<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self { out, digest: Sha256::new() }
    }

    /// SHA-256 over all steps: equal for two shifts that went the same way, byte for byte.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        self.digest.clone().finalize().into()
    }

    /// What was written to.
    pub fn into_inner(self) -> W {
        self.out
    }
}

impl<W: Write> Watch for Trace<W> {
    fn step(&mut self, step: &Step<'_>) {
        let line = format!("{step}\n");
        self.digest.update(&line);
        // Who cannot be written to any more (a pipe that was closed) has seen enough.
        let _ = self.out.write_all(line.as_bytes());
    }
}
