//! Whether the instructions of making a key, and of signing, depend on the secret: counted over secrets of all kinds.
//!
//! Instructions are not time, but on a processor without caches or speculation what takes the same instructions at
//! the same addresses takes the same time, and what does not leaks.
#![no_std]
#![no_main]

use core::fmt::Write;
use core::hint::black_box;

use board_qemu_common::semihosting;
use board_qemu_mps2_an386::board::Key;
use board_qemu_mps2_an386::counter::{Counter, INSTRUCTIONS_PER_TICK};
use board_qemu_mps2_an386::uart::Log;
use firmware_bench::{Given, RepeatableEntropy};
use provision_csr::{Entropy, IdentityKey, PublicKey, SoftwareKey, StoredKey, VerifyP256};

/// Random ones, beside those that are chosen.
const RANDOM: usize = 16;

#[cortex_m_rt::entry]
fn main() -> ! {
    let counter = Counter::start();
    let mut random = RepeatableEntropy::new();
    let Ok(public) = PublicKey::from_sec1([4; PublicKey::LEN]) else { panic!("begins with 04") };
    let (mut key_range, mut sign_range) = (Range::new(), Range::new());
    for index in 0..CHOSEN.len() + RANDOM {
        let mut secret = [0; 32];
        match CHOSEN.get(index) {
            Some(chosen) => secret = *chosen,
            None => assert!(random.fill(&mut secret).is_ok()),
        }
        let mut given = Given::new(secret);
        let ticks = counter.ticks();
        let key = black_box(Key::generate(&mut given));
        key_range.take(counter.ticks().wrapping_sub(ticks));
        assert!(key.is_ok(), "a secret in range");

        let Ok(key) = Key::from_stored(&StoredKey::new(secret, public)) else { panic!("the same") };
        let ticks = counter.ticks();
        let signature = black_box(key.sign_digest(&[0xa5; 32]));
        sign_range.take(counter.ticks().wrapping_sub(ticks));
        assert!(signature.is_ok(), "a signature");
    }
    // And one that may depend on what it works on, to show that this would be seen.
    let mut verify_range = Range::new();
    for last in 0_u8..4 {
        let mut signature = [1; 64];
        signature[63] = last;
        let ticks = counter.ticks();
        let verified = board_qemu_mps2_an386::board::P256::verify_digest(
            &public_key(),
            &[last.wrapping_mul(0x55); 32],
            &provision_csr::Signature::from_raw(signature),
        );
        verify_range.take(counter.ticks().wrapping_sub(ticks));
        assert!(black_box(verified).is_err(), "no signature");
    }
    for (what, range) in [("key", key_range), ("sign", sign_range), ("verify", verify_range)] {
        let [min, max] =
            [range.min, range.max].map(|ticks| u64::from(ticks) * INSTRUCTIONS_PER_TICK);
        let _ = writeln!(Log::open(), "constant-time {what} min={min} max={max}");
    }
    semihosting::exit(0)
}

/// A public key that is on the curve.
fn public_key() -> PublicKey {
    let mut given = Given::new(CHOSEN[3]);
    let Ok(key) = Key::generate(&mut given) else { panic!("a secret in range") };
    key.public_key()
}

struct Range {
    min: u32,
    max: u32,
}

impl Range {
    const fn new() -> Self {
        Self { min: u32::MAX, max: 0 }
    }

    fn take(&mut self, ticks: u32) {
        self.min = self.min.min(ticks);
        self.max = self.max.max(ticks);
    }
}

/// Secrets that an implementation could be tempted by: very small and very large ones, few bits and many, runs of
/// zeros at either end. All in `1..n`, and none the same backwards.
const CHOSEN: [[u8; 32]; 10] = [
    ends_with(0x00, &[0x01]),
    ends_with(0x00, &[0x02]),
    ends_with(0x00, &[0xff]),
    ends_with(0x00, &[0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ends_with(0x7f, &[0xff]),
    ends_with(0x55, &[0xaa]),
    ends_with(0x0f, &[0xf0]),
    ends_with(0x11, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    // n - 1 and n - 2.
    N_LESS_1,
    N_LESS_2,
];

const N_LESS_1: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x50,
];
const N_LESS_2: [u8; 32] = {
    let mut bytes = N_LESS_1;
    bytes[31] = 0x4f;
    bytes
};

const fn ends_with(fill: u8, end: &[u8]) -> [u8; 32] {
    let mut bytes = [fill; 32];
    let mut at = 0;
    while at < end.len() {
        bytes[32 - end.len() + at] = end[at];
        at += 1;
    }
    bytes
}
