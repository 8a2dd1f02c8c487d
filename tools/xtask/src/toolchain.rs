//! A compiler for a board, found in one of three ways:
//!
//! 1. **installed**: the toolchain in use has the board's target;
//! 2. **rustup**: `rustup target add` gets it, where rustup can download;
//! 3. **build-std**: Debian's `rustc-web`, with the sources that match it, compiles `core` itself. It comes over
//!    Debian's own channels, so it works where rustup's are closed.

use core::time::Duration;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum;

use crate::boards::Board;
use crate::needs;
use crate::process::{Fault, While, find, output, root, run_within};

/// How long rustup may take; without network it fails at once or never.
const RUSTUP_WITHIN: Duration = Duration::from_secs(120);

/// Debian's compiler, its package manager and its sources.
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "rust-web-src", "cargo-web"];

/// How the target is come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// The toolchain in use has it.
    Installed,
    /// `rustup target add`.
    Rustup,
    /// Debian's rustc-web, which compiles the standard library itself.
    BuildStd,
}

/// A cargo that builds for a board.
#[derive(Debug)]
pub(crate) struct Toolchain {
    board: &'static Board,
    compiler: Compiler,
}

/// What compiles for a target.
#[derive(Debug)]
pub(crate) enum Compiler {
    /// The one in use, by either of the first two ways.
    InUse,
    /// Debian's.
    BuildStd {
        /// Debian has no linker for the board among these packages; rustup's toolchain has one.
        linker: PathBuf,
    },
}

impl Toolchain {
    /// Finds one, by `way` or by the first that works.
    pub(crate) fn find(board: &'static Board, way: Option<Way>) -> Result<Self, Fault> {
        Ok(Self { board, compiler: Compiler::find(board.target, way)? })
    }

    /// `cargo <verb>` for the board's package, optimised as it is measured, with its output in [`target_dir`].
    pub(crate) fn cargo(&self, verb: &str) -> Result<Command, Fault> {
        let target = self.board.target;
        let mut cargo = self.compiler.cargo(&[verb], target)?;
        cargo.args(["--release", "--target", target, "--package", self.board.package]);
        cargo.arg("--target-dir").arg(target_dir());
        cargo.current_dir(self.board.workspace());
        Ok(cargo)
    }

    /// Whether `cargo clippy` works with it: Debian's has none.
    pub(crate) fn has_clippy(&self) -> bool {
        matches!(self.compiler, Compiler::InUse) && find("cargo-clippy").is_some()
    }

    /// In one line, for the log.
    pub(crate) fn describe(&self) -> String {
        let (rustc, how) = match self.compiler {
            Compiler::InUse => ("rustc", ""),
            Compiler::BuildStd { .. } => (DEBIAN_RUSTC, ", compiling core itself"),
        };
        let version = output(Command::new(rustc).arg("--version")).unwrap_or_default();
        format!("{}{how}", version.trim())
    }
}

impl Compiler {
    /// Finds one, by `way` or by the first that works.
    pub(crate) fn find(target: &str, way: Option<Way>) -> Result<Self, Fault> {
        let allowed = |this| way.is_none() || way == Some(this);
        if allowed(Way::Installed) && is_installed(target)? {
            return Ok(Self::InUse);
        }
        if allowed(Way::Rustup) && rustup_adds(target) && is_installed(target)? {
            return Ok(Self::InUse);
        }
        if allowed(Way::BuildStd) {
            return build_std().map_err(|fault| {
                let hint = fault.hint.as_deref().unwrap_or_default();
                Fault::new(format!("no compiler for {target}: {}", fault.what))
                    .hint(format!("rustup target add {target}\n  or: {hint}"))
            });
        }
        Err(Fault::new(format!("no compiler for {target} in this way"))
            .hint(format!("rustup target add {target}")))
    }

    /// `cargo <verb>` by this compiler, to which options may be added, `--target` among them.
    pub(crate) fn cargo(&self, verb: &[&str], target: &str) -> Result<Command, Fault> {
        let mut cargo = self.plain_cargo(verb, target)?;
        // docs/firmware-guide.md tells the same to who builds a firmware of his own.
        cargo.env(format!("CFLAGS_{}", target.replace(['-', '.'], "_")), P256_ASM_FLAGS);
        Ok(cargo)
    }

    fn plain_cargo(&self, verb: &[&str], target: &str) -> Result<Command, Fault> {
        match self {
            Self::InUse => {
                let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
                cargo.args(verb);
                cargo.arg("--config").arg(rustflags(target, &cargo_home()?));
                Ok(cargo)
            }
            Self::BuildStd { linker } => {
                let mut cargo = Command::new(DEBIAN_CARGO);
                cargo.args(verb).arg("-Zbuild-std=core,alloc");
                // A home of its own: the two cargos must not disturb each other.
                let home = target_dir().join("cargo-home");
                bring_configuration(&home)?;
                cargo.arg("--config").arg(rustflags(target, &home));
                cargo.arg("--config").arg(format!("target.{target}.linker={linker:?}"));
                for rustup_sets in ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTUP_HOME", "RUSTDOC"] {
                    cargo.env_remove(rustup_sets);
                }
                let path = env::var_os("PATH").unwrap_or_default();
                let path = env::join_paths(
                    [PathBuf::from("/usr/bin")].into_iter().chain(env::split_paths(&path)),
                )
                .while_doing("search path")?;
                cargo.env("PATH", path);
                cargo
                    .env("RUSTC", DEBIAN_RUSTC)
                    .env("RUSTC_BOOTSTRAP", "1")
                    .env("CARGO_HOME", home);
                Ok(cargo)
            }
        }
    }
}

/// For the only C there is, that of p256-cortex-m4: nobody here reads compressed points.
const P256_ASM_FLAGS: &str = "-Dinclude_p256_decompress_point=0";

/// Where the firmware is built: apart from the host's programs, which another compiler builds.
pub(crate) fn target_dir() -> PathBuf {
    root().join("target").join("firmware")
}

fn is_installed(target: &str) -> Result<bool, Fault> {
    Ok(sysroot("rustc")?.join("lib/rustlib").join(target).join("lib").is_dir())
}

fn rustup_adds(target: &str) -> bool {
    if find("rustup").is_none() {
        return false;
    }
    eprintln!("adding the target {target} (rustup)");
    let added = run_within(Command::new("rustup").args(["target", "add", target]), RUSTUP_WITHIN);
    matches!(added, Ok(Some(status)) if status.success())
}

fn build_std() -> Result<Compiler, Fault> {
    if !debian_is_complete() {
        needs::install(&DEBIAN_PACKAGES)?;
    }
    if !debian_is_complete() {
        return Err(Fault::new(format!(
            "{DEBIAN_RUSTC} and {DEBIAN_CARGO} are not a compiler with its sources"
        ))
        .hint(format!("sudo apt-get install -y {}", DEBIAN_PACKAGES.join(" "))));
    }
    let host = host()?;
    let of_rustup = sysroot("rustc")?.join("lib/rustlib").join(host).join("bin/rust-lld");
    let linker = [Some(of_rustup), find("rust-lld"), find("ld.lld")]
        .into_iter()
        .flatten()
        .find(|linker| linker.is_file())
        .ok_or_else(|| Fault::new("no linker for the board").hint("sudo apt-get install -y lld"))?;
    Ok(Compiler::BuildStd { linker })
}

/// Whether Debian's compiler is there, its sources too, and new enough for this project.
fn debian_is_complete() -> bool {
    let new_enough = output(Command::new(DEBIAN_RUSTC).arg("--version"))
        .ok()
        .and_then(|version| minor_version(&version))
        .is_some_and(|minor| minor >= minor_version_needed());
    let sources = sysroot(DEBIAN_RUSTC)
        .is_ok_and(|sysroot| sysroot.join("lib/rustlib/src/rust/library/core").is_dir());
    new_enough && sources && Path::new(DEBIAN_CARGO).is_file()
}

/// `rustc 1.96.0 (…)` is 96.
fn minor_version(version: &str) -> Option<u32> {
    version.strip_prefix("rustc 1.")?.split('.').next()?.parse().ok()
}

fn minor_version_needed() -> u32 {
    env!("CARGO_PKG_RUST_VERSION")
        .split('.')
        .nth(1)
        .and_then(|minor| minor.parse().ok())
        .unwrap_or(0)
}

fn sysroot(rustc: &str) -> Result<PathBuf, Fault> {
    output(Command::new(rustc).args(["--print", "sysroot"])).map(|line| line.trim().into())
}

/// The machine's target triple.
pub(crate) fn host() -> Result<String, Fault> {
    let version = output(Command::new("rustc").arg("-vV"))?;
    version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .ok_or_else(|| Fault::new("rustc does not tell its host"))
}

/// Panic messages name source files. By whole paths they would take kilobytes of flash, and other ones on each
/// machine.
fn rustflags(target: &str, cargo_home: &Path) -> String {
    let registry = cargo_home.join("registry/src");
    let flags = [(registry, "crates"), (root(), ".")]
        .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()));
    format!("target.{target}.rustflags={flags:?}")
}

fn cargo_home() -> Result<PathBuf, Fault> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    home.or_else(|| Some(env::home_dir()?.join(".cargo")))
        .ok_or_else(|| Fault::new("neither CARGO_HOME nor HOME is set"))
}

/// The user's configuration, which may name a registry mirror, holds in the new home too.
fn bring_configuration(home: &Path) -> Result<(), Fault> {
    fs::create_dir_all(home).while_doing(home.display())?;
    let configuration = cargo_home()?.join("config.toml");
    if configuration.is_file() {
        fs::copy(&configuration, home.join("config.toml")).while_doing(configuration.display())?;
    }
    Ok(())
}

const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

#[cfg(test)]
mod tests {
    use super::{minor_version, minor_version_needed};

    #[test]
    fn versions() {
        assert_eq!(minor_version("rustc 1.96.0 (ac68faa20 2026-05-25)"), Some(96));
        assert_eq!(minor_version("rustc 1.63.0"), Some(63));
        assert_eq!(minor_version("clang 19"), None);
        assert!(minor_version_needed() >= 85, "the first with this edition");
    }
}
