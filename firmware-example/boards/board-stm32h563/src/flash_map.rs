//! What is where in the chip's memory. build.rs makes the linker's `memory.x` of it, so the program cannot grow into
//! the vault: the linker refuses it.
//!
//! While one bank is erased or programmed the other can be read (RM0481, section 7.3). So the program has the first
//! bank, and goes on running and receiving while the vault, in the second, is written.

use core::ops::Range;

/// Bytes that are erased together.
pub const SECTOR_LEN: u32 = 8 * 1024;

/// Where the processor sees the flash, without TrustZone.
pub const FLASH_ORIGIN: u32 = 0x0800_0000;

/// Flash, in bytes from its beginning: two banks of 1 MiB.
pub const FLASH: Range<u32> = 0..2 * 1024 * 1024;

/// RAM, as the processor sees it: SRAM1, SRAM2 and SRAM3, one behind the other, 640 KiB.
pub const RAM: Range<u32> = 0x2000_0000..0x200a_0000;

/// The program: the first bank.
pub const PROGRAM: Range<u32> = FLASH.start..FLASH.end / 2;

/// The vault: two slots of one sector each, at the end of the second bank. The rest of that bank is free.
pub const VAULT: Range<u32> = FLASH.end - 2 * SECTOR_LEN..FLASH.end;
