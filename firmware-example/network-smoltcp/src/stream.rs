//! One connection.

use core::fmt;

use embedded_io::{ErrorType, Read, Write};
use smoltcp::phy::Device;
use smoltcp::socket::tcp;

use crate::network::ANSWER_WITHIN_MS;
use crate::{NetworkError, SmoltcpNetwork, Ticks};

/// How long the other side is given to take our last bytes and to close, when the stream is dropped.
const CLOSE_WITHIN_MS: u64 = 1_000;

/// A TCP connection; closed when dropped.
pub struct SmoltcpStream<'a, D: Device + 'static, T: Ticks> {
    network: &'a mut SmoltcpNetwork<D, T>,
}

impl<'a, D: Device, T: Ticks> SmoltcpStream<'a, D, T> {
    pub(crate) fn new(network: &'a mut SmoltcpNetwork<D, T>) -> Self {
        Self { network }
    }
}

impl<D: Device, T: Ticks> fmt::Debug for SmoltcpStream<'_, D, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmoltcpStream").finish_non_exhaustive()
    }
}

impl<D: Device, T: Ticks> Drop for SmoltcpStream<'_, D, T> {
    fn drop(&mut self) {
        self.network.socket().close();
        let closed = self.network.wait_for(CLOSE_WITHIN_MS, |network| {
            let state = network.socket().state();
            matches!(state, tcp::State::Closed | tcp::State::TimeWait).then_some(())
        });
        if closed.is_none() {
            self.network.socket().abort();
            self.network.poll();
        }
    }
}

impl<D: Device, T: Ticks> ErrorType for SmoltcpStream<'_, D, T> {
    type Error = NetworkError;
}

impl<D: Device, T: Ticks> Read for SmoltcpStream<'_, D, T> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, NetworkError> {
        if out.is_empty() {
            return Ok(0);
        }
        self.network
            .wait_for(ANSWER_WITHIN_MS, |network| match network.socket().recv_slice(out) {
                Ok(0) => None,
                Ok(len) => Some(Ok(len)),
                Err(tcp::RecvError::Finished) => Some(Ok(0)),
                Err(tcp::RecvError::InvalidState) => Some(Err(NetworkError::Reset)),
            })
            .unwrap_or(Err(NetworkError::TimedOut { waited_ms: ANSWER_WITHIN_MS }))
    }
}

impl<D: Device, T: Ticks> Write for SmoltcpStream<'_, D, T> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, NetworkError> {
        if bytes.is_empty() {
            return Ok(0);
        }
        self.network
            .wait_for(ANSWER_WITHIN_MS, |network| match network.socket().send_slice(bytes) {
                Ok(0) => None,
                Ok(len) => Some(Ok(len)),
                Err(tcp::SendError::InvalidState) => Some(Err(NetworkError::Reset)),
            })
            .unwrap_or(Err(NetworkError::TimedOut { waited_ms: ANSWER_WITHIN_MS }))
    }

    /// Hands what was written to the network; that it arrived is not waited for.
    fn flush(&mut self) -> Result<(), NetworkError> {
        self.network.poll();
        Ok(())
    }
}
