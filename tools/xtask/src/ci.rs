//! Everything that must hold before a change goes in.
//!
//! In the order of how soon a mistake shows, except for the tests: they come last, so that the last words are the test
//! runner's own count.

use std::env;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use provision_testkit::cli::{built_program, firmware_variable};

use crate::bench::Bench;
use crate::boards::Board;
use crate::needs::{
    self, ARM_GCC, CERTTOOL, CURL, HAPROXY, KEYTOOL, MOSQUITTO, MOSQUITTO_CLIENTS, NGINX, OPENSSL,
    POSTGRES, QEMU, QEMU_RISCV, TMUX, XMLLINT, ZOOKEEPER,
};
use crate::process::{Fault, While as _, find, root, run as run_program};
use crate::toolchain::Toolchain;
use crate::{bench, firmware, fuzz, hack, python, real_boards, simulate, sizes};

/// `cargo xtask ci`
pub(crate) fn run() -> Result<(), Fault> {
    needs::ensure(&[
        ARM_GCC,
        QEMU,
        QEMU_RISCV,
        NGINX,
        OPENSSL,
        CERTTOOL,
        KEYTOOL,
        CURL,
        MOSQUITTO,
        MOSQUITTO_CLIENTS,
        HAPROXY,
        TMUX,
        XMLLINT,
        POSTGRES,
        ZOOKEEPER,
    ])?;

    let steps = Steps::begin();
    steps.next("format");
    for workspace in WORKSPACES {
        cargo(&["fmt", "--all", "--check", "--manifest-path", workspace])?;
    }

    steps.next("lints");
    let deny_warnings = ["--", "--deny", "warnings"];
    cargo(&[&["clippy", "--workspace", "--all-targets", "--locked"][..], &deny_warnings].concat())?;

    // A mistake shows within minutes; all of them run again, with the rest, at the end.
    steps.next("fast tests");
    test(&["--workspace", "--lib", "--bins", "--locked"], &[])?;

    steps.next("firmware");
    // What the tests need, built here once, so that none of them waits for cargo.
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    for board in Board::ALL {
        lint_firmware(board, &deny_warnings)?;
        let images = firmware::build_for(board, None)?;
        found
            .extend(images.into_iter().take(1).map(|first| (firmware_variable(board.name), first)));
    }

    steps.next("sizes");
    sizes::run(false)?;

    steps.next("device");
    bench::run(Bench::Device { json: false })?;

    steps.next("simulation");
    simulate::run(&simulate::CI)?;

    steps.next("real boards");
    real_boards::run(None, real_boards::Options::default())?;

    steps.next("features");
    hack::run()?;

    steps.next("fuzzing");
    fuzz::run(&fuzz::CI)?;
    fuzz::run(&fuzz::CI_PLANTED)?;

    steps.next("documentation");
    cargo(&["test", "--workspace", "--doc", "--locked", "--quiet"])?;

    steps.next("tests");
    let program = built_program().while_doing("building the CLI")?;
    found.push(("PROVISION_PROGRAM".into(), program));
    found.push(("PROVISION_PKILINT".into(), python::PKILINT.ensure()?));
    found.push(("PROVISION_ENVOY".into(), python::ENVOY.ensure()?));
    test(&["--workspace", "--tests", "--locked", "--no-fail-fast"], &found)
}

/// By cargo-nextest, if there is one.
fn test(arguments: &[&str], variables: &[(String, PathBuf)]) -> Result<(), Fault> {
    let runner: &[&str] =
        if find("cargo-nextest").is_some() { &["nextest", "run"] } else { &["test"] };
    if runner.len() == 1 {
        eprintln!("cargo-nextest is not installed: cargo test counts each crate by itself");
    }
    cargo_with(&[runner, arguments].concat(), variables)
}

/// Those that are formatted.
const WORKSPACES: [&str; 5] = [
    "Cargo.toml",
    "firmware-example/Cargo.toml",
    "firmware-example/assembler/Cargo.toml",
    "firmware-example/boards/Cargo.toml",
    "fuzz/Cargo.toml",
];

/// What of the workspace the board is made of has its lints checked with it.
fn lint_firmware(board: &'static Board, deny_warnings: &[&str]) -> Result<(), Fault> {
    let toolchain = Toolchain::find(board, None)?;
    if toolchain.has_clippy() {
        return run_program(toolchain.cargo("clippy")?.arg("--locked").args(deny_warnings));
    }
    eprintln!("lints of {} are not checked: {} has no clippy", board.name, toolchain.describe());
    Ok(())
}

/// Says what is done next, and when: where the time goes is seen in any log.
struct Steps(Instant);

impl Steps {
    fn begin() -> Self {
        Self(Instant::now())
    }

    fn next(&self, name: &str) {
        let seconds = self.0.elapsed().as_secs();
        eprintln!("── {name} (after {}:{:02})", seconds / 60, seconds % 60);
    }
}

fn cargo(arguments: &[&str]) -> Result<(), Fault> {
    cargo_with(arguments, &[])
}

fn cargo_with(arguments: &[&str], variables: &[(String, PathBuf)]) -> Result<(), Fault> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let variables = variables.iter().map(|(name, path)| (name, path));
    run_program(Command::new(cargo).args(arguments).envs(variables).current_dir(root()))
}
