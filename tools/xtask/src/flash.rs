//! Cuts the power of a device inside of each write and erase of whole enrollments, in every way a unit can be left.
//! What must hold then: `crates/provision-device/tests/vault/journeys.rs`.

use std::env;
use std::process::Command;

use crate::process::{Fault, root, run as run_program};

/// `cargo xtask flash`
pub(crate) fn run(long: bool) -> Result<(), Fault> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut tests = Command::new(cargo);
    tests.args(["test", "--locked", "--quiet", "--package", "provision-device", "--test", "vault"]);
    // Of the long ones the ordinary tests have a choice.
    let which: &[&str] = if long {
        &["journeys::on_every_geometry", "--ignored", "--nocapture"]
    } else {
        &["journeys::"]
    };
    run_program(tests.arg("--").args(which).current_dir(root()))
}
