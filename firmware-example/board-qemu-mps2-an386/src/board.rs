//! The board as the firmware sees it.

use core::fmt::Write;
use core::ops::Range;

use board_qemu_common::device_serial::{DEVICE_SERIAL_LEN_MAX, on_command_line};
use heapless::String;
use provision_firmware_app::{Board, Firmware, LineMemory, Parts};
use static_cell::StaticCell;

use crate::clock::BoardClock;
use crate::entropy::{self, HostEntropy};
use crate::flash::EmulatedFlash;
use crate::stack::PaintedStack;
use crate::uart::{self, Line, Log};

/// The identity key: by feature, of one implementation of P-256 or the other.
#[cfg(not(feature = "asm"))]
pub type Key = provision_csr::PortableKey;
/// The identity key: by feature, of one implementation of P-256 or the other.
#[cfg(feature = "asm")]
pub type Key = provision_p256_asm::AsmKey;

/// What checks signatures, of the same implementation.
#[cfg(not(feature = "asm"))]
pub type P256 = provision_csr::PortableP256;
/// What checks signatures, of the same implementation.
#[cfg(feature = "asm")]
pub type P256 = provision_p256_asm::AsmP256;

/// QEMU's mps2-an386.
#[derive(Debug)]
pub enum Mps2An386 {}

impl Board for Mps2An386 {
    type Line = Line;
    type Flash = EmulatedFlash;
    const VAULT_RANGE: Range<u32> = 0..2 * 4096;
    type Key = Key;
    type P256 = P256;
    type Entropy = HostEntropy;
    type Clock = BoardClock;
    type Log = Log;
    type Stack = PaintedStack;
}

/// The firmware on this board.
pub type BoardFirmware = Firmware<Mps2An386>;

/// Takes the board's parts into use. `None` if that was done before.
#[must_use]
pub fn take() -> Option<Parts<Mps2An386>> {
    static DEVICE_SERIAL: StaticCell<String<DEVICE_SERIAL_LEN_MAX>> = StaticCell::new();

    let peripherals = cortex_m::Peripherals::take()?;
    let mut log = Log::open();
    let _ = writeln!(log, "entropy: {}", entropy::SOURCE);
    Some(Parts {
        device_serial: DEVICE_SERIAL.init_with(on_command_line),
        line: uart::open_line(),
        // SAFETY: the processor's peripherals were given out just now and are not again, so this is the only
        // one; memory.x keeps the program out of the flash's addresses.
        flash: unsafe { EmulatedFlash::new() },
        entropy: HostEntropy::open(),
        clock: BoardClock::start(peripherals.SYST),
        log,
        stack: PaintedStack,
    })
}

/// Starts the board and the firmware. `None` if that was done before.
///
/// # Panics
///
/// If the device serial on the command line is none.
// Not inlined: what it has on the stack is gone when it returns.
#[inline(never)]
#[must_use]
pub fn start() -> Option<BoardFirmware> {
    static LINE_MEMORY: LineMemory<P256> = LineMemory::new();

    match Firmware::start(take()?, &LINE_MEMORY) {
        Ok(firmware) => Some(firmware),
        Err(error) => panic!("{error}"),
    }
}
