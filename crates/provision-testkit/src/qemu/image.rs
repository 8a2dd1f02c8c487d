//! An image that needs nobody: it runs, logs, and ends by itself.

use core::net::SocketAddr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An image for the mps2-an386 that ends by itself. It needs no flash, no network, and no line unless
/// it is [given](Self::line_to) one; a device is a [`Machine`](super::Machine).
#[derive(Debug)]
pub struct Image {
    path: PathBuf,
    counts_instructions: bool,
    folder: Option<PathBuf>,
    line: Option<SocketAddr>,
}

impl Image {
    /// The image in this file.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), counts_instructions: false, folder: None, line: None }
    }

    /// As [`Machine::counting_instructions`](super::Machine::counting_instructions).
    #[must_use]
    pub fn counting_instructions(mut self) -> Self {
        self.counts_instructions = true;
        self
    }

    /// Where the files are that it opens by semihosting.
    #[must_use]
    pub fn in_folder(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// A TCP server at the other end of its line.
    #[must_use]
    pub fn line_to(mut self, server: SocketAddr) -> Self {
        self.line = Some(server);
        self
    }

    /// Runs it until it ends, well or badly, and returns its log.
    ///
    /// # Errors
    ///
    /// QEMU could not be started.
    pub fn run(&self) -> io::Result<String> {
        let mut qemu = Command::new("qemu-system-arm");
        qemu.args(["-machine", "mps2-an386", "-cpu", "cortex-m4", "-display", "none"]);
        qemu.args(["-monitor", "none", "-serial", "stdio"]);
        qemu.args(["-semihosting-config", "enable=on,target=native"]);
        if self.counts_instructions {
            qemu.args(["-icount", "shift=0"]);
        }
        if let Some(server) = self.line {
            qemu.arg("-serial").arg(format!("tcp:{server}"));
        }
        if let Some(folder) = &self.folder {
            qemu.current_dir(folder);
        }
        let ran = qemu.arg("-kernel").arg(&self.path).output()?;
        Ok(String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned())
    }
}
