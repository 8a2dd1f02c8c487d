//! One run of one image.

use core::fmt;
use std::path::Path;
use std::process::Command;

use crate::process::{Fault, output};

/// An image on the emulated board, which logs one result and ends.
#[derive(Debug)]
pub(super) struct Emulated<'a> {
    image: &'a Path,
}

impl<'a> Emulated<'a> {
    pub(super) const fn new(image: &'a Path) -> Self {
        Self { image }
    }

    /// Runs it, with more arguments for QEMU: where the line goes, from which folder files are read.
    pub(super) fn run(&self, more: &[&str]) -> Result<Logged, Fault> {
        Logged::parse(&self.log(None, more)?)
    }

    /// Runs it in a folder whose files it reads, and returns all that it logged.
    pub(super) fn log(&self, folder: Option<&Path>, more: &[&str]) -> Result<String, Fault> {
        let mut qemu = Command::new("qemu-system-arm");
        qemu.args(["-machine", "mps2-an386", "-cpu", "cortex-m4", "-display", "none"]);
        qemu.args(["-monitor", "none", "-serial", "stdio", "-icount", "shift=0"]);
        qemu.args(["-semihosting-config", "enable=on,target=native"]);
        qemu.args(more).arg("-kernel").arg(self.image);
        if let Some(folder) = folder {
            qemu.current_dir(folder);
        }
        output(&mut qemu)
    }
}

/// A result, as the image logs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Logged {
    pub(super) instructions: u64,
    pub(super) instructions_min: u64,
    pub(super) instructions_max: u64,
    pub(super) stack_bytes: u64,
}

impl Logged {
    /// `measured instructions=240 min=240 max=240 stack=16`, in a line of a log.
    pub(super) fn parse(log: &str) -> Result<Self, Fault> {
        let line = log.lines().find_map(|line| line.trim().strip_prefix("measured "));
        let number = |name: &str| {
            let mut words = line?.split(' ');
            words.find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
        };
        let found = || {
            Some(Self {
                instructions: number("instructions")?,
                instructions_min: number("min")?,
                instructions_max: number("max")?,
                stack_bytes: number("stack")?,
            })
        };
        found().ok_or_else(|| Fault::new(format!("no result in the log:\n{log}")))
    }
}

impl fmt::Display for Logged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} instructions, {} bytes of stack", self.instructions, self.stack_bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::Logged;

    #[test]
    fn a_result_is_found_among_other_lines() {
        let log = "boot\r\nmeasured instructions=240 min=200 max=280 stack=16\r\n";
        let expected = Logged {
            instructions: 240,
            instructions_min: 200,
            instructions_max: 280,
            stack_bytes: 16,
        };
        assert_eq!(Logged::parse(log).ok(), Some(expected));
        assert!(Logged::parse("panicked at the disco").is_err());
        assert!(Logged::parse("measured instructions=240 min=200 max=280 stack=").is_err());
    }
}
