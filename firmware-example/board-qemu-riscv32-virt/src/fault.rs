//! The ends that should not come: all of them are logged and end the emulator with status 1, so that a test
//! sees them at once. A product would reset instead.

use core::fmt::Write;
use core::panic::PanicInfo;

use board_qemu_common::log::SemihostingLog;
use board_qemu_common::semihosting;
use riscv::register::{mcause, mepc, mtval};

/// The emulator's exit status after a panic or a fault.
pub const EXIT_STATUS: u8 = 1;

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // An error of the log is no reason to panic again.
    let _ = writeln!(SemihostingLog, "{info}");
    semihosting::exit(EXIT_STATUS)
}

// SAFETY: this is the name by which riscv-rt calls the handler of exceptions that have none of their own.
#[unsafe(export_name = "ExceptionHandler")]
extern "C" fn exception(_frame: &riscv_rt::TrapFrame) -> ! {
    trap("exception")
}

// SAFETY: this is the name by which riscv-rt calls the handler of interrupts that have none of their own.
#[unsafe(export_name = "DefaultHandler")]
extern "C" fn interrupt() -> ! {
    trap("interrupt without a handler")
}

fn trap(what: &str) -> ! {
    let (cause, pc, value) = (mcause::read().bits(), mepc::read(), mtval::read());
    let _ = writeln!(SemihostingLog, "{what}: cause={cause:#x} pc={pc:#010x} value={value:#010x}");
    semihosting::exit(EXIT_STATUS)
}
