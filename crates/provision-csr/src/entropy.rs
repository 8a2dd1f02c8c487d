//! Where randomness comes from: the user's hardware, watched.
//!
//! ```text
//!   RawEntropy ──► health tests ──► SHA-256 ──► Entropy ──► SoftwareKey::generate
//!   (the chip)     └────────── TestedEntropy ──────────┘
//! ```

use core::fmt;

mod health;
mod tested;

pub use tested::TestedEntropy;

/// A source of random bytes fit for private keys.
///
/// A board does not implement this: it implements [`RawEntropy`] over its hardware, and
/// [`TestedEntropy`] makes an `Entropy` of it. Implement it for what keeps the contract by itself: a
/// secure element with a certified generator, or an operating system's.
///
/// # Contract
///
/// 1. **Full entropy.** Each byte is worth eight bits to whoever knows all others ever handed out,
///    the design, and the state of every other device.
/// 2. **Never twice.** No byte is handed out again: not after a reset, not after a power cut, not by
///    another device with the same firmware. A seeded generator is acceptable only if its seed is.
/// 3. **Watched.** The source is tested before the first byte and all the time afterwards, and total
///    failure (stuck, repeating, gone) is noticed before a byte of it is handed out.
/// 4. **Refusal, not guessing.** What cannot be vouched for is [`NoEntropy`]: the device then refuses
///    to make a key, which is always better than a guessable one. Whoever draws throws away what
///    it got in the same call and may ask again; a source that is broken goes on refusing.
/// 5. **In bounded time.** A source that is not ready refuses; it does not wait for good.
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

/// Bytes as a chip's random number generator gives them, for [`TestedEntropy`] and for nothing
/// else: they may be biased, and nobody has looked at them yet.
///
/// # Contract
///
/// 1. **As raw as the hardware allows.** No hash, cipher or generator of pseudo-random numbers in
///    between: it would hide a failure from the tests. Where the hardware has such a stage and it
///    can be switched off, it is off; where it cannot, the tests see less, and the page of the board
///    says so.
/// 2. **At least the claimed entropy**, in every byte, at every temperature and voltage the part is
///    specified for. See [`MIN_ENTROPY_BITS_PER_BYTE`](Self::MIN_ENTROPY_BITS_PER_BYTE).
/// 3. **Fresh.** Each byte is read off the hardware once. A register that is read before it has
///    changed gives the same byte twice: wait for the flag that says so.
/// 4. **The hardware's own alarms are errors**: [`NoEntropy`], and never bytes all the same.
/// 5. **In bounded time.** If the hardware does not deliver in some multiple of the time its data
///    sheet gives, [`NoEntropy`].
pub trait RawEntropy {
    /// What the maker or a measurement (SP 800-90B section 6) says that a byte is worth at least,
    /// from 1 to 8 bits, rounded down.
    ///
    /// A lower claim costs time alone: more bytes go into one that is handed out, and the tests
    /// tolerate more. A claim that is too high gives weak keys. Where nothing is known, 1.
    const MIN_ENTROPY_BITS_PER_BYTE: u32;

    /// Fills the whole of `out` off the hardware.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] if the hardware reports a fault or does not deliver; `out` is then not used.
    fn fill_raw(&mut self, out: &mut [u8]) -> Result<(), NoEntropy>;
}

impl<T: RawEntropy + ?Sized> RawEntropy for &mut T {
    const MIN_ENTROPY_BITS_PER_BYTE: u32 = T::MIN_ENTROPY_BITS_PER_BYTE;

    fn fill_raw(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        (**self).fill_raw(out)
    }
}

/// The entropy source cannot vouch for its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NoEntropy;

impl fmt::Display for NoEntropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the entropy source cannot vouch for its output")
    }
}

impl core::error::Error for NoEntropy {}
