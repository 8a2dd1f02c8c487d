//! Step 1: a serial port that loses nothing while the processor computes.

use core::convert::Infallible;

use embedded_io::{ErrorType, Read, Write};
use heapless::spsc::{Consumer, Producer};

/// What your HAL has for the port.
pub trait Uart {
    /// The byte that arrived, if one did.
    fn received(&mut self) -> Option<u8>;
    /// Waits until the port takes the byte.
    fn send(&mut self, byte: u8);
    /// Sleeps until an interrupt: `cortex_m::asm::wfi()`.
    fn idle(&mut self);
}

/// Call this from the receive interrupt. A station that was not heard repeats its question, so
/// what does not fit may be lost.
pub fn on_receive(uart: &mut impl Uart, queue: &mut Producer<'_, u8>) {
    while let Some(byte) = uart.received() {
        let _ = queue.enqueue(byte);
    }
}

/// The port as the crates want it.
pub struct Serial<U> {
    /// Sends, and sleeps.
    pub uart: U,
    /// What the interrupt put in: a `static Queue<u8, 256>`, split.
    pub queue: Consumer<'static, u8>,
}

impl<U> ErrorType for Serial<U> {
    type Error = Infallible;
}

impl<U: Uart> Read for Serial<U> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, Infallible> {
        let Some(first) = out.first_mut() else { return Ok(0) };
        loop {
            if let Some(byte) = self.queue.dequeue() {
                *first = byte;
                return Ok(1);
            }
            self.uart.idle();
        }
    }
}

impl<U: Uart> Write for Serial<U> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for &byte in bytes {
            self.uart.send(byte);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
