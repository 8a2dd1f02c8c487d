//! A pseudo-terminal with a simulated device behind it: a serial port for the real CLI.

use core::sync::atomic::{AtomicBool, Ordering};
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::openpty;
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::ttyname;

/// A port whose other end is a function from bytes heard to bytes said. Closed when dropped.
#[derive(Debug)]
pub struct PtyPort {
    path: PathBuf,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// Held open, so that the port stays while nobody else has it open.
    _port_end: OwnedFd,
}

impl PtyPort {
    /// Opens a port; `answer` is called with what is written to it.
    ///
    /// # Errors
    ///
    /// The system has no more pseudo-terminals.
    pub fn serve(mut answer: impl FnMut(&[u8]) -> Vec<u8> + Send + 'static) -> io::Result<Self> {
        let pty = openpty(None, None)?;
        let mut settings = tcgetattr(&pty.slave)?;
        cfmakeraw(&mut settings);
        tcsetattr(&pty.slave, SetArg::TCSANOW, &settings)?;
        let path = ttyname(&pty.slave)?;
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let mut device_end = File::from(pty.master);
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 1024];
            while !stopped.load(Ordering::Relaxed) {
                let mut wait = [PollFd::new(device_end.as_fd(), PollFlags::POLLIN)];
                match poll(&mut wait, PollTimeout::from(20_u8)) {
                    Ok(0) => continue,
                    Ok(_) => {}
                    Err(_) => break,
                }
                let Ok(count) = device_end.read(&mut buffer) else { break };
                let said = answer(&buffer[..count]);
                if device_end.write_all(&said).is_err() {
                    break;
                }
            }
        });
        Ok(Self { path, stop, thread: Some(thread), _port_end: pty.slave })
    }

    /// What to give `--port`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for PtyPort {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It ended by itself if it panicked; the test will say so.
            let _ = thread.join();
        }
    }
}
