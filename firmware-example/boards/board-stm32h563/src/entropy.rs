//! The chip's random number generator (RM0481, chapter "True random number generator"): analog noise, with health tests
//! and a conditioning stage of its own in hardware.
//!
//! The conditioning cannot be switched off, so our health tests see what comes out of it; the hardware's see the noise,
//! and their alarm is the seed error. Set up by its registers and not by embassy-stm32's driver, which waits for ever
//! for a generator that has failed.

use embassy_stm32::pac::RNG;
use embassy_stm32::pac::rng::{regs, vals};
use embassy_stm32::{Peri, peripherals, rcc};
use provision_csr::{NoEntropy, RawEntropy};

/// The generator.
#[derive(Debug)]
pub struct ChipEntropy {
    /// Nobody else has it.
    _generator: Peri<'static, peripherals::RNG>,
    /// Set up, and without an alarm since.
    ready: bool,
}

impl ChipEntropy {
    /// Takes the generator, and gives it its clock. It is set up when it is first drawn from.
    #[must_use]
    pub fn new(generator: Peri<'static, peripherals::RNG>) -> Self {
        rcc::enable_and_reset::<peripherals::RNG>();
        Self { _generator: generator, ready: false }
    }
}

impl RawEntropy for ChipEntropy {
    /// ST has a figure under its certificates for certain settings; we have not got it, so the least.
    const MIN_ENTROPY_BITS_PER_BYTE: u32 = 1;

    fn fill_raw(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        if !self.ready {
            set_up()?;
            self.ready = true;
        }
        for part in out.chunks_mut(size_of::<u32>()) {
            let Ok(word) = next_word() else {
                // After an alarm it is begun anew, so that nothing of before is left in its buffer.
                self.ready = false;
                return Err(NoEntropy);
            };
            part.iter_mut().zip(word.to_le_bytes()).for_each(|(to, from)| *to = from);
        }
        Ok(())
    }
}

/// With configuration A of the reference manual, and its recommended thresholds of the hardware's tests: both may be
/// written only while the conditioning is held in reset.
fn set_up() -> Result<(), NoEntropy> {
    let mut config = regs::Cr(0);
    config.set_nistc(vals::Nistc::CUSTOM);
    config.set_rng_config1(vals::RngConfig1::CONFIG_A);
    config.set_rng_config2(vals::RngConfig2::CONFIG_A_B);
    config.set_rng_config3(vals::RngConfig3::CONFIG_A);
    config.set_clkdiv(vals::Clkdiv::NO_DIV);
    config.set_condrst(true);
    RNG.cr().write_value(config);
    // Each access to HTCR wants the magic number before it.
    RNG.htcr().write(|thresholds| thresholds.set_htcfg(vals::Htcfg::MAGIC));
    RNG.htcr().write(|thresholds| thresholds.set_htcfg(vals::Htcfg::RECOMMENDED));
    config.set_condrst(false);
    config.set_rngen(true);
    RNG.cr().write_value(config);
    poll(|| !RNG.cr().read().condrst())?;

    // Alarms of the time before are cleared by writing zeros.
    RNG.sr().write_value(regs::Sr(0));
    // The first word is not for use: it may be one of before.
    next_word().map(|_| ())
}

fn next_word() -> Result<u32, NoEntropy> {
    poll(|| {
        let status = RNG.sr().read();
        status.drdy() || alarmed(status)
    })?;
    if alarmed(RNG.sr().read()) {
        return Err(NoEntropy);
    }
    let word = RNG.dr().read();
    // An alarm between the flag and the read makes the register read as zero (RM0481, RNG_DR).
    if word == 0 { Err(NoEntropy) } else { Ok(word) }
}

/// A seed or clock error, now or since it was last cleared.
fn alarmed(status: regs::Sr) -> bool {
    status.seis() || status.ceis() || status.secs() || status.cecs()
}

/// Waits until it is so, for ten milliseconds: a hundred times what 128 bits take, or the setting up.
fn poll(is_so: impl Fn() -> bool) -> Result<(), NoEntropy> {
    for _ in 0..POLLS_MAX {
        if is_so() {
            return Ok(());
        }
        cortex_m::asm::delay(POLL_CYCLES);
    }
    Err(NoEntropy)
}

/// A microsecond at 64 MHz.
const POLL_CYCLES: u32 = 64;

const POLLS_MAX: u32 = 10_000;
