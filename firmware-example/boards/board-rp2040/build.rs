//! Writes the linker's `memory.x` out of `src/flash_map.rs`, and asks for the linker script.

use std::io;
use std::ops::Range;

use board_build::{MemoryMap, write_memory_x};

#[expect(unreachable_pub, reason = "public in the library, which has this file too")]
#[path = "src/flash_map.rs"]
mod flash_map;

use flash_map::{BOOT2, FLASH_ORIGIN, PROGRAM, RAM, VAULT};

fn main() -> io::Result<()> {
    write_memory_x(&MemoryMap {
        regions: &[("BOOT2", mapped(&BOOT2)), ("FLASH", mapped(&PROGRAM)), ("RAM", RAM)],
        vault: mapped(&VAULT),
        more: "",
        scripts: &[
            // From embassy-rp: places the second stage of the boot.
            "link-rp.x",
        ],
    })
}

/// Where the processor sees a part of the flash.
const fn mapped(part: &Range<u32>) -> Range<u32> {
    FLASH_ORIGIN + part.start..FLASH_ORIGIN + part.end
}
