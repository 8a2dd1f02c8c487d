//! The two executors, each in an interrupt of its own.

use board_qemu_mps2_an386::interrupts::Interrupt;
use cortex_m::peripheral::NVIC;
use embassy_executor::{InterruptExecutor, SendSpawner};

static URGENT: InterruptExecutor = InterruptExecutor::new();
static ORDINARY: InterruptExecutor = InterruptExecutor::new();

/// Priorities of the two, as the NVIC has them: the lower number first, and 0, which the drivers have by reset,
/// before both. Parts with few priorities have them in the upper bits.
const URGENT_PRIORITY: u8 = 0x40;
const ORDINARY_PRIORITY: u8 = 0x80;

/// Where tasks are spawned.
pub(crate) struct Executors {
    /// Preempts `ordinary` in the middle of a computation.
    pub(crate) urgent: SendSpawner,
    pub(crate) ordinary: SendSpawner,
}

/// Starts both; once.
pub(crate) fn start(nvic: &mut NVIC) -> Executors {
    // SAFETY: a priority could break a critical section that is made of priorities; here they are made by
    // PRIMASK alone.
    unsafe { nvic.set_priority(Interrupt::Spare0, URGENT_PRIORITY) };
    // SAFETY: as above.
    unsafe { nvic.set_priority(Interrupt::Spare1, ORDINARY_PRIORITY) };
    Executors {
        urgent: URGENT.start(Interrupt::Spare0),
        ordinary: ORDINARY.start(Interrupt::Spare1),
    }
}

// SAFETY: the board's vector table names this function for `Interrupt::Spare0`, and nothing else does.
#[unsafe(no_mangle)]
extern "C" fn PORT0_14() {
    // SAFETY: the handler of the interrupt that the executor was started with; without `start` it never comes.
    unsafe { URGENT.on_interrupt() };
}

// SAFETY: the board's vector table names this function for `Interrupt::Spare1`, and nothing else does.
#[unsafe(no_mangle)]
extern "C" fn PORT0_15() {
    // SAFETY: the handler of the interrupt that the executor was started with; without `start` it never comes.
    unsafe { ORDINARY.on_interrupt() };
}
