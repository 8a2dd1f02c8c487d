//! Asks for esp-hal's linker script, and refuses to build when the vault is not where `partitions.csv` says.

use std::fs;
use std::io::{self, Error};

#[expect(unreachable_pub, reason = "public in the library, which has this file too")]
#[path = "src/flash_map.rs"]
mod flash_map;

use flash_map::{VAULT, VAULT_NAME};

fn main() -> io::Result<()> {
    let table = fs::read_to_string("partitions.csv")?;
    let rows = table.lines().filter(|row| !row.starts_with('#'));
    let partitions: Vec<Vec<&str>> =
        rows.map(|row| row.split(',').map(str::trim).collect()).collect();

    let vault = partitions.iter().find(|partition| partition.first() == Some(&VAULT_NAME));
    let place = vault.and_then(|partition| match partition[..] {
        [_, _, _, offset, size] => Some((number(offset)?, number(size)?)),
        _ => None,
    });
    if place != Some((VAULT.start, VAULT.end - VAULT.start)) {
        return Err(Error::other(format!(
            "partitions.csv has the vault at {place:x?}, src/flash_map.rs at {VAULT:x?}"
        )));
    }
    println!("cargo::rerun-if-changed=partitions.csv");
    println!("cargo::rerun-if-changed=src/flash_map.rs");
    println!("cargo::rustc-link-arg-bins=-Tlinkall.x");
    Ok(())
}

/// `0x9000` is 36,864.
fn number(hex: &str) -> Option<u32> {
    u32::from_str_radix(hex.strip_prefix("0x")?, 16).ok()
}
