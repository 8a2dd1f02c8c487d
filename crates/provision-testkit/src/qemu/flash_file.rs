//! The file that is the device's flash.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Length of a flash file, in bytes: that of the memory on the board which QEMU backs with it.
pub const FLASH_LEN: u64 = 16 * 1024 * 1024;

/// Makes a flash file as a chip comes from its factory: all ones.
///
/// # Errors
///
/// The file system's; [`io::ErrorKind::AlreadyExists`] if there is such a file: a device's flash is never
/// overwritten by accident.
pub fn create_erased_flash(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let written = fill(&mut file);
    if written.is_err() {
        // Half a flash would be taken for a whole one of the wrong length: better none.
        fs::remove_file(path)?;
    }
    written
}

fn fill(file: &mut File) -> io::Result<()> {
    let erased = vec![0xff; 64 * 1024];
    for _ in 0..FLASH_LEN / erased.len() as u64 {
        file.write_all(&erased)?;
    }
    Ok(())
}

/// Makes the file if there is none, and checks its length if there is.
pub(super) fn ensure(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        Ok(file) if file.len() == FLASH_LEN => Ok(()),
        Ok(file) => {
            Err(io::Error::other(format!("{} bytes long, expected {FLASH_LEN}", file.len())))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => create_erased_flash(path),
        Err(error) => Err(error),
    }
}
