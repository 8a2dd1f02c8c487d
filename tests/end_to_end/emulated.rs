//! The emulated device end to end: real CLI, real serial port, real nginx, and a firmware image on
//! a Cortex-M4.

use core::time::Duration;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use provision_testkit::cli::{Ran, Station, built_firmware, built_program};
use provision_testkit::qemu::{Emulator, Machine};
use provision_testkit::random::Random;
use provision_testkit::scene::Scene;
use serde_json::{Value, json};

/// Patience for what an emulated device computes, on a machine that has other things to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(180);
pub(crate) const DEVICE: &str = "sensor-0001";

pub(crate) fn scene() -> Scene {
    Scene::open(built_program().unwrap()).unwrap()
}

/// A device of this name, whose flash lives in the scene's directory.
fn device(scene: &Scene, name: &str) -> Machine {
    let firmware = built_firmware().unwrap();
    let flash: PathBuf = scene.station().path().join(format!("{name}.flash"));
    scene.device(&firmware, name, &flash)
}

pub(crate) fn wait(running: &Emulator, pattern: &str) -> String {
    running.log().wait_for_line(pattern, PATIENCE).unwrap()
}

pub(crate) fn result(ran: &Ran) -> Value {
    assert_eq!(ran.code, 0, "{ran:?}");
    serde_json::from_str(ran.stdout.lines().last().unwrap()).unwrap()
}

pub(crate) fn entries(scene: &Scene) -> Vec<Value> {
    // The server's certificate is on record too.
    let listed = scene.station().run(&["--json", "ledger", "list", "--devices"]).unwrap();
    assert_eq!(listed.code, 0, "{listed:?}");
    listed.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn enrolled_then_switched_off_then_known_to_nginx() {
    let scene = scene();
    let machine = device(&scene, DEVICE);
    comes_to_be_known(&scene, &machine, |_| {}, known_to_nginx);
}

/// A blank device of the name [`DEVICE`] is enrolled, and `then` loses its power; it comes up again,
/// does `meanwhile` what it is there for, and is found unchanged by a second run.
pub(crate) fn comes_to_be_known(
    scene: &Scene,
    machine: &Machine,
    then: impl FnOnce(&Emulator),
    meanwhile: impl FnOnce(&Scene, &Emulator, &Value),
) {
    let mut running = machine.start().unwrap();
    wait(&running, &format!("device {DEVICE}"));
    wait(&running, "stage=blank");
    let first = result(&scene.enroll(running.line_port(), &["--json"]).unwrap());
    assert_eq!(first["outcome"], "enrolled");
    assert_eq!(first["device"], DEVICE);
    assert_eq!(first["sealed"], true);
    then(&running);
    running.kill().unwrap();

    let mut running = machine.start().unwrap();
    wait(&running, "stage=sealed");
    meanwhile(scene, &running, &first);

    let again = result(&scene.enroll(running.line_port(), &["--json"]).unwrap());
    assert_eq!(again["outcome"], "unchanged");
    assert_eq!(again["cert_serial"], first["cert_serial"]);
    assert_eq!(entries(scene).len(), 1);
    running.shutdown().unwrap();
}

/// nginx takes the device for who it is.
pub(crate) fn known_to_nginx(scene: &Scene, running: &Emulator, enrolled: &Value) {
    let status = wait(running, "http status=");
    assert!(status.contains("http status=200"), "{status}: {}", scene.cloud().errors());
    let seen = scene.cloud().access_log(1).pop().unwrap();
    assert_eq!((seen.status, seen.verify.as_str()), (200, "SUCCESS"));
    assert_eq!(seen.serial, enrolled["cert_serial"].as_str().unwrap());
    assert!(seen.subject.contains(&format!("CN={DEVICE}")), "{}", seen.subject);
}

#[test]
fn four_devices_at_once_by_one_call() {
    let scene = scene();
    let names = ["sensor-0001", "sensor-0002", "sensor-0003", "sensor-0004"];
    let machines = names.map(|name| device(&scene, name));
    let mut running: Vec<_> = machines.iter().map(|machine| machine.start().unwrap()).collect();
    for device in &running {
        wait(device, "stage=blank");
    }
    let ports: Vec<_> = running.iter().map(|device| device.line_port().to_path_buf()).collect();
    let ports: Vec<_> = ports.iter().map(PathBuf::as_path).collect();
    let outcomes = || {
        let ran = scene.enroll_all(&ports, &["--json"]).unwrap();
        assert_eq!(ran.code, 0, "{ran:?}");
        let events = ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let results = events.filter(|event| event["event"] == "result");
        let text = |event: &Value, key: &str| event[key].as_str().unwrap().to_owned();
        let outcome = |event| (text(&event, "device"), text(&event, "outcome"));
        let mut outcomes: Vec<_> = results.map(outcome).collect();
        outcomes.sort();
        outcomes
    };
    let all = |word: &str| names.map(|name| (name.to_owned(), word.to_owned())).to_vec();
    assert_eq!(outcomes(), all("enrolled"));
    assert_eq!(outcomes(), all("unchanged"));
    assert_eq!(entries(&scene).len(), names.len());
    for device in &mut running {
        device.kill().unwrap();
    }

    // Each comes up with an identity of its own, all at the same time.
    let running: Vec<_> = machines.iter().map(|machine| machine.start().unwrap()).collect();
    for device in &running {
        let status = wait(device, "http status=");
        assert!(status.contains("http status=200"), "{status}: {}", scene.cloud().errors());
    }
    let mut subjects: Vec<_> =
        scene.cloud().access_log(names.len()).into_iter().map(|line| line.subject).collect();
    subjects.sort();
    for (subject, name) in subjects.iter().zip(names) {
        assert!(subject.contains(&format!("CN={name}")), "{subjects:?}");
    }
}

/// The CA of a plain script, RSA with 4096 bits, signs a device on P-256. The device has no RSA: it
/// refuses by name, until the station says that the signature is not to be checked there.
#[test]
fn under_the_rsa_ca_of_an_openssl_script() {
    let station = Station::empty(built_program().unwrap()).unwrap();
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:4096", "-nodes", "-days", "3650"])
        .args(["-keyout", "ca.key", "-out", "ca.crt", "-subj", "/C=CN/O=Example/CN=Example CA"])
        .current_dir(station.path())
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let import = [
        &["ca", "import", "--certificate", "ca.crt", "--key", "ca.key"][..],
        &["--insecure-plaintext-keys"],
    ]
    .concat();
    let imported = station.run(&import).unwrap();
    assert_eq!(imported.code, 0, "{imported:?}");

    let scene = Scene::of(station).unwrap();
    let machine = device(&scene, DEVICE);
    let mut running = machine.start().unwrap();
    let refused = scene.enroll(running.line_port(), &[]).unwrap();
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("not ECDSA P-256 with SHA-256"), "{refused:?}");
    assert!(refused.stderr.contains("--unchecked-on-device ca-signatures"), "{refused:?}");

    let in_so_many_words = ["--json", "--unchecked-on-device", "ca-signatures"];
    let enrolled = result(&scene.enroll(running.line_port(), &in_so_many_words).unwrap());
    assert_eq!((&enrolled["device"], &enrolled["sealed"]), (&json!(DEVICE), &json!(true)));
    running.kill().unwrap();

    let running = machine.start().unwrap();
    known_to_nginx(&scene, &running, &enrolled);
}

#[test]
fn a_device_of_another_ca_is_refused_by_nginx_and_says_so() {
    let ours = scene();
    let theirs = scene();
    let machine = device(&ours, DEVICE);
    let mut running = machine.start().unwrap();
    let root = ours.station().path().join("ca/server-root.crt");
    let anchor = ["--json", "--server-anchor", root.to_str().unwrap()];
    result(&theirs.enroll(running.line_port(), &anchor).unwrap());
    running.kill().unwrap();

    let running = machine.start().unwrap();
    let status = wait(&running, "http status=");
    assert!(status.contains("http status=400"), "{status}");
    let seen = ours.cloud().access_log(1).pop().unwrap();
    assert!(seen.verify.starts_with("FAILED"), "{seen:?}");
}

/// Ten devices, of which at least three really lose their power before they are done.
#[test]
fn killed_at_random_moments_the_next_run_completes() {
    let scene = scene();
    enroll_with_cuts(&scene, |name| device(&scene, name), 10, 3);
}

/// Enrolls so many devices; each loses its power at a random moment of its enrollment, by an end of
/// the emulator while the station is at it. The next run completes, with one certificate. How long
/// an enrollment takes on this machine is measured on one more device first.
pub(crate) fn enroll_with_cuts(
    scene: &Scene,
    device: impl Fn(&str) -> Machine,
    devices: usize,
    cut_short_min: usize,
) {
    let mut random = Random::new(20_261_122);
    let mut uncut = device("sensor-uncut").start().unwrap();
    wait(&uncut, "stage=");
    let began = Instant::now();
    result(&scene.enroll(uncut.line_port(), &["--json"]).unwrap());
    let whole_run_ms = u64::try_from(began.elapsed().as_millis()).unwrap();
    uncut.kill().unwrap();

    let mut cut_short = 0;
    for number in 0..devices {
        let name = format!("sensor-{number:04}");
        let machine = device(&name);
        let mut running = machine.start().unwrap();
        let port = running.line_port().to_owned();
        wait(&running, "stage=");

        let moment = Duration::from_millis(random.below(whole_run_ms));
        let (ended, end) = mpsc::channel();
        let first = thread::scope(|scope| {
            let run = scope.spawn(|| {
                let ran = scene.enroll(&port, &["--json"]);
                let _ = ended.send(());
                ran.unwrap()
            });
            let _ = end.recv_timeout(moment);
            running.kill().unwrap();
            run.join().unwrap()
        });
        cut_short += usize::from(first.code != 0);
        assert!(matches!(first.code, 0 | 10 | 16), "{first:?}");

        let mut running = machine.start().unwrap();
        let second = result(&scene.enroll(running.line_port(), &["--json"]).unwrap());
        assert_eq!(second["sealed"], true);
        let status = scene.station().run(&["--json", "ledger", "list"]).unwrap();
        let of_this_device = status.stdout.lines().filter(|line| line.contains(&name)).count();
        assert_eq!(of_this_device, 1, "{}", status.stdout);
        running.kill().unwrap();
    }
    assert!(cut_short >= cut_short_min, "only {cut_short} of {devices} runs were cut short");
    let entries = entries(scene);
    assert_eq!(entries.len(), devices + 1);
    assert!(entries.iter().all(|entry| entry["state"] == "enrolled"), "{entries:?}");
}
