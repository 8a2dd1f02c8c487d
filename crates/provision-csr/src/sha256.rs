//! SHA-256 (FIPS 180-4) in the smallest form, wiped after use.
//!
//! The compression function, which is nearly all of it, is that of the crate `sha2`, with its
//! hardware acceleration where there is one, or that of `provision-sha256-asm`. The buffering of
//! `sha2` is not used: it takes a kilobyte of flash more, for lengths and block sizes that are not
//! needed here, and it leaves on the stack what was hashed last, which here may be a secret.

use core::fmt;
use core::hint::black_box;

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
    state: State,
    /// The first `len % 64` bytes wait for the rest of their block.
    block: Block,
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
        Self { state: State::INITIAL, block: Block([0; BLOCK_LEN]), len: 0 }
    }

    /// Takes some more; less than 2^32 bytes in all.
    #[inline(never)]
    pub fn update(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let used = self.len as usize % BLOCK_LEN;
            let whole = rest.first_chunk().filter(|_| used == 0);
            let taken = if let Some(block) = whole {
                self.state.take(block);
                BLOCK_LEN
            } else {
                let room = self.block.0.iter_mut().skip(used);
                let taken = room.len().min(rest.len());
                room.zip(rest).for_each(|(to, from)| *to = *from);
                if used + taken == BLOCK_LEN {
                    self.state.take(&self.block.0);
                }
                taken
            };
            self.len = self.len.wrapping_add(taken as u32);
            rest = rest.get(taken..).unwrap_or_default();
        }
    }

    /// The digest.
    #[must_use]
    pub fn finish(mut self) -> [u8; 32] {
        self.end();
        let mut digest = [0; 32];
        self.state.write_to(&mut digest);
        digest
    }

    /// Takes the padding (section 5.1.1): a one, zeros, and the length in bits, which ends a block.
    #[inline(never)]
    fn end(&mut self) {
        let used = self.len as usize % BLOCK_LEN;
        let mut last = Block::ending(used, 0);
        last.0.iter_mut().zip(&self.block.0).take(used).for_each(|(to, from)| *to = *from);
        if used >= LENGTH_AT {
            self.state.take(&last.0);
            last.0 = [0; BLOCK_LEN];
        }
        let bits = u64::from(self.len) << 3;
        last.0[LENGTH_AT..].copy_from_slice(&bits.to_be_bytes());
        self.state.take(&last.0);
    }
}

impl ZeroizeOnDrop for Sha256 {}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sha256").finish_non_exhaustive()
    }
}

/// What is known of the blocks so far. Zeroized when dropped.
#[derive(Clone)]
pub(crate) struct State(pub(crate) [u32; 8]);

impl State {
    /// Of none (section 5.3.3).
    #[rustfmt::skip]
    pub(crate) const INITIAL: Self = Self([
        0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a,
        0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19,
    ]);

    /// Takes a block.
    pub(crate) fn take(&mut self, block: &[u8; BLOCK_LEN]) {
        compress(&mut self.0, block);
    }

    /// As bytes, into the first 32: the digest, if the block that ends a message was taken.
    #[inline(never)]
    pub(crate) fn write_to(&self, out: &mut [u8]) {
        let words = self.0.iter().map(|word| word.to_be_bytes());
        out.as_chunks_mut().0.iter_mut().zip(words).for_each(|(to, from)| *to = from);
    }
}

impl Drop for State {
    #[inline(never)]
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// What is hashed at once. Zeroized when dropped.
// Aligned to words, in which it is copied faster.
#[derive(Clone)]
#[repr(align(4))]
pub(crate) struct Block(pub(crate) [u8; BLOCK_LEN]);

impl Block {
    /// The last block of a message: zero where there is room for so many bytes, and the padding (FIPS 180-4 section
    /// 5.1.1) after `hashed` bytes in all. Of more room than 55 bytes, the last but one: `hashed` is zero then.
    #[inline(never)]
    pub(crate) fn ending(room: usize, hashed: u16) -> Self {
        let mut block = [0; BLOCK_LEN];
        [block[62], block[63]] = (hashed * 8).to_be_bytes();
        if let Some(after) = block.get_mut(room) {
            *after = 0x80;
        }
        Self(block)
    }
}

impl Drop for Block {
    // Like `scrubbed`: by `zeroize` it would be one byte at a time, and take longer than many a thing that is done with
    // the block.
    #[inline(never)]
    fn drop(&mut self) {
        self.0 = [0; BLOCK_LEN];
        black_box(&mut self.0);
    }
}

#[cfg(feature = "sha256-asm")]
use provision_sha256_asm::compress;

#[cfg(not(feature = "sha256-asm"))]
fn compress(state: &mut [u32; 8], block: &[u8; BLOCK_LEN]) {
    use sha2_device::digest::generic_array::GenericArray;

    sha2_device::compress256(state, core::slice::from_ref(GenericArray::from_slice(block)));
}

/// In bytes.
pub(crate) const BLOCK_LEN: usize = 64;

/// Where in the last block the length stands.
const LENGTH_AT: usize = 56;

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
