//! The chip's true random number generator (data sheet, section 12.12): a ring oscillator of its own, sampled into
//! blocks of 192 bits that pass three tests.
//!
//! Read by its registers and not by embassy-rp's driver: of the three alarms that one looks at the autocorrelation's
//! alone, starts over for ever when it comes, and panics at the others. Here each alarm throws the block away and
//! resets the generator; when that did not help some times in a row, the answer is a refusal.

use embassy_rp::clocks::clk_sys_freq;
use embassy_rp::pac::TRNG;
use embassy_rp::{Peri, peripherals};
use provision_csr::{NoEntropy, RawEntropy};

/// The generator.
#[derive(Debug)]
pub struct ChipEntropy {
    /// Nobody else has it.
    _generator: Peri<'static, peripherals::TRNG>,
    cycles_between_polls: u32,
}

impl ChipEntropy {
    /// Takes the generator. After `embassy_rp::init`, which gives it its clock.
    #[must_use]
    pub fn new(generator: Peri<'static, peripherals::TRNG>) -> Self {
        let cycles_between_polls = clk_sys_freq() / 1_000_000 * MICROSECONDS_BETWEEN_POLLS;
        Self { _generator: generator, cycles_between_polls }
    }

    /// A block that passed the generator's own tests.
    fn block(&mut self) -> Result<[u8; BLOCK_LEN], NoEntropy> {
        for _ in 0..TRIES_MAX {
            restart();
            if self.wait_for_block().is_ok() {
                let block = read_block();
                TRNG.rnd_source_enable().write(|enable| enable.set_rnd_src_en(false));
                return Ok(block);
            }
        }
        TRNG.rnd_source_enable().write(|enable| enable.set_rnd_src_en(false));
        Err(NoEntropy)
    }

    fn wait_for_block(&mut self) -> Result<(), NoEntropy> {
        for _ in 0..POLLS_MAX {
            let status = TRNG.rng_isr().read();
            if status.autocorr_err() || status.crngt_err() || status.vn_err() {
                return Err(NoEntropy);
            }
            if status.ehr_valid() {
                return Ok(());
            }
            cortex_m::asm::delay(self.cycles_between_polls);
        }
        Err(NoEntropy)
    }
}

impl RawEntropy for ChipEntropy {
    /// Raspberry Pi gives no figure, so the least.
    const MIN_ENTROPY_BITS_PER_BYTE: u32 = 1;

    fn fill_raw(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        for part in out.chunks_mut(BLOCK_LEN) {
            let block = self.block()?;
            part.iter_mut().zip(block).for_each(|(to, from)| *to = from);
        }
        Ok(())
    }
}

/// Resets the generator, which the autocorrelation's alarm asks for and which clears the others, and starts a block.
fn restart() {
    TRNG.trng_sw_reset().write(|reset| reset.set_trng_sw_reset(true));
    // The reset takes a moment, and this read as long (data sheet, TRNG_SW_RESET).
    let _ = TRNG.trng_sw_reset().read();

    TRNG.rng_icr().write(|clear| {
        clear.set_ehr_valid(true);
        clear.set_autocorr_err(true);
        clear.set_crngt_err(true);
        clear.set_vn_err(true);
    });
    // The shortest chain of inverters; nothing of the tests is bypassed.
    TRNG.trng_config().write(|config| config.set_rnd_src_sel(0));
    TRNG.trng_debug_control().write(|_| {});
    TRNG.sample_cnt1().write_value(CYCLES_BETWEEN_SAMPLES);
    TRNG.rnd_source_enable().write(|enable| enable.set_rnd_src_en(true));
}

/// The last of the six registers clears them all.
fn read_block() -> [u8; BLOCK_LEN] {
    let words = [
        TRNG.ehr_data0().read(),
        TRNG.ehr_data1().read(),
        TRNG.ehr_data2().read(),
        TRNG.ehr_data3().read(),
        TRNG.ehr_data4().read(),
        TRNG.ehr_data5().read(),
    ];
    let mut block = [0; BLOCK_LEN];
    block.as_chunks_mut().0.iter_mut().zip(words).for_each(|(to, word)| *to = word.to_le_bytes());
    block
}

/// 192 bits.
const BLOCK_LEN: usize = 24;

/// More than the 20 to 25 with which a block takes about two milliseconds: the data sheet (section 12.12.2) says that
/// at about 100 alarms and bad blocks are far fewer, and that a block takes longer in proportion.
const CYCLES_BETWEEN_SAMPLES: u32 = 100;

/// Alarms in a row until the generator counts as broken. Single ones come from sound parts too, says the data sheet.
const TRIES_MAX: u32 = 8;

const MICROSECONDS_BETWEEN_POLLS: u32 = 10;

/// Waited for a block at most: a tenth of a second, ten times what is expected. Some take "especially long".
const POLLS_MAX: u32 = 10_000;
