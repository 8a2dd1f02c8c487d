//! The board's interrupts: the table that the processor reads, and switching them on.

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;

use crate::{clock, uart};

/// The interrupts that this firmware uses: a peripheral at `0x4000_N000` has number N (Reference Manual, "Peripheral
/// interface").
#[derive(Debug, Clone, Copy)]
pub enum Interrupt {
    /// A byte arrived.
    Uart = 2,
    /// A time has come.
    Timer0 = 8,
}

// SAFETY: each variant has a number of its own, which never changes.
unsafe impl InterruptNumber for Interrupt {
    fn number(self) -> u16 {
        self as u16
    }
}

/// Lets an interrupt through.
pub fn enable(interrupt: Interrupt) {
    // SAFETY: unmasking could break a critical section that is made of masking; this program makes its
    // critical sections by PRIMASK alone.
    unsafe { NVIC::unmask(interrupt) };
}

/// Sleeps until an interrupt, unless `done` says that there is nothing to wait for.
///
/// No wake-up is missed: `done` is asked while interrupts are held back, and WFI wakes at one that is held back as well.
pub fn sleep_unless(done: impl Fn() -> bool) {
    cortex_m::interrupt::free(|_| {
        if !done() {
            cortex_m::asm::wfi();
        }
    });
}

extern "C" fn uart() {
    uart::on_receive();
}

extern "C" fn timer0() {
    clock::on_compare();
}

unsafe extern "C" {
    /// From cortex-m-rt; `fault.rs` defines it.
    fn DefaultHandler();
}

/// Number of interrupt lines of a Cortex-M0.
const LINES: usize = 32;

// SAFETY: `__INTERRUPTS` is the name, and this the section, by which cortex-m-rt's link.x places the
// table behind the exceptions; nothing else goes into it. A `fn` pointer is the word the processor wants.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".vector_table.interrupts")]
static __INTERRUPTS: [unsafe extern "C" fn(); LINES] = {
    let mut table: [unsafe extern "C" fn(); LINES] = [DefaultHandler; LINES];
    table[Interrupt::Uart as usize] = uart;
    table[Interrupt::Timer0 as usize] = timer0;
    table
};
