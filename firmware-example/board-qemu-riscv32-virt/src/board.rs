//! The board as the firmware sees it.

use core::fmt::Write;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};

use board_qemu_common::device_serial::{DEVICE_SERIAL_LEN_MAX, on_command_line};
use board_qemu_common::log::SemihostingLog;
use heapless::String;
use provision_csr::{PortableKey, PortableP256, RawEntropy};
use provision_firmware_app::{Board, Firmware, LineMemory, Parts};
use static_cell::StaticCell;

use crate::clock::Timer;
use crate::flash::{CfiFlash, SECTOR_SIZE};
use crate::stack::{self, PaintedStack};
use crate::uart::{self, Line};
use crate::virtio::rng::{self, VirtioRng};

/// QEMU's virt, with 32 bits.
#[derive(Debug)]
pub enum Riscv32Virt {}

impl Board for Riscv32Virt {
    type Line = Line;
    type Flash = CfiFlash;
    const VAULT_RANGE: Range<u32> = 0..2 * SECTOR_SIZE as u32;
    type Key = PortableKey;
    type P256 = PortableP256;
    type Entropy = VirtioRng;
    type Clock = Timer;
    type Log = SemihostingLog;
    type Stack = PaintedStack;
}

/// The firmware on this board.
pub type BoardFirmware = Firmware<Riscv32Virt>;

/// Takes the board's parts into use, and draws a random number for the network. `None` if that was done before.
///
/// # Panics
///
/// If the emulator was started without its random number generator.
#[must_use]
pub fn take() -> Option<(Parts<Riscv32Virt>, u64)> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    static DEVICE_SERIAL: StaticCell<String<DEVICE_SERIAL_LEN_MAX>> = StaticCell::new();

    if TAKEN.swap(true, Ordering::Relaxed) {
        return None;
    }
    stack::paint();
    let mut log = SemihostingLog;
    let _ = writeln!(log, "entropy: {}", rng::SOURCE);
    let mut entropy = VirtioRng::find().expect("a random number generator on the virtio bus");
    // Sequence numbers and a port are made of it, no key: it need not be tested.
    let mut random = [0; 8];
    entropy.fill_raw(&mut random).expect("random bytes");
    let parts = Parts {
        device_serial: DEVICE_SERIAL.init_with(on_command_line),
        line: uart::open_line(),
        // SAFETY: the parts are given out once, so this is the only one; memory.x keeps the program out of the
        // flash's addresses.
        flash: unsafe { CfiFlash::new() },
        entropy,
        clock: Timer::start(),
        log,
        stack: PaintedStack,
    };
    Some((parts, u64::from_le_bytes(random)))
}

/// Starts the board and the firmware. `None` if that was done before.
///
/// # Panics
///
/// If the device serial on the command line is none, and as [`take`].
// Not inlined: what it has on the stack is gone when it returns.
#[inline(never)]
#[must_use]
pub fn start() -> Option<(BoardFirmware, u64)> {
    static LINE_MEMORY: LineMemory<PortableP256> = LineMemory::new();

    let (parts, random) = take()?;
    match Firmware::start(parts, &LINE_MEMORY) {
        Ok(firmware) => Some((firmware, random)),
        Err(error) => panic!("{error}"),
    }
}
