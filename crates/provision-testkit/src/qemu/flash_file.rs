//! The file that is the device's flash.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::monitor::Monitor;

/// Makes a flash file of `len` bytes as a chip comes from its factory: all ones.
///
/// What is expected of a board's is [`Machine::flash_len`](super::Machine::flash_len).
///
/// # Errors
///
/// The file system's; [`io::ErrorKind::AlreadyExists`] if there is such a file: a device's flash is never
/// overwritten by accident.
pub fn create_erased_flash(path: &Path, len: u64) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let written = fill(&mut file, len);
    if written.is_err() {
        // Half a flash would be taken for a whole one of the wrong length: better none.
        fs::remove_file(path)?;
    }
    written
}

fn fill(file: &mut File, len: u64) -> io::Result<()> {
    io::copy(&mut io::repeat(0xff).take(len), file)?;
    Ok(())
}

/// Makes the file if there is none, and checks its length if there is.
pub(super) fn ensure(path: &Path, len: u64) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(file) if file.len() == len => Ok(()),
        Ok(file) => Err(io::Error::other(format!("{} bytes long, expected {len}", file.len()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => create_erased_flash(path, len),
        Err(error) => Err(error),
    }
}

/// A flash that is in QEMU's memory alone, and saved when the board is stopped for good.
#[derive(Debug)]
pub(super) struct Saved {
    pub(super) file: PathBuf,
    pub(super) address: u64,
    pub(super) len: u64,
}

impl Saved {
    /// Stops the board and saves its flash: what power leaves behind that is cut now, between two instructions.
    ///
    /// The file is the old or the new one, whatever happens.
    pub(super) fn save(&self, monitor: &Monitor, scratch: &Path) -> io::Result<()> {
        monitor.execute("stop", &json!({}))?;
        let new = scratch.join("saved");
        let asked = json!({ "val": self.address, "size": self.len, "filename": new });
        // As the processor sees it: some boards have their flash nowhere else.
        monitor.execute("memsave", &asked)?;
        // Beside the file first: a name can only be moved within a file system.
        let beside = self.file.with_extension("saving");
        fs::copy(&new, &beside)?;
        fs::rename(beside, &self.file)
    }
}
