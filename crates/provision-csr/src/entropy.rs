//! Where randomness comes from: the user's hardware.

use core::fmt;

/// A source of random bytes fit for private keys.
///
/// # Contract
///
/// Every byte handed out must carry full entropy and must never be handed out twice, across
/// resets and power cuts too: a seeded generator is acceptable only if its seed is. When the
/// hardware reports a fault, or is not ready, answer [`NoEntropy`]: the device then refuses to
/// make a key, which is always better than a guessable one.
pub trait Entropy {
    /// Fills the whole of `out` with fresh random bytes.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] if any byte of `out` could not be vouched for; `out` is then not used.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy>;
}

impl<T: Entropy + ?Sized> Entropy for &mut T {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        (**self).fill(out)
    }
}

/// The entropy source cannot vouch for its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoEntropy;

impl fmt::Display for NoEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the entropy source cannot vouch for its output")
    }
}

impl core::error::Error for NoEntropy {}
