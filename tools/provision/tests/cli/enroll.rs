//! The main job.

use provision_testkit::impostor::Trick;
use provision_wire::Stage;

use crate::station::{Station, assert_documented, device, device_of_seed, events};

#[test]
fn a_blank_device_is_enrolled_and_a_second_run_changes_nothing() {
    let station = Station::new();
    let (port, device) = device("sensor-0001", Trick::None);

    let first = station.enroll(&port, &[]);
    assert_eq!(first.code, 0, "{first:?}");
    assert!(first.stdout.contains("sensor-0001 enrolled, certificate "), "{first:?}");
    for step in ["found sensor-0001 (blank)", "it holds that key", "recorded", "sealed"] {
        assert!(first.stderr.contains(step), "no `{step}` in {first:?}");
    }
    assert_eq!(device.lock().unwrap().stage(), Some(Stage::Sealed));
    let entries = station.entries();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].1, "enrolled");

    let second = station.enroll(&port, &[]);
    assert_eq!(second.code, 0, "{second:?}");
    assert!(second.stdout.contains("already enrolled, nothing changed"), "{second:?}");
    assert!(second.stdout.contains(&entries[0].2), "{second:?}");
    assert_eq!(station.entries(), entries);
}

#[test]
fn without_a_seal_the_endpoint_can_be_changed_and_the_certificate_stays() {
    let station = Station::new();
    let (port, device) = device("sensor-0001", Trick::None);
    let first = station.enroll(&port, &["--no-seal"]);
    assert_eq!(first.code, 0, "{first:?}");
    assert!(first.stdout.contains("not sealed"), "{first:?}");
    assert_eq!(device.lock().unwrap().stage(), Some(Stage::Certified));
    let entries = station.entries();

    let second = station.enroll(&port, &["--endpoint", "mqtt.example:443", "--alpn", "mqtt"]);
    assert_eq!(second.code, 2, "an option given twice: {second:?}");
    let port = port.path().to_str().unwrap();
    let second = station.run(&["--port", port, "--endpoint", "mqtt.example:443"]);
    assert_eq!(second.code, 0, "{second:?}");
    assert!(second.stdout.contains("with the certificate it had"), "{second:?}");
    assert_eq!(station.entries(), entries, "same certificate");
    assert_eq!(device.lock().unwrap().stage(), Some(Stage::Sealed));
}

#[test]
fn json_is_one_object_per_event() {
    let station = Station::new();
    let (port, _device) = device("sensor-0001", Trick::None);
    let ran = station.enroll(&port, &["--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.stderr, "");
    let events = events(&ran);
    events.iter().for_each(assert_documented);
    let names: Vec<_> = events.iter().map(|e| e["event"].as_str().unwrap()).collect();
    let expected = [
        "found",
        "key",
        "possession-proven",
        "issued",
        "recorded",
        "stored",
        "proven",
        "sealed",
        "result",
    ];
    let steps: Vec<_> = names.iter().copied().filter(|name| *name != "delivering").collect();
    assert_eq!(steps, expected);
    let result = events.last().unwrap();
    assert_eq!(result["outcome"], "enrolled");
    assert_eq!(result["device"], "sensor-0001");
    assert_eq!(result["cert_serial"], station.entries()[0].2.as_str());
}

#[test]
fn a_dry_run_shows_the_plan_and_changes_nothing() {
    let station = Station::new();
    let (port, device) = device("sensor-0001", Trick::None);
    let content = || {
        let files = ["ledger.sqlite", "device-issuing.crt"]
            .map(|name| station.path().join("ca").join(name));
        files.map(|path| std::fs::read(path).unwrap())
    };
    let before = content();
    let ran = station.enroll(&port, &["--dry-run", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let plan = &events(&ran)[0];
    assert_documented(plan);
    assert_eq!(plan["stage"], "blank");
    assert!(plan["steps"][0].as_str().unwrap().contains("make its key"), "{plan}");
    assert_eq!(device.lock().unwrap().stage(), Some(Stage::Blank));
    assert_eq!(content(), before);
    assert_eq!(station.enroll(&port, &["--dry-run", "--expect", "sensor-0002"]).code, 13);

    assert_eq!(station.enroll(&port, &["--no-seal"]).code, 0);
    let serial = station.entries()[0].2.clone();
    for (stage, more) in
        [(Stage::Certified, "would be delivered"), (Stage::Sealed, "have to prove")]
    {
        let ran = station.enroll(&port, &["--dry-run"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.stdout.contains(more) && ran.stdout.contains(&serial), "{ran:?}");
        assert_eq!(device.lock().unwrap().stage(), Some(stage));
        assert_eq!(station.enroll(&port, &[]).code, 0);
    }
    // What a run would refuse.
    let other = Station::new();
    assert_eq!(other.enroll(&port, &["--dry-run"]).code, 13);
    let (erased, _device) = device_of_seed("sensor-0001", 7, Trick::None);
    assert_eq!(station.enroll(&erased, &["--dry-run"]).code, 13);

    // By the operator's word; whether the certificate it had is in force or not, as in a run.
    let taken = |what: &str| {
        let plan = station.enroll(&erased, &["--dry-run", "--accept-new-key"]);
        assert_eq!(plan.code, 0, "{plan:?}");
        assert!(plan.stdout.contains(what), "{plan:?}");
    };
    taken("would be revoked");
    let revoke = station.run(&["revoke", "--device", "sensor-0001", "--reason", "superseded"]);
    assert_eq!(revoke.code, 0, "{revoke:?}");
    taken("is revoked");
    let refused = station.enroll(&erased, &["--dry-run"]);
    assert!(refused.code == 13 && refused.stderr.contains("revoked"), "{refused:?}");
    assert_eq!(station.enroll(&erased, &["--accept-new-key"]).code, 0);
}

#[test]
fn several_ports_are_served_and_a_bad_one_does_not_stop_the_rest() {
    let station = Station::new();
    let (first, _a) = device("sensor-0001", Trick::None);
    let (second, _b) = device("sensor-0002", Trick::BrokenSelfSignature);
    let (third, _c) = device("sensor-0003", Trick::None);
    let [a, b, c] = [&first, &second, &third].map(|port| port.path().to_str().unwrap().to_owned());
    let ran = station.run(&["--endpoint", "10.0.2.100:8883", "--port", &a, &b, &c]);
    assert_eq!(ran.code, 12, "{ran:?}");
    assert!(ran.stderr.contains("1 of 3 devices were not enrolled"), "{ran:?}");
    let mut enrolled: Vec<_> = station.entries().into_iter().map(|(device, ..)| device).collect();
    enrolled.sort();
    assert_eq!(enrolled, ["sensor-0001", "sensor-0003"]);
}

#[test]
fn another_device_than_expected_is_not_touched() {
    let station = Station::new();
    let (port, device) = device("sensor-0001", Trick::None);
    let ran = station.enroll(&port, &["--expect", "sensor-0002"]);
    assert_eq!(ran.code, 13, "{ran:?}");
    assert!(ran.stderr.contains("expected device sensor-0002, found sensor-0001"), "{ran:?}");
    assert!(ran.stderr.contains("\nhint: "), "{ran:?}");
    assert_eq!(device.lock().unwrap().stage(), Some(Stage::Blank));
    assert_eq!(station.entries(), []);
}

#[test]
fn a_sealed_device_of_another_ledger_is_refused_by_name() {
    let (port, _device) = device("sensor-0001", Trick::None);
    let first = Station::new();
    assert_eq!(first.enroll(&port, &[]).code, 0);
    let other = Station::new();
    let ran = other.enroll(&port, &[]);
    assert_eq!(ran.code, 13, "{ran:?}");
    assert!(ran.stderr.contains("sealed, and this ledger does not know it"), "{ran:?}");
    assert_eq!(other.entries(), []);
}

#[test]
fn the_same_serial_with_another_key_is_refused_and_nothing_is_signed() {
    let station = Station::new();
    let (port, _device) = device("sensor-0001", Trick::None);
    assert_eq!(station.enroll(&port, &[]).code, 0);
    let entries = station.entries();
    let (port, erased) = device_of_seed("sensor-0001", 7, Trick::None);
    let ran = station.enroll(&port, &[]);
    assert_eq!(ran.code, 13, "{ran:?}");
    let cause = "device sensor-0001 has a certificate already, for another key";
    assert!(ran.stderr.contains(cause), "{ran:?}");
    assert_eq!(erased.lock().unwrap().stage(), Some(Stage::Keyed), "nothing was delivered");
    assert_eq!(station.entries(), entries);
}

#[test]
fn a_cloned_key_stops_the_line() {
    let station = Station::new();
    // Serials whose letters add up alike seed the same key: two devices with one random generator.
    let (first, _a) = device("sensor-12", Trick::None);
    let (second, _b) = device("sensor-21", Trick::None);
    assert_eq!(station.enroll(&first, &[]).code, 0);
    let ran = station.enroll(&second, &[]);
    assert_eq!(ran.code, 13, "{ran:?}");
    assert!(
        ran.stderr.contains("device sensor-12 has the key of device sensor-21: stop the line"),
        "{ran:?}"
    );
    assert_eq!(station.entries().len(), 1);
}

#[test]
fn what_is_missing_is_named_with_its_exit_code() {
    let station = Station::bare();
    let (port, _device) = device("sensor-0001", Trick::None);
    let path = port.path().to_str().unwrap();

    let nothing = station.run(&[]);
    assert_eq!(nothing.code, 2, "{nothing:?}");
    let no_endpoint = station.run(&["--port", path]);
    assert_eq!(no_endpoint.code, 2, "{no_endpoint:?}");
    assert!(no_endpoint.stderr.contains("--endpoint HOST:PORT"), "{no_endpoint:?}");
    let no_ca = station.enroll(&port, &[]);
    assert_eq!(no_ca.code, 14, "{no_ca:?}");
    assert!(no_ca.stderr.contains("hint: `provision ca init`"), "{no_ca:?}");

    let station = Station::new();
    let no_port = station.run(&["--port", "/dev/no-such-port", "--endpoint", "a:1"]);
    assert_eq!(no_port.code, 16, "{no_port:?}");
    assert!(no_port.stderr.contains("/dev/no-such-port"), "{no_port:?}");
    let no_ledger = station.enroll(&port, &["--ledger", "elsewhere.sqlite"]);
    assert_eq!(no_ledger.code, 15, "{no_ledger:?}");
    assert!(no_ledger.stderr.contains("provision ledger create"), "{no_ledger:?}");
    let made = station.run(&["ledger", "create", "--ledger", "elsewhere.sqlite"]);
    assert_eq!(made.code, 0, "{made:?}");
    assert_eq!(station.enroll(&port, &["--ledger", "elsewhere.sqlite"]).code, 0);
}

#[test]
fn an_option_before_a_subcommand_is_not_ignored() {
    let station = Station::bare();
    for (arguments, option) in [
        (&["--ca", "prod", "ca", "init", "--insecure-plaintext-keys"][..], "--ca"),
        (&["--ledger", "prod.sqlite", "ledger", "list"], "--ledger"),
        (&["--baud", "9600", "ports"], "--baud"),
    ] {
        let ran = station.run(arguments);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains(&format!("`{option}` stands before")), "{ran:?}");
    }
    assert_eq!(std::fs::read_dir(station.path()).unwrap().count(), 0, "nothing was made");
}

#[test]
fn a_command_line_that_makes_no_sense_gets_a_hint_too() {
    let station = Station::bare();
    for arguments in [&["bogus"][..], &["--expect", "-x-"], &["ask", "hello"], &["--nonsense"]] {
        let ran = station.run(arguments);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains("\nhint: "), "{ran:?}");
        let json = station.run(&[&["--json"], arguments].concat());
        assert_eq!(events(&json)[0]["exit_code"], 2, "{json:?}");
        assert_eq!(json.stderr, "");
    }
    let help = station.run(&["--help"]);
    assert_eq!((help.code, help.stdout.contains("Exit codes:")), (0, true), "{help:?}");
}

#[test]
fn a_host_that_no_device_could_connect_to_is_refused_before_anything_happens() {
    let station = Station::new();
    let (port, device) = device("sensor-0001", Trick::None);
    let port = port.path().to_str().unwrap();
    let ran = station.run(&["--port", port, "--endpoint", "x y/z:1"]);
    assert_eq!(ran.code, 2, "{ran:?}");
    assert_eq!(device.lock().unwrap().stage(), Some(Stage::Blank));
}

#[test]
fn an_error_in_json_has_code_message_and_hint() {
    let station = Station::new();
    let ran = station.run(&["--json", "--port", "/dev/no-such-port", "--endpoint", "a:1"]);
    let events = events(&ran);
    assert_eq!(events.len(), 1);
    assert_documented(&events[0]);
    assert_eq!(events[0]["event"], "error");
    assert_eq!(events[0]["error"], "port");
    assert_eq!(events[0]["exit_code"], 16);
    assert_eq!(events[0]["port"], "/dev/no-such-port");
    assert!(events[0]["hint"].is_string());
    assert_eq!(ran.stderr, "");
}
