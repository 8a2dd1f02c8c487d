//! The board as the firmware sees it. Other pins, another UART: [`take`].

use core::ops::Range;

use board_support::clock::SysTickClock;
use board_support::line::{BITS_PER_SECOND, RECEIVE_LEN, SEND_LEN, WaitingLine};
use board_support::log::RttLog;
use board_support::serial_number::device_serial;
use board_support::stack::PaintedStack;
use embassy_rp::clocks::clk_sys_freq;
use embassy_rp::flash::{Blocking, Flash};
use embassy_rp::uart::{BufferedInterruptHandler, BufferedUart, Config};
use embassy_rp::{bind_interrupts, peripherals};
use provision_csr::{PortableKey, PortableP256};
use provision_firmware_app::{Board, Firmware, LineMemory, Parts};
use static_cell::ConstStaticCell;

use crate::entropy::RingOscillator;
use crate::flash_map::{FLASH, VAULT};

/// The flash chip behind the boot ROM's functions.
type ChipFlash = Flash<'static, peripherals::FLASH, Blocking, { FLASH.end as usize }>;

/// Takes the chip's parts into use.
///
/// # Panics
///
/// If called twice, or if the flash chip does not tell its number.
#[must_use]
pub fn take() -> Parts<Rp2040> {
    static RECEIVED: ConstStaticCell<[u8; RECEIVE_LEN]> = ConstStaticCell::new([0; RECEIVE_LEN]);
    static TO_SEND: ConstStaticCell<[u8; SEND_LEN]> = ConstStaticCell::new([0; SEND_LEN]);

    // The crystal's clock: the ring oscillator runs on for itself, and is what entropy is drawn from.
    let chip = embassy_rp::init(embassy_rp::config::Config::default());
    let core = cortex_m::Peripherals::take().expect("taken once");

    // Pins 1 and 2 of the Pico; pin 3 is ground.
    let (uart, transmit, receive) = (chip.UART0, chip.PIN_0, chip.PIN_1);

    let mut config = Config::default();
    config.baudrate = BITS_PER_SECOND;
    let (to_send, received) = (TO_SEND.take(), RECEIVED.take());
    let uart = BufferedUart::new(uart, transmit, receive, Interrupts, to_send, received, config);

    let mut flash = ChipFlash::new_blocking(chip.FLASH);
    let mut number = [0; 8];
    // The chip itself has none: this is the number of the flash chip beside it.
    flash.blocking_unique_id(&mut number).expect("runs on the first core");

    Parts {
        device_serial: device_serial("rp2040", &number),
        line: WaitingLine::new(uart),
        flash,
        entropy: RingOscillator::new(),
        clock: SysTickClock::new(core.SYST, clk_sys_freq()),
        log: RttLog::open(),
        stack: PaintedStack,
    }
}

/// Starts the firmware on the board.
///
/// # Panics
///
/// If called twice.
// Not inlined: what it has on the stack is gone when it returns.
#[inline(never)]
#[must_use]
pub fn start() -> Firmware<Rp2040> {
    static LINE_MEMORY: LineMemory<PortableP256> = LineMemory::new();

    match Firmware::start(take(), &LINE_MEMORY) {
        Ok(firmware) => firmware,
        Err(error) => panic!("{error}"),
    }
}

/// The RP2040.
#[derive(Debug)]
pub enum Rp2040 {}

impl Board for Rp2040 {
    type Line = WaitingLine<BufferedUart>;
    type Flash = ChipFlash;
    const VAULT_RANGE: Range<u32> = VAULT;
    type Key = PortableKey;
    type P256 = PortableP256;
    type Entropy = RingOscillator;
    type Clock = SysTickClock;
    type Log = RttLog;
    type Stack = PaintedStack;
}

bind_interrupts!(struct Interrupts {
    UART0_IRQ => BufferedInterruptHandler<peripherals::UART0>;
});
