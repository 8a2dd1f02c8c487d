//! Writes to the board's memory from outside, as a debugger would: by the protocol QEMU's own tests use (`-qtest`).

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::network::escape;

/// Where QEMU listens, within the emulator's own directory.
fn socket(scratch: &Path) -> PathBuf {
    scratch.join("bus")
}

/// The value of QEMU's `-qtest`.
pub(super) fn option(scratch: &Path) -> String {
    format!("unix:{},server=on,wait=off", escape(&socket(scratch).to_string_lossy()))
}

/// Writes words from `address` on, as the processor would: registers take them for what they are.
pub(super) fn write(scratch: &Path, address: u64, words: &[u32]) -> io::Result<()> {
    let mut qemu = UnixStream::connect(socket(scratch))?;
    let mut replies = BufReader::new(qemu.try_clone()?);
    for (address, word) in (address..).step_by(size_of::<u32>()).zip(words) {
        writeln!(qemu, "writel {address:#x} {word:#x}")?;
        let mut reply = String::new();
        replies.read_line(&mut reply)?;
        if reply.trim_end() != "OK" {
            return Err(io::Error::other(format!("writing at {address:#x}: {reply:?}")));
        }
    }
    Ok(())
}
