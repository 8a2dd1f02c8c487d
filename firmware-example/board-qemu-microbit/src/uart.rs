//! The chip's one serial port: the line (Reference Manual, "Universal Asynchronous Receiver/Transmitter").

use core::convert::Infallible;

use board_qemu_common::register::Register;
use board_qemu_common::ring::Ring;
use embedded_io::{ErrorType, Read, ReadReady, Write};

use crate::interrupts::{self, Interrupt};

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
    /// Switches the port and its interrupt on, at 115,200 bits per second without flow control.
    #[must_use]
    pub fn open() -> Self {
        let port = Port::UART0;
        // The micro:bit's pins to its USB chip. QEMU does not care.
        port.select_txd.write(24);
        port.select_rxd.write(25);
        port.baudrate.write(BAUDRATE_115200);
        port.config.write(0);
        port.enable.write(ENABLE);
        port.task_start_tx.write(1);
        port.task_start_rx.write(1);
        port.interrupt_set.write(INTERRUPT_RX);
        interrupts::enable(Interrupt::Uart);
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
        self.port.interrupt_set.write(INTERRUPT_RX);
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
            self.port.send(byte);
        }
        Ok(bytes.len())
    }

    /// Each byte was waited for.
    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

/// The interrupt of bytes that arrived.
///
/// The port holds six. When the ring is full they stay there; more would overrun them on hardware, and are held back
/// by QEMU. The dialogue repeats what was lost.
pub(crate) fn on_receive() {
    let port = Port::UART0;
    while port.event_rx_ready.read() != 0 {
        if RECEIVED.is_full() {
            port.interrupt_clear.write(INTERRUPT_RX);
            return;
        }
        // Before the byte is taken: the port may have the next one at once, and says so.
        port.event_rx_ready.write(0);
        RECEIVED.push(port.rxd.read() as u8);
    }
}

/// The registers of the port.
#[derive(Debug, Clone, Copy)]
struct Port {
    task_start_rx: Register,
    task_start_tx: Register,
    event_rx_ready: Register,
    event_tx_ready: Register,
    interrupt_set: Register,
    interrupt_clear: Register,
    enable: Register,
    select_txd: Register,
    select_rxd: Register,
    rxd: Register,
    txd: Register,
    baudrate: Register,
    config: Register,
}

impl Port {
    const UART0: Self = {
        const fn at(offset: usize) -> Register {
            // SAFETY: UART0's registers (Reference Manual, as above). It does no DMA.
            unsafe { Register::new(0x4000_2000 + offset) }
        }
        Self {
            task_start_rx: at(0x000),
            task_start_tx: at(0x008),
            event_rx_ready: at(0x108),
            event_tx_ready: at(0x11c),
            interrupt_set: at(0x304),
            interrupt_clear: at(0x308),
            enable: at(0x500),
            select_txd: at(0x50c),
            select_rxd: at(0x514),
            rxd: at(0x518),
            txd: at(0x51c),
            baudrate: at(0x524),
            config: at(0x56c),
        }
    };

    /// Sends a byte, and waits until it is sent.
    fn send(self, byte: u8) {
        self.event_tx_ready.write(0);
        self.txd.write(u32::from(byte));
        while self.event_tx_ready.read() == 0 {}
    }
}

const ENABLE: u32 = 4;
const BAUDRATE_115200: u32 = 0x01d7_e000;
const INTERRUPT_RX: u32 = 1 << 2;
