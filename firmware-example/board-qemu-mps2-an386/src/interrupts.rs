//! The board's interrupts: the table that the processor reads, and switching them on.

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;

use crate::uart;

/// The interrupts that programs on this board use, by their numbers (Arm AN386, table 3-8).
///
/// A program takes one by a handler of the name in brackets, an `extern "C" fn` without arguments. Without that,
/// [`Interrupt::LineReceive`] fills the line's ring, and any other is a fault.
#[derive(Debug, Clone, Copy)]
pub enum Interrupt {
    /// A byte arrived on UART 1 (`UARTRX1`).
    LineReceive = 2,
    /// Timer 0 came to its end (`TIMER0`).
    Timer0 = 8,
    /// Timer 1 came to its end (`TIMER1`).
    Timer1 = 9,
    /// The Ethernet controller wants something (`ETHERNET`).
    Ethernet = 13,
    /// A pin that nothing is connected to: free for software to pend (`PORT0_14`).
    Spare0 = 30,
    /// Another one (`PORT0_15`).
    Spare1 = 31,
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

// SAFETY: no other function has this name; only device.x uses it.
#[unsafe(no_mangle)]
extern "C" fn board_line_receive() {
    uart::on_line_receive();
}

unsafe extern "C" {
    /// From cortex-m-rt; `fault.rs` defines it.
    fn DefaultHandler();

    // The program's, or what device.x puts in their place.
    fn UARTRX1();
    fn TIMER0();
    fn TIMER1();
    fn ETHERNET();
    fn PORT0_14();
    fn PORT0_15();
}

/// Number of interrupt lines on the board.
const LINES: usize = 32;

// SAFETY: `__INTERRUPTS` is the name, and this the section, by which cortex-m-rt's link.x places the
// table behind the exceptions; nothing else goes into it. A `fn` pointer is the word the processor wants.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".vector_table.interrupts")]
static __INTERRUPTS: [unsafe extern "C" fn(); LINES] = {
    let mut table: [unsafe extern "C" fn(); LINES] = [DefaultHandler; LINES];
    table[Interrupt::LineReceive as usize] = UARTRX1;
    table[Interrupt::Timer0 as usize] = TIMER0;
    table[Interrupt::Timer1 as usize] = TIMER1;
    table[Interrupt::Ethernet as usize] = ETHERNET;
    table[Interrupt::Spare0 as usize] = PORT0_14;
    table[Interrupt::Spare1 as usize] = PORT0_15;
    table
};
