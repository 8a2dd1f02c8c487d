//! The real boards: built, measured and looked at, but not run. There is none of them here.
//!
//! What is held against each image: it builds, it fits its chip (the linker says so), and it leaves the vault's place in
//! the flash alone. For the last the boards' linker scripts have two symbols, `__vault_start` and `__vault_end`. The
//! ESP32-C3 has them not, since its program's place is not in the image but in its partition table, which its build
//! script and its start hold against the vault's.

use core::ops::Range;
use std::fs;
use std::path::Path;

use object::read::elf::{ElfFile32, ProgramHeader};
use object::{Endianness, Object, ObjectSection, ObjectSymbol, SectionFlags, elf};
use serde::Serialize;

use crate::boards::Board;
use crate::process::{Fault, While as _, run as run_program};
use crate::toolchain::{Toolchain, target_dir};

/// All of them. A workspace of their own, each built by itself: `firmware-example/boards/Cargo.toml` says why.
pub(crate) const REAL: &[Board] = &[
    Board {
        name: "nrf52840",
        package: "board-nrf52840",
        target: "thumbv7em-none-eabihf",
        workspace: WORKSPACE,
        images: &["firmware-nrf52840"],
    },
    Board {
        name: "rp2040",
        package: "board-rp2040",
        target: "thumbv6m-none-eabi",
        workspace: WORKSPACE,
        images: &["firmware-rp2040"],
    },
    Board {
        name: "rp2350",
        package: "board-rp2350",
        target: "thumbv8m.main-none-eabihf",
        workspace: WORKSPACE,
        images: &["firmware-rp2350"],
    },
    Board {
        name: "stm32h563",
        package: "board-stm32h563",
        target: "thumbv8m.main-none-eabihf",
        workspace: WORKSPACE,
        images: &["firmware-stm32h563"],
    },
    Board {
        name: "esp32c3",
        package: "board-esp32c3",
        target: "riscv32imc-unknown-none-elf",
        workspace: WORKSPACE,
        images: &["firmware-esp32c3"],
    },
];

const WORKSPACE: &str = "firmware-example/boards";

/// The board of that name.
pub(crate) fn named(name: &str) -> Result<&'static Board, String> {
    REAL.iter().find(|board| board.name == name).ok_or_else(|| {
        let names: Vec<&str> = REAL.iter().map(|board| board.name).collect();
        format!("not one of {}", names.join(", "))
    })
}

/// What to do besides.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    /// Print one JSON array in place of the table.
    pub(crate) json: bool,
    /// Check the lints too, which compiles everything a second time.
    pub(crate) lint: bool,
}

/// `cargo xtask boards`
pub(crate) fn run(only: Option<&'static Board>, options: Options) -> Result<(), Fault> {
    let boards = only.map_or(REAL, core::slice::from_ref);
    let mut images = Vec::new();
    for board in boards {
        images.push(build(board, options.lint)?);
    }
    if options.json {
        println!("{}", serde_json::to_string(&images).while_doing("JSON")?);
    } else {
        print(&images);
    }
    Ok(())
}

fn build(board: &'static Board, lint: bool) -> Result<Image, Fault> {
    let toolchain = Toolchain::find(board, None)?;
    eprintln!("building for {} by {}", board.name, toolchain.describe());
    if lint && toolchain.has_clippy() {
        let mut clippy = toolchain.cargo("clippy")?;
        run_program(clippy.args(["--quiet", "--locked", "--", "--deny", "warnings"]))?;
    }
    run_program(toolchain.cargo("build")?.args(["--quiet", "--locked"]))?;
    let [image] = board.images else {
        return Err(Fault::new(format!("{} has not one image", board.name)));
    };
    Image::read(board, &target_dir().join(board.target).join("release").join(image))
}

/// What a built image takes, in bytes, and where it keeps clear of.
#[derive(Debug, Serialize)]
struct Image {
    board: &'static str,
    target: &'static str,
    file: String,
    /// Code, constants, and the first values of variables.
    flash_bytes: u64,
    /// Variables. The stack has the rest of the RAM.
    static_ram_bytes: u64,
    /// Addresses of the vault, that the image does not touch. `None` where a partition table has the say.
    vault: Option<Range<u64>>,
}

impl Image {
    fn read(board: &Board, path: &Path) -> Result<Self, Fault> {
        let bytes = fs::read(path).while_doing(path.display())?;
        let file = ElfFile32::<Endianness>::parse(&*bytes).while_doing(path.display())?;

        // Of each segment, as many bytes as the file has of it are put into the flash, at its physical address.
        let endian = file.endian();
        let in_flash: Vec<Range<u64>> = file
            .elf_program_headers()
            .iter()
            .filter(|header| header.p_type(endian) == elf::PT_LOAD && header.p_filesz(endian) > 0)
            .map(|header| {
                let start = u64::from(header.p_paddr(endian));
                start..start + u64::from(header.p_filesz(endian))
            })
            .collect();

        let symbol = |name| file.symbol_by_name(name).map(|symbol| symbol.address());
        let vault = match (symbol("__vault_start"), symbol("__vault_end")) {
            (Some(start), Some(end)) => Some(start..end),
            _ if board.name == BY_PARTITION_TABLE => None,
            _ => return Err(Fault::new(format!("{}: where is the vault?", path.display()))),
        };
        if let Some(vault) = &vault
            && let Some(part) = in_flash.iter().find(|part| overlap(part, vault))
        {
            return Err(Fault::new(format!(
                "{}: {part:#x?} of the program is in the vault, {vault:#x?}",
                path.display()
            )));
        }

        let static_ram_bytes = file
            .sections()
            .filter(|section| allocated(section.flags()))
            .filter(|section| DATA_RAM.contains(&section.address()))
            .filter(|section| section.name().is_ok_and(|name| name != ".stack"))
            .map(|section| section.size())
            .sum();
        Ok(Self {
            board: board.name,
            target: board.target,
            file: path.display().to_string(),
            flash_bytes: in_flash.iter().map(|part| part.end - part.start).sum(),
            static_ram_bytes,
            vault,
        })
    }
}

/// The board whose flash is divided by a partition table.
const BY_PARTITION_TABLE: &str = "esp32c3";

/// Where data is in RAM, on all these chips. (The ESP32-C3 has code in RAM too, at other addresses of the same RAM, and
/// a section here that keeps its place free.)
const DATA_RAM: Range<u64> = 0x2000_0000..0x4000_0000;

fn overlap(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}

fn allocated(flags: SectionFlags) -> bool {
    matches!(flags, SectionFlags::Elf { sh_flags, .. } if sh_flags.contains(elf::SHF_ALLOC))
}

fn print(images: &[Image]) {
    println!(
        "{:<12} {:<28} {:>9} {:>11}  vault, clear of the program",
        "board", "target", "flash", "static RAM"
    );
    for image in images {
        let vault = match &image.vault {
            Some(vault) => format!("{:#010x}..{:#010x}", vault.start, vault.end),
            None => "a partition".into(),
        };
        println!(
            "{:<12} {:<28} {:>9} {:>11}  {vault}",
            image.board, image.target, image.flash_bytes, image.static_ram_bytes
        );
    }
    println!("built, not run: there is no such hardware here");
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::{REAL, named, overlap};
    use crate::boards::Board;
    use crate::process::root;

    #[test]
    fn touching_is_not_overlapping() {
        assert!(!overlap(&(0..4), &(4..8)));
        assert!(!overlap(&(8..9), &(4..8)));
        assert!(overlap(&(0..5), &(4..8)));
        assert!(overlap(&(7..9), &(4..8)));
        assert!(overlap(&(0..9), &(4..8)));
        assert!(overlap(&(5..6), &(4..8)));
    }

    #[test]
    fn boards_are_found_by_name() {
        assert_eq!(named("rp2040").map(|board| board.package), Ok("board-rp2040"));
        assert!(named("rp2041").is_err_and(|names| names.contains("rp2040")));
    }

    /// All boards build into one folder per target.
    #[test]
    fn no_image_overwrites_another() {
        let mut files = BTreeSet::new();
        for board in REAL.iter().chain(Board::ALL) {
            for image in board.images {
                assert!(files.insert((board.target, image)), "{image} of {}", board.name);
            }
        }
    }

    #[test]
    fn each_board_is_a_member_and_has_its_page() {
        let manifest = fs::read_to_string(root().join("firmware-example/boards/Cargo.toml"))
            .expect("the workspace's manifest");
        for board in REAL {
            let page = root().join(format!("docs/boards/{}.md", board.name));
            assert!(page.is_file(), "{}", page.display());
            assert!(manifest.contains(&format!("\"{}\"", board.package)), "{}", board.package);
        }
    }
}
