//! Each combination of features, on each kind of processor: that features add and never change shows here first, when
//! one of them compiles only beside another.

use std::env;
use std::process::Command;

use crate::process::{Fault, While as _, find, root, run as run_program};
use crate::toolchain::{Compiler, target_dir};

/// The version that is installed where there is none.
const CARGO_HACK_VERSION: &str = "0.6.46";

/// Crates that run on a device.
const CRATES: [&str; 5] =
    ["provision-wire", "provision-csr", "provision-path", "provision-device", "provision-tls"];

/// What compilers call the processors: Cortex-M0, M4, M33, and a RISC-V without atomic instructions.
const TARGETS: [&str; 4] = [
    "thumbv6m-none-eabi",
    "thumbv7em-none-eabihf",
    "thumbv8m.main-none-eabihf",
    "riscv32imc-unknown-none-elf",
];

/// `cargo xtask hack`
pub(crate) fn run() -> Result<(), Fault> {
    ensure_cargo_hack()?;
    for target in TARGETS {
        let compiler = Compiler::find(target, None)?;
        let mut cargo = compiler.cargo(&["hack", "check"], target)?;
        cargo.args(["--quiet", "--locked", "--target", target, "--feature-powerset"]);
        cargo.args(CRATES.iter().flat_map(|name| ["--package", name]));
        cargo.arg("--target-dir").arg(target_dir());
        // Added to the other flags. What is unused in one combination is a mistake in it.
        cargo.arg("--config").arg(format!("target.{target}.rustflags=[\"-Dwarnings\"]"));
        check(cargo.current_dir(root()), target)?;
    }
    Ok(())
}

/// Runs it, and shows what it said if it failed: it says much.
fn check(cargo: &mut Command, target: &str) -> Result<(), Fault> {
    let done = cargo.output().while_doing("cargo hack")?;
    let said = String::from_utf8_lossy(&done.stderr);
    if !done.status.success() {
        eprintln!("{said}");
        return Err(Fault::new(format!("a combination of features does not compile for {target}")));
    }
    let combinations = said.lines().filter(|line| line.starts_with("info: running ")).count();
    if combinations < CRATES.len() {
        return Err(Fault::new(format!("cargo hack checked nothing for {target}: {said}")));
    }
    println!("{target}: {combinations} combinations of features compile");
    Ok(())
}

fn ensure_cargo_hack() -> Result<(), Fault> {
    if find("cargo-hack").is_some() {
        return Ok(());
    }
    eprintln!("installing cargo-hack {CARGO_HACK_VERSION} (cargo install, about a minute)");
    let by_hand = format!("cargo install --locked --version {CARGO_HACK_VERSION} cargo-hack");
    let mut words = by_hand.split(' ').skip(1);
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    run_program(Command::new(cargo).args(&mut words)).map_err(|fault| fault.hint(by_hand.clone()))
}
