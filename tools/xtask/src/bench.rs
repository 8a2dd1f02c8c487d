//! Measurements. Never a test: machines are noisy, and a number is for people to look at. What is counted exactly, like
//! instructions on the emulated device, is held against a budget all the same.

mod device;
mod issuer;

use clap::Subcommand;

use crate::process::Fault;

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
}

/// `cargo xtask bench …`
pub(crate) fn run(what: Bench) -> Result<(), Fault> {
    match what {
        Bench::Device { json } => device::run(json),
        Bench::Issuer { json } => issuer::run(json),
    }
}
