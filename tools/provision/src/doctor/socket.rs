//! A TCP connection with a deadline for all of it, which keeps the first bytes that came.

use core::net::SocketAddr;
use core::time::Duration;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

/// Reads and writes fail with [`io::ErrorKind::TimedOut`] past the deadline, however slowly the
/// other side talks.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    deadline: Instant,
    head: Vec<u8>,
}

impl Socket {
    /// Connects, and has `timeout` for that and for all that follows.
    pub(crate) fn connect(address: SocketAddr, timeout: Duration) -> io::Result<Self> {
        let deadline = Instant::now() + timeout;
        let stream = TcpStream::connect_timeout(&address, timeout)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, deadline, head: Vec::new() })
    }

    /// The first bytes that came, as they came.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Time that is left.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Waits for something to read, no longer than `patience`.
    pub(crate) fn readable_within(&self, patience: Duration) -> bool {
        let patience = patience.min(self.left()).max(Duration::from_millis(1));
        let mut byte = [0];
        self.stream.set_read_timeout(Some(patience)).is_ok()
            && match self.stream.peek(&mut byte) {
                Ok(_) => true,
                Err(error) => !is_timeout(&error),
            }
    }

    fn patience(&self) -> io::Result<Option<Duration>> {
        let left = self.left();
        // A timeout of zero would be none at all.
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

impl Read for Socket {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.patience()?)?;
        let count = self.stream.read(out).map_err(one_timeout)?;
        let room = HEAD_LEN_MAX.saturating_sub(self.head.len());
        self.head.extend_from_slice(&out[..count.min(room)]);
        Ok(count)
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.patience()?)?;
        self.stream.write(bytes).map_err(one_timeout)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Systems name it in two ways.
fn one_timeout(error: io::Error) -> io::Error {
    if is_timeout(&error) { io::ErrorKind::TimedOut.into() } else { error }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Enough for a banner, an alert or a ServerHello.
const HEAD_LEN_MAX: usize = 4096;
