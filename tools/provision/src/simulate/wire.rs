//! A pseudo-terminal that takes as long as a serial line, and can be pulled out.

use core::time::Duration;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::openpty;
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::ttyname;

/// How long is waited for bytes at a time.
const WAIT_MS: u8 = 50;
/// How often is looked whether somebody has opened the port.
const LOOK_EACH: Duration = Duration::from_millis(20);

/// What a line costs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost {
    /// Bits per second, ten of them a byte; 0 is no limit.
    pub(super) baud: u32,
    /// What an adapter waits before it hands over what came.
    pub(super) latency: Duration,
}

/// The device's end of a port.
pub(super) struct Wire {
    link: PathBuf,
    cost: Cost,
    end: Option<File>,
    /// Until when the line is busy with what was sent.
    busy_until: Instant,
}

impl Wire {
    /// A port that is found at `link`.
    pub(super) fn plug_in(link: PathBuf, cost: Cost) -> io::Result<Self> {
        let mut wire = Self { link, cost, end: None, busy_until: Instant::now() };
        wire.connect()?;
        Ok(wire)
    }

    /// Pulls the cable for a while: whoever has the port open loses it, and the next one is another.
    pub(super) fn pull_out_for(&mut self, time: Duration) -> io::Result<()> {
        self.end = None;
        fs::remove_file(&self.link)?;
        sleep(time);
        self.connect()
    }

    /// What the station sends, when it has arrived; nothing if it sends nothing for a while.
    pub(super) fn receive<'b>(&mut self, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
        let Some(end) = &mut self.end else { return Ok(&[]) };
        let mut wait = [PollFd::new(end.as_fd(), PollFlags::POLLIN)];
        poll(&mut wait, PollTimeout::from(WAIT_MS))?;
        let ready = wait[0].revents().unwrap_or(PollFlags::empty());
        if !ready.contains(PollFlags::POLLIN) {
            if ready.contains(PollFlags::POLLHUP) {
                // Nobody has the port open.
                sleep(LOOK_EACH);
            }
            return Ok(&[]);
        }
        let count = end.read(buffer)?;
        self.take_time(count);
        Ok(&buffer[..count])
    }

    /// Sends to the station; returns when it has arrived. What nobody reads is lost.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        self.take_time(bytes.len());
        sleep(self.cost.latency);
        if let Some(end) = &mut self.end {
            // Fails if the station has closed the port: nobody is there to be told.
            let _ = end.write_all(bytes);
        }
    }

    /// Waits for as long as the line takes for so many bytes. Counted on from where the last wait
    /// was to end, so that what the system oversleeps does not add up.
    fn take_time(&mut self, bytes: usize) {
        if self.cost.baud == 0 {
            return;
        }
        let now = Instant::now();
        // A line that was idle begins now.
        let slack = Duration::from_millis(2);
        if self.busy_until + slack < now {
            self.busy_until = now;
        }
        let bits = bytes as u64 * 10;
        self.busy_until += Duration::from_nanos(bits * 1_000_000_000 / u64::from(self.cost.baud));
        sleep(self.busy_until.saturating_duration_since(now));
    }

    fn connect(&mut self) -> io::Result<()> {
        let pty = openpty(None, None)?;
        let mut settings = tcgetattr(&pty.slave)?;
        cfmakeraw(&mut settings);
        tcsetattr(&pty.slave, SetArg::TCSANOW, &settings)?;
        let path = ttyname(&pty.slave)?;
        match fs::remove_file(&self.link) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => return Err(fault),
            _ => symlink(path, &self.link)?,
        }
        // The other end is not kept: it would hold a dead station's lock on the port.
        self.end = Some(File::from(pty.master));
        Ok(())
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // A link to a port that is gone helps nobody; one that cannot be removed harms nobody.
        let _ = fs::remove_file(&self.link);
    }
}
