//! QEMU's machine protocol (QMP), for three things: to know that the board is there, to keep QEMU awake, and to look
//! into the board's memory.
//!
//! QEMU's main loop asks the guest's serial port whether it takes a byte, and if not, does not wait for bytes
//! from the host. That the guest is ready later wakes nobody: a line that was opened before the firmware switched
//! its receiver on would be deaf until something else happens. So something happens, some times a second.

use alloc::sync::Arc;
use core::time::Duration;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde_json::{Value, json};

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

/// The one connection to QEMU's monitor: one command after the other.
#[derive(Debug, Clone)]
pub(super) struct Monitor(Arc<Mutex<Connection>>);

#[derive(Debug)]
struct Connection {
    qemu: UnixStream,
    replies: BufReader<UnixStream>,
}

impl Monitor {
    /// Waits until the board is there, then keeps QEMU awake until it ends.
    pub(super) fn attend(scratch: &Path, within: Duration) -> io::Result<Self> {
        let qemu = UnixStream::connect(socket(scratch))?;
        qemu.set_read_timeout(Some(within))?;
        let mut replies = BufReader::new(qemu.try_clone()?);
        // The greeting. QEMU gives it once its main loop runs: every device is in its place then.
        replies.read_line(&mut String::new())?;
        let monitor = Self(Arc::new(Mutex::new(Connection { qemu, replies })));
        monitor.execute("qmp_capabilities", &json!({}))?;

        let nudged = monitor.clone();
        thread::spawn(move || {
            while nudged.execute("query-status", &json!({})).is_ok() {
                thread::sleep(NUDGE_EVERY);
            }
        });
        Ok(monitor)
    }

    /// Has QEMU do something, and returns what it answers.
    pub(super) fn execute(&self, command: &str, arguments: &Value) -> io::Result<Value> {
        let mut connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = json!({ "execute": command, "arguments": arguments });
        writeln!(connection.qemu, "{asked}")?;
        loop {
            let mut line = String::new();
            if connection.replies.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let mut reply: Value = serde_json::from_str(&line)?;
            // What is neither is news: QEMU tells that it was stopped, for example.
            if let Some(answer) = reply.get_mut("return") {
                return Ok(answer.take());
            }
            if let Some(error) = reply.get("error") {
                return Err(io::Error::other(format!("{command}: {error}")));
            }
        }
    }
}
