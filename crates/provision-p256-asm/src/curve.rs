//! The calls into C, made safe: every array has its length in its type, and every `bool` is looked
//! at.
//!
//! What all calls share: pointers are to `[u32; 8]`, aligned for `u32`, little-endian by words,
//! read where the header says `const` and written whole where it does not; no function keeps
//! a pointer, allocates, or calls back.

use p256_cortex_m4_sys as sys;
use provision_csr::PublicKey;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A number of 256 bits as the assembler wants it: eight words, the least significant first.
pub(crate) type Words = [u32; 8];

/// A scalar that is a secret: in `1..n`, and wiped when dropped.
pub(crate) struct Scalar(Words);

impl Scalar {
    /// The scalar, if it is in `1..n`.
    pub(crate) fn from_be_bytes(bytes: &[u8; 32]) -> Option<Self> {
        let scalar = Self(words(bytes));
        // SAFETY: as the module says.
        let in_range = unsafe { sys::P256_check_range_n(scalar.0.as_ptr()) };
        in_range.then_some(scalar)
    }

    /// Big-endian. The caller wipes it.
    pub(crate) fn to_be_bytes(&self) -> [u8; 32] {
        bytes(&self.0)
    }

    /// The public key of this scalar.
    pub(crate) fn public_key(&self) -> Option<PublicKey> {
        let (mut x, mut y) = ([0; 8], [0; 8]);
        // SAFETY: as the module says.
        let made = unsafe { sys::p256_keygen(x.as_mut_ptr(), y.as_mut_ptr(), self.0.as_ptr()) };
        if !made {
            return None;
        }
        let mut sec1 = [0; PublicKey::LEN];
        sec1[0] = 0x04;
        sec1[1..33].copy_from_slice(&bytes(&x));
        sec1[33..].copy_from_slice(&bytes(&y));
        PublicKey::from_sec1(sec1).ok()
    }

    /// Signs a digest with the secret number `k` (FIPS 186-5 section 6.4.1). `None` for a `k` that
    /// gives no signature, which is one in 2^224.
    pub(crate) fn sign(&self, sha256: &[u8; 32], k: &Self) -> Option<[u8; 64]> {
        let (mut r, mut s) = ([0; 8], [0; 8]);
        // SAFETY: as the module says; the digest is read for the length that is given.
        let signed = unsafe {
            sys::p256_sign(
                r.as_mut_ptr(),
                s.as_mut_ptr(),
                sha256.as_ptr(),
                sha256.len() as u32,
                self.0.as_ptr(),
                k.0.as_ptr(),
            )
        };
        if !signed {
            return None;
        }
        [bytes(&r), bytes(&s)].as_flattened().try_into().ok()
    }

    /// The big-endian x-coordinate of this scalar times the other's point; `None` if that is no
    /// point of the curve.
    pub(crate) fn agree(&self, other: &Point) -> Option<[u8; 32]> {
        let mut shared = [0; 32];
        // SAFETY: as the module says; 32 bytes are written.
        let agreed = unsafe {
            sys::p256_ecdh_calc_shared_secret(
                shared.as_mut_ptr(),
                self.0.as_ptr(),
                other.x.as_ptr(),
                other.y.as_ptr(),
            )
        };
        agreed.then_some(shared)
    }
}

impl Drop for Scalar {
    #[inline(never)]
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for Scalar {}

/// Two coordinates; whether they are a point of the curve is checked by each function that
/// takes them.
pub(crate) struct Point {
    x: Words,
    y: Words,
}

impl Point {
    pub(crate) fn of(public: &PublicKey) -> Self {
        let [_, coordinates @ ..] = public.as_sec1();
        let (x, y) = halves(coordinates);
        Self { x, y }
    }

    /// Whether `r || s` signs the digest by this point (FIPS 186-5 section 6.4.2).
    pub(crate) fn verifies(&self, sha256: &[u8; 32], signature: &[u8; 64]) -> bool {
        let (r, s) = halves(signature);
        // SAFETY: as the module says; the digest is read for the length that is given.
        unsafe {
            sys::p256_verify(
                self.x.as_ptr(),
                self.y.as_ptr(),
                sha256.as_ptr(),
                sha256.len() as u32,
                r.as_ptr(),
                s.as_ptr(),
            )
        }
    }
}

/// Whether a public key is a point of the curve: coordinates in `0..p` that fulfil its equation.
pub(crate) fn is_point(public: &PublicKey) -> bool {
    let sec1 = public.as_sec1();
    let (mut x, mut y) = ([0; 8], [0; 8]);
    // SAFETY: as the module says; the encoding is read for the length that is given.
    unsafe {
        sys::p256_octet_string_to_point(
            x.as_mut_ptr(),
            y.as_mut_ptr(),
            sec1.as_ptr(),
            sec1.len() as u32,
        )
    }
}

fn halves(both: &[u8; 64]) -> (Words, Words) {
    let (first, second) = both.split_at(32);
    // Each half has 32 bytes.
    (words(first), words(second))
}

/// Big-endian bytes as words, the least significant first.
fn words(big_endian: &[u8]) -> Words {
    let mut words = [0; 8];
    let (chunks, _) = big_endian.as_chunks::<4>();
    for (word, chunk) in words.iter_mut().zip(chunks.iter().rev()) {
        *word = u32::from_be_bytes(*chunk);
    }
    words
}

/// Words as big-endian bytes.
fn bytes(words: &Words) -> [u8; 32] {
    let mut bytes = [0; 32];
    let (chunks, _) = bytes.as_chunks_mut::<4>();
    for (chunk, word) in chunks.iter_mut().zip(words.iter().rev()) {
        *chunk = word.to_be_bytes();
    }
    bytes
}
