//! A TCP socket as the transport a device would have.

use core::{fmt, net::SocketAddr, time::Duration};
use std::{
    io::{Read as _, Write as _},
    net::TcpStream,
};

use embedded_io::{ErrorKind, ErrorType, Read, Write};

/// Wraps a connected socket.
#[derive(Debug)]
pub struct Tcp(TcpStream);

impl Tcp {
    /// Connects; reads and writes fail after `patience`.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    pub fn connect(address: SocketAddr, patience: Duration) -> std::io::Result<Self> {
        let socket = TcpStream::connect_timeout(&address, patience)?;
        socket.set_read_timeout(Some(patience))?;
        socket.set_write_timeout(Some(patience))?;
        socket.set_nodelay(true)?;
        Ok(Self(socket))
    }
}

impl ErrorType for Tcp {
    type Error = TcpError;
}

impl Read for Tcp {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, TcpError> {
        self.0.read(out).map_err(TcpError)
    }
}

impl Write for Tcp {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, TcpError> {
        self.0.write(bytes).map_err(TcpError)
    }

    fn flush(&mut self) -> Result<(), TcpError> {
        self.0.flush().map_err(TcpError)
    }
}

/// What the operating system said.
#[derive(Debug)]
pub struct TcpError(std::io::Error);

impl fmt::Display for TcpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl core::error::Error for TcpError {}

impl embedded_io::Error for TcpError {
    fn kind(&self) -> ErrorKind {
        match self.0.kind() {
            // A socket with a timeout reports it in either way, by platform.
            std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut => ErrorKind::TimedOut,
            std::io::ErrorKind::ConnectionReset => ErrorKind::ConnectionReset,
            std::io::ErrorKind::ConnectionAborted => ErrorKind::ConnectionAborted,
            std::io::ErrorKind::BrokenPipe => ErrorKind::BrokenPipe,
            std::io::ErrorKind::Interrupted => ErrorKind::Interrupted,
            _ => ErrorKind::Other,
        }
    }
}
