//! Everything that must hold before a change goes in.
//!
//! In the order of how soon a mistake shows, except for the tests: they come last, so that the last words are the test
//! runner's own count.

use std::env;
use std::ffi::OsStr;
use std::process::Command;

use provision_testkit::cli::built_program;

use crate::needs::{self, CERTTOOL, CURL, MOSQUITTO, NGINX, OPENSSL, QEMU};
use crate::process::{Fault, While as _, find, root, run as run_program};
use crate::toolchain::Toolchain;
use crate::{firmware, sizes};

/// `cargo xtask ci`
pub(crate) fn run() -> Result<(), Fault> {
    needs::ensure(&[QEMU, NGINX, OPENSSL, CERTTOOL, CURL, MOSQUITTO])?;

    step("format");
    cargo(&["fmt", "--all", "--check"])?;
    cargo(&["fmt", "--all", "--check", "--manifest-path", "firmware-example/Cargo.toml"])?;

    step("lints");
    let deny_warnings = ["--", "--deny", "warnings"];
    cargo(&[&["clippy", "--workspace", "--all-targets", "--locked"][..], &deny_warnings].concat())?;

    step("firmware");
    let toolchain = Toolchain::find(None)?;
    if toolchain.has_clippy() {
        run_program(
            toolchain.cargo("clippy")?.args(["--locked", "--workspace"]).args(deny_warnings),
        )?;
    } else {
        eprintln!("the firmware's lints are not checked: {} has no clippy", toolchain.describe());
    }
    let images = firmware::build(None)?;

    step("sizes");
    sizes::run(false)?;

    step("documentation");
    cargo(&["test", "--workspace", "--doc", "--locked", "--quiet"])?;

    step("tests");
    // Built here once, so that no test waits for cargo.
    let program = built_program().while_doing("building the CLI")?;
    let found = [
        ("PROVISION_PROGRAM", program.as_os_str()),
        ("PROVISION_FIRMWARE", images.whole.as_os_str()),
    ];
    if find("cargo-nextest").is_some() {
        cargo_with(&["nextest", "run", "--workspace", "--locked", "--no-fail-fast"], &found)
    } else {
        eprintln!("cargo-nextest is not installed: cargo test counts each crate by itself");
        cargo_with(&["test", "--workspace", "--all-targets", "--locked", "--no-fail-fast"], &found)
    }
}

fn step(name: &str) {
    eprintln!("── {name}");
}

fn cargo(arguments: &[&str]) -> Result<(), Fault> {
    cargo_with(arguments, &[])
}

fn cargo_with(arguments: &[&str], variables: &[(&str, &OsStr)]) -> Result<(), Fault> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let variables = variables.iter().copied();
    run_program(Command::new(cargo).args(arguments).envs(variables).current_dir(root()))
}
