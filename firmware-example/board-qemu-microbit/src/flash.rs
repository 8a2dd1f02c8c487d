//! The vault's pages of the chip's own flash, by its controller (Reference Manual, "Non-Volatile Memory
//! Controller").
//!
//! QEMU plays the rules: pages of 1 KiB are erased to ones, words are programmed and only clear bits, and neither is
//! possible unless it was switched on. It does not play time (on hardware the processor stands still, for milliseconds
//! while a page is erased), nor a word or a page that was cut in the middle. What is in the flash QEMU forgets when it
//! ends; the harness saves it (`provision_testkit::qemu`).

use core::ptr;

use board_qemu_common::nor::{FlashError, Mapped, place, programmable};
use board_qemu_common::register::Register;
use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};

/// Where the pages begin.
const BASE: usize = 0x3_dc00;
/// Length of all of them, in bytes.
const CAPACITY: usize = 8 * PAGE_SIZE;
/// Bytes that are erased together.
const PAGE_SIZE: usize = 1024;
/// Bytes that are programmed together.
const WORD_SIZE: usize = size_of::<u32>();
/// As it is read.
// SAFETY: the pages are there.
const FLASH: Mapped = unsafe { Mapped::new(BASE, CAPACITY) };

/// The vault's pages: 8 KiB. Offsets are from the first of them.
#[derive(Debug)]
pub struct VaultPages {
    /// Made by nothing but `new`, which promises that there is one.
    _only: (),
}

impl VaultPages {
    /// Takes the pages.
    ///
    /// # Safety
    ///
    /// Only one exists in the program, and the linker placed nothing of the program in
    /// `0x3_dc00..0x3_fc00`.
    #[must_use]
    pub unsafe fn new() -> Self {
        Self { _only: () }
    }

    /// The word at `offset`, in bytes from the first page.
    fn word(offset: usize) -> *mut u32 {
        debug_assert!(offset < CAPACITY);
        ptr::with_exposed_provenance_mut(BASE + offset)
    }
}

impl ErrorType for VaultPages {
    type Error = FlashError;
}

impl ReadNorFlash for VaultPages {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, out: &mut [u8]) -> Result<(), FlashError> {
        FLASH.read(offset, out)
    }

    fn capacity(&self) -> usize {
        FLASH.capacity()
    }
}

impl NorFlash for VaultPages {
    const WRITE_SIZE: usize = WORD_SIZE;
    const ERASE_SIZE: usize = PAGE_SIZE;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), FlashError> {
        let len = to.checked_sub(from).ok_or(FlashError::OutOfBounds)? as usize;
        let start = place(from, len, PAGE_SIZE, CAPACITY)?;
        let controller = Controller::switched_to(CONFIG_ERASE);
        for page in (start..start + len).step_by(PAGE_SIZE) {
            controller.erase_page.write((BASE + page) as u32);
            controller.wait();
        }
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), FlashError> {
        let start = place(offset, bytes.len(), WORD_SIZE, CAPACITY)?;
        let controller = Controller::switched_to(CONFIG_WRITE);
        for (at, word) in (start..).step_by(WORD_SIZE).zip(bytes.as_chunks().0) {
            let new = u32::from_le_bytes(*word);
            // SAFETY: `place` saw to it that this is inside the pages, which are always readable.
            let old = unsafe { Self::word(at).read_volatile() };
            programmable(old, new)?;
            // SAFETY: as above, and nothing else writes there.
            unsafe { Self::word(at).write_volatile(new) };
            controller.wait();
        }
        Ok(())
    }
}

/// The controller while it is switched on; off again when dropped, so that no stray pointer programs anything.
struct Controller {
    ready: Register,
    config: Register,
    erase_page: Register,
}

impl Controller {
    fn switched_to(config: u32) -> Self {
        const fn at(offset: usize) -> Register {
            // SAFETY: the NVMC's registers (Reference Manual, as above). It changes the vault's pages alone, as
            // asked here.
            unsafe { Register::new(0x4001_e000 + offset) }
        }
        let controller = Self { ready: at(0x400), config: at(0x504), erase_page: at(0x508) };
        controller.config.write(config);
        controller.wait();
        controller
    }

    fn wait(&self) {
        while self.ready.read() == 0 {}
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.config.write(CONFIG_READ);
        self.wait();
    }
}

const CONFIG_READ: u32 = 0;
const CONFIG_WRITE: u32 = 1;
const CONFIG_ERASE: u32 = 2;
