//! What is where in the chip's memory. build.rs makes the linker's `memory.x` of it, so the program cannot grow into
//! the vault: the linker refuses it.

use core::ops::Range;

/// Bytes that are erased together (product specification, NVMC).
pub const PAGE_LEN: u32 = 4096;

/// Flash, in bytes from its beginning, which is also where the processor sees it: 1 MiB.
pub const FLASH: Range<u32> = 0..1024 * 1024;

/// RAM, as the processor sees it: 256 KiB.
pub const RAM: Range<u32> = 0x2000_0000..0x2004_0000;

/// The vault: two slots of one page each, at the end of the flash.
pub const VAULT: Range<u32> = FLASH.end - 2 * PAGE_LEN..FLASH.end;

/// The program: the rest.
pub const PROGRAM: Range<u32> = FLASH.start..VAULT.start;
