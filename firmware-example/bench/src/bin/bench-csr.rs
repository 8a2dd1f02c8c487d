//! A new key and the certificate request over it.
#![no_std]
#![no_main]

use core::hint::black_box;

use board_qemu_mps2_an386::board::Key;
use firmware_bench::{RepeatableEntropy, measure};
use provision_csr::{CHALLENGE_LEN, CSR_LEN_MAX, SoftwareKey, Subject, write_csr};

/// As long as the names that other libraries were measured with.
const DEVICE_SERIAL: &str = "nrf-351358811124772";

/// A station's.
static CHALLENGE: [u8; CHALLENGE_LEN] = [0xc5; CHALLENGE_LEN];

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut entropy = RepeatableEntropy::new();
    // Not `expect`: printing an error would be three kilobytes of what is measured.
    let Ok(subject) = Subject::new(DEVICE_SERIAL) else { panic!("a short name") };
    let mut out = [0; CSR_LEN_MAX];
    measure(|| {
        let key = Key::generate(&mut entropy);
        key.as_ref()
            .is_ok_and(|key| black_box(write_csr(&subject, key, &CHALLENGE, &mut out)).is_ok())
    })
}
