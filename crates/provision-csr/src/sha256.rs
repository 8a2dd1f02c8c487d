//! SHA-256 (FIPS 180-4) in the smallest form, wiped after use.
//!
//! The compression function, which is nearly all of it, is that of the crate `sha2`, with its
//! hardware acceleration where there is one. Its buffering is not used: it takes a kilobyte of flash
//! more, for lengths and block sizes that are not needed here, and it leaves on the stack what was
//! hashed last, which here may be a secret.

use core::fmt;
use core::slice::from_ref;

use sha2_device::compress256;
use sha2_device::digest::generic_array::GenericArray;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// SHA-256 of these bytes.
///
/// ```
/// assert_eq!(provision_csr::sha256(b"abc")[..4], [0xba, 0x78, 0x16, 0xbf]);
/// ```
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(bytes);
    hash.finish()
}

/// SHA-256 of bytes that come piece by piece. Zeroized when dropped.
#[derive(Clone)]
pub struct Sha256 {
    state: [u32; 8],
    /// The first `len % 64` bytes wait for the rest of their block.
    block: [u8; BLOCK_LEN],
    /// Bytes taken so far.
    len: u32,
}

impl Default for Sha256 {
    fn default() -> Self {
        Self::new()
    }
}

impl Sha256 {
    /// The hash of nothing so far.
    // Not inlined, as are the others: they are called from everywhere.
    #[inline(never)]
    #[must_use]
    pub const fn new() -> Self {
        Self { state: INITIAL, block: [0; BLOCK_LEN], len: 0 }
    }

    /// Takes some more; less than 2^32 bytes in all.
    #[inline(never)]
    pub fn update(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let room = self.block.iter_mut().skip(self.len as usize % BLOCK_LEN);
            let taken = room.len().min(rest.len());
            room.zip(rest).for_each(|(to, from)| *to = *from);
            rest = rest.get(taken..).unwrap_or_default();
            self.len = self.len.wrapping_add(taken as u32);
            if self.len.is_multiple_of(BLOCK_LEN as u32) {
                compress256(&mut self.state, from_ref(GenericArray::from_slice(&self.block)));
            }
        }
    }

    /// The digest.
    #[inline(never)]
    #[must_use]
    pub fn finish(mut self) -> [u8; 32] {
        // Section 5.1.1: a one, zeros, and the length in bits, which ends a block.
        let bits = u64::from(self.len) << 3;
        self.update(&[0x80]);
        let zeros = (LENGTH_AT.wrapping_sub(self.len) % BLOCK_LEN as u32) as usize;
        self.update([0; BLOCK_LEN].get(..zeros).unwrap_or_default());
        self.update(&bits.to_be_bytes());

        let mut digest = [0; 32];
        let words = self.state.iter().map(|word| word.to_be_bytes());
        digest.as_chunks_mut().0.iter_mut().zip(words).for_each(|(to, from)| *to = from);
        digest
    }
}

impl Drop for Sha256 {
    #[inline(never)]
    fn drop(&mut self) {
        self.state.zeroize();
        self.block.zeroize();
    }
}

impl ZeroizeOnDrop for Sha256 {}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sha256").finish_non_exhaustive()
    }
}

/// Section 5.3.3.
#[rustfmt::skip]
const INITIAL: [u32; 8] = [
    0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a,
    0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
];

const BLOCK_LEN: usize = 64;

/// Where in the last block the length stands.
const LENGTH_AT: u32 = 56;

#[cfg(test)]
mod tests {
    use super::{Sha256, sha256};

    /// Against the crate, at every length around the ends of blocks, and in pieces of every length.
    #[test]
    fn the_same_as_the_crate() {
        use sha2_device::Digest;

        let bytes: [u8; 300] = core::array::from_fn(|at| (at * 7) as u8);
        for len in 0..bytes.len() {
            let expected: [u8; 32] = sha2_device::Sha256::digest(&bytes[..len]).into();
            assert_eq!(sha256(&bytes[..len]), expected, "{len} bytes");
            for piece in [1, 31, 63, 64, 65, 130] {
                let mut hash = Sha256::new();
                bytes[..len].chunks(piece).for_each(|piece| hash.update(piece));
                assert_eq!(hash.finish(), expected, "{len} bytes by {piece}");
            }
        }
    }

    /// FIPS 180-2 appendix B.3.
    #[test]
    fn a_million_times_a() {
        let mut hash = Sha256::new();
        for _ in 0..1_000 {
            hash.update(&[b'a'; 1_000]);
        }
        let digest = hash.finish();
        assert_eq!(digest[..4], [0xcd, 0xc7, 0x6e, 0x5c]);
        assert_eq!(digest[28..], [0xc7, 0x11, 0x2c, 0xd0]);
    }
}
