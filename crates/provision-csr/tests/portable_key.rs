//! The portable key and verifier, against published vectors and against forgeries.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use provision_csr::{
    BadSignature, Entropy, IdentityKey, NoEntropy, PortableKey, PortableP256, PublicKey, SignError,
    Signature, SoftwareKey, StoredKey, VerifyP256,
};
use sha2_device::{Digest, Sha256};

/// RFC 6979 appendix A.2.5.
const SECRET: &str = "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721";
const PUBLIC: &str = "04\
    60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6\
    7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299";
const SAMPLE: &str = "\
    efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716\
    f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
const TEST: &str = "\
    f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367\
    019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083";

/// The order of the group, n (SEC 2 section 2.4.2).
const ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
/// The prime of the field, p.
const PRIME: &str = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";

fn hex<const N: usize>(digits: &str) -> [u8; N] {
    let bytes: Vec<u8> = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect();
    bytes.try_into().unwrap()
}

fn rfc_key() -> PortableKey {
    let public = PublicKey::from_sec1(hex(PUBLIC)).unwrap();
    PortableKey::from_stored(&StoredKey::new(hex(SECRET), public)).unwrap()
}

fn digest(message: &[u8]) -> [u8; 32] {
    Sha256::digest(message).into()
}

fn verify(public: &str, message: &[u8], signature: &str) -> Result<(), BadSignature> {
    let public = PublicKey::from_sec1(hex(public)).unwrap();
    let signature = Signature::from_raw(hex(signature));
    PortableP256::verify_digest(&public, &digest(message), &signature)
}

#[test]
fn signs_as_rfc_6979_says() {
    let key = rfc_key();
    assert_eq!(key.sign_digest(&digest(b"sample")).unwrap().as_raw(), &hex(SAMPLE));
    assert_eq!(key.sign_digest(&digest(b"test")).unwrap().as_raw(), &hex(TEST));
}

#[test]
fn verifies_what_was_signed_and_nothing_else() {
    assert_eq!(verify(PUBLIC, b"sample", SAMPLE), Ok(()));
    assert_eq!(verify(PUBLIC, b"test", TEST), Ok(()));

    assert_eq!(verify(PUBLIC, b"sample", TEST), Err(BadSignature));
    assert_eq!(verify(PUBLIC, b"sampl", SAMPLE), Err(BadSignature));
    let other = new_key(7).public_key();
    let signature = Signature::from_raw(hex(SAMPLE));
    let digest = digest(b"sample");
    assert_eq!(PortableP256::verify_digest(&other, &digest, &signature), Err(BadSignature));

    for bit in 0..8 * 64 {
        let mut forged: [u8; 64] = hex(SAMPLE);
        forged[bit / 8] ^= 1 << (bit % 8);
        let forged = Signature::from_raw(forged);
        let public = rfc_key().public_key();
        assert_eq!(PortableP256::verify_digest(&public, &digest, &forged), Err(BadSignature));
    }
}

/// Certificates in the field carry high `s`; RFC 6979's own first vector does.
#[test]
fn both_halves_of_s_are_accepted() {
    let high: [u8; 64] = hex(SAMPLE);
    let mut other = high;
    other[32..].copy_from_slice(&subtract(&hex(ORDER), high[32..].try_into().unwrap()));
    assert!(other[32] < 0x80 && high[32] >= 0x80);

    let public = rfc_key().public_key();
    for signature in [high, other] {
        let signature = Signature::from_raw(signature);
        let found = PortableP256::verify_digest(&public, &digest(b"sample"), &signature);
        assert_eq!(found, Ok(()));
    }
}

#[test]
fn r_and_s_outside_their_range_are_refused() {
    let (r, s) = SAMPLE.split_at(64);
    let zero = &"0".repeat(64);
    let ones = &"f".repeat(64);
    let over = &ORDER.replace("2551", "2552");
    for (r, s) in [
        (zero.as_str(), s),
        (r, zero.as_str()),
        (zero, zero),
        (ORDER, s),
        (r, ORDER),
        (over, s),
        (r, over),
        (ones, s),
        (r, ones),
    ] {
        assert_eq!(verify(PUBLIC, b"sample", &format!("{r}{s}")), Err(BadSignature), "{r} {s}");
    }
}

#[test]
fn points_off_the_curve_are_refused() {
    let (x, y) = PUBLIC[2..].split_at(64);
    let zero = &"0".repeat(64);
    let moved = &y.replace("2299", "2298");
    let moved_and_still_odd = &y.replace("2299", "2297");
    for (x, y) in [
        (x, moved.as_str()),
        (x, moved_and_still_odd),
        (y, x),
        (zero, zero),
        (x, zero),
        // Coordinates must be reduced.
        (PRIME, y),
        (x, PRIME),
    ] {
        assert_eq!(verify(&format!("04{x}{y}"), b"sample", SAMPLE), Err(BadSignature), "{x} {y}");
    }
}

#[test]
fn only_uncompressed_points_are_public_keys() {
    let good: [u8; 65] = hex(PUBLIC);
    assert!(PublicKey::from_sec1_slice(&good).is_ok());
    for tag in [0x00, 0x02, 0x03, 0x05, 0x06, 0x07] {
        let mut other = good;
        other[0] = tag;
        assert!(PublicKey::from_sec1(other).is_err(), "{tag:#04x}");
    }
    assert!(PublicKey::from_sec1_slice(&good[..64]).is_err());
    assert!(PublicKey::from_sec1_slice(&[&good[..], &[0]].concat()).is_err());
    assert!(PublicKey::from_sec1_slice(&[]).is_err());
}

#[test]
fn a_new_key_signs_what_its_public_half_verifies() {
    for seed in 0..20 {
        let key = new_key(seed);
        let digest = digest(&[seed]);
        let signature = key.sign_digest(&digest).unwrap();
        assert_eq!(PortableP256::verify_digest(&key.public_key(), &digest, &signature), Ok(()));
    }
}

#[test]
fn a_key_comes_back_from_the_vault() {
    let key = new_key(1);
    let stored = key.to_stored();
    let back = PortableKey::from_stored(&stored).unwrap();
    assert_eq!(back.public_key(), key.public_key());
    let digest = digest(b"same");
    assert_eq!(back.sign_digest(&digest), key.sign_digest(&digest));
}

#[test]
fn a_stored_scalar_outside_its_range_is_refused() {
    let public = rfc_key().public_key();
    let ones = "f".repeat(64);
    for secret in ["0".repeat(64).as_str(), ORDER, &ones] {
        let stored = StoredKey::new(hex(secret), public);
        assert_eq!(PortableKey::from_stored(&stored).err(), Some(SignError), "{secret}");
    }
}

/// The first draw is only compared with; the key is the second.
#[test]
fn a_key_is_the_first_valid_scalar_after_the_draw_compared_with() {
    let other = digest(b"other");
    let drawn = |draws: &[[u8; 32]]| {
        let key = PortableKey::generate(&mut Draws::of(draws)).unwrap();
        *key.public_key().as_sec1()
    };
    assert_eq!(drawn(&[other, hex(SECRET)]), hex(PUBLIC));
    assert_eq!(drawn(&[other, hex(ORDER), hex(SECRET)]), hex(PUBLIC));
}

#[test]
fn a_source_that_is_plainly_not_random_makes_no_key() {
    let (a, b) = (digest(b"a"), digest(b"b"));
    let order: [u8; 32] = hex(ORDER);
    let mut above = order;
    above[31] += 1;
    for (why, draws) in [
        ("all zero", vec![[0; 32]; 9]),
        ("all ones", vec![[0xff; 32]; 9]),
        ("all the same byte", vec![[0x5a; 32]; 9]),
        ("zero after a good draw", vec![a, [0; 32]]),
        ("the same draw again", vec![a, a]),
        ("the same draw again, later", vec![a, order, order]),
        ("no valid scalar in several draws", vec![a, order, above, order, above, b]),
        ("nothing", vec![]),
        ("nothing after one draw", vec![a]),
    ] {
        let made = PortableKey::generate(&mut Draws::of(&draws));
        assert_eq!(made.err(), Some(NoEntropy), "{why}");
    }
}

/// Gives these draws, then nothing.
struct Draws(Vec<[u8; 32]>);

impl Draws {
    fn of(draws: &[[u8; 32]]) -> Self {
        Self(draws.iter().rev().copied().collect())
    }
}

impl Entropy for Draws {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        out.copy_from_slice(&self.0.pop().ok_or(NoEntropy)?);
        Ok(())
    }
}

fn new_key(seed: u8) -> PortableKey {
    let draws = [digest(&[seed, 0]), digest(&[seed, 1])];
    PortableKey::generate(&mut Draws::of(&draws)).unwrap()
}

fn subtract(from: &[u8; 32], what: &[u8; 32]) -> [u8; 32] {
    let mut difference = [0; 32];
    let mut borrow = 0;
    for at in (0..32).rev() {
        let digit = i16::from(from[at]) - i16::from(what[at]) - borrow;
        borrow = i16::from(digit < 0);
        difference[at] = digit.rem_euclid(256) as u8;
    }
    difference
}
