//! QEMU's machine protocol (QMP), for two things: to know that the board is there, and to keep QEMU awake.
//!
//! QEMU's main loop asks the guest's serial port whether it takes a byte, and if not, does not wait for bytes
//! from the host. That the guest is ready later wakes nobody: a line that was opened before the firmware switched
//! its receiver on would be deaf until something else happens. So something happens, some times a second.

use core::time::Duration;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;

use super::network::escape;

const NUDGE_EVERY: Duration = Duration::from_millis(200);

/// Where QEMU listens, within the emulator's own directory.
pub(super) fn socket(scratch: &Path) -> PathBuf {
    scratch.join("monitor")
}

/// The value of QEMU's `-qmp`.
pub(super) fn option(scratch: &Path) -> String {
    format!("unix:{},server=on,wait=off", escape(&socket(scratch).to_string_lossy()))
}

/// Waits until the board is there, then keeps QEMU awake until it ends.
pub(super) fn attend(scratch: &Path, within: Duration) -> io::Result<()> {
    let mut qemu = UnixStream::connect(socket(scratch))?;
    qemu.set_read_timeout(Some(within))?;
    let mut replies = BufReader::new(qemu.try_clone()?);
    let mut reply = String::new();
    // The greeting. QEMU gives it once its main loop runs: every device is in its place then.
    replies.read_line(&mut reply)?;
    ask(&mut qemu, "qmp_capabilities")?;
    replies.read_line(&mut reply)?;

    thread::spawn(move || {
        while ask(&mut qemu, "query-status").is_ok()
            && matches!(replies.read_line(&mut reply), Ok(1..))
        {
            reply.clear();
            thread::sleep(NUDGE_EVERY);
        }
    });
    Ok(())
}

fn ask(qemu: &mut UnixStream, command: &str) -> io::Result<()> {
    writeln!(qemu, "{{\"execute\":\"{command}\"}}")
}
