//! Enrolls over the line, and goes on answering it. A product would go on to its own work.
#![no_std]
#![no_main]

use board_nrf52840::board;

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut firmware = board::start();
    firmware.enroll();
    firmware.serve()
}
