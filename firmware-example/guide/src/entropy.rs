//! Step 3: the chip's random number generator, raw; the health tests come with the crate.

use provision_csr::{NoEntropy, RawEntropy, TestedEntropy};

/// What your chip's generator has by way of registers.
pub trait Generator {
    /// A word that was not read before is there.
    fn is_ready(&self) -> bool;
    /// The hardware found a fault of its own: on STM32 `SECS` or `CECS`, on nRF52 there is none.
    fn has_failed(&self) -> bool;
    /// Takes the word.
    fn word(&mut self) -> u32;
}

/// The generator as the crates want it: a refusal where there is no good answer, never a guess.
pub struct Trng<G>(pub G);

/// Some multiple of what the data sheet says that a word takes, in looks at the register.
const LOOKS_MAX: u32 = 100_000;

impl<G: Generator> RawEntropy for Trng<G> {
    /// The data sheet's, rounded down; if it says nothing, 1.
    const MIN_ENTROPY_BITS_PER_BYTE: u32 = 4;

    fn fill_raw(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        for place in out.chunks_mut(4) {
            let ready = (0..LOOKS_MAX).any(|_| self.0.is_ready() || self.0.has_failed());
            if !ready || self.0.has_failed() {
                return Err(NoEntropy);
            }
            let word = self.0.word().to_le_bytes();
            place.copy_from_slice(&word[..place.len()]);
        }
        Ok(())
    }
}

/// Randomness fit for keys, or none.
pub const fn watched<R: RawEntropy>(generator: R) -> TestedEntropy<R> {
    TestedEntropy::new(generator)
}
