//! What is where in the flash and in RAM. build.rs makes the linker's `memory.x` of it, so the program cannot grow into
//! the vault: the linker refuses it.

use core::ops::Range;

/// Bytes that are erased together: what the boot ROM's `flash_range_erase` takes for its unit.
pub const SECTOR_LEN: u32 = 4096;

/// Where the processor sees the flash (RP2040 data sheet, section 2.2: XIP).
pub const FLASH_ORIGIN: u32 = 0x1000_0000;

/// The flash chip, in bytes from its beginning: 2 MiB, as on the Raspberry Pi Pico.
pub const FLASH: Range<u32> = 0..2 * 1024 * 1024;

/// RAM, as the processor sees it: the striped banks, 256 KiB. The two small ones behind them stay free.
pub const RAM: Range<u32> = 0x2000_0000..0x2004_0000;

/// The vault: two slots of one sector each, at the end of the flash.
pub const VAULT: Range<u32> = FLASH.end - 2 * SECTOR_LEN..FLASH.end;

/// What the boot ROM loads first, and what sets up the flash for the rest (data sheet, section 2.8.1).
pub const BOOT2: Range<u32> = FLASH.start..FLASH.start + 256;

/// The program: the rest.
pub const PROGRAM: Range<u32> = BOOT2.end..VAULT.start;
