//! Everything that must hold before a change goes in.
//!
//! In two halves side by side, the host's and the device's, because each by itself leaves processors idle: a firmware is
//! linked by one thread. In each half in the order of how soon a mistake shows. Then the tests: they come last, so that the
//! last words are the test runner's own count.

use core::num::NonZero;
use std::env;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Instant;

use provision_testkit::cli::{built_program, firmware_variable};

use crate::bench::Bench;
use crate::boards::Board;
use crate::needs::{
    self, ARM_GCC, CERTTOOL, CURL, HAPROXY, KEYTOOL, MOSQUITTO, MOSQUITTO_CLIENTS, NGINX, OPENSSL,
    POSTGRES, QEMU, QEMU_RISCV, SOFTHSM, TMUX, XMLLINT, ZOOKEEPER,
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
        SOFTHSM,
        ZOOKEEPER,
    ])?;

    let device = DeviceHalf::start()?;
    let steps = Steps::begin();
    let program = host_half(&steps)?;
    steps.next("waiting for the device's half");
    device.finish()?;

    steps.next("tests");
    let mut found: Vec<(String, PathBuf)> = vec![("PROVISION_PROGRAM".into(), program)];
    // Built already, in the other half.
    for board in Board::ALL {
        let images = firmware::build_for(board, None)?;
        found
            .extend(images.into_iter().take(1).map(|first| (firmware_variable(board.name), first)));
    }
    found.push(("PROVISION_PKILINT".into(), python::PKILINT.ensure()?));
    found.push(("PROVISION_ENVOY".into(), python::ENVOY.ensure()?));
    test(&["--workspace", "--tests", "--locked", "--no-fail-fast"], &found)
}

/// Returns the CLI.
fn host_half(steps: &Steps) -> Result<PathBuf, Fault> {
    steps.next("format");
    for workspace in WORKSPACES {
        cargo(&["fmt", "--all", "--check", "--manifest-path", workspace])?;
    }

    steps.next("lints");
    cargo(&[&["clippy", "--workspace", "--all-targets", "--locked"][..], &DENY_WARNINGS].concat())?;

    // A mistake shows within minutes; all of them run again, with the rest, at the end.
    steps.next("fast tests");
    test(&["--workspace", "--lib", "--bins", "--locked"], &[])?;

    steps.next("documentation");
    cargo(&["test", "--workspace", "--doc", "--locked", "--quiet"])?;

    steps.next("building the tests");
    let program = built_program().while_doing("building the CLI")?;
    cargo(&["test", "--workspace", "--tests", "--locked", "--quiet", "--no-run"])?;

    steps.next("simulation");
    simulate::run(&simulate::CI)?;

    steps.next("fuzzing");
    fuzz::run(&fuzz::CI)?;
    fuzz::run(&fuzz::CI_PLANTED)?;
    Ok(program)
}

/// `cargo xtask ci --device-half`
pub(crate) fn device_half() -> Result<(), Fault> {
    let steps = Steps::begin();
    steps.next("firmware");
    // What the tests need, built here once, so that none of them waits for cargo.
    for board in Board::ALL {
        lint_firmware(board)?;
        firmware::build_for(board, None)?;
    }

    steps.next("real boards");
    real_boards::run(None, real_boards::Options::default())?;

    steps.next("features");
    hack::run()?;

    steps.next("sizes");
    sizes::run(false)?;

    steps.next("device");
    bench::run(Bench::Device { json: false })
}

/// The device's half, in a process of its own, so that what it says is not mixed with the other's.
struct DeviceHalf {
    child: Child,
    log: PathBuf,
}

impl DeviceHalf {
    fn start() -> Result<Self, Fault> {
        let target = root().join("target");
        // There is none yet if CARGO_TARGET_DIR names another.
        fs::create_dir_all(&target).while_doing(target.display())?;
        let log = target.join("ci-device-half.log");
        let out = File::create(&log).while_doing(log.display())?;
        let program = env::current_exe().while_doing("where is this program")?;
        let child = Command::new(program)
            .args(["ci", "--device-half"])
            .stdin(Stdio::null())
            .stderr(out.try_clone().while_doing(log.display())?)
            .stdout(out)
            .spawn()
            .while_doing("starting the device's half")?;
        eprintln!("beside this goes the device's half; what it says is in {}", log.display());
        Ok(Self { child, log })
    }

    /// Waits for it, and repeats what it said.
    fn finish(mut self) -> Result<(), Fault> {
        let status = self.child.wait().while_doing("the device's half")?;
        let said = fs::read_to_string(&self.log).while_doing(self.log.display())?;
        eprintln!("{said}── the device's half ends");
        if status.success() {
            return Ok(());
        }
        Err(Fault::new("the device's half failed; why is the last thing that it said above"))
    }
}

impl Drop for DeviceHalf {
    fn drop(&mut self) {
        // If the other half failed. A child that has ended does not mind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// By cargo-nextest, if there is one.
fn test(arguments: &[&str], variables: &[(String, PathBuf)]) -> Result<(), Fault> {
    if find("cargo-nextest").is_none() {
        eprintln!("cargo-nextest is not installed: cargo test counts each crate by itself");
        return cargo_with(&[&["test"], arguments].concat(), variables);
    }
    // Many wait for emulators, servers and deadlines most of their time.
    let threads = thread::available_parallelism().map_or(2, NonZero::get) * 2;
    let threads = threads.to_string();
    let runner = ["nextest", "run", "--test-threads", &threads];
    cargo_with(&[&runner, arguments].concat(), variables)
}

const DENY_WARNINGS: [&str; 3] = ["--", "--deny", "warnings"];

/// Those that are formatted.
const WORKSPACES: [&str; 5] = [
    "Cargo.toml",
    "firmware-example/Cargo.toml",
    "firmware-example/assembler/Cargo.toml",
    "firmware-example/boards/Cargo.toml",
    "fuzz/Cargo.toml",
];

/// What of the workspace the board is made of has its lints checked with it.
fn lint_firmware(board: &'static Board) -> Result<(), Fault> {
    let toolchain = Toolchain::find(board, None)?;
    if toolchain.has_clippy() {
        return run_program(toolchain.cargo("clippy")?.arg("--locked").args(DENY_WARNINGS));
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
