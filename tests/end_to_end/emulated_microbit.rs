//! Enrollment in 16 KB of RAM, end to end: real CLI, real serial port, and a firmware image on a Cortex-M0 with the
//! flash controller and the random number generator of an nRF51.

use std::path::PathBuf;

use provision_testkit::cli::built_firmware_for;
use provision_testkit::qemu::{Emulator, Machine};
use provision_testkit::scene::Scene;

use crate::emulated::{DEVICE, comes_to_be_known, enroll_with_cuts, scene, wait};

fn device(scene: &Scene, name: &str) -> Machine {
    let flash: PathBuf = scene.station().path().join(format!("{name}.flash"));
    Machine::microbit()
        .firmware(built_firmware_for("microbit").unwrap())
        .flash_file(flash)
        .device_serial(name)
}

#[test]
fn enrolled_then_switched_off_then_known() {
    let scene = scene();
    let machine = device(&scene, DEVICE);
    let says_how_much_stack_it_took = |running: &Emulator| {
        wait(running, "stack high-water=");
    };
    // It has no network to show itself in.
    comes_to_be_known(&scene, &machine, says_how_much_stack_it_took, |_, _, _| {});
}

/// The flash is saved between two instructions, and each of the chip's operations is one: what is inside an operation
/// is cut by the tests of the vault.
#[test]
fn killed_at_random_moments_the_next_run_completes() {
    let scene = scene();
    enroll_with_cuts(&scene, |name| device(&scene, name), 4, 1);
}
