//! The board as the firmware sees it. Other pins, another UART: [`take`].

use core::ops::Range;

use board_support::log::RttLog;
use board_support::serial_number::device_serial;
use esp_bootloader_esp_idf::partitions::{PARTITION_TABLE_MAX_LEN, read_partition_table};
use esp_hal::clock::CpuClock;
use esp_hal::efuse::base_mac_address;
use esp_hal::uart::{Config, Uart};
use esp_storage::FlashStorage;
use provision_csr::{PortableKey, PortableP256};
use provision_firmware_app::{Board, Firmware, LineMemory, Parts};

use crate::clock::ChipClock;
use crate::entropy::ChipEntropy;
use crate::flash_map::{VAULT, VAULT_NAME};
use crate::line::Line;
use crate::stack::PaintedStack;

/// Speed of the line, in bits per second. The station's default, and the boot ROM's, whose messages come first on this
/// line; the station passes over them.
const BITS_PER_SECOND: u32 = 115_200;

/// Takes the chip's parts into use.
///
/// # Panics
///
/// If called twice, and if the flash has no partition for the vault.
#[must_use]
pub fn take() -> Parts<Esp32C3> {
    let stack = PaintedStack::paint();
    let chip = esp_hal::init(esp_hal::Config::default().with_cpu_clock(CpuClock::max()));
    let log = RttLog::open();

    // On the ESP32-C3-DevKitM-1 these pins go to the USB socket.
    let (uart, transmit, receive) = (chip.UART0, chip.GPIO21, chip.GPIO20);

    let uart = Uart::new(uart, Config::default()).expect("the driver's defaults");
    let uart = uart.with_tx(transmit).with_rx(receive);
    let line = Line::open(uart, BITS_PER_SECOND).expect("a speed this clock can be divided to");

    let mut flash = FlashStorage::new(chip.FLASH);
    assert!(
        vault_has_its_partition(&mut flash),
        "flash: no partition {VAULT_NAME} at {VAULT:#x?}: flash with --partition-table"
    );

    Parts {
        device_serial: device_serial("esp32c3", base_mac_address().as_bytes()),
        line,
        flash,
        entropy: ChipEntropy::new(chip.RNG, chip.ADC1),
        clock: ChipClock,
        log,
        stack,
    }
}

/// Starts the firmware on the board.
///
/// # Panics
///
/// If called twice, and if the flash has no partition for the vault.
// Not inlined: what it has on the stack is gone when it returns.
#[inline(never)]
#[must_use]
pub fn start() -> Firmware<Esp32C3> {
    static LINE_MEMORY: LineMemory<PortableP256> = LineMemory::new();

    match Firmware::start(take(), &LINE_MEMORY) {
        Ok(firmware) => firmware,
        Err(error) => panic!("{error}"),
    }
}

/// The ESP32-C3.
#[derive(Debug)]
pub enum Esp32C3 {}

impl Board for Esp32C3 {
    type Line = Line;
    type Flash = FlashStorage<'static>;
    const VAULT_RANGE: Range<u32> = VAULT;
    type Key = PortableKey;
    type P256 = PortableP256;
    type Entropy = ChipEntropy;
    type Clock = ChipClock;
    type Log = RttLog;
    type Stack = PaintedStack;
}

/// Under another table the vault's place may be the program's, or a file system's: the vault would erase it.
// Not inlined: the table is three kilobytes of stack, gone when it returns.
#[inline(never)]
fn vault_has_its_partition(flash: &mut FlashStorage<'_>) -> bool {
    let mut bytes = [0; PARTITION_TABLE_MAX_LEN];
    read_partition_table(flash, &mut bytes).is_ok_and(|table| {
        table.iter().any(|partition| {
            partition.label_as_str() == VAULT_NAME
                && partition.offset() == VAULT.start
                && partition.len() == VAULT.end - VAULT.start
        })
    })
}
