//! Enrollment and the cloud on another architecture, end to end: real CLI, real serial port, real nginx, and a firmware
//! image on an emulated RISC-V board, by the same `app` as the Cortex-M4's.

use std::path::PathBuf;

use provision_testkit::cli::built_firmware_for;
use provision_testkit::qemu::Machine;
use provision_testkit::scene::Scene;

use crate::emulated::{DEVICE, comes_to_be_known, enroll_with_cuts, known_to_nginx, scene};

/// A device of this name, whose flash lives in the scene's directory.
fn device(scene: &Scene, name: &str) -> Machine {
    let flash: PathBuf = scene.station().path().join(format!("{name}.flash"));
    scene
        .connected(Machine::riscv32_virt())
        .firmware(built_firmware_for("riscv32-virt").unwrap())
        .flash_file(flash)
        .device_serial(name)
}

#[test]
fn enrolled_then_switched_off_then_known_to_nginx() {
    let scene = scene();
    let machine = device(&scene, DEVICE);
    comes_to_be_known(&scene, &machine, |_| {}, known_to_nginx);
}

/// The emulator writes the flash file when the firmware writes the chip, so a SIGKILL finds what is durable.
#[test]
fn killed_at_random_moments_the_next_run_completes() {
    let scene = scene();
    enroll_with_cuts(&scene, |name| device(&scene, name), 3, 1);
}
