//! A new key.
#![no_std]
#![no_main]

use core::hint::black_box;

use board_qemu_mps2_an386::board::Key;
use firmware_bench::{RepeatableEntropy, measure};
use provision_csr::SoftwareKey;

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut entropy = RepeatableEntropy::new();
    measure(|| black_box(Key::generate(&mut entropy)).is_ok())
}
