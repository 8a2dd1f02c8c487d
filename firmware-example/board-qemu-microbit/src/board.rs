//! The board as the firmware sees it.

use core::fmt::Write;
use core::ops::Range;

use board_qemu_common::log::SemihostingLog;
use provision_csr::{PortableKey, PortableP256};
use provision_firmware_app::{Board, Firmware, LineMemory, Parts};

use crate::clock::Timer;
use crate::entropy::{self, Rng};
use crate::flash::VaultPages;
use crate::label;
use crate::stack::PaintedStack;
use crate::uart::{self, Line};

/// QEMU's microbit.
#[derive(Debug)]
pub enum Microbit {}

impl Board for Microbit {
    type Line = Line;
    type Flash = VaultPages;
    const VAULT_RANGE: Range<u32> = 0..8 * 1024;
    type Key = PortableKey;
    type P256 = PortableP256;
    type Entropy = Rng;
    type Clock = Timer;
    type Log = SemihostingLog;
    type Stack = PaintedStack;
}

/// The firmware on this board.
pub type BoardFirmware = Firmware<Microbit>;

/// Takes the board's parts into use. `None` if that was done before.
#[must_use]
pub fn take() -> Option<Parts<Microbit>> {
    cortex_m::Peripherals::take()?;
    let clock = Timer::start();
    let mut log = SemihostingLog;
    let _ = writeln!(log, "entropy: {}", entropy::SOURCE);
    Some(Parts {
        // An empty one is refused by the firmware, with words.
        device_serial: label::device_serial().unwrap_or_default(),
        line: uart::open_line(),
        // SAFETY: the processor's peripherals were given out just now and are not again, so this is the only
        // one; memory.x keeps the program out of the vault's pages.
        flash: unsafe { VaultPages::new() },
        entropy: Rng::new(&clock),
        clock,
        log,
        stack: PaintedStack,
    })
}

/// Starts the board and the firmware. `None` if that was done before.
///
/// # Panics
///
/// If there is no device serial on the label.
// Not inlined: what it has on the stack is gone when it returns.
#[inline(never)]
#[must_use]
pub fn start() -> Option<BoardFirmware> {
    static LINE_MEMORY: LineMemory<PortableP256> = LineMemory::new();

    match Firmware::start(take()?, &LINE_MEMORY) {
        Ok(firmware) => Some(firmware),
        Err(error) => panic!("{error}"),
    }
}
