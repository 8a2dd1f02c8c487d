//! The CMSDK APB serial ports: number 0 for the log, number 1 for the line.
//!
//! Registers: *Cortex-M System Design Kit Technical Reference Manual*, Arm DDI 0479, section 4.3.

use core::convert::Infallible;
use core::fmt;

use embedded_io::{ErrorType, Read, ReadReady, Write, WriteReady};

use crate::interrupts::{self, Interrupt};
use crate::mmio::Register;
use crate::ring::Ring;
use crate::{SYSTEM_CLOCK_HZ, clock};

/// What arrived on the line and was not read yet.
///
/// One question is outstanding at a time, so little comes while the device computes: a question that is repeated, and
/// noise. Of a repeated question that does not fit enough is lost for it to be repeated once more.
static LINE_RECEIVED: Ring<256> = Ring::new();

/// Speed of both ports, in bits per second. QEMU does not care.
pub const BITS_PER_SECOND: u32 = 115_200;

/// UART 0, written by waiting: the log.
#[derive(Debug)]
pub struct Log {
    port: Port,
}

impl Log {
    /// Switches the log's port on. May be made again, as a panic does.
    #[must_use]
    pub fn open() -> Self {
        let port = Port::LOG;
        port.enable(CTRL_TX_ENABLE);
        Self { port }
    }
}

impl fmt::Write for Log {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if byte == b'\n' {
                self.port.send(b'\r');
            }
            self.port.send(byte);
        }
        Ok(())
    }
}

/// UART 1, read by interrupt and written by waiting: the line that enrolls.
#[derive(Debug)]
pub struct Line {
    port: Port,
}

impl Line {
    /// Switches the line's port and its interrupt on.
    #[must_use]
    pub fn open() -> Self {
        let port = Port::LINE;
        port.enable(CTRL_TX_ENABLE | CTRL_RX_ENABLE | CTRL_RX_INTERRUPT);
        interrupts::enable(Interrupt::LineReceive);
        Self { port }
    }
}

impl ErrorType for Line {
    type Error = Infallible;
}

impl Read for Line {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, Infallible> {
        if out.is_empty() {
            return Ok(0);
        }
        while LINE_RECEIVED.is_empty() {
            clock::idle();
        }
        let mut len = 0;
        for (place, byte) in out.iter_mut().zip(core::iter::from_fn(|| LINE_RECEIVED.pop())) {
            *place = byte;
            len += 1;
        }
        if self.port.has_received() {
            // The handler found the ring full and left a byte where it was: there is room now.
            interrupts::pend(Interrupt::LineReceive);
        }
        Ok(len)
    }
}

impl ReadReady for Line {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(!LINE_RECEIVED.is_empty())
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for &byte in bytes {
            self.port.send(byte);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        self.port.wait_until_sent();
        Ok(())
    }
}

impl WriteReady for Line {
    fn write_ready(&mut self) -> Result<bool, Infallible> {
        Ok(!self.port.is_sending())
    }
}

/// The interrupt of a byte that arrived on the line: for a program that handles `UARTRX1` itself.
///
/// The port holds one byte. When the ring is full it stays there; a next one would then overrun it on
/// hardware, and be held back by QEMU. The dialogue repeats what was lost.
pub fn on_line_receive() {
    let port = Port::LINE;
    port.interrupt.write(INTERRUPT_RX);
    while port.has_received() && !LINE_RECEIVED.is_full() {
        LINE_RECEIVED.push(port.data.read() as u8);
    }
}

/// The registers of one port.
#[derive(Debug, Clone, Copy)]
struct Port {
    data: Register,
    state: Register,
    ctrl: Register,
    interrupt: Register,
    baud_divider: Register,
}

impl Port {
    // SAFETY: UART 0 of the board (Arm AN386, table 3-1).
    const LOG: Self = unsafe { Self::at(0x4000_4000) };
    // SAFETY: UART 1 of the board (Arm AN386, table 3-1).
    const LINE: Self = unsafe { Self::at(0x4000_5000) };

    /// # Safety
    ///
    /// `base` is that of a CMSDK APB UART.
    const unsafe fn at(base: usize) -> Self {
        Self {
            // SAFETY: the caller's promise; offsets of DDI 0479, table 4-4. It does no DMA.
            data: unsafe { Register::new(base) },
            // SAFETY: as above.
            state: unsafe { Register::new(base + 0x04) },
            // SAFETY: as above.
            ctrl: unsafe { Register::new(base + 0x08) },
            // SAFETY: as above.
            interrupt: unsafe { Register::new(base + 0x0c) },
            // SAFETY: as above.
            baud_divider: unsafe { Register::new(base + 0x10) },
        }
    }

    fn enable(self, ctrl: u32) {
        self.baud_divider.write(SYSTEM_CLOCK_HZ / BITS_PER_SECOND);
        self.ctrl.write(ctrl);
    }

    fn has_received(self) -> bool {
        self.state.read() & STATE_RX_FULL != 0
    }

    fn is_sending(self) -> bool {
        self.state.read() & STATE_TX_FULL != 0
    }

    fn wait_until_sent(self) {
        while self.is_sending() {}
    }

    fn send(self, byte: u8) {
        self.wait_until_sent();
        self.data.write(u32::from(byte));
    }
}

const STATE_TX_FULL: u32 = 1 << 0;
const STATE_RX_FULL: u32 = 1 << 1;
const CTRL_TX_ENABLE: u32 = 1 << 0;
const CTRL_RX_ENABLE: u32 = 1 << 1;
const CTRL_RX_INTERRUPT: u32 = 1 << 3;
const INTERRUPT_RX: u32 = 1 << 1;
