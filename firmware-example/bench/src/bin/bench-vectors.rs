//! Test vectors, on the processor itself: reads them from a file of the host, one record after the other, and counts
//! what comes out otherwise than it says.
//!
//! | first byte | then |
//! |---|---|
//! | 0 | the end |
//! | 1 | verify: public key (65), digest (32), length of the signature (1), signature in DER, 1 if it is good |
//! | 2 | sign: secret (32), digest (32), `r || s` (64) |
//! | 3 | public key of a secret: secret (32), public key (65) |
//! | 4 | agree: secret (32), the other's public key (65), shared secret (32), 1 if there is one |
#![no_std]
#![no_main]

use core::fmt::Write;

use board_qemu_common::semihosting::{self, HostFile};
use board_qemu_mps2_an386::board::{Key, P256};
use board_qemu_mps2_an386::uart::Log;
use firmware_bench::{Given, agree};
use provision_csr::{IdentityKey, PublicKey, Signature, SoftwareKey, StoredKey, VerifyP256};

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut vectors = Vectors(HostFile::open(c"vectors").expect("a file beside the emulator"));
    let (mut checked, mut wrong) = (0, 0);
    loop {
        let agrees = match vectors.byte() {
            0 => break,
            1 => verify(&mut vectors),
            2 => sign(&mut vectors),
            3 => public(&mut vectors),
            4 => agrees(&mut vectors),
            kind => panic!("a record of kind {kind}"),
        };
        checked += 1;
        if !agrees {
            wrong += 1;
            let _ = writeln!(Log::open(), "record {checked} is wrong");
        }
    }
    let _ = writeln!(Log::open(), "vectors checked={checked} wrong={wrong}");
    semihosting::exit(u8::from(wrong != 0))
}

fn verify(vectors: &mut Vectors) -> bool {
    let public = PublicKey::from_sec1(vectors.array());
    let digest = vectors.array();
    let mut der = [0; 255];
    let der = der.get_mut(..usize::from(vectors.byte())).expect("at most 255");
    vectors.fill(der);
    let is_good = vectors.byte() == 1;
    let found = match (public, Signature::from_der(der)) {
        (Ok(public), Ok(signature)) => P256::verify_digest(&public, &digest, &signature).is_ok(),
        _ => false,
    };
    found == is_good
}

fn sign(vectors: &mut Vectors) -> bool {
    let secret = vectors.array();
    let public = PublicKey::from_sec1([4; PublicKey::LEN]).expect("begins with 04");
    let digest = vectors.array();
    let expected = vectors.array();
    Key::from_stored(&StoredKey::new(secret, public))
        .and_then(|key| key.sign_digest(&digest))
        .is_ok_and(|signature| *signature.as_raw() == expected)
}

fn public(vectors: &mut Vectors) -> bool {
    let secret = vectors.array();
    let expected: [u8; PublicKey::LEN] = vectors.array();
    let mut entropy = Given::new(secret);
    Key::generate(&mut entropy).is_ok_and(|key| *key.public_key().as_sec1() == expected)
}

fn agrees(vectors: &mut Vectors) -> bool {
    let secret = vectors.array();
    let other = PublicKey::from_sec1(vectors.array());
    let expected: [u8; 32] = vectors.array();
    let there_is_one = vectors.byte() == 1;
    let shared = other.ok().and_then(|other| agree(&secret, &other));
    shared == there_is_one.then_some(expected)
}

/// The file.
struct Vectors(HostFile);

impl Vectors {
    fn fill(&mut self, out: &mut [u8]) {
        assert!(self.0.read_exact(out), "the file ends in a record");
    }

    fn byte(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.fill(&mut bytes);
        bytes
    }
}
