//! The ends that should not come: all of them are logged and end the emulator with status 1, so that a test
//! sees them at once. A product would reset instead.

use core::fmt::Write;
use core::panic::PanicInfo;

use board_qemu_common::log::SemihostingLog;
use board_qemu_common::semihosting;
use cortex_m_rt::{ExceptionFrame, exception};

/// The emulator's exit status after a panic or a fault.
pub const EXIT_STATUS: u8 = 1;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // An error of the log is no reason to panic again.
    let _ = writeln!(SemihostingLog, "{info}");
    semihosting::exit(EXIT_STATUS)
}

// SAFETY: runs when the program is beyond repair, uses no state of it, and never returns.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    let (pc, lr) = (frame.pc(), frame.lr());
    let _ = writeln!(SemihostingLog, "hard fault at pc={pc:#010x} lr={lr:#010x}");
    semihosting::exit(EXIT_STATUS)
}

// SAFETY: as `HardFault`.
#[exception]
unsafe fn DefaultHandler(interrupt: i16) -> ! {
    let _ = writeln!(SemihostingLog, "interrupt {interrupt} has no handler");
    semihosting::exit(EXIT_STATUS)
}
