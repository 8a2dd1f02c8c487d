//! Enrollment and nothing else: the board has no network.
#![no_std]
#![no_main]

use board_qemu_microbit::board;

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut firmware = board::start().expect("main runs once");
    firmware.enroll();
    firmware.serve()
}
