//! The key agreement inside embedded-tls: a new key, and the secret shared with another's.
#![no_std]
#![no_main]

use core::hint::black_box;

use firmware_bench::{RepeatableEntropy, measure};
use p256::ecdh::EphemeralSecret;
use p256::elliptic_curve::rand_core::{CryptoRng, Error, RngCore};
use p256::{EncodedPoint, PublicKey};
use provision_csr::Entropy;

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut rng = Rng(RepeatableEntropy::new());
    let other = EncodedPoint::from(&EphemeralSecret::random(&mut rng).public_key());
    measure(|| {
        let secret = EphemeralSecret::random(&mut rng);
        let ours = EncodedPoint::from(&secret.public_key());
        let other = PublicKey::from_sec1_bytes(black_box(other.as_ref()));
        black_box(ours);
        other.is_ok_and(|other| secret.diffie_hellman(&other).raw_secret_bytes()[..] != [0; 32])
    })
}

struct Rng(RepeatableEntropy);

impl RngCore for Rng {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        let Ok(()) = self.0.fill(out) else { panic!("it always has more") };
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

impl CryptoRng for Rng {}
