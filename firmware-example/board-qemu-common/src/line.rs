//! The line: a serial port that is read by interrupt, through a [`Ring`], and written by waiting.

use core::convert::Infallible;

use embedded_io::{ErrorType, Read, ReadReady, Write, WriteReady};

use crate::ring::Ring;

/// Length of a port's ring, in bytes.
///
/// One question is outstanding at a time, so little comes while the device computes: a question that is repeated, and
/// noise. Of a repeated question that does not fit enough is lost for it to be repeated once more.
pub const RECEIVED_LEN: usize = 256;

/// What a board knows of its serial port.
pub trait Port {
    /// What arrived and was not read yet. The port's interrupt fills it while there is room.
    fn received(&self) -> &'static Ring<RECEIVED_LEN>;

    /// Sleeps until something may have arrived.
    fn sleep(&self);

    /// Has the interrupt go on, if it stopped at a full ring: there is room now.
    fn receive_on(&self);

    /// Whether a byte must wait for the one before it.
    fn is_sending(&self) -> bool;

    /// Sends a byte, after the one before it.
    fn send(&self, byte: u8);

    /// Waits until all is sent.
    fn flush(&self);
}

/// The line that enrolls.
#[derive(Debug)]
pub struct Line<P> {
    port: P,
}

impl<P: Port> Line<P> {
    /// The line on a port that is switched on.
    #[must_use]
    pub const fn new(port: P) -> Self {
        Self { port }
    }
}

impl<P> ErrorType for Line<P> {
    type Error = Infallible;
}

impl<P: Port> Read for Line<P> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, Infallible> {
        if out.is_empty() {
            return Ok(0);
        }
        let received = self.port.received();
        while received.is_empty() {
            self.port.sleep();
        }
        let mut len = 0;
        for (place, byte) in out.iter_mut().zip(core::iter::from_fn(|| received.pop())) {
            *place = byte;
            len += 1;
        }
        self.port.receive_on();
        Ok(len)
    }
}

impl<P: Port> ReadReady for Line<P> {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(!self.port.received().is_empty())
    }
}

impl<P: Port> Write for Line<P> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for &byte in bytes {
            self.port.send(byte);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        self.port.flush();
        Ok(())
    }
}

impl<P: Port> WriteReady for Line<P> {
    fn write_ready(&mut self) -> Result<bool, Infallible> {
        Ok(!self.port.is_sending())
    }
}
