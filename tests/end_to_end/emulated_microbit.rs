//! Enrollment in 16 KB of RAM, end to end: real CLI, real serial port, and a firmware image on a Cortex-M0 with the
//! flash controller and the random number generator of an nRF51.

use std::path::PathBuf;

use provision_testkit::cli::{built_firmware_for, built_program};
use provision_testkit::qemu::Machine;
use provision_testkit::scene::Scene;

use crate::emulated::{enroll_with_cuts, entries, result, wait};

const DEVICE: &str = "sensor-0001";

fn scene() -> Scene {
    Scene::open(built_program().unwrap()).unwrap()
}

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
    let mut running = machine.start().unwrap();
    wait(&running, &format!("device {DEVICE}"));
    wait(&running, "stage=blank");
    let first = result(&scene.enroll(running.line_port(), &["--json"]).unwrap());
    assert_eq!(first["outcome"], "enrolled");
    assert_eq!(first["device"], DEVICE);
    assert_eq!(first["sealed"], true);
    wait(&running, "stack high-water=");
    running.kill().unwrap();

    let mut running = machine.start().unwrap();
    wait(&running, "stage=sealed");
    let again = result(&scene.enroll(running.line_port(), &["--json"]).unwrap());
    assert_eq!(again["outcome"], "unchanged");
    assert_eq!(again["cert_serial"], first["cert_serial"]);
    assert_eq!(entries(&scene).len(), 1);
    running.shutdown().unwrap();
}

/// The flash is saved between two instructions, and each of the chip's operations is one: what is inside an operation
/// is cut by the tests of the vault.
#[test]
fn killed_at_random_moments_the_next_run_completes() {
    let scene = scene();
    enroll_with_cuts(&scene, |name| device(&scene, name), 4, 1);
}
