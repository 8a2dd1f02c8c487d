//! Enrollment and the cloud on another architecture, end to end: real CLI, real serial port, real nginx, and a firmware
//! image on an emulated RISC-V board, by the same `app` as the Cortex-M4's.

use std::path::PathBuf;

use provision_testkit::cli::{built_firmware_for, built_program};
use provision_testkit::qemu::Machine;
use provision_testkit::scene::Scene;

use crate::emulated::{enroll_with_cuts, entries, result, wait};

const DEVICE: &str = "sensor-0001";

fn scene() -> Scene {
    Scene::open(built_program().unwrap()).unwrap()
}

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
    let mut running = machine.start().unwrap();
    wait(&running, "stage=blank");
    let first = result(&scene.enroll(running.line_port(), &["--json"]).unwrap());
    assert_eq!(first["outcome"], "enrolled");
    assert_eq!(first["device"], DEVICE);
    running.kill().unwrap();

    let mut running = machine.start().unwrap();
    wait(&running, "stage=sealed");
    let status = wait(&running, "http status=");
    assert!(status.contains("http status=200"), "{status}: {}", scene.cloud().errors());
    let seen = scene.cloud().access_log(1).pop().unwrap();
    assert_eq!((seen.status, seen.verify.as_str()), (200, "SUCCESS"));
    assert_eq!(seen.serial, first["cert_serial"].as_str().unwrap());
    assert!(seen.subject.contains(&format!("CN={DEVICE}")), "{}", seen.subject);

    let again = result(&scene.enroll(running.line_port(), &["--json"]).unwrap());
    assert_eq!(again["outcome"], "unchanged");
    assert_eq!(again["cert_serial"], first["cert_serial"]);
    assert_eq!(entries(&scene).len(), 1);
    running.shutdown().unwrap();
}

/// The emulator writes the flash file when the firmware writes the chip, so a SIGKILL finds what is durable.
#[test]
fn killed_at_random_moments_the_next_run_completes() {
    let scene = scene();
    enroll_with_cuts(&scene, |name| device(&scene, name), 3, 1);
}
