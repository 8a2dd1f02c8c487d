//! What is where in the flash and in RAM. build.rs makes the linker's `memory.x` of it, so the program cannot grow into
//! the vault: the linker refuses it.

use core::ops::Range;

/// Bytes that are erased together: what the boot ROM's `flash_range_erase` takes for its unit.
pub const SECTOR_LEN: u32 = 4096;

/// Where the processor sees the flash (RP2350 data sheet, section 2.2: XIP).
pub const FLASH_ORIGIN: u32 = 0x1000_0000;

/// The flash chip, in bytes from its beginning: 4 MiB, as on the Raspberry Pi Pico 2.
pub const FLASH: Range<u32> = 0..4 * 1024 * 1024;

/// RAM, as the processor sees it: the striped banks, 512 KiB. The two small ones behind them stay free.
pub const RAM: Range<u32> = 0x2000_0000..0x2008_0000;

/// The vault: two slots of one sector each, at the end of the flash.
pub const VAULT: Range<u32> = FLASH.end - 2 * SECTOR_LEN..FLASH.end;

/// The program: the rest.
pub const PROGRAM: Range<u32> = FLASH.start..VAULT.start;
