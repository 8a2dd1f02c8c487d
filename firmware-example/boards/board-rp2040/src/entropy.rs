//! Randomness on a chip that has no random number generator: the jitter of its ring oscillator, bit by bit.
//!
//! The data sheet (section 2.17.5) says of these bits that they are not meant for security: the oscillator can be
//! pulled by what is connected to the supply, and how much entropy a bit has nobody states. So this is the weakest
//! source among the boards. What is done about it: bits are taken far apart, so that jitter adds up between them, a
//! whole byte of them is counted as one bit of entropy, and [`TestedEntropy`](provision_csr::TestedEntropy) condenses
//! 512 such bytes into 32. What cannot be done: notice somebody who pulls it. For a product with an RP2040, draw from a
//! secure element instead, or at least measure this source as `docs/boards/rp2040.md` says.

use embassy_rp::clocks::clk_sys_freq;
use embassy_rp::pac::ROSC;
use provision_csr::{NoEntropy, RawEntropy};

/// The ring oscillator. embassy-rp leaves it running beside the crystal, and drives nothing with it.
#[derive(Debug)]
pub struct RingOscillator {
    cycles_between_bits: u32,
}

impl RingOscillator {
    /// Reads how fast the processor runs, which tells the bits apart. After `embassy_rp::init`.
    #[must_use]
    pub fn new() -> Self {
        Self { cycles_between_bits: clk_sys_freq() / 1_000_000 * MICROSECONDS_BETWEEN_BITS }
    }
}

impl Default for RingOscillator {
    fn default() -> Self {
        Self::new()
    }
}

impl RawEntropy for RingOscillator {
    /// Eight bits, for one.
    const MIN_ENTROPY_BITS_PER_BYTE: u32 = 1;

    fn fill_raw(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        // The one fault that the hardware reports: an oscillator that stands still, or whose settings are bad.
        if !ROSC.status().read().stable() || !ROSC.status().read().enabled() {
            return Err(NoEntropy);
        }
        for byte in out {
            *byte = (0..u8::BITS).fold(0, |bits, _| {
                cortex_m::asm::delay(self.cycles_between_bits);
                bits << 1 | u8::from(ROSC.randombit().read().randombit())
            });
        }
        Ok(())
    }
}

/// Some three hundred periods of the oscillator at its nominal 6.5 MHz (data sheet, section 2.17.1). A byte takes 0.4
/// milliseconds, and the 2,048 bytes that a first key draws 0.8 seconds.
const MICROSECONDS_BETWEEN_BITS: u32 = 50;
