//! A look into a running board's memory.

use std::fs;
use std::io;
use std::path::Path;

use serde_json::json;

use super::monitor::Monitor;

/// A stretch of memory that the board can write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// What QEMU calls it: `mps.ssram23` is the RAM of the mps2-an386.
    pub name: String,
    /// Its first address.
    pub address: u64,
    /// What it holds.
    pub bytes: Vec<u8>,
}

/// All memory of a board at one instant, but for its flash: the board stands still while it is read.
pub(super) fn read(monitor: &Monitor, scratch: &Path) -> io::Result<Vec<Region>> {
    monitor.execute("stop", &json!({}))?;
    let regions = read_stopped(monitor, scratch);
    monitor.execute("cont", &json!({}))?;
    regions
}

fn read_stopped(monitor: &Monitor, scratch: &Path) -> io::Result<Vec<Region>> {
    let asked = json!({ "command-line": "info mtree -f" });
    let tree = monitor.execute("human-monitor-command", &asked)?;
    let file = scratch.join("memory");
    writable(tree.as_str().unwrap_or_default())
        .into_iter()
        .map(|Place { name, address, len }| {
            let asked = json!({ "val": address, "size": len, "filename": file });
            monitor.execute("pmemsave", &asked)?;
            Ok(Region { name, address, bytes: fs::read(&file)? })
        })
        .collect()
}

/// A line of QEMU's memory tree.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    name: String,
    address: u64,
    len: u64,
}

/// The RAM in QEMU's memory tree, each piece once however many addresses show it.
///
/// ```text
///   0000000020000000-00000000203fffff (prio 0, ram): mps.ssram23
/// ```
fn writable(tree: &str) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    for line in tree.lines() {
        let Some(place) = place(line) else { continue };
        if place.name != FLASH && places.iter().all(|known| known.name != place.name) {
            places.push(place);
        }
    }
    places
}

fn place(line: &str) -> Option<Place> {
    let (range, rest) = line.trim_start().split_once(' ')?;
    let (_, name) = rest.split_once(", ram): ")?;
    let (first, last) = range.split_once('-')?;
    let [address, last] = [first, last].map(|address| u64::from_str_radix(address, 16).ok());
    let address = address?;
    Some(Place { name: name.to_owned(), address, len: last?.checked_sub(address)? + 1 })
}

/// The name under which the flash file is mapped; see `Machine`.
const FLASH: &str = "flash";

#[cfg(test)]
mod tests {
    use super::{Place, writable};

    #[test]
    fn ram_is_found_once_and_flash_left_out() {
        let tree = "\
FlatView #0
  0000000000000000-00000000003fffff (prio 0, ram): mps.ssram1
  0000000000400000-00000000007fffff (prio 0, ram): mps.ssram1
  0000000000800000-0000000000ffffff (prio -1000, i/o): RESERVED 1
  0000000021000000-0000000021ffffff (prio 0, ram): flash
  0000000001000000-0000000001003fff (prio 0, ram): mps.blockram
FlatView #2
  0000000000000000-00000000003fffff (prio 0, ram): mps.ssram1
";
        let place = |name: &str, address, len| Place { name: name.into(), address, len };
        let expected = [place("mps.ssram1", 0, 4 << 20), place("mps.blockram", 1 << 24, 16 << 10)];
        assert_eq!(writable(tree), expected);
    }
}
