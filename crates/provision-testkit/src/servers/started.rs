//! A server that was started on a configuration of somebody's own.

use core::{net::SocketAddr, time::Duration};
use std::{
    ffi::OsStr,
    fs, io,
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Instant,
};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{POLL, executable};

/// A running server. Dropping it ends the process: by asking, and if that takes too long, by force.
pub struct Started {
    process: Child,
    output: PathBuf,
    address: SocketAddr,
}

/// When a server counts as started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ready<'a> {
    /// Its port takes a connection, which is closed again at once.
    Answers,
    /// It prints this.
    Says(&'a str),
}

impl Started {
    /// Starts `program` in `directory`, where what it prints goes to `output.txt`, and waits until
    /// it is ready.
    ///
    /// # Errors
    ///
    /// It is not installed, ends at once, or is not ready within a minute; with what it printed.
    pub fn start<A: AsRef<OsStr>>(
        program: &str,
        arguments: impl IntoIterator<Item = A>,
        directory: &Path,
        address: SocketAddr,
        ready: Ready<'_>,
    ) -> io::Result<Self> {
        let executable = executable(program).ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, format!("{program} is not installed"))
        })?;
        let path = directory.join(OUTPUT);
        let output = fs::File::create(&path)?;
        let process = Command::new(executable)
            .args(arguments)
            .current_dir(directory)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        let mut started = Self { process, output: path, address };
        started.wait_until(ready)?;
        Ok(started)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process, for signals.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it printed so far.
    #[must_use]
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&fs::read(&self.output).unwrap_or_default()).into_owned()
    }

    fn wait_until(&mut self, ready: Ready<'_>) -> io::Result<()> {
        let deadline = Instant::now() + START_WITHIN;
        while Instant::now() < deadline {
            if let Some(status) = self.process.try_wait()? {
                let output = self.output();
                return Err(io::Error::other(format!("ended with {status}: {output}")));
            }
            let is_ready = match ready {
                Ready::Answers => TcpStream::connect_timeout(&self.address, POLL).is_ok(),
                Ready::Says(text) => self.output().contains(text),
            };
            if is_ready {
                return Ok(());
            }
            std::thread::sleep(POLL);
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, self.output()))
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody to tell. A server with workers takes them with it if it is
        // asked, and leaves them if it is killed.
        if let Ok(id) = i32::try_from(self.process.id()) {
            let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
        }
        let deadline = Instant::now() + END_WITHIN;
        while Instant::now() < deadline {
            if !matches!(self.process.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(POLL);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const OUTPUT: &str = "output.txt";

/// Then it is killed.
const END_WITHIN: Duration = Duration::from_secs(3);
/// A Java program on a busy machine takes a while.
const START_WITHIN: Duration = Duration::from_secs(60);
