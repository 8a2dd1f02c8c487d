//! The health tests of NIST SP 800-90B section 4.4: the repetition count and the adaptive
//! proportion, and the first of them once more for patterns.
//!
//! What they find is total failure: a source that is stuck, repeats a short pattern, or prefers one
//! value much more than it should. They do not measure entropy, and no such test can.

use crate::NoEntropy;

/// Both tests, in the middle of their samples. A sample is one byte.
///
/// Each can be wrong about a source that is as good as claimed with a probability of at most
/// [`ALPHA`]: per sample and period the one, per window the other.
#[derive(Debug)]
pub(super) struct HealthTests {
    /// The latest sample first. Zeros stand for those before the very first: to equal one of them is
    /// as improbable as to equal a sample.
    history: [u8; PERIOD_MAX],
    /// For each period, how many samples in a row equalled the one so many before them.
    repeats: [u8; PERIOD_MAX],
    window_first: u8,
    /// How often the window's first sample came, itself included.
    window_count: u16,
    /// Samples until the next window.
    window_left: u16,
}

impl HealthTests {
    pub(super) const fn new() -> Self {
        Self {
            history: [0; PERIOD_MAX],
            repeats: [0; PERIOD_MAX],
            window_first: 0,
            window_count: 0,
            window_left: 0,
        }
    }

    /// Takes the next sample; an error if with it a test has failed.
    pub(super) fn take(&mut self, sample: u8, cutoffs: &Cutoffs) -> Result<(), NoEntropy> {
        let mut failed = false;

        // Section 4.4.1, and the same for each period: the sequence `x[i] == x[i - period]` of a
        // source that is as claimed is true with at most 2^-H each time, whatever came before.
        let mut newer = sample;
        for (before, repeats) in self.history.iter_mut().zip(&mut self.repeats) {
            *repeats = if *before == sample { *repeats + 1 } else { 0 };
            failed |= *repeats >= cutoffs.repeats;
            newer = core::mem::replace(before, newer);
        }

        // Section 4.4.2.
        if self.window_left == 0 {
            self.window_left = WINDOW;
            self.window_first = sample;
            self.window_count = 0;
        }
        self.window_left -= 1;
        self.window_count += u16::from(sample == self.window_first);
        failed |= self.window_count >= cutoffs.window_count;

        if failed { Err(NoEntropy) } else { Ok(()) }
    }
}

/// From where on a test has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cutoffs {
    /// Repeats in a row, at any period: `C - 1` of section 4.4.1, since the first sample is none.
    repeats: u8,
    /// Samples of a window that equal its first, that one included: `C` of section 4.4.2.
    window_count: u16,
}

impl Cutoffs {
    /// For a source that claims so many bits of min-entropy per byte.
    pub(super) const fn of(min_entropy_bits_per_byte: u32) -> Self {
        assert!(
            1 <= min_entropy_bits_per_byte && min_entropy_bits_per_byte <= 8,
            "a byte has 1 to 8 bits of min-entropy"
        );
        Self {
            // C = 1 + ceil(-log2(alpha) / H)
            repeats: ALPHA_BITS.div_ceil(min_entropy_bits_per_byte) as u8,
            // C = 1 + CRITBINOM(W, 2^-H, 1 - alpha)
            window_count: 1 + critical_binomial(1.0 / (1_u32 << min_entropy_bits_per_byte) as f64),
        }
    }
}

/// The least `k` for which no more than `k` successes in [`WINDOW`] trials, each with probability
/// `p`, come with a probability of at least `1 - ALPHA`. For `p` of a half and less, down to 2^-8:
/// there the terms keep within the range of a float.
const fn critical_binomial(p: f64) -> u16 {
    let mut exactly = 1.0; // P(X = k), for k = 0 at first
    let mut trials = 0;
    while trials < WINDOW {
        exactly *= 1.0 - p;
        trials += 1;
    }
    let mut at_most = exactly; // P(X <= k)
    let mut k = 0;
    while at_most < 1.0 - ALPHA {
        exactly *= (WINDOW - k) as f64 / (k + 1) as f64 * (p / (1.0 - p));
        k += 1;
        at_most += exactly;
    }
    k
}

/// Samples of the start-up test (section 4.3).
pub(super) const START_UP_SAMPLES: usize = 1024;

/// Longest pattern whose repetition is found at once, in bytes.
const PERIOD_MAX: usize = 16;

/// Samples in a window, for a source that is not binary (section 4.4.2).
const WINDOW: u16 = 512;

/// `-log2` of the probability of a false alarm.
///
/// At power-on there are 1,024 samples with 16 periods each: 2^14 occasions. With 2^-40, less than
/// one device in 2^26 refuses for no reason and has to be switched on again. A broken source is
/// found 41 samples after it broke, in place of 21 with 2^-20, which only matters if it claims so
/// little.
const ALPHA_BITS: u32 = 40;

const ALPHA: f64 = 1.0 / (1_u64 << ALPHA_BITS) as f64;

#[cfg(test)]
mod tests {
    use super::{Cutoffs, HealthTests};

    /// Against exact arithmetic: `docs/entropy.md` has the program.
    #[test]
    fn cutoffs_are_those_of_exact_arithmetic() {
        let exact = [(41, 336), (21, 201), (15, 123), (11, 78), (9, 51), (8, 35), (7, 26), (6, 19)];
        for (bits, (repetition, window_count)) in (1..).zip(exact) {
            let cutoffs = Cutoffs { repeats: repetition - 1, window_count };
            assert_eq!(Cutoffs::of(bits), cutoffs, "{bits} bits");
        }
    }

    /// Samples until it fails, if it does within so many.
    fn fails_at(bits: u32, samples: impl Iterator<Item = u8>) -> Option<usize> {
        let cutoffs = Cutoffs::of(bits);
        let mut tests = HealthTests::new();
        let mut taken = 0;
        for sample in samples.take(100_000) {
            taken += 1;
            if tests.take(sample, &cutoffs).is_err() {
                return Some(taken);
            }
        }
        None
    }

    #[test]
    fn a_stuck_byte_fails_at_the_cutoff() {
        for byte in [1, 0x5a, 0xff] {
            assert_eq!(fails_at(8, core::iter::repeat(byte)), Some(6));
            assert_eq!(fails_at(4, core::iter::repeat(byte)), Some(11));
            assert_eq!(fails_at(1, core::iter::repeat(byte)), Some(41));
        }
        // One less: before the first sample zeros are taken for granted.
        assert_eq!(fails_at(8, core::iter::repeat(0)), Some(5));
    }

    /// Each as often as the next, so no proportion gives it away.
    #[test]
    fn a_pattern_fails_once_it_has_come_again() {
        for bits in 1..=8 {
            let repeats = usize::from(Cutoffs::of(bits).repeats);
            for period in 2..=16_u8 {
                let pattern = (1..=period).cycle();
                assert_eq!(fails_at(bits, pattern), Some(usize::from(period) + repeats));
            }
        }
    }

    #[test]
    fn a_preferred_value_fails_by_its_proportion() {
        // Every other sample; those between, and their distances, never come twice in a row.
        let half = || {
            (0..).map(|at: u32| if at.is_multiple_of(2) { 7 } else { (at / 2 % 240 + 10) as u8 })
        };
        assert_eq!(fails_at(8, half()), Some(2 * 19 - 1));
        assert_eq!(fails_at(4, half()), Some(2 * 78 - 1));
        assert_eq!(fails_at(2, half()), Some(2 * 201 - 1));
        // One bit per byte is what this would have, were the others not predictable.
        assert_eq!(fails_at(1, half()), None);
    }
}
