//! What the firmware logs.

use alloc::sync::Arc;
use core::time::Duration;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::ExitStatus;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use super::QemuError;

/// Lines that an error shows.
const TAIL_LINES: usize = 20;

/// The lines of the firmware's log, as they come. Clones show the same log.
#[derive(Debug, Clone, Default)]
pub struct Log {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<String>,
    /// Lines before this one were returned, or passed over, by an earlier wait.
    next: usize,
    /// What QEMU itself said.
    messages: Vec<String>,
    /// Set when all was said.
    ended: Option<ExitStatus>,
    /// Readers that still read.
    readers: usize,
}

impl Log {
    /// All lines so far, without their ends.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.state().lines.clone()
    }

    /// Whether any line so far has `pattern` in it.
    #[must_use]
    pub fn contains(&self, pattern: &str) -> bool {
        self.state().lines.iter().any(|line| line.contains(pattern))
    }

    /// Waits for a line with `pattern` in it, and returns the line.
    ///
    /// Lines are looked at once: the next wait begins behind the line that was found, so that what happens
    /// twice can be waited for twice.
    ///
    /// # Errors
    ///
    /// [`QemuError::TimedOut`], and [`QemuError::Ended`] as soon as no more lines can come; the lines are then
    /// there for another wait.
    pub fn wait_for_line(&self, pattern: &str, within: Duration) -> Result<String, QemuError> {
        let expected = || format!("log line with {pattern:?}");
        let until = Instant::now() + within;
        let mut state = self.state();
        let mut next = state.next;
        loop {
            while let Some(line) = state.lines.get(next) {
                next += 1;
                if line.contains(pattern) {
                    let line = line.clone();
                    state.next = next;
                    return Ok(line);
                }
            }
            if let (Some(status), 0) = (state.ended, state.readers) {
                return Err(QemuError::Ended { expected: expected(), status, said: state.tail() });
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(QemuError::TimedOut {
                    expected: expected(),
                    waited: within,
                    said: state.tail(),
                });
            }
            state = self.wait(state, left);
        }
    }

    /// The last lines of the log and of QEMU's own messages.
    pub(super) fn tail(&self) -> String {
        self.state().tail()
    }

    /// Reads a log in a thread of its own, into this and into `copy`, until it ends.
    pub(super) fn read_lines(
        &self,
        from: impl Read + Send + 'static,
        mut copy: Option<impl Write + Send + 'static>,
    ) -> JoinHandle<()> {
        self.read(from, move |state, line| {
            if let Some(copy) = &mut copy {
                // The copy is for people; a full disk shows elsewhere.
                let _ = writeln!(copy, "{line}");
            }
            state.lines.push(line);
        })
    }

    /// Reads QEMU's own messages in a thread of its own.
    pub(super) fn read_messages(&self, from: impl Read + Send + 'static) -> JoinHandle<()> {
        self.read(from, |state, line| state.messages.push(line))
    }

    fn read(
        &self,
        from: impl Read + Send + 'static,
        mut take: impl FnMut(&mut State, String) + Send + 'static,
    ) -> JoinHandle<()> {
        let log = self.clone();
        log.state().readers += 1;
        thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut line = Vec::new();
            while let Ok(1..) = from.read_until(b'\n', &mut line) {
                // A firmware may log anything.
                let text = String::from_utf8_lossy(&line);
                take(&mut log.state(), text.trim_end_matches(['\r', '\n']).to_owned());
                log.shared.changed.notify_all();
                line.clear();
            }
            log.state().readers -= 1;
            log.shared.changed.notify_all();
        })
    }

    /// The emulator is gone.
    pub(super) fn end(&self, status: ExitStatus) {
        self.state().ended = Some(status);
        self.shared.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, within: Duration) -> MutexGuard<'a, State> {
        let waited = self.shared.changed.wait_timeout(state, within);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl State {
    fn tail(&self) -> String {
        let skipped = self.lines.len().saturating_sub(TAIL_LINES);
        let lines: Vec<&str> =
            self.lines.iter().skip(skipped).chain(&self.messages).map(String::as_str).collect();
        lines.join("\n")
    }
}
