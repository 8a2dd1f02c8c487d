//! SoftHSM2: tokens in files, behind the same PKCS#11 library interface that HSMs have.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The PIN of every token here.
pub const PIN: &str = "736251";

/// SoftHSM's library, where distributions have it.
pub fn library() -> Option<&'static str> {
    LIBRARIES.into_iter().find(|path| Path::new(path).exists())
}

/// Tokens in a directory.
pub struct SoftHsm {
    configuration: PathBuf,
}

impl SoftHsm {
    /// Makes `directory/tokens`, and a token with that label in it.
    ///
    /// # Errors
    ///
    /// Whatever the system or `softhsm2-util` says.
    pub fn new(directory: &Path, label: &str) -> io::Result<Self> {
        let tokens = directory.join("tokens");
        fs::create_dir(&tokens)?;
        let configuration = directory.join("softhsm2.conf");
        fs::write(&configuration, format!("directories.tokendir = {}\n", tokens.display()))?;
        let hsm = Self { configuration };
        hsm.add_token(label)?;
        Ok(hsm)
    }

    /// Makes another token.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn add_token(&self, label: &str) -> io::Result<()> {
        let mut command = Command::new("softhsm2-util");
        command.args(["--init-token", "--free", "--label", label, "--so-pin", "so-secret"]);
        let output = self.given_to(command.args(["--pin", PIN])).output()?;
        if output.status.success() {
            return Ok(());
        }
        Err(io::Error::other(String::from_utf8_lossy(&output.stderr).into_owned()))
    }

    /// A program that is to see these tokens: SoftHSM reads from the environment where they are.
    pub fn given_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("SOFTHSM2_CONF", &self.configuration)
    }
}

const LIBRARIES: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
];
