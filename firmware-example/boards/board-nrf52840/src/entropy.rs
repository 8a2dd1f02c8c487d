//! The chip's random number generator (product specification, RNG): thermal noise, eight bits at a time.
//!
//! It has no alarm of its own: it does not notice that it has failed, or at most by not delivering. The health tests of
//! [`TestedEntropy`](provision_csr::TestedEntropy) are all there is.

use embassy_nrf::pac::RNG;
use embassy_nrf::{Peri, peripherals};
use provision_csr::{NoEntropy, RawEntropy};

/// The generator, with its bias correction on.
///
/// The correction cannot be told from the outside to hide a failure, but Nordic says that without it zeros and ones are
/// not equally frequent; with it a source that is stuck delivers nothing at all.
#[derive(Debug)]
pub struct ChipEntropy {
    /// Nobody else has it.
    _generator: Peri<'static, peripherals::RNG>,
}

impl ChipEntropy {
    /// Takes the generator.
    #[must_use]
    pub fn new(generator: Peri<'static, peripherals::RNG>) -> Self {
        RNG.config().write(|config| config.set_dercen(true));
        Self { _generator: generator }
    }
}

impl RawEntropy for ChipEntropy {
    /// Nordic gives no figure, so the least.
    const MIN_ENTROPY_BITS_PER_BYTE: u32 = 1;

    fn fill_raw(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        RNG.events_valrdy().write_value(0);
        RNG.tasks_start().write_value(1);
        let filled = out.iter_mut().try_for_each(|byte| {
            *byte = next_byte()?;
            Ok(())
        });
        RNG.tasks_stop().write_value(1);
        filled
    }
}

/// Each byte is announced by `VALRDY`, and read once.
fn next_byte() -> Result<u8, NoEntropy> {
    for _ in 0..POLLS_MAX {
        if RNG.events_valrdy().read() != 0 {
            RNG.events_valrdy().write_value(0);
            return Ok(RNG.value().read().value());
        }
        cortex_m::asm::delay(POLL_CYCLES);
    }
    Err(NoEntropy)
}

/// A microsecond at least: 64 cycles at 64 MHz.
const POLL_CYCLES: u32 = 64;

/// Waited for a byte at most: ten milliseconds and more. With bias correction one takes 120 microseconds, typically
/// (product specification, RNG electrical specification: a byte takes 30 microseconds without).
const POLLS_MAX: u32 = 10_000;
