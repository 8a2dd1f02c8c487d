//! NOR flash, played by RAM that QEMU backs with a file of the host.
//!
//! The board has no flash of its own, but 16 MB of PSRAM that `-machine memory-backend=…` makes *be* a file:
//! what is written survives the emulator's death, at any instruction. On top of it are the rules of NOR:
//! erasing makes all ones, by 4 KiB; programming only clears bits, by aligned words of 4 bytes, and a word that
//! would need a 0 to become 1 is refused. What this does not play is a word torn in the middle.

use core::ptr;

use board_qemu_common::nor::{FlashError, Mapped, place, programmable};
use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};

/// Where the board's PSRAM is (QEMU `hw/arm/mps2.c`).
const BASE: usize = 0x2100_0000;
/// How much of it this firmware takes as its flash, in bytes.
const CAPACITY: usize = 64 * 1024;
/// Bytes that are erased together.
const ERASE_SIZE: usize = 4096;
/// Bytes that are programmed together.
const WORD_SIZE: usize = size_of::<u32>();
/// As it is read.
// SAFETY: that many bytes of PSRAM are there.
const FLASH: Mapped = unsafe { Mapped::new(BASE, CAPACITY) };

/// The emulated flash: 64 KiB.
#[derive(Debug)]
pub struct EmulatedFlash {
    /// Made by nothing but `new`, which promises that there is one.
    _only: (),
}

impl EmulatedFlash {
    /// Takes the flash.
    ///
    /// # Safety
    ///
    /// Only one exists in the program, and the linker placed nothing of the program in
    /// `0x2100_0000..0x2101_0000`.
    #[must_use]
    pub unsafe fn new() -> Self {
        Self { _only: () }
    }

    /// The word at `index` (in words from the start); `index < CAPACITY / WORD_SIZE`.
    fn word(index: usize) -> *mut u32 {
        debug_assert!(index < CAPACITY / WORD_SIZE);
        ptr::with_exposed_provenance_mut(BASE + index * WORD_SIZE)
    }
}

impl ErrorType for EmulatedFlash {
    type Error = FlashError;
}

impl ReadNorFlash for EmulatedFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, out: &mut [u8]) -> Result<(), FlashError> {
        FLASH.read(offset, out)
    }

    fn capacity(&self) -> usize {
        FLASH.capacity()
    }
}

impl NorFlash for EmulatedFlash {
    const WRITE_SIZE: usize = WORD_SIZE;
    const ERASE_SIZE: usize = ERASE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        let len = to.checked_sub(from).ok_or(FlashError::OutOfBounds)? as usize;
        let start = place(from, len, ERASE_SIZE, CAPACITY)?;
        for index in start / WORD_SIZE..(start + len) / WORD_SIZE {
            // SAFETY: `place` saw to it that this is inside the flash, which nothing else writes.
            unsafe { Self::word(index).write_volatile(u32::MAX) };
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        let start = place(offset, bytes.len(), WORD_SIZE, CAPACITY)?;
        let (words, _) = bytes.as_chunks::<WORD_SIZE>();
        for (index, word) in (start / WORD_SIZE..).zip(words) {
            let new = u32::from_le_bytes(*word);
            // SAFETY: `place` saw to it that this is inside the flash, which is always readable.
            let old = unsafe { Self::word(index).read_volatile() };
            programmable(old, new)?;
            // SAFETY: as above, and nothing else writes there.
            unsafe { Self::word(index).write_volatile(new) };
        }
        Ok(())
    }
}
