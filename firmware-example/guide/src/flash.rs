//! Step 2: a range of flash that is the vault's alone.

use core::ops::Range;

use embedded_storage::nor_flash::NorFlash;
use provision_device::{FlashRangeError, FlashVault};

use crate::key::Key;

/// The last two pages of a part with 64 KiB in pages of 4 KiB, in bytes from the start of the
/// flash. Take them out of `FLASH` in `memory.x`, and out of the firmware update's reach.
pub const VAULT: Range<u32> = 0xe000..0x1_0000;

/// The vault. Nothing is read or written yet; what else is in the range will be erased.
pub fn open<F: NorFlash>(flash: F) -> Result<FlashVault<F, Key>, FlashRangeError> {
    FlashVault::new(flash, VAULT)
}
