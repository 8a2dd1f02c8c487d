//! The board's interrupts: the table that the processor reads, and switching them on.

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;

use crate::uart;

/// The interrupts that this firmware uses, by their numbers (Arm AN386, table 3-8).
#[derive(Debug, Clone, Copy)]
pub enum Interrupt {
    /// A byte arrived on UART 1.
    LineReceive = 2,
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

/// Has the interrupt's handler run as if the device had asked.
pub fn pend(interrupt: Interrupt) {
    NVIC::pend(interrupt);
}

extern "C" fn line_receive() {
    uart::on_line_receive();
}

unsafe extern "C" {
    /// From cortex-m-rt; `fault.rs` defines it.
    fn DefaultHandler();
}

/// Number of interrupt lines on the board.
const LINES: usize = 32;

// SAFETY: `__INTERRUPTS` is the name, and this the section, by which cortex-m-rt's link.x places the
// table behind the exceptions; nothing else goes into it. A `fn` pointer is the word the processor wants.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".vector_table.interrupts")]
static __INTERRUPTS: [unsafe extern "C" fn(); LINES] = {
    let mut table: [unsafe extern "C" fn(); LINES] = [DefaultHandler; LINES];
    table[Interrupt::LineReceive as usize] = line_receive;
    table
};
