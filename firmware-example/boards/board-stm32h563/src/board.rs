//! The board as the firmware sees it. Other pins, another UART: [`take`].

use core::ops::Range;

use board_support::clock::SysTickClock;
use board_support::line::{BITS_PER_SECOND, RECEIVE_LEN, SEND_LEN, WaitingLine};
use board_support::log::RttLog;
use board_support::serial_number::device_serial;
use board_support::stack::PaintedStack;
use embassy_stm32::usart::{self, BufferedUart, Config};
use embassy_stm32::{bind_interrupts, peripherals, rcc, uid};
use provision_csr::{PortableKey, PortableP256};
use provision_firmware_app::{Board, Firmware, LineMemory, Parts};
use static_cell::ConstStaticCell;

use crate::entropy::ChipEntropy;
use crate::flash::ChipFlash;
use crate::flash_map::VAULT;

/// Takes the chip's parts into use.
///
/// # Panics
///
/// If called twice.
#[must_use]
pub fn take() -> Parts<Stm32H563> {
    static RECEIVED: ConstStaticCell<[u8; RECEIVE_LEN]> = ConstStaticCell::new([0; RECEIVE_LEN]);
    static TO_SEND: ConstStaticCell<[u8; SEND_LEN]> = ConstStaticCell::new([0; SEND_LEN]);

    // 64 MHz from the internal oscillator, and HSI48 for the random number generator: no crystal is needed.
    let chip = embassy_stm32::init(embassy_stm32::Config::default());
    let core = cortex_m::Peripherals::take().expect("taken once");
    let core_clock = rcc::clocks(&chip.RCC).sys.to_hertz().expect("the processor has a clock");

    // On the NUCLEO-H563ZI these pins go to the debugger (UM3115, table of solder bridges).
    let (uart, transmit, receive) = (chip.USART3, chip.PD8, chip.PD9);

    let mut config = Config::default();
    config.baudrate = BITS_PER_SECOND;
    let (to_send, received) = (TO_SEND.take(), RECEIVED.take());
    let uart = BufferedUart::new(uart, receive, transmit, to_send, received, Interrupts, config)
        .expect("a speed that this clock can be divided to");

    Parts {
        device_serial: device_serial("stm32h563", &uid::uid()),
        line: WaitingLine::new(uart),
        flash: ChipFlash::new(chip.FLASH),
        entropy: ChipEntropy::new(chip.RNG),
        clock: SysTickClock::new(core.SYST, core_clock.0),
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
pub fn start() -> Firmware<Stm32H563> {
    static LINE_MEMORY: LineMemory<PortableP256> = LineMemory::new();

    match Firmware::start(take(), &LINE_MEMORY) {
        Ok(firmware) => firmware,
        Err(error) => panic!("{error}"),
    }
}

/// The STM32H563.
#[derive(Debug)]
pub enum Stm32H563 {}

impl Board for Stm32H563 {
    type Line = WaitingLine<BufferedUart<'static>>;
    type Flash = ChipFlash;
    const VAULT_RANGE: Range<u32> = VAULT;
    type Key = PortableKey;
    type P256 = PortableP256;
    type Entropy = ChipEntropy;
    type Clock = SysTickClock;
    type Log = RttLog;
    type Stack = PaintedStack;
}

bind_interrupts!(struct Interrupts {
    USART3 => usart::BufferedInterruptHandler<peripherals::USART3>;
});
