//! The secret number of a signature, made of key and digest (RFC 6979 with SHA-256).
//!
//! By hand over the SHA-256 that hashes the rest of the device's data, and not by the crate `rfc6979`: that one
//! keys HMAC anew at each of its uses. Here each key is taken in once, which leaves 18 compressions of 26 and takes
//! two kilobytes of flash less. The tests hold both against the same vectors.

use zeroize::Zeroizing;

use crate::Sha256;
use crate::order::modulo_order;

/// The generator of RFC 6979 section 3.2: gives one candidate after the other, the same for every implementation of
/// P-256. Zeroized when dropped.
pub struct Nonces {
    key: Hmac,
    value: Zeroizing<[u8; 32]>,
    /// A candidate was given out, and refused if there is a next one.
    given: bool,
}

impl Nonces {
    /// That a signature tries before it gives up: one is refused once in 2^32 times.
    pub const CANDIDATES_MAX: usize = 4;

    /// Steps b to f.
    ///
    /// `secret` is the private scalar, big-endian; `sha256` the digest that will be signed.
    #[must_use]
    pub fn new(secret: &[u8; 32], sha256: &[u8; 32]) -> Self {
        let mut nonces =
            Self { key: Hmac::new(&[0; 32]), value: Zeroizing::new([1; 32]), given: false };
        let digest = modulo_order(sha256);
        nonces.stir(0, secret, &digest);
        nonces.stir(1, secret, &digest);
        nonces
    }

    /// Step h: the next candidate, big-endian. It is in range but once in 2^32 times.
    #[must_use]
    pub fn candidate(&mut self) -> Zeroizing<[u8; 32]> {
        if self.given {
            self.stir(0, &[], &[]);
        }
        self.given = true;
        self.value = self.key.of(&[&*self.value]);
        self.value.clone()
    }

    /// `K = HMAC_K(V || tag || secret || digest)`, `V = HMAC_K(V)`.
    fn stir(&mut self, tag: u8, secret: &[u8], digest: &[u8]) {
        self.key = Hmac::new(&self.key.of(&[&*self.value, &[tag], secret, digest]));
        self.value = self.key.of(&[&*self.value]);
    }
}

/// HMAC-SHA-256 (RFC 2104) by a key of 32 bytes: both hashes, after they took the padded key in.
struct Hmac {
    inner: Sha256,
    outer: Sha256,
}

impl Hmac {
    fn new(key: &[u8; 32]) -> Self {
        let keyed = |pad: u8| {
            let mut block = Zeroizing::new([pad; BLOCK_LEN]);
            block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            let mut hash = Sha256::new();
            hash.update(&*block);
            hash
        };
        Self { inner: keyed(0x36), outer: keyed(0x5c) }
    }

    /// Over the parts, one after the other.
    #[inline(never)]
    fn of(&self, parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        let mut inner = self.inner.clone();
        parts.iter().for_each(|part| inner.update(part));
        let mut outer = self.outer.clone();
        outer.update(&*Zeroizing::new(inner.finish()));
        Zeroizing::new(outer.finish())
    }
}

/// Of SHA-256.
const BLOCK_LEN: usize = 64;
