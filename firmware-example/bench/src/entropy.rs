//! Bytes that are the same each run, so that the counts are, too. For measuring, and for nothing else.

use provision_csr::{Entropy, NoEntropy, RawEntropy};

/// xorshift64 (Marsaglia 2003), eight bytes a step: what is measured is not the source.
#[derive(Debug, Clone)]
pub struct RepeatableEntropy(u64);

impl RepeatableEntropy {
    /// From the same seed as always.
    #[must_use]
    pub const fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    /// From this name's: two devices that repeat the same bytes would have the same key, and the station stops at that.
    #[must_use]
    pub fn of(name: &str) -> Self {
        let Self(seed) = Self::new();
        Self(name.bytes().fold(seed, |seed, byte| seed.rotate_left(8) ^ u64::from(byte)))
    }
}

impl Default for RepeatableEntropy {
    fn default() -> Self {
        Self::new()
    }
}

impl RawEntropy for RepeatableEntropy {
    /// For the tests of the source to cost what they cost with a good one.
    const MIN_ENTROPY_BITS_PER_BYTE: u32 = 8;

    fn fill_raw(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        for eight in out.chunks_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            eight.iter_mut().zip(self.0.to_le_bytes()).for_each(|(to, from)| *to = from);
        }
        Ok(())
    }
}

/// Untested, to measure what is behind the tests by itself.
impl Entropy for RepeatableEntropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        self.fill_raw(out)
    }
}
