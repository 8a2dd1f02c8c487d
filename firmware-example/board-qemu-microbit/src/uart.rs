//! The chip's one serial port: the line (Reference Manual, "Universal Asynchronous Receiver/Transmitter").

use board_qemu_common::line::{self, RECEIVED_LEN};
use board_qemu_common::register::Register;
use board_qemu_common::ring::Ring;

use crate::interrupts::{self, Interrupt};

/// What arrived on the line and was not read yet.
static RECEIVED: Ring<RECEIVED_LEN> = Ring::new();

/// The line.
pub type Line = line::Line<Port>;

/// Switches the port and its interrupt on, at 115,200 bits per second without flow control.
#[must_use]
pub fn open_line() -> Line {
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
        self.interrupt_set.write(INTERRUPT_RX);
    }

    fn is_sending(&self) -> bool {
        // Each byte was waited for.
        false
    }

    fn send(&self, byte: u8) {
        self.event_tx_ready.write(0);
        self.txd.write(u32::from(byte));
        while self.event_tx_ready.read() == 0 {}
    }

    fn flush(&self) {
        // Each byte was waited for.
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
pub struct Port {
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
}

const ENABLE: u32 = 4;
const BAUDRATE_115200: u32 = 0x01d7_e000;
const INTERRUPT_RX: u32 = 1 << 2;
