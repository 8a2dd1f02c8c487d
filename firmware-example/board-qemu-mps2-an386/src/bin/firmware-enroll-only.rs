//! Enrollment and nothing else: no network and no TLS. What `cargo xtask sizes` measures, less
//! `firmware-bare`, as the cost of enrollment.
#![no_std]
#![no_main]

use board_qemu_mps2_an386::board;

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut firmware = board::start().expect("main runs once");
    firmware.enroll();
    firmware.serve()
}
