//! Counts instructions: the board's timer 0, while QEMU runs with `-icount shift=0`.
//!
//! Then an instruction takes one nanosecond of the board's time, and the timer runs at 25 MHz, so a tick is 40
//! instructions. On hardware it would count time. Registers: *Cortex-M System Design Kit Technical Reference
//! Manual*, Arm DDI 0479, section 4.2; the board's address: Arm AN386, table 3-1.

use board_qemu_common::register::Register;

/// Instructions in one tick.
pub const INSTRUCTIONS_PER_TICK: u64 = 40;

/// The running counter. Copies are one and the same.
#[derive(Debug, Clone, Copy)]
pub struct Counter {
    _started: (),
}

impl Counter {
    /// Starts counting; from anew, if it was started before.
    #[must_use]
    pub fn start() -> Self {
        RELOAD.write(u32::MAX);
        VALUE.write(u32::MAX);
        CTRL.write(CTRL_ENABLE);
        Self { _started: () }
    }

    /// Ticks since the start, modulo 2^32: that is 170 thousand million instructions.
    #[must_use]
    pub fn ticks(self) -> u32 {
        u32::MAX - VALUE.read()
    }
}

// SAFETY: a register of timer 0, which does no DMA.
const CTRL: Register = unsafe { Register::new(0x4000_0000) };
// SAFETY: as above.
const VALUE: Register = unsafe { Register::new(0x4000_0004) };
// SAFETY: as above.
const RELOAD: Register = unsafe { Register::new(0x4000_0008) };
const CTRL_ENABLE: u32 = 1;
