//! The secret number of a signature, made of key and digest (RFC 6979 with SHA-256).
//!
//! By hand over the compression function of `sha2`, and not by the crate `rfc6979`: that one keys HMAC anew
//! at each of its uses. Here each key is taken in once, which leaves 18 compressions of 26 and takes two
//! kilobytes of flash less. The tests hold both against the same vectors.

use provision_csr::modulo_order;
use sha2_device::compress256;
use sha2_device::digest::generic_array::GenericArray;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// The generator of RFC 6979 section 3.2: gives one candidate after the other.
///
/// Aligned, because what fills memory without alignment is two routines and 430 bytes of flash more.
#[repr(align(4))]
pub(crate) struct Nonces {
    key: Hmac,
    value: Zeroizing<[u8; 32]>,
    /// A candidate was given out, and refused if there is a next one.
    given: bool,
}

impl Nonces {
    /// Steps b to f.
    ///
    /// `secret` is the private scalar, big-endian; `sha256` the digest that will be signed.
    pub(crate) fn new(secret: &[u8; 32], sha256: &[u8; 32]) -> Self {
        let mut nonces =
            Self { key: Hmac::new(&[0; 32]), value: Zeroizing::new([1; 32]), given: false };
        let digest = modulo_order(sha256);
        nonces.stir(0, secret, &digest);
        nonces.stir(1, secret, &digest);
        nonces
    }

    /// Step h: the next candidate, big-endian. It is in range but once in 2^32 times.
    pub(crate) fn next(&mut self) -> Zeroizing<[u8; 32]> {
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
    inner: [u32; 8],
    outer: [u32; 8],
}

impl Drop for Hmac {
    fn drop(&mut self) {
        self.inner.zeroize();
        self.outer.zeroize();
    }
}

impl ZeroizeOnDrop for Hmac {}

impl Hmac {
    fn new(key: &[u8; 32]) -> Self {
        let keyed = |pad: u8| {
            let mut blocks = Zeroizing::new([[pad; BLOCK_LEN]; BLOCKS_MAX]);
            blocks.as_flattened_mut().iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
            let mut state = INITIAL;
            compress(&mut state, &blocks, 1);
            state
        };
        Self { inner: keyed(0x36), outer: keyed(0x5c) }
    }

    /// Over the parts, one after the other: 119 bytes at most.
    #[inline(never)]
    fn of(&self, parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        let inner = finish(self.inner, parts);
        finish(self.outer, &[&*inner])
    }
}

/// The end of a hash that has taken in one block: of at most 119 bytes more (FIPS 180-4 section 5.1.1).
#[inline(never)]
fn finish(mut state: [u32; 8], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    let mut blocks = Zeroizing::new([[0; BLOCK_LEN]; BLOCKS_MAX]);
    let mut len = 0;
    for part in parts.iter().chain(&[&[0x80][..]]) {
        if let Some(place) = blocks.as_flattened_mut().get_mut(len..len + part.len()) {
            place.copy_from_slice(part);
            len += part.len();
        }
    }
    // The length in bits stands in the last eight bytes; it is below 2^16. `len` counts the mark.
    let count = (len + 8_usize).div_ceil(BLOCK_LEN);
    let bits = ((BLOCK_LEN + len - 1) * 8) as u16;
    if let Some([.., high, low]) = blocks.get_mut(count - 1) {
        [*high, *low] = bits.to_be_bytes();
    }
    compress(&mut state, &blocks, count);

    let mut digest = Zeroizing::new([0; 32]);
    let (words, _) = digest.as_chunks_mut::<4>();
    for (bytes, word) in words.iter_mut().zip(state) {
        *bytes = word.to_be_bytes();
    }
    state.zeroize();
    digest
}

/// Takes the first `count` blocks in.
#[inline(never)]
fn compress(state: &mut [u32; 8], blocks: &[[u8; BLOCK_LEN]; BLOCKS_MAX], count: usize) {
    for block in blocks.iter().take(count) {
        compress256(state, core::slice::from_ref(GenericArray::from_slice(block)));
    }
}

const BLOCK_LEN: usize = 64;
/// V, tag, secret and digest, with mark and length.
const BLOCKS_MAX: usize = 2;

/// FIPS 180-4 section 5.3.3.
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];
