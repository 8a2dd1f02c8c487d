//! The chip's random number generator (technical reference manual, "Random Number Generator"): thermal noise out of the
//! first analog-digital converter, mixed in hardware with what the register held before.
//!
//! Without the converter, and with no radio on, the register gives pseudo-random numbers, without any sign of it. So
//! the converter is taken here for good, and esp-hal gives a `Trng` only while it is running. There is no alarm, the
//! mixing cannot be switched off, and the health tests see what comes out of it.

use esp_hal::peripherals::{ADC1, RNG};
use esp_hal::rng::{Trng, TrngSource};
use provision_csr::{NoEntropy, RawEntropy};

/// The generator, and what feeds it.
pub struct ChipEntropy {
    /// Feeds as long as it lives.
    _source: TrngSource<'static>,
}

impl core::fmt::Debug for ChipEntropy {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ChipEntropy").finish_non_exhaustive()
    }
}

impl ChipEntropy {
    /// Takes the generator, and the converter, which nobody can measure with any more.
    #[must_use]
    pub fn new(generator: RNG<'static>, converter: ADC1<'static>) -> Self {
        Self { _source: TrngSource::new(generator, converter) }
    }
}

impl RawEntropy for ChipEntropy {
    /// Espressif gives no figure, so the least.
    const MIN_ENTROPY_BITS_PER_BYTE: u32 = 1;

    fn fill_raw(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        let generator = Trng::try_new().map_err(|_| NoEntropy)?;
        // Waits between reads for as long as the manual asks, by counting cycles: it always returns.
        generator.read(out);
        Ok(())
    }
}
