//! A private scalar out of an entropy source, the same way for every implementation of P-256.

use zeroize::Zeroizing;

use crate::{Entropy, NoEntropy};

/// Draws 32 bytes until `accept` makes something of them: rejection sampling (FIPS 186-5 appendix
/// A.2.2), where `accept` refuses what is not in `1..n`. The bytes are a big-endian number, and are
/// wiped afterwards.
///
/// The source is looked at while it is drawn from: one draw is made first that is only compared
/// with, and a draw that repeats the one before it, or whose bytes are all equal, means the source
/// is broken. A working source fails this once in 2^248 keys.
///
/// # Errors
///
/// [`NoEntropy`] if the source refuses, if what it gives is plainly not random, or if four draws in
/// a row are not accepted: one is refused once in 2^32 times.
pub fn sample_scalar<T>(
    entropy: &mut impl Entropy,
    mut accept: impl FnMut(&[u8; 32]) -> Option<T>,
) -> Result<T, NoEntropy> {
    let mut before = Zeroizing::new([0; 32]);
    draw(entropy, &mut before)?;

    for _ in 0..DRAWS_MAX {
        let mut candidate = Zeroizing::new([0; 32]);
        draw(entropy, &mut candidate)?;
        if are_equal(&candidate, &before) {
            return Err(NoEntropy);
        }
        if let Some(accepted) = accept(&candidate) {
            return Ok(accepted);
        }
        before = candidate;
    }
    Err(NoEntropy)
}

const DRAWS_MAX: usize = 4;

fn draw(entropy: &mut impl Entropy, out: &mut [u8; 32]) -> Result<(), NoEntropy> {
    entropy.fill(out)?;
    let first = u32::from_ne_bytes([out[0]; 4]);
    let differ = words(out).fold(0, |differ, word| differ | (word ^ first));
    if differ == 0 { Err(NoEntropy) } else { Ok(()) }
}

/// In the same time wherever they differ: these become keys.
fn are_equal(one: &[u8; 32], other: &[u8; 32]) -> bool {
    words(one).zip(words(other)).fold(0, |differ, (one, other)| differ | (one ^ other)) == 0
}

fn words(bytes: &[u8; 32]) -> impl Iterator<Item = u32> {
    bytes.as_chunks().0.iter().map(|word| u32::from_ne_bytes(*word))
}
