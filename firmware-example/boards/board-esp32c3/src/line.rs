//! The serial line: UART0, received by interrupt into room for the largest question.
//!
//! The port itself holds 128 bytes. While the flash is erased or written, no interrupt comes through, and of what
//! arrives then the rest is lost. The station says nothing while it waits for an answer, and repeats what it missed.

use core::cell::RefCell;

use critical_section::Mutex;
use embedded_io::{ErrorType, Read, ReadReady, Write};
use esp_hal::uart::{Config, ConfigError, RxConfig, TxError, Uart, UartInterrupt, UartRx, UartTx};
use esp_hal::{Blocking, handler};
use heapless::Deque;

/// The line. Received bytes wait in a static, where the interrupt puts them.
pub struct Line {
    transmit: UartTx<'static, Blocking>,
}

impl core::fmt::Debug for Line {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Line").finish_non_exhaustive()
    }
}

impl Line {
    /// Takes the port, whose pins are set, and has its interrupt come through.
    ///
    /// # Errors
    ///
    /// If the port's clock cannot be divided to that speed.
    pub fn open(
        mut uart: Uart<'static, Blocking>,
        bits_per_second: u32,
    ) -> Result<Self, ConfigError> {
        // An interrupt for each byte. The other way, at some bytes or after a silence, needs a flag of the silence
        // cleared, for which the driver's receiving half has no call.
        let receive = RxConfig::default().with_fifo_full_threshold(1);
        uart.apply_config(&Config::default().with_baudrate(bits_per_second).with_rx(receive))?;
        uart.set_interrupt_handler(on_receive);
        uart.listen(UartInterrupt::RxFifoFull);
        let (receive, transmit) = uart.split();
        critical_section::with(|section| {
            RECEIVER.borrow_ref_mut(section).port = Some(receive);
        });
        Ok(Self { transmit })
    }
}

impl ErrorType for Line {
    type Error = TxError;
}

impl Read for Line {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, TxError> {
        if out.is_empty() {
            return Ok(0);
        }
        loop {
            let len = critical_section::with(|section| RECEIVER.borrow_ref_mut(section).take(out));
            if len > 0 {
                return Ok(len);
            }
        }
    }
}

impl ReadReady for Line {
    fn read_ready(&mut self) -> Result<bool, TxError> {
        Ok(critical_section::with(|section| !RECEIVER.borrow_ref(section).received.is_empty()))
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, TxError> {
        Write::write(&mut self.transmit, bytes)
    }

    fn flush(&mut self) -> Result<(), TxError> {
        Write::flush(&mut self.transmit)
    }
}

/// What the interrupt and the program share.
struct Receiver {
    /// `None` until the line is opened.
    port: Option<UartRx<'static, Blocking>>,
    received: Deque<u8, RECEIVE_LEN>,
}

impl Receiver {
    /// Empties the port. What there is no room for is lost, as is what the port says came damaged.
    fn receive(&mut self) {
        let Some(port) = &mut self.port else { return };
        let mut some = [0; 32];
        loop {
            match port.read_buffered(&mut some) {
                Ok(0) => return,
                Ok(len) => {
                    for byte in some.iter().take(len) {
                        let _ = self.received.push_back(*byte);
                    }
                }
                // Told once, and what is left in the port can be read then.
                Err(_) => {}
            }
        }
    }

    fn take(&mut self, out: &mut [u8]) -> usize {
        let mut len = 0;
        for (place, byte) in out.iter_mut().zip(core::iter::from_fn(|| self.received.pop_front())) {
            *place = byte;
            len += 1;
        }
        len
    }
}

static RECEIVER: Mutex<RefCell<Receiver>> =
    Mutex::new(RefCell::new(Receiver { port: None, received: Deque::new() }));

#[handler]
fn on_receive() {
    critical_section::with(|section| RECEIVER.borrow_ref_mut(section).receive());
}

/// The largest question has 600 bytes.
const RECEIVE_LEN: usize = 1024;
