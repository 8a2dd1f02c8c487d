//! The board's one serial port, an NS16550: the line.
//!
//! Registers: *PC16550D Universal Asynchronous Receiver/Transmitter with FIFOs*, section 8.

use board_qemu_common::line::{self, RECEIVED_LEN};
use board_qemu_common::register::ByteRegister;
use board_qemu_common::ring::Ring;

use crate::interrupts;

/// What arrived on the line and was not read yet.
static RECEIVED: Ring<RECEIVED_LEN> = Ring::new();

/// The line.
pub type Line = line::Line<Port>;

/// Switches the port and its interrupt on, at 115,200 bits per second, 8 data bits, no parity.
#[must_use]
pub fn open_line() -> Line {
    let port = Port::BOARD;
    port.line_control.write(LINE_CONTROL_DIVISOR);
    // 3.6864 MHz / 16 / 115,200
    port.data.write(2);
    port.interrupt_enable.write(0);
    port.line_control.write(LINE_CONTROL_8N1);
    port.fifo_control.write(FIFO_ENABLE | FIFO_CLEAR);
    port.interrupt_enable.write(INTERRUPT_RECEIVED);
    interrupts::enable_uart();
    Line::new(port)
}

impl line::Port for Port {
    fn received(&self) -> &'static Ring<RECEIVED_LEN> {
        &RECEIVED
    }

    fn sleep(&self) {
        interrupts::sleep_unless(|| !RECEIVED.is_empty());
    }

    fn receive_on(&self) {
        // The handler switched itself off if it found the ring full.
        self.interrupt_enable.write(INTERRUPT_RECEIVED);
    }

    fn is_sending(&self) -> bool {
        !self.has_status(LINE_STATUS_ROOM)
    }

    fn send(&self, byte: u8) {
        while self.is_sending() {}
        self.data.write(byte);
    }

    fn flush(&self) {
        while !self.has_status(LINE_STATUS_SENT) {}
    }
}

/// The interrupt of bytes that arrived.
///
/// The port holds sixteen. When the ring is full they stay there; more would overrun them on hardware, and are held
/// back by QEMU. The dialogue repeats what was lost.
pub(crate) fn on_receive() {
    let port = Port::BOARD;
    while port.line_status.read() & LINE_STATUS_RECEIVED != 0 {
        if RECEIVED.is_full() {
            port.interrupt_enable.write(0);
            return;
        }
        RECEIVED.push(port.data.read());
    }
}

/// The registers of the port.
#[derive(Debug, Clone, Copy)]
pub struct Port {
    data: ByteRegister,
    interrupt_enable: ByteRegister,
    fifo_control: ByteRegister,
    line_control: ByteRegister,
    line_status: ByteRegister,
}

impl Port {
    const BOARD: Self = {
        const fn at(offset: usize) -> ByteRegister {
            // SAFETY: the port's registers (QEMU `hw/riscv/virt.c`, memory map). It does no DMA.
            unsafe { ByteRegister::new(0x1000_0000 + offset) }
        }
        Self {
            data: at(0),
            interrupt_enable: at(1),
            fifo_control: at(2),
            line_control: at(3),
            line_status: at(5),
        }
    };

    fn has_status(self, status: u8) -> bool {
        self.line_status.read() & status != 0
    }
}

const INTERRUPT_RECEIVED: u8 = 1 << 0;
const FIFO_ENABLE: u8 = 1 << 0;
const FIFO_CLEAR: u8 = 3 << 1;
const LINE_CONTROL_8N1: u8 = 3;
const LINE_CONTROL_DIVISOR: u8 = 1 << 7;
const LINE_STATUS_RECEIVED: u8 = 1 << 0;
const LINE_STATUS_ROOM: u8 = 1 << 5;
const LINE_STATUS_SENT: u8 = 1 << 6;
