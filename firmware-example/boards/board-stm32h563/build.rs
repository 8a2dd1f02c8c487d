//! Writes the linker's `memory.x` out of `src/flash_map.rs`, and asks for the linker script.

use std::path::PathBuf;
use std::{env, fs, io};

#[expect(unreachable_pub, reason = "public in the library, which has this file too")]
#[path = "src/flash_map.rs"]
mod flash_map;

use flash_map::{FLASH_ORIGIN, PROGRAM, RAM, VAULT};

fn main() -> io::Result<()> {
    let memory = format!(
        "MEMORY
{{
  FLASH : ORIGIN = {:#010x}, LENGTH = {}
  RAM   : ORIGIN = {:#010x}, LENGTH = {}
}}
/* Where `cargo xtask boards` looks that nothing of the program is. */
__vault_start = {:#010x};
__vault_end = {:#010x};
",
        FLASH_ORIGIN + PROGRAM.start,
        PROGRAM.len(),
        RAM.start,
        RAM.len(),
        FLASH_ORIGIN + VAULT.start,
        FLASH_ORIGIN + VAULT.end,
    );
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    fs::write(out.join("memory.x"), memory)?;
    println!("cargo::rerun-if-changed=src/flash_map.rs");
    println!("cargo::rustc-link-search={}", out.display());
    // Sections where memory.x wants them, and not at the next page of a computer.
    println!("cargo::rustc-link-arg-bins=--nmagic");
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    Ok(())
}
