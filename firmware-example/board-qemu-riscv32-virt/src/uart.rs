//! The board's one serial port, an NS16550: the line.
//!
//! Registers: *PC16550D Universal Asynchronous Receiver/Transmitter with FIFOs*, section 8.

use core::convert::Infallible;

use board_qemu_common::register::ByteRegister;
use board_qemu_common::ring::Ring;
use embedded_io::{ErrorType, Read, ReadReady, Write};

use crate::interrupts;

/// What arrived on the line and was not read yet.
///
/// One question is outstanding at a time, so little comes while the device computes: a question that is repeated, and
/// noise. Of a repeated question that does not fit enough is lost for it to be repeated once more.
static RECEIVED: Ring<256> = Ring::new();

/// The port, read by interrupt and written by waiting.
#[derive(Debug)]
pub struct Line {
    port: Port,
}

impl Line {
    /// Switches the port and its interrupt on, at 115,200 bits per second, 8 data bits, no parity.
    #[must_use]
    pub fn open() -> Self {
        let port = Port::BOARD;
        port.line_control.write(LINE_CONTROL_DIVISOR);
        // 3.6864 MHz / 16 / 115,200
        port.data.write(2);
        port.interrupt_enable.write(0);
        port.line_control.write(LINE_CONTROL_8N1);
        port.fifo_control.write(FIFO_ENABLE | FIFO_CLEAR);
        port.interrupt_enable.write(INTERRUPT_RECEIVED);
        interrupts::enable_uart();
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
        while RECEIVED.is_empty() {
            interrupts::sleep_unless(|| !RECEIVED.is_empty());
        }
        let mut len = 0;
        for (place, byte) in out.iter_mut().zip(core::iter::from_fn(|| RECEIVED.pop())) {
            *place = byte;
            len += 1;
        }
        // The handler switched itself off if it found the ring full: there is room now.
        self.port.interrupt_enable.write(INTERRUPT_RECEIVED);
        Ok(len)
    }
}

impl ReadReady for Line {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(!RECEIVED.is_empty())
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        for &byte in bytes {
            self.port.wait_for(LINE_STATUS_ROOM);
            self.port.data.write(byte);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        self.port.wait_for(LINE_STATUS_SENT);
        Ok(())
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
struct Port {
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

    fn wait_for(self, status: u8) {
        while self.line_status.read() & status == 0 {}
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
