//! The serial line: a driver that is made to be awaited, used by waiting.
//!
//! Embassy's buffered drivers receive by interrupt or DMA into a buffer of ours, so nothing is lost while the program
//! computes. Of some of them only the asynchronous half gives the processor its sleep while there is nothing to read.

use core::pin::pin;
use core::task::{Context, Poll, Waker};

use embedded_io::{ErrorType, Read, ReadReady, Write};

/// Room for what arrives while the program computes, in bytes. The largest question has 600.
pub const RECEIVE_LEN: usize = 1024;

/// Room for what is on its way out, in bytes. An answer has up to 600, and what is longer waits.
pub const SEND_LEN: usize = 256;

/// Speed of the line, in bits per second. The station's default.
pub const BITS_PER_SECOND: u32 = 115_200;

/// `S` by waiting.
#[derive(Debug)]
pub struct WaitingLine<S> {
    serial: S,
}

impl<S> WaitingLine<S> {
    /// Takes the driver.
    pub const fn new(serial: S) -> Self {
        Self { serial }
    }
}

impl<S: ErrorType> ErrorType for WaitingLine<S> {
    type Error = S::Error;
}

impl<S: embedded_io_async::Read> Read for WaitingLine<S> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, S::Error> {
        wait_for(self.serial.read(out))
    }
}

impl<S: ReadReady> ReadReady for WaitingLine<S> {
    fn read_ready(&mut self) -> Result<bool, S::Error> {
        self.serial.read_ready()
    }
}

impl<S: embedded_io_async::Write> Write for WaitingLine<S> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, S::Error> {
        wait_for(self.serial.write(bytes))
    }

    fn flush(&mut self) -> Result<(), S::Error> {
        wait_for(self.serial.flush())
    }
}

/// Runs one future to its end, and sleeps while it waits for its interrupt.
fn wait_for<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        // An interrupt that came since the poll is not slept through: entering and leaving its handler sets the event
        // register, and WFE returns at once when it finds it set (Arm's architecture manuals, "The Event Register").
        cortex_m::asm::wfe();
    }
}
