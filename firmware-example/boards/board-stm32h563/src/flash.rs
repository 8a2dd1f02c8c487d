//! The internal flash, as the vault needs it: embassy-stm32's driver, with two things mended.
//!
//! **Torn units.** Each 16 bytes carry an error-correcting code. When power went while they were programmed or erased,
//! code and bytes do not match, and reading them raises a non-maskable interrupt (RM0481, section 7.3.4), in which a
//! program that does not expect it hangs for ever: a device whose power was cut at the wrong moment would never start
//! again. Here the interrupt is expected while the vault is read, and such a unit reads as zeros, which are no record
//! and not erased either, so the vault erases it.
//!
//! **Alarms that stay.** The driver clears the error flags in the register that shows them; on this family they are
//! cleared in another one, `NSCCR`. Without that, one refused operation makes all later ones fail until the next reset.

use core::sync::atomic::{AtomicBool, Ordering};

use cortex_m::asm::{dsb, isb};
use cortex_m::peripheral::SCB;
use cortex_m_rt::exception;
use embassy_stm32::flash::{Blocking, Error, Flash, WRITE_SIZE};
use embassy_stm32::pac::FLASH;
use embassy_stm32::{Peri, peripherals};
use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};

use crate::flash_map::{self, FLASH_ORIGIN, SECTOR_LEN};

/// Both banks.
pub struct ChipFlash {
    driver: Flash<'static, Blocking>,
}

impl core::fmt::Debug for ChipFlash {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ChipFlash").finish_non_exhaustive()
    }
}

impl ChipFlash {
    /// Takes the flash.
    #[must_use]
    pub fn new(flash: Peri<'static, peripherals::FLASH>) -> Self {
        Self { driver: Flash::new_blocking(flash) }
    }
}

impl ErrorType for ChipFlash {
    type Error = Error;
}

impl ReadNorFlash for ChipFlash {
    const READ_SIZE: usize = UNIT_LEN;

    fn read(&mut self, offset: u32, out: &mut [u8]) -> Result<(), Error> {
        let (units, rest) = out.as_chunks_mut::<UNIT_LEN>();
        if !offset.is_multiple_of(UNIT_LEN as u32) || !rest.is_empty() {
            return Err(Error::Unaligned);
        }
        let len = units.len() as u32 * UNIT_LEN as u32;
        let end = offset.checked_add(len).filter(|end| *end <= flash_map::FLASH.end);
        let Some(end) = end else { return Err(Error::Size) };

        for (at, unit) in (offset..end).step_by(UNIT_LEN).zip(units) {
            *unit = read_unit(at);
        }
        Ok(())
    }

    fn capacity(&self) -> usize {
        flash_map::FLASH.end as usize
    }
}

impl NorFlash for ChipFlash {
    const WRITE_SIZE: usize = UNIT_LEN;
    const ERASE_SIZE: usize = SECTOR_LEN as usize;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Error> {
        if to > flash_map::FLASH.end {
            return Err(Error::Size);
        }
        clear_alarms();
        self.driver.blocking_erase(from, to)
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Error> {
        clear_alarms();
        self.driver.blocking_write(offset, bytes)
    }
}

/// The unit at an offset, which is within the flash and a multiple of [`UNIT_LEN`]; zeros if its code does not match.
fn read_unit(offset: u32) -> [u8; UNIT_LEN] {
    TORN.store(false, Ordering::Relaxed);
    READING.store(true, Ordering::SeqCst);
    let mut unit = [0; UNIT_LEN];
    for (address, part) in (FLASH_ORIGIN + offset..).step_by(4).zip(unit.as_chunks_mut().0) {
        let word = core::ptr::with_exposed_provenance::<u32>(address as usize);
        // SAFETY: an aligned word inside the flash, as the caller looked. The flash is always readable, and while it is
        // erased or programmed nobody reads: that takes `&mut` of the same `ChipFlash`.
        *part = unsafe { word.read_volatile() }.to_le_bytes();
    }
    // The interrupt comes before what follows.
    dsb();
    isb();
    READING.store(false, Ordering::SeqCst);
    if TORN.load(Ordering::SeqCst) { [0; UNIT_LEN] } else { unit }
}

/// The vault is being read: a code that does not match is no surprise.
static READING: AtomicBool = AtomicBool::new(false);

/// It did not match.
static TORN: AtomicBool = AtomicBool::new(false);

// SAFETY: reads and clears one register that nothing else touches, and two atomics; it can interrupt anything.
#[exception]
unsafe fn NonMaskableInt() {
    let detected = FLASH.eccdetr().read();
    if detected.eccd() && READING.load(Ordering::SeqCst) {
        // Cleared by writing a one.
        FLASH.eccdetr().write(|flags| flags.set_eccd(true));
        TORN.store(true, Ordering::SeqCst);
        return;
    }
    // Then it is the program that cannot be read, or the clock that failed.
    SCB::sys_reset()
}

/// Clears the alarms of operations before.
fn clear_alarms() {
    FLASH.nsccr().write(|clear| {
        clear.set_clr_eop(true);
        clear.set_clr_wrperr(true);
        clear.set_clr_pgserr(true);
        clear.set_clr_strberr(true);
        clear.set_clr_incerr(true);
        clear.set_clr_obkerr(true);
        clear.set_clr_obkwerr(true);
        clear.set_clr_optchangeerr(true);
    });
}

/// Programmed together, and under one error-correcting code: 128 bits.
const UNIT_LEN: usize = WRITE_SIZE;
