//! One measurement.

use core::fmt::Write;

use board_qemu_common::semihosting;
use board_qemu_mps2_an386::counter::{Counter, INSTRUCTIONS_PER_TICK};
use board_qemu_mps2_an386::stack;
use board_qemu_mps2_an386::uart::Log;

/// How often an operation is run, each time with other bytes.
const RUNS: u32 = 16;

/// What an operation took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// Mean, in instructions.
    pub instructions: u64,
    /// The fewest of any run.
    pub instructions_min: u64,
    /// The most of any run.
    pub instructions_max: u64,
    /// The most stack of any run, in bytes.
    pub stack_bytes: usize,
}

/// Measures an operation, and ends the emulator with the report.
///
/// # Panics
///
/// If the operation says that it failed.
pub fn measure(mut operation: impl FnMut() -> bool) -> ! {
    let counter = Counter::start();
    let (mut sum, mut min, mut max, mut stack_bytes) = (0, u64::MAX, 0, 0);
    for _ in 0..RUNS {
        let (mut ticks, mut went_well) = (0, false);
        let stack = stack::used_by(&mut || {
            let before = counter.ticks();
            went_well = operation();
            ticks = counter.ticks().wrapping_sub(before);
        });
        assert!(went_well, "the operation failed");
        let instructions = u64::from(ticks) * INSTRUCTIONS_PER_TICK;
        sum += instructions;
        min = min.min(instructions);
        max = max.max(instructions);
        stack_bytes = stack_bytes.max(stack);
    }
    report(&Measured {
        instructions: sum / u64::from(RUNS),
        instructions_min: min,
        instructions_max: max,
        stack_bytes,
    })
}

/// Logs the result and ends the emulator.
pub fn report(measured: &Measured) -> ! {
    let Measured { instructions, instructions_min, instructions_max, stack_bytes } = measured;
    let _ = writeln!(
        Log::open(),
        "measured instructions={instructions} min={instructions_min} max={instructions_max} stack={stack_bytes}"
    );
    semihosting::exit(0)
}
