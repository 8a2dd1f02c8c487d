//! The boards that the example firmware is built for.
//!
//! A board more is a line more in [`Board::ALL`]; `cargo xtask firmware --board NAME`, the lints and CI follow the table.

use std::path::PathBuf;

use crate::process::root;

/// A board, as cargo has to know it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Board {
    /// What it is called on the command line.
    pub(crate) name: &'static str,
    /// Its package.
    pub(crate) package: &'static str,
    /// What the compiler calls its processor.
    pub(crate) target: &'static str,
    /// The folder of the workspace that has the package, seen from the root of the repository.
    pub(crate) workspace: &'static str,
    /// The programs, the one with the most in it first. All boards build into one folder per target, so that what
    /// they have in common is compiled once: names are different where targets are the same.
    pub(crate) images: &'static [&'static str],
}

impl Board {
    /// All of them, the default first.
    pub(crate) const ALL: &[Self] = &[
        Self {
            name: "mps2-an386",
            package: "board-qemu-mps2-an386",
            target: "thumbv7em-none-eabihf",
            workspace: EXAMPLE,
            images: &["firmware", "firmware-enroll-only", "firmware-bare"],
        },
        Self {
            name: "microbit",
            package: "board-qemu-microbit",
            target: "thumbv6m-none-eabi",
            workspace: EXAMPLE,
            images: &["microbit-enroll-only"],
        },
        Self {
            name: "riscv32-virt",
            package: "board-qemu-riscv32-virt",
            target: "riscv32imac-unknown-none-elf",
            workspace: EXAMPLE,
            images: &["riscv32-virt"],
        },
        Self {
            name: "mps2-an386-embassy",
            package: "board-qemu-mps2-an386-embassy",
            target: "thumbv7em-none-eabihf",
            workspace: EXAMPLE,
            images: &["firmware-embassy"],
        },
        Self {
            name: "mps2-an386-guide",
            package: "firmware-guide",
            target: "thumbv7em-none-eabihf",
            workspace: EXAMPLE,
            images: &["firmware-guide"],
        },
        Self::BENCH,
        Self::ASSEMBLER,
    ];

    /// What is measured on the default board.
    pub(crate) const BENCH: Self = Self {
        name: "mps2-an386-bench",
        package: "firmware-bench",
        target: "thumbv7em-none-eabihf",
        workspace: EXAMPLE,
        images: &["bench-vectors"],
    };

    /// The default board's images, and what is measured on it, with P-256 in assembler.
    pub(crate) const ASSEMBLER: Self = Self {
        name: "mps2-an386-asm",
        package: "firmware-assembler",
        target: "thumbv7em-none-eabihf",
        workspace: "firmware-example/assembler",
        images: &["firmware-asm", "firmware-enroll-only-asm", "firmware-bare-asm"],
    };

    /// The one that is meant where none is named: the demo's, and the one whose sizes are budgeted.
    pub(crate) const DEFAULT: &Self = &Self::ALL[0];

    /// The board of that name.
    pub(crate) fn named(name: &str) -> Result<&'static Self, String> {
        Self::ALL.iter().find(|board| board.name == name).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|board| board.name).collect();
            format!("not one of {}", names.join(", "))
        })
    }

    /// The folder of its workspace.
    pub(crate) fn workspace(&self) -> PathBuf {
        root().join(self.workspace)
    }
}

/// The workspace of `app` and the emulated boards.
const EXAMPLE: &str = "firmware-example";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Board;

    #[test]
    fn boards_are_found_by_name() {
        assert_eq!(Board::named("mps2-an386"), Ok(Board::DEFAULT));
        assert!(Board::named("mps2").is_err_and(|names| names.contains("mps2-an386")));
    }

    #[test]
    fn no_image_overwrites_another() {
        let mut files = BTreeSet::new();
        for board in Board::ALL {
            for image in board.images {
                assert!(files.insert((board.target, image)), "{image} of {}", board.name);
            }
        }
    }

    #[test]
    fn workspaces_are_there() {
        for board in Board::ALL {
            assert!(board.workspace().join("Cargo.toml").is_file(), "{}", board.name);
        }
    }
}
