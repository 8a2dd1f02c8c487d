//! Measurements. Never a test: machines are noisy, and a number is for people to look at. What is counted exactly, like
//! instructions on the emulated device, is held against a budget all the same.

mod device;
mod issuer;
mod line;
mod long;
mod peers;
mod shift;

use std::env;
use std::process::Command;

use clap::Subcommand;

use crate::process::{Fault, While as _, root, run as run_program};

/// What can be measured.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum Bench {
    /// Instructions, flash, RAM and stack of the device's half, on the emulated Cortex-M4.
    Device {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Certificates per second beside rcgen and openssl, and a CRL with a million entries.
    Issuer {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Seconds per device over a serial line, and devices per hour on 64 ports.
    Line {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
        /// This part alone.
        #[arg(long, value_enum, value_name = "PART")]
        only: Option<line::Part>,
        /// Makes each wait of the station's for its disk so many milliseconds longer, by strace: for
        /// `ports` and `durable`.
        #[arg(long, value_name = "MS", default_value_t = 0)]
        disk_ms: u64,
    },
    /// Very many devices in one run of a station: whether its memory and its rate stay as they are.
    Long {
        /// Devices to enroll, on 64 ports whose lines take no time.
        #[arg(long, default_value_t = 100_000, value_name = "N")]
        devices: usize,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// The device's half beside libraries in C, whose sources are fetched and compiled: some minutes.
    Peers {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
        /// This one alone, as `wolfssl-fast`; this project is `provision`.
        #[arg(long, value_name = "NAME", value_parser = peers::named)]
        only: Option<&'static str>,
    },
}

/// `cargo xtask bench …`
pub(crate) fn run(what: Bench) -> Result<(), Fault> {
    match what {
        Bench::Device { json } => device::run(json),
        Bench::Issuer { json } => issuer::run(json),
        Bench::Line { json, only, disk_ms } => line::run(only, disk_ms, json),
        Bench::Long { devices, json } => long::run(devices, json),
        Bench::Peers { json, only } => peers::run(json, only),
    }
}

/// This very program, optimised, and the one that it measures: in one build, so that what they share
/// is built once.
fn run_optimised(what: &[&str], json: bool) -> Result<(), Fault> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--release", "--quiet", "--locked", "--package", "xtask"]);
    run_program(build.args(["--package", "provision"]).current_dir(root()))?;
    let built = env::current_exe().while_doing("where is this program")?;
    let built = built.ancestors().nth(2).unwrap_or(&built);
    let mut again = Command::new(built.join("release/xtask"));
    run_program(again.arg("bench").args(what).args(json.then_some("--json")))
}
