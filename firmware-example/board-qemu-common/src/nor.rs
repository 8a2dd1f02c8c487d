//! The rules of NOR flash: erasing makes ones, by pages; programming makes zeros, by words.

use core::{fmt, ptr};

use embedded_storage::nor_flash::{NorFlashError, NorFlashErrorKind};

/// Why a flash refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlashError {
    /// The place does not begin and end on the unit of the operation.
    NotAligned,
    /// The place is outside the flash.
    OutOfBounds,
    /// Programming here would need a bit to go from 0 to 1.
    NotErased,
    /// The flash itself reports that it could not.
    Failed,
}

impl fmt::Display for FlashError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAligned => "not aligned to the flash's unit",
            Self::OutOfBounds => "outside the flash",
            Self::NotErased => "programming over bits that were not erased",
            Self::Failed => "the flash reports a failure",
        })
    }
}

impl core::error::Error for FlashError {}

impl NorFlashError for FlashError {
    fn kind(&self) -> NorFlashErrorKind {
        match self {
            Self::NotAligned => NorFlashErrorKind::NotAligned,
            Self::OutOfBounds => NorFlashErrorKind::OutOfBounds,
            Self::NotErased | Self::Failed => NorFlashErrorKind::Other,
        }
    }
}

/// A flash that is read like memory.
#[derive(Debug, Clone, Copy)]
pub struct Mapped {
    base: usize,
    capacity: usize,
}

impl Mapped {
    /// The flash of `capacity` bytes at the address `base`.
    ///
    /// # Safety
    ///
    /// There is one, and all of it can be read at any time.
    #[must_use]
    pub const unsafe fn new(base: usize, capacity: usize) -> Self {
        Self { base, capacity }
    }

    /// Its length in bytes.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Reads from `offset` on, byte by byte.
    ///
    /// # Errors
    ///
    /// [`FlashError::OutOfBounds`]
    pub fn read(&self, offset: u32, out: &mut [u8]) -> Result<(), FlashError> {
        let start = place(offset, out.len(), 1, self.capacity)?;
        for (address, byte) in (self.base + start..).zip(out) {
            let cell = ptr::with_exposed_provenance::<u8>(address);
            // SAFETY: `place` saw to it that this is inside the flash, which `new` was promised can be read.
            *byte = unsafe { cell.read_volatile() };
        }
        Ok(())
    }
}

/// Checks that a place is inside a flash of `capacity` bytes and made of whole units, and gives its start.
///
/// # Errors
///
/// [`FlashError::NotAligned`] and [`FlashError::OutOfBounds`].
pub fn place(offset: u32, len: usize, unit: usize, capacity: usize) -> Result<usize, FlashError> {
    let start = offset as usize;
    if !start.is_multiple_of(unit) || !len.is_multiple_of(unit) {
        return Err(FlashError::NotAligned);
    }
    match start.checked_add(len) {
        Some(end) if end <= capacity => Ok(start),
        _ => Err(FlashError::OutOfBounds),
    }
}

/// Checks that programming `new` over `old` only clears bits.
///
/// # Errors
///
/// [`FlashError::NotErased`]
pub fn programmable(old: u32, new: u32) -> Result<(), FlashError> {
    if old & new == new { Ok(()) } else { Err(FlashError::NotErased) }
}
