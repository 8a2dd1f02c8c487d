//! The board's second flash: two 16-bit chips side by side, so each command is given twice in one word.
//!
//! Commands: *Intel Basic Command Set* of the Common Flash Interface (JEP137, command set 0x0001). QEMU keeps the
//! contents in a host file and writes it at each operation, so they survive its death. It erases sectors to ones and
//! reports what is ready, but takes any word for another: that no bit goes from 0 to 1 is seen to here. It plays neither
//! time nor a word or a sector that was cut in the middle, and no sector is ever locked.

use core::ptr;

use board_qemu_common::nor::{FlashError, Mapped, place, programmable};
use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};

/// Where the flash is (QEMU `hw/riscv/virt.c`, memory map: the second half of `VIRT_FLASH`).
const BASE: usize = 0x2200_0000;
/// Bytes that are erased together.
pub(crate) const SECTOR_SIZE: usize = 256 * 1024;
/// How much of it this firmware takes, in bytes.
const CAPACITY: usize = 2 * SECTOR_SIZE;
/// Bytes that are programmed together.
const WORD_SIZE: usize = size_of::<u32>();
/// As it is read.
// SAFETY: the sectors are there, and show what they hold but for the time of an operation.
const FLASH: Mapped = unsafe { Mapped::new(BASE, CAPACITY) };

/// The first two sectors of the flash.
#[derive(Debug)]
pub struct CfiFlash {
    /// Made by nothing but `new`, which promises that there is one.
    _only: (),
}

impl CfiFlash {
    /// Takes the flash.
    ///
    /// # Safety
    ///
    /// Only one exists in the program, and the linker placed nothing of the program in
    /// `0x2200_0000..0x2400_0000`.
    #[must_use]
    pub unsafe fn new() -> Self {
        Self { _only: () }
    }

    /// The word at `offset`: what the chips hold, or, after a command, what they answer.
    fn read_word(offset: usize) -> u32 {
        debug_assert!(offset < CAPACITY);
        let word = ptr::with_exposed_provenance::<u32>(BASE + offset);
        // SAFETY: inside the flash, which is always readable, by the assertion that every caller has checked for.
        unsafe { word.read_volatile() }
    }

    /// Writes a word to the bus, which the chips take for a command or for what is to be programmed.
    fn write_word(offset: usize, value: u32) {
        debug_assert!(offset < CAPACITY);
        let word = ptr::with_exposed_provenance_mut::<u32>(BASE + offset);
        // SAFETY: inside the flash, as above, which is no memory of the program.
        unsafe { word.write_volatile(value) }
    }

    /// Gives both chips a command.
    fn command(offset: usize, command: u16) {
        Self::write_word(offset, doubled(command));
    }

    /// Waits until both chips are done, and asks whether they could.
    fn finish(offset: usize) -> Result<(), FlashError> {
        loop {
            let status = Self::read_word(offset);
            if status & doubled(STATUS_READY) == doubled(STATUS_READY) {
                let failed = status & doubled(STATUS_FAILED) != 0;
                return if failed { Err(FlashError::Failed) } else { Ok(()) };
            }
        }
    }

    /// Runs an operation, after which the chips show what they hold again, whatever came of it.
    fn operate(operation: impl FnOnce() -> Result<(), FlashError>) -> Result<(), FlashError> {
        Self::command(0, CLEAR_STATUS);
        let done = operation();
        Self::command(0, READ_ARRAY);
        done
    }
}

impl ErrorType for CfiFlash {
    type Error = FlashError;
}

impl ReadNorFlash for CfiFlash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, out: &mut [u8]) -> Result<(), FlashError> {
        FLASH.read(offset, out)
    }

    fn capacity(&self) -> usize {
        FLASH.capacity()
    }
}

impl NorFlash for CfiFlash {
    const WRITE_SIZE: usize = WORD_SIZE;
    const ERASE_SIZE: usize = SECTOR_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        let len = to.checked_sub(from).ok_or(FlashError::OutOfBounds)? as usize;
        let start = place(from, len, SECTOR_SIZE, CAPACITY)?;
        Self::operate(|| {
            (start..start + len).step_by(SECTOR_SIZE).try_for_each(|sector| {
                Self::command(sector, ERASE);
                Self::command(sector, CONFIRM);
                Self::finish(sector)
            })
        })
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        let start = place(offset, bytes.len(), WORD_SIZE, CAPACITY)?;
        let words = || {
            let words = bytes.as_chunks().0.iter().map(|word| u32::from_le_bytes(*word));
            (start..).step_by(WORD_SIZE).zip(words)
        };
        // All of them first: while they program, the chips do not show what they hold.
        words().try_for_each(|(at, new)| programmable(Self::read_word(at), new))?;
        Self::operate(|| {
            words().try_for_each(|(at, new)| {
                Self::command(at, PROGRAM);
                Self::write_word(at, new);
                Self::finish(at)
            })
        })
    }
}

/// For both chips.
const fn doubled(half: u16) -> u32 {
    (half as u32) << 16 | half as u32
}

const ERASE: u16 = 0x20;
const PROGRAM: u16 = 0x40;
const CLEAR_STATUS: u16 = 0x50;
const CONFIRM: u16 = 0xd0;
const READ_ARRAY: u16 = 0xff;
const STATUS_READY: u16 = 1 << 7;
/// Erasing or programming failed, the voltage was too low, or the sector is locked.
const STATUS_FAILED: u16 = 1 << 5 | 1 << 4 | 1 << 3 | 1 << 1;
