//! Writes the linker's `memory.x` out of `src/flash_map.rs`, and asks for the linker script.

use std::io;
use std::ops::Range;

use board_build::{MemoryMap, write_memory_x};

#[expect(unreachable_pub, reason = "public in the library, which has this file too")]
#[path = "src/flash_map.rs"]
mod flash_map;

use flash_map::{FLASH_ORIGIN, PROGRAM, RAM, VAULT};

fn main() -> io::Result<()> {
    write_memory_x(&MemoryMap {
        regions: &[("FLASH", mapped(&PROGRAM)), ("RAM", RAM)],
        vault: mapped(&VAULT),
        more: "",
        scripts: &[],
    })
}

/// Where the processor sees a part of the flash.
const fn mapped(part: &Range<u32>) -> Range<u32> {
    FLASH_ORIGIN + part.start..FLASH_ORIGIN + part.end
}
