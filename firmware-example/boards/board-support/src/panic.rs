//! The ends that should not come: logged, then a reset. The vault finds what it left, and the station asks again.

use core::fmt::Write;
use core::panic::PanicInfo;

use cortex_m::peripheral::SCB;
use cortex_m_rt::{ExceptionFrame, exception};

use crate::log::RttLog;

/// For the probe to read the log before the reset makes a new one: 2^24 cycles at least, a tenth of a second.
const READ_CYCLES: u32 = 1 << 24;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // An error of the log is no reason to panic again.
    let _ = writeln!(RttLog::opened(), "{info}");
    reset()
}

// SAFETY: runs when the program is beyond repair, uses no state of it but the log's, and never returns.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    let (pc, lr) = (frame.pc(), frame.lr());
    let _ = writeln!(RttLog::opened(), "hard fault at pc={pc:#010x} lr={lr:#010x}");
    reset()
}

/// Resets the chip, once the probe had time to read the log.
pub fn reset() -> ! {
    cortex_m::asm::delay(READ_CYCLES);
    SCB::sys_reset()
}
