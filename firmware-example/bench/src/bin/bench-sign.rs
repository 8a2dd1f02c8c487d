//! A signature over a digest, by a key taken back from the vault.
#![no_std]
#![no_main]

use core::hint::black_box;

use board_qemu_mps2_an386::board::Key;
use firmware_bench::measure;
use provision_csr::{IdentityKey, PublicKey, SoftwareKey, StoredKey};

#[cortex_m_rt::entry]
fn main() -> ! {
    // The public half is believed, and signing does not need it.
    let Ok(public) = PublicKey::from_sec1([4; PublicKey::LEN]) else { panic!("begins with 04") };
    let mut secret: [u8; StoredKey::SECRET_LEN] = [0x5a; StoredKey::SECRET_LEN];
    let mut digest: [u8; 32] = [0xa5; 32];
    measure(|| {
        // Another key and another digest each time: their instructions should be the same.
        secret[31] = secret[31].wrapping_mul(5).wrapping_add(1);
        secret[7] ^= secret[31];
        digest[0] = digest[0].wrapping_add(7);
        let stored = StoredKey::new(secret, public);
        Key::from_stored(&stored)
            .and_then(|key| key.sign_digest(black_box(&digest)))
            .is_ok_and(|signature| black_box(signature).as_raw() != &[0; 64])
    })
}
