//! The CMSDK APB serial ports: number 0 for the log, number 1 for the line.
//!
//! Registers: *Cortex-M System Design Kit Technical Reference Manual*, Arm DDI 0479, section 4.3.

use core::fmt;

use board_qemu_common::line::{self, RECEIVED_LEN};
use board_qemu_common::register::Register;
use board_qemu_common::ring::Ring;

use crate::interrupts::{self, Interrupt};
use crate::{SYSTEM_CLOCK_HZ, clock};

/// What arrived on the line and was not read yet.
static LINE_RECEIVED: Ring<RECEIVED_LEN> = Ring::new();

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

/// UART 1: the line that enrolls.
pub type Line = line::Line<LinePort>;

/// Switches the line's port and its interrupt on.
#[must_use]
pub fn open_line() -> Line {
    let port = Port::LINE;
    port.enable(CTRL_TX_ENABLE | CTRL_RX_ENABLE | CTRL_RX_INTERRUPT);
    interrupts::enable(Interrupt::LineReceive);
    Line::new(LinePort(port))
}

/// UART 1, switched on.
#[derive(Debug)]
pub struct LinePort(Port);

impl line::Port for LinePort {
    fn received(&self) -> &'static Ring<RECEIVED_LEN> {
        &LINE_RECEIVED
    }

    fn sleep(&self) {
        clock::idle();
    }

    fn receive_on(&self) {
        if self.0.has_received() {
            // The handler found the ring full and left a byte where it was.
            interrupts::pend(Interrupt::LineReceive);
        }
    }

    fn is_sending(&self) -> bool {
        self.0.is_sending()
    }

    fn send(&self, byte: u8) {
        self.0.send(byte);
    }

    fn flush(&self) {
        self.0.wait_until_sent();
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
