//! What would give the key away, in every form it might take.

use core::fmt::Write as _;

use p256_device::elliptic_curve::PrimeField as _;
use p256_device::elliptic_curve::ops::Reduce;
use p256_device::elliptic_curve::sec1::ToEncodedPoint as _;
use p256_device::{FieldBytes, ProjectivePoint, Scalar, U256};
use sha2_device::digest::generic_array::GenericArray;
use sha2_device::{Digest as _, Sha256};

/// One form of one secret.
#[derive(Debug, Clone)]
pub(crate) struct Needle {
    /// For the person who reads of its being found.
    pub(crate) name: String,
    /// The whole of it.
    pub(crate) bytes: Vec<u8>,
    /// A part of so many bytes gives it away: eight of a number, which chance repeats in a megabyte
    /// of memory once in 10^12 times, and as much of a text.
    pub(crate) part: usize,
}

/// A private key, as it stands in the flash: the scalar, big-endian.
#[derive(Clone)]
pub(crate) struct Secret {
    scalar: Scalar,
}

impl Secret {
    /// `None` if it is no scalar of P-256.
    pub(crate) fn new(big_endian: &[u8; 32]) -> Option<Self> {
        let scalar = Option::from(Scalar::from_repr(FieldBytes::from(*big_endian)))?;
        Some(Self { scalar })
    }

    /// Its public half: `04 || x || y`.
    pub(crate) fn public(&self) -> Vec<u8> {
        let point = ProjectivePoint::GENERATOR * self.scalar;
        point.to_affine().to_encoded_point(false).as_bytes().to_vec()
    }

    /// The key itself, its inverse, and both in Montgomery form.
    pub(crate) fn needles(&self) -> Vec<Needle> {
        let inverse = self.scalar.invert().unwrap();
        [("key", self.scalar), ("inverse of the key", inverse)]
            .into_iter()
            .flat_map(|(name, scalar)| scalar_forms(name, scalar))
            .collect()
    }

    /// What was made on the way to the signature over a digest, and gives the key to whoever has the
    /// signature too: the nonce, its inverse, the parts of `s`, and all states of the generator the
    /// nonce comes from.
    pub(crate) fn needles_of_signature(&self, what: &str, sha256: &[u8; 32]) -> Vec<Needle> {
        let digest = <Scalar as Reduce<U256>>::reduce_bytes(&FieldBytes::from(*sha256));
        let generated = Nonce::generate(&self.scalar, &digest);
        let r = self.r(sha256);
        let mut needles: Vec<Needle> = [
            ("nonce", generated.nonce),
            ("inverse of the nonce", generated.nonce.invert().unwrap()),
            ("r times the key", r * self.scalar),
            ("digest plus r times the key", digest + r * self.scalar),
        ]
        .into_iter()
        .flat_map(|(name, scalar)| scalar_forms(&format!("{name} of {what}"), scalar))
        .collect();
        for (name, state) in generated.states {
            needles.extend(forms(&format!("{name} of {what}"), &state));
        }
        needles
    }

    /// The first half of the signature over a digest: tells whether the nonce here is the device's.
    pub(crate) fn r(&self, sha256: &[u8; 32]) -> Scalar {
        let digest = <Scalar as Reduce<U256>>::reduce_bytes(&FieldBytes::from(*sha256));
        let point = ProjectivePoint::GENERATOR * Nonce::generate(&self.scalar, &digest).nonce;
        let point = point.to_affine().to_encoded_point(false);
        <Scalar as Reduce<U256>>::reduce_bytes(point.x().unwrap())
    }
}

/// All forms of 32 secret bytes that are no scalar.
pub(crate) fn forms(name: &str, secret: &[u8; 32]) -> Vec<Needle> {
    let mut backwards = *secret;
    backwards.reverse();
    let number = |form: &str, bytes: Vec<u8>| Needle {
        name: format!("{name}, {form}"),
        bytes,
        part: NUMBER_PART,
    };
    let mut needles = vec![
        number("big-endian", secret.to_vec()),
        number("little-endian", backwards.to_vec()),
        number("big-endian words, last first", words_reversed(secret)),
        number("little-endian words, first first", words_reversed(&backwards)),
    ];
    for (order, bytes) in [("big-endian", secret), ("little-endian", &backwards)] {
        let text = |form: &str, text: String, part| Needle {
            name: format!("{name}, {order} in {form}"),
            bytes: text.into_bytes(),
            part,
        };
        let joined = |separator: &str| {
            bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(separator)
        };
        needles.extend([
            text("hex", joined(""), 16),
            text("upper-case hex", joined("").to_uppercase(), 16),
            text("hex with colons", joined(":"), 24),
            text("hex with spaces", joined(" "), 24),
            text("Rust's hex", joined(", "), 32),
            text("Rust's decimals", format!("{bytes:?}").replace(['[', ']'], ""), 32),
        ]);
        // Where it begins within three bytes changes all digits.
        for skipped in 0..3 {
            let digits = base64(&bytes[skipped..]);
            needles.push(text("base64", digits.clone(), 12));
            needles.push(text("base64url", digits.replace('+', "-").replace('/', "_"), 12));
        }
    }
    needles
}

/// As it is, and in Montgomery form modulo the order: times 2^256.
fn scalar_forms(name: &str, scalar: Scalar) -> Vec<Needle> {
    let montgomery = (0..256).fold(scalar, |doubled, _| doubled.double());
    let mut needles = forms(name, &scalar.to_bytes().into());
    needles.extend(forms(&format!("{name} in Montgomery form"), &montgomery.to_bytes().into()));
    needles
}

/// Words of four bytes. Those of eight are parts of the whole number, each found by itself.
fn words_reversed(bytes: &[u8; 32]) -> Vec<u8> {
    bytes.chunks(4).rev().flatten().copied().collect()
}

/// The whole groups of three bytes, in RFC 4648 section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for group in bytes.chunks_exact(3) {
        let bits = group.iter().fold(0_usize, |bits, byte| bits << 8 | usize::from(*byte));
        for shift in [18, 12, 6, 0] {
            let _ = write!(text, "{}", char::from(DIGITS[bits >> shift & 63]));
        }
    }
    text
}

/// RFC 6979 section 3.2, with every state it goes through: each `K` and `V`, each block that HMAC
/// makes of a `K`, and the hash after such a block, which is as good as the `K`.
struct Nonce {
    nonce: Scalar,
    states: Vec<(String, [u8; 32])>,
}

impl Nonce {
    fn generate(key: &Scalar, digest: &Scalar) -> Self {
        let mut states = Vec::new();
        let mut note = |name: String, state: [u8; 32]| states.push((name, state));
        let (mut k, mut v) = ([0; 32], [1; 32]);
        for round in 0..2_u8 {
            let parts = [&v[..], &[round], &key.to_bytes(), &digest.to_bytes()];
            k = hmac(&k, &parts.concat());
            note(format!("K{round}"), k);
            for (name, state) in hmac_states(&k) {
                note(format!("{name} of K{round}"), state);
            }
            v = hmac(&k, &v);
            note(format!("V{round}"), v);
        }
        let candidate = hmac(&k, &v);
        // Out of range once in 2^32; the crates' test vectors have such cases.
        let nonce = Option::from(Scalar::from_repr(FieldBytes::from(candidate))).unwrap();
        Self { nonce, states }
    }
}

/// RFC 2104, for a key of 32 bytes.
fn hmac(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let inner = Sha256::new().chain_update(padded(key, 0x36)).chain_update(message).finalize();
    Sha256::new().chain_update(padded(key, 0x5c)).chain_update(inner).finalize().into()
}

fn padded(key: &[u8; 32], pad: u8) -> [u8; 64] {
    core::array::from_fn(|at| key.get(at).copied().unwrap_or(0) ^ pad)
}

fn hmac_states(key: &[u8; 32]) -> Vec<(&'static str, [u8; 32])> {
    /// FIPS 180-4 section 5.3.3.
    const START: [u32; 8] = [
        0x6a09_e667,
        0xbb67_ae85,
        0x3c6e_f372,
        0xa54f_f53a,
        0x510e_527f,
        0x9b05_688c,
        0x1f83_d9ab,
        0x5be0_cd19,
    ];
    let mut states = Vec::new();
    for (block_name, hash_name, pad) in
        [("inner block", "inner hash", 0x36), ("outer block", "outer hash", 0x5c)]
    {
        let block = padded(key, pad);
        let mut hash = START;
        sha2_device::compress256(&mut hash, &[GenericArray::from(block)]);
        // Words in the machine's own order and big-endian are forms of these bytes.
        let hash: Vec<u8> = hash.iter().flat_map(|word| word.to_be_bytes()).collect();
        states.push((block_name, *block.first_chunk().unwrap()));
        states.push((hash_name, hash.try_into().unwrap()));
    }
    states
}

/// Bytes of a number that give it away.
const NUMBER_PART: usize = 8;
