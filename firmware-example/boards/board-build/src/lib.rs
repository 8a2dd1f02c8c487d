//! The linker's `memory.x`, made of a board's `src/flash_map.rs`: so that the program cannot grow into the vault.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::PathBuf;
use std::{env, fs, io};

/// What is where, as the processor sees it.
#[derive(Debug)]
pub struct MemoryMap<'a> {
    /// Memory regions by the names that the linker script has for them: `FLASH`, `RAM`, and what else it wants.
    pub regions: &'a [(&'a str, Range<u32>)],
    /// Where `cargo xtask boards` looks that nothing of the program is.
    pub vault: Range<u32>,
    /// What else stands in `memory.x`.
    pub more: &'a str,
    /// Linker scripts beside `link.x`, which includes `memory.x`.
    pub scripts: &'a [&'a str],
}

/// Writes `memory.x` where the linker looks, and asks for the linker scripts.
///
/// # Errors
///
/// If it cannot be written.
pub fn write_memory_x(map: &MemoryMap<'_>) -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    fs::write(out.join("memory.x"), memory_x(map))?;
    println!("cargo::rerun-if-changed=src/flash_map.rs");
    println!("cargo::rustc-link-search={}", out.display());
    // Sections where memory.x wants them, and not at the next page of a computer.
    println!("cargo::rustc-link-arg-bins=--nmagic");
    for script in [&["link.x"], map.scripts].concat() {
        println!("cargo::rustc-link-arg-bins=-T{script}");
    }
    Ok(())
}

fn memory_x(map: &MemoryMap<'_>) -> String {
    let MemoryMap { regions, vault, more, .. } = map;
    let mut text = String::from("MEMORY\n{\n");
    for (name, Range { start, end }) in *regions {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "  {name} : ORIGIN = {start:#010x}, LENGTH = {}", end - start);
    }
    let Range { start, end } = vault;
    let _ =
        writeln!(text, "}}\n__vault_start = {start:#010x};\n__vault_end = {end:#010x};\n{more}");
    text
}
