//! Random bytes off the chip's generator (Reference Manual, "Random Number Generator").

use board_qemu_common::register::Register;
use provision_csr::{NoEntropy, RawEntropy};

use crate::clock::{self, Timer};

/// What the boot log says about the source.
pub const SOURCE: &str = "EMULATED: the nRF51's generator, fed by the emulator's host";

/// The generator, with its bias correction off: as raw as it gets, for the health tests to see. They and the SHA-256
/// that makes up for the bias are `TestedEntropy`'s.
#[derive(Debug)]
pub struct Rng {
    /// Made by nothing but `new`.
    _only: (),
}

impl Rng {
    /// The generator, at rest: it runs only while it is drawn from, since it takes current. Patience with it is
    /// measured by the clock, which runs.
    #[must_use]
    pub const fn new(_clock: &Timer) -> Self {
        Self { _only: () }
    }
}

impl RawEntropy for Rng {
    /// Nordic promises a uniform distribution with bias correction only, and no figure without: nothing is known, so 1.
    const MIN_ENTROPY_BITS_PER_BYTE: u32 = 1;

    fn fill_raw(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        let r = Registers::RNG;
        r.config.write(0);
        r.event_value_ready.write(0);
        r.task_start.write(1);
        // The byte that comes first was begun while the noise source was starting: it is thrown away.
        let drawn = draw(&r).and_then(|_| {
            out.iter_mut().try_for_each(|byte| {
                *byte = draw(&r)?;
                Ok(())
            })
        });
        r.task_stop.write(1);
        drawn
    }
}

/// The next byte, once the generator says that there is one.
fn draw(r: &Registers) -> Result<u8, NoEntropy> {
    let began = clock::now_us();
    while r.event_value_ready.read() == 0 {
        if clock::now_us().wrapping_sub(began) > WITHIN_US {
            return Err(NoEntropy);
        }
    }
    // Before the value is taken: what comes after that is another byte.
    r.event_value_ready.write(0);
    Ok(r.value.read() as u8)
}

/// Patience for one byte. No time is promised for it ("unpredictable"); QEMU takes 167 µs, of a clock that runs on while
/// a busy host lets the thread wait that makes the byte: a tenth of a second was not always enough.
const WITHIN_US: u32 = 3_000_000;

struct Registers {
    task_start: Register,
    task_stop: Register,
    event_value_ready: Register,
    config: Register,
    value: Register,
}

impl Registers {
    const RNG: Self = {
        const fn at(offset: usize) -> Register {
            // SAFETY: the RNG's registers (Reference Manual, as above). It does no DMA.
            unsafe { Register::new(0x4000_d000 + offset) }
        }
        Self {
            task_start: at(0x000),
            task_stop: at(0x004),
            event_value_ready: at(0x100),
            config: at(0x504),
            value: at(0x508),
        }
    };
}
