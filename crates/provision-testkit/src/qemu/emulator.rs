//! A board that runs.

use core::time::Duration;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::flash_file::Saved;
use super::memory::{self, Region};
use super::monitor::Monitor;
use super::{Log, QemuError, bus};

/// Patience for QEMU to come up, which takes a tenth of a second on an idle machine.
const START_WITHIN: Duration = Duration::from_secs(20);
/// Patience for QEMU to end when asked to.
const END_WITHIN: Duration = Duration::from_secs(30);
/// How often it is looked whether QEMU ended.
const POLL_EVERY: Duration = Duration::from_millis(10);

/// A running emulator; killed when dropped.
#[derive(Debug)]
pub struct Emulator {
    child: Child,
    line_port: PathBuf,
    log: Log,
    /// `None` until the board is there.
    monitor: Option<Monitor>,
    readers: Vec<JoinHandle<()>>,
    ended: Option<ExitStatus>,
    /// The flash, where it is to be saved before the end.
    saved: Option<Saved>,
    /// Flash and relay may be in there: gone after the emulator.
    scratch: TempDir,
}

impl Emulator {
    pub(super) fn start(
        (program, package): (&OsStr, &'static str),
        arguments: &[OsString],
        log_file: Option<&Path>,
        saved: Option<Saved>,
        scratch: TempDir,
    ) -> Result<Self, QemuError> {
        let copy = log_file
            .map(File::create)
            .transpose()
            .map_err(|source| QemuError::System { doing: "making the log file", source })?;
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| match source.kind() {
                io::ErrorKind::NotFound => {
                    QemuError::NotFound { program: program.to_string_lossy().into_owned(), package }
                }
                _ => QemuError::System { doing: "starting QEMU", source },
            })?;

        let log = Log::default();
        let readers = [
            child.stdout.take().map(|stdout| log.read_lines(stdout, copy)),
            child.stderr.take().map(|stderr| log.read_messages(stderr)),
        ];
        let mut emulator = Self {
            child,
            line_port: PathBuf::new(),
            log,
            monitor: None,
            readers: readers.into_iter().flatten().collect(),
            ended: None,
            saved,
            scratch,
        };
        emulator.line_port = emulator.wait_for_line_port()?;
        emulator.wait_for_board()?;
        Ok(emulator)
    }

    /// The path of the line's port: open it as any serial port. Another at each start.
    #[must_use]
    pub fn line_port(&self) -> &Path {
        &self.line_port
    }

    /// What the firmware logs. Still there after the end.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The process, for what this type does not do.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All memory the board can write, but for its flash, which is in the flash file. The board stands still
    /// meanwhile, for a tenth of a second.
    ///
    /// # Errors
    ///
    /// [`QemuError::System`] if QEMU has ended.
    pub fn memory(&self) -> Result<Vec<Region>, QemuError> {
        let monitor = self.monitor.as_ref().ok_or_else(|| io::ErrorKind::NotConnected.into());
        monitor
            .and_then(|monitor| memory::read(monitor, self.scratch.path()))
            .map_err(|source| QemuError::System { doing: "reading the board's memory", source })
    }

    /// Writes words to the board's memory or registers, from `address` on.
    ///
    /// # Errors
    ///
    /// [`QemuError::System`] if QEMU has ended.
    pub fn write(&self, address: u64, words: &[u32]) -> Result<(), QemuError> {
        bus::write(self.scratch.path(), address, words)
            .map_err(|source| QemuError::System { doing: "writing to the board's memory", source })
    }

    /// Cuts the power (SIGKILL), at whatever instruction. No harm if it ended before.
    ///
    /// # Errors
    ///
    /// [`QemuError::System`]
    pub fn kill(&mut self) -> Result<ExitStatus, QemuError> {
        if let Some(status) = self.try_wait()? {
            return Ok(status);
        }
        let saved = self.save_flash();
        self.child.kill().map_err(|source| QemuError::System { doing: "killing QEMU", source })?;
        let status = self.wait_exit(END_WITHIN)?;
        saved.map(|()| status)
    }

    /// Asks the emulator to end (SIGTERM), and waits until it has. To the firmware it is a power cut, too.
    ///
    /// # Errors
    ///
    /// [`QemuError::TimedOut`] if it does not.
    pub fn shutdown(&mut self) -> Result<ExitStatus, QemuError> {
        if let Some(status) = self.try_wait()? {
            return Ok(status);
        }
        self.save_flash()?;
        let doing = "asking QEMU to end";
        let pid = i32::try_from(self.child.id())
            .map_err(|source| QemuError::System { doing, source: io::Error::other(source) })?;
        kill(Pid::from_raw(pid), Signal::SIGTERM)
            .map_err(|errno| QemuError::System { doing, source: errno.into() })?;
        self.wait_exit(END_WITHIN)
    }

    /// Waits until the emulator ended by itself: the firmware can end it by semihosting (SYS_EXIT_EXTENDED), and
    /// says how it went by the status. The log is complete then.
    ///
    /// # Errors
    ///
    /// [`QemuError::TimedOut`]
    pub fn wait_exit(&mut self, within: Duration) -> Result<ExitStatus, QemuError> {
        let until = Instant::now() + within;
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            if Instant::now() >= until {
                return Err(QemuError::TimedOut {
                    expected: "end of the emulator".into(),
                    waited: within,
                    said: self.log.tail(),
                });
            }
            thread::sleep(POLL_EVERY);
        }
    }

    /// Where QEMU keeps the flash to itself. A board that never ran has nothing to save.
    fn save_flash(&self) -> Result<(), QemuError> {
        match (&self.saved, &self.monitor) {
            (Some(saved), Some(monitor)) => saved
                .save(monitor, self.scratch.path())
                .map_err(|source| QemuError::System { doing: "saving the flash", source }),
            _ => Ok(()),
        }
    }

    fn try_wait(&mut self) -> Result<Option<ExitStatus>, QemuError> {
        if self.ended.is_some() {
            return Ok(self.ended);
        }
        let ended = self
            .child
            .try_wait()
            .map_err(|source| QemuError::System { doing: "waiting for QEMU", source })?;
        if let Some(status) = ended {
            self.ended = Some(status);
            self.log.end(status);
            for reader in self.readers.drain(..) {
                // They end with the pipes, and do not panic.
                let _ = reader.join();
            }
        }
        Ok(ended)
    }

    /// What QEMU does not like about its arguments it says before the board is there.
    fn wait_for_board(&mut self) -> Result<(), QemuError> {
        let source = match Monitor::attend(self.scratch.path(), START_WITHIN) {
            Ok(monitor) => {
                self.monitor = Some(monitor);
                return Ok(());
            }
            Err(source) => source,
        };
        match self.wait_exit(END_WITHIN) {
            Ok(status) => Err(QemuError::Ended {
                expected: "its board was there".into(),
                status,
                said: self.log.tail(),
            }),
            Err(_) => Err(QemuError::System { doing: "speaking with QEMU's monitor", source }),
        }
    }

    /// Reads `char device redirected to /dev/pts/3 (label line)`, QEMU's first words.
    fn wait_for_line_port(&mut self) -> Result<PathBuf, QemuError> {
        let until = Instant::now() + START_WITHIN;
        loop {
            // Looked at before the log, so that nothing is missed that it said before it ended.
            let ended = self.try_wait()?;
            match self.log.wait_for_line(REDIRECTED, POLL_EVERY) {
                Ok(line) => {
                    return Ok(line
                        .trim_start_matches(REDIRECTED)
                        .split_whitespace()
                        .next()
                        .unwrap_or_default()
                        .into());
                }
                Err(QemuError::TimedOut { said, .. }) if Instant::now() >= until => {
                    return Err(QemuError::TimedOut {
                        expected: "serial port from QEMU".into(),
                        waited: START_WITHIN,
                        said,
                    });
                }
                Err(QemuError::TimedOut { .. }) if ended.is_none() => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        // There is nobody to tell; a process that cannot be killed is gone already.
        let _ = self.kill();
    }
}

const REDIRECTED: &str = "char device redirected to ";
