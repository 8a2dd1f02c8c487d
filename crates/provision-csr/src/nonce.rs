//! The secret number of a signature, made of key and digest (RFC 6979 with SHA-256).
//!
//! By hand over the SHA-256 that hashes the rest of the device's data, and not by the crate `rfc6979`: that one
//! keys HMAC anew at each of its uses. Here each key is taken in once, and the first, which is zero, was when this was
//! written; that leaves 16 compressions of 26 and takes two kilobytes of flash less. The tests hold both against the same vectors.

use crate::order::modulo_order;
use crate::sha256::{BLOCK_LEN, Block, State};

/// Draws secret numbers by the generator of RFC 6979 section 3.2 until `accept` makes something of one: the same for
/// every implementation of P-256. `accept` refuses a number that is not in `1..n`, or gives no signature.
///
/// `secret` is the private scalar, `sha256` the digest that will be signed, and numbers are big-endian. All is wiped
/// afterwards.
///
/// `None` if four in a row are refused: one is once in 2^32 times.
pub fn nonce<T>(
    secret: &[u8; 32],
    sha256: &[u8; 32],
    mut accept: impl FnMut(&[u8; 32]) -> Option<T>,
) -> Option<T> {
    let mut generator = Generator::new(secret, sha256);
    for _ in 0..CANDIDATES_MAX {
        // Step h.
        generator.step();
        if let Some(accepted) = generator.value.0.first_chunk().and_then(&mut accept) {
            return Some(accepted);
        }
        generator.stir(0, &mut [Block::ending(33, 64 + 33)]);
    }
    None
}

const CANDIDATES_MAX: usize = 4;

struct Generator {
    /// K
    key: Hmac,
    /// V, padded as the end of what is hashed.
    value: Block,
}

impl Generator {
    /// Steps b to g.
    #[inline(always)]
    fn new(secret: &[u8; 32], sha256: &[u8; 32]) -> Self {
        let mut generator = Self { key: Hmac::BY_ZERO, value: Block::ending(32, 64 + 32) };
        FIRST_VALUE.write_to(&mut generator.value.0);
        generator.mix(secret, sha256);
        generator
    }

    /// Steps d to g.
    #[inline(never)]
    fn mix(&mut self, secret: &[u8; 32], sha256: &[u8; 32]) {
        // V || tag || secret || digest, in two blocks.
        let mut blocks = [Block([0; BLOCK_LEN]), Block::ending(33, 64 + 97)];
        let [Block(first), Block(second)] = &mut blocks;
        first[33..].copy_from_slice(&secret[..31]);
        second[0] = secret[31];
        second[1..33].copy_from_slice(&modulo_order(sha256));
        for tag in 0..2 {
            self.stir(tag, &mut blocks);
        }
    }

    /// `K = HMAC_K(V || tag || …)`, `V = HMAC_K(V)`: the blocks have room for V and the tag at their beginning.
    #[inline(never)]
    fn stir(&mut self, tag: u8, blocks: &mut [Block]) {
        if let Some(Block(first)) = blocks.first_mut() {
            first[..32].copy_from_slice(&self.value.0[..32]);
            first[32] = tag;
        }
        let mut inner = self.key.inner.clone();
        blocks.iter().for_each(|block| inner.take(&block.0));
        let mut key = Block::ending(32, 64 + 32);
        self.key.finish(&mut inner, &mut key);
        self.key.set(key);
        self.step();
    }

    /// `V = HMAC_K(V)`
    #[inline(never)]
    fn step(&mut self) {
        let mut inner = self.key.inner.clone();
        inner.take(&self.value.0);
        self.key.finish(&mut inner, &mut self.value);
    }
}

/// HMAC-SHA-256 (RFC 2104) by a key of 32 bytes: both hashes, after they took the padded key in.
struct Hmac {
    inner: State,
    outer: State,
}

impl Hmac {
    /// By 32 bytes of zero, with which RFC 6979 begins.
    #[rustfmt::skip]
    const BY_ZERO: Self = Self {
        inner: State([
            0xf454_dead, 0x9725_214f, 0x90da_f2a0, 0xdf12_28ea,
            0x64e5_750f, 0xa392_4181, 0x824a_932b, 0xf8e0_4e32,
        ]),
        outer: State([
            0xd385_480f, 0x7abb_6477, 0x37c9_c538, 0x5dd8_2467,
            0x8e04_3a72, 0x7534_34b0, 0xdeb8_2818, 0x361d_45a6,
        ]),
    };

    /// Now by the first 32 bytes of this.
    fn set(&mut self, mut key: Block) {
        key.0[32..].fill(0);
        for (state, pad) in [(&mut self.inner, INNER), (&mut self.outer, INNER ^ OUTER)] {
            for word in key.0.as_chunks_mut().0 {
                *word = (u32::from_ne_bytes(*word) ^ pad).to_ne_bytes();
            }
            *state = State::INITIAL;
            state.take(&key.0);
        }
    }

    /// Over what the inner hash has taken, into the beginning of a block that ends after 32 bytes.
    fn finish(&self, inner: &mut State, out: &mut Block) {
        inner.write_to(&mut out.0);
        let mut outer = self.outer.clone();
        outer.take(&out.0);
        outer.write_to(&mut out.0);
    }
}

/// What the key is padded with.
const INNER: u32 = 0x3636_3636;
/// Likewise, in the outer hash.
const OUTER: u32 = 0x5c5c_5c5c;

/// Step b: 32 bytes of one.
static FIRST_VALUE: State = State([0x0101_0101; 8]);

#[cfg(test)]
mod tests {
    use super::{Hmac, nonce};
    use crate::sha256;
    use crate::sha256::Block;

    #[test]
    fn by_zero_is_what_zero_makes() {
        let mut made = Hmac::BY_ZERO;
        made.set(Block([0xff; 64]));
        made.set(Block([0; 64]));
        assert_eq!(Hmac::BY_ZERO.inner.0, made.inner.0);
        assert_eq!(Hmac::BY_ZERO.outer.0, made.outer.0);
    }

    /// Section 3.2, word for word.
    fn by_the_book(secret: &[u8; 32], digest: &[u8; 32], refused: usize) -> [u8; 32] {
        let hmac = |key: &[u8; 32], message: &[&[u8]]| {
            let pad = |with: u8| {
                let mut block = [with; 64];
                block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
                block
            };
            let inner = sha256(&[&pad(0x36)[..], &message.concat()].concat());
            sha256(&[&pad(0x5c)[..], &inner].concat())
        };
        let (mut v, mut k) = ([1; 32], [0; 32]);
        for tag in 0..2 {
            k = hmac(&k, &[&v, &[tag], secret, digest]);
            v = hmac(&k, &[&v]);
        }
        v = hmac(&k, &[&v]);
        for _ in 0..refused {
            k = hmac(&k, &[&v, &[0]]);
            v = hmac(&k, &[&v]);
            v = hmac(&k, &[&v]);
        }
        v
    }

    #[test]
    fn refused_numbers_are_followed_by_the_right_ones() {
        let (secret, digest) = ([0xa5; 32], [0x3c; 32]);
        for refused in 0..4 {
            let mut calls = 0;
            let found = nonce(&secret, &digest, |candidate| {
                calls += 1;
                (calls > refused).then_some(*candidate)
            });
            assert_eq!(found, Some(by_the_book(&secret, &digest, refused)), "{refused} refused");
        }
        assert_eq!(nonce(&secret, &digest, |_| None::<()>), None);
    }

    #[test]
    fn a_digest_not_below_the_order_is_reduced() {
        // 2^256 - 1 less n.
        let reduced = [
            0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
            0x00, 0x00, 0x43, 0x19, 0x05, 0x52, 0x58, 0xe8, 0x61, 0x7b, 0x0c, 0x46, 0x35, 0x3d,
            0x03, 0x9c, 0xda, 0xae,
        ];
        let found = nonce(&[7; 32], &[0xff; 32], |candidate| Some(*candidate));
        assert_eq!(found, Some(by_the_book(&[7; 32], &reduced, 0)));
    }
}
