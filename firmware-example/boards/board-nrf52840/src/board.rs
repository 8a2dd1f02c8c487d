//! The board as the firmware sees it. Other pins, another UART: [`take`].

use core::ops::Range;

use board_support::clock::SysTickClock;
use board_support::line::{RECEIVE_LEN, SEND_LEN, WaitingLine};
use board_support::log::RttLog;
use board_support::serial_number::device_serial;
use board_support::stack::PaintedStack;
use embassy_nrf::buffered_uarte::{self, BufferedUarte};
use embassy_nrf::config::Debug;
use embassy_nrf::nvmc::Nvmc;
use embassy_nrf::uarte::{Baudrate, Config};
use embassy_nrf::{bind_interrupts, pac, peripherals};
use provision_csr::{PortableKey, PortableP256};
use provision_firmware_app::{Board, Firmware, LineMemory, Parts};
use static_cell::ConstStaticCell;

use crate::entropy::ChipEntropy;
use crate::flash_map::VAULT;

/// Speed of the line. The station's default.
const BAUD_RATE: Baudrate = Baudrate::Baud115200;

/// Open, for the log. A product closes the debug port: else whoever has the device can read the key.
const DEBUG_PORT: Debug = Debug::Allowed;

/// The processor's clock: fixed.
const CORE_HZ: u32 = 64_000_000;

/// Takes the chip's parts into use.
///
/// # Panics
///
/// If called twice.
#[must_use]
pub fn take() -> Parts<Nrf52840> {
    static RECEIVED: ConstStaticCell<[u8; RECEIVE_LEN]> = ConstStaticCell::new([0; RECEIVE_LEN]);
    static TO_SEND: ConstStaticCell<[u8; SEND_LEN]> = ConstStaticCell::new([0; SEND_LEN]);

    let mut chip_config = embassy_nrf::config::Config::default();
    chip_config.debug = DEBUG_PORT;
    let chip = embassy_nrf::init(chip_config);
    let core = cortex_m::Peripherals::take().expect("taken once");

    // On the nRF52840-DK these pins go to the debugger.
    let (uart, transmit, receive) = (chip.UARTE0, chip.P0_06, chip.P0_08);

    let mut config = Config::default();
    config.baudrate = BAUD_RATE;
    let uart = BufferedUarte::new(
        uart,
        // What counts received bytes: free for nothing else.
        chip.TIMER0,
        chip.PPI_CH0,
        chip.PPI_CH1,
        chip.PPI_GROUP0,
        receive,
        transmit,
        Interrupts,
        config,
        RECEIVED.take(),
        TO_SEND.take(),
    );

    Parts {
        device_serial: device_serial("nrf52840", &unique_number()),
        line: WaitingLine::new(uart),
        flash: Nvmc::new(chip.NVMC),
        entropy: ChipEntropy::new(chip.RNG),
        clock: SysTickClock::new(core.SYST, CORE_HZ),
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
pub fn start() -> Firmware<Nrf52840> {
    static LINE_MEMORY: LineMemory<PortableP256> = LineMemory::new();

    match Firmware::start(take(), &LINE_MEMORY) {
        Ok(firmware) => firmware,
        Err(error) => panic!("{error}"),
    }
}

/// The nRF52840.
#[derive(Debug)]
pub enum Nrf52840 {}

impl Board for Nrf52840 {
    type Line = WaitingLine<BufferedUarte<'static>>;
    type Flash = Nvmc<'static>;
    const VAULT_RANGE: Range<u32> = VAULT;
    type Key = PortableKey;
    type P256 = PortableP256;
    type Entropy = ChipEntropy;
    type Clock = SysTickClock;
    type Log = RttLog;
    type Stack = PaintedStack;
}

/// `FICR.DEVICEID`: 64 random bits of each chip's own, written by Nordic.
fn unique_number() -> [u8; 8] {
    let [low, high] = [0, 1].map(|word| u64::from(pac::FICR.deviceid(word).read()));
    (high << 32 | low).to_be_bytes()
}

bind_interrupts!(struct Interrupts {
    UARTE0 => buffered_uarte::InterruptHandler<peripherals::UARTE0>;
});
