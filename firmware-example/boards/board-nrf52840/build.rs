//! Writes the linker's `memory.x` out of `src/flash_map.rs`, and asks for the linker script.

use std::io;

use board_build::{MemoryMap, write_memory_x};

#[expect(unreachable_pub, reason = "public in the library, which has this file too")]
#[path = "src/flash_map.rs"]
mod flash_map;

use flash_map::{PROGRAM, RAM, VAULT};

fn main() -> io::Result<()> {
    write_memory_x(&MemoryMap {
        regions: &[("FLASH", PROGRAM), ("RAM", RAM)],
        vault: VAULT,
        more: "",
        scripts: &[],
    })
}
