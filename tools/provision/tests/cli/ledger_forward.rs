//! A station that goes on while its ledger's server is away, by the real program.

use core::time::Duration;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use nix::sys::signal::Signal;
use provision_testkit::impostor::Trick;
use provision_testkit::servers::Postgres;
use provision_wire::Stage;
use serde_json::Value;

use crate::ledger_faults::with_an_accident;
use crate::station::{Fixture, Following, Station, device, events};

/// A station, a server with a lot, and how to call the one with the other.
struct Factory {
    station: Station,
    server: Arc<Mutex<Postgres>>,
    url: String,
}

impl Factory {
    fn with_quota(quota: &str) -> Self {
        let server = Postgres::start().unwrap();
        let (station, url) = (Station::new(), server.url());
        let factory = Self { station, server: Arc::new(Mutex::new(server)), url };
        factory.one(&["ledger", "create"]);
        factory.one(&["lot", "create", "--id", "W47", "--quota", quota]);
        factory
    }

    fn line<'a>(&'a self, file: &'a str) -> Vec<&'a str> {
        let line = ["--lot", "W47", "--lease", "2", "--fallback", file, "--ledger", &self.url];
        line.to_vec()
    }

    /// A station that serves this fixture until it is ended, or has had enough.
    fn serve(&self, fixture: &Fixture, more: &[&str]) -> Following {
        let station = ["--json", "station", "--endpoint", "10.0.2.100:8883"];
        let ports = ["--ports", fixture.path()];
        let all = [&station[..], &ports, &self.line("a.db"), more].concat();
        self.station.follow(&all).documented()
    }

    fn ran(&self, arguments: &[&str]) -> (i32, Vec<Value>, String) {
        let ledger = ["--ledger", &self.url];
        let ran = self.station.run(&[&["--json"], arguments, &ledger].concat());
        (ran.code, events(&ran), ran.stderr)
    }

    fn one(&self, arguments: &[&str]) -> Value {
        let (code, mut events, said) = self.ran(arguments);
        assert_eq!(code, 0, "{arguments:?}: {events:?} {said}");
        events.pop().unwrap_or_default()
    }

    fn enroll(&self, serial: &str, file: &str, more: &[&str]) -> (i32, String) {
        let (port, _device) = device(serial, Trick::None);
        let ran = self.station.enroll(&port, &[&self.line(file), more].concat());
        (ran.code, ran.stdout + &ran.stderr)
    }

    /// (used, leased, enrolled) of the lot.
    fn lot(&self) -> [u64; 3] {
        let lot = self.one(&["lot", "show", "--id", "W47"]);
        ["used", "leased", "enrolled"].map(|name| lot[name].as_u64().unwrap())
    }
}

#[test]
fn a_line_goes_on_without_its_server_and_merges() {
    let factory = Factory::with_quota("100");
    // The server is gone once the device has its key: nothing is recorded yet.
    let server = Arc::clone(&factory.server);
    let accident = move || server.lock().unwrap().crash();
    let (port, halfway) = with_an_accident("sensor-0001", Stage::Keyed, accident);
    let alone = factory.station.enroll(&port, &factory.line("a.db"));
    assert_eq!(alone.code, 0, "{alone:?}");
    assert_eq!(halfway.lock().unwrap().stage(), Some(Stage::Sealed));
    assert!(alone.stderr.contains("this station goes on by itself: 2 devices, until"), "{alone:?}");
    // Begun without it, and as many as it may.
    assert_eq!(factory.enroll("sensor-0002", "a.db", &[]).0, 0);
    let (code, said) = factory.enroll("sensor-0003", "a.db", &[]);
    assert_eq!(code, 15, "with no place left there is nothing to begin with: {said}");
    assert!(said.contains("the database cannot be reached"), "{said}");
    // The same device again needs none.
    let (code, said) = factory.enroll("sensor-0003", "b.db", &[]);
    assert_eq!(code, 15, "without a lease: {said}");

    factory.server.lock().unwrap().go_on().unwrap();
    assert_eq!(factory.lot(), [0, 2, 0]);
    let merged = factory.one(&["ledger", "merge", "--fallback", "a.db"]);
    let count = |name: &str| merged[name].as_u64().unwrap();
    assert_eq!((count("certificates"), count("proofs"), count("conflicts")), (2, 2, 0));
    assert_eq!(factory.lot(), [2, 0, 2]);
    let again = factory.one(&["ledger", "merge", "--fallback", "a.db"]);
    assert_eq!((&again["certificates"], &again["proofs"]), (&0.into(), &0.into()));
    factory.one(&["ledger", "verify"]);
    assert_eq!(factory.station.run(&["ledger", "verify", "--ledger", "a.db"]).code, 0);
    // And on as ever: what was leased is given back at the end.
    assert_eq!(factory.enroll("sensor-0003", "a.db", &[]).0, 0);
    assert_eq!(factory.lot(), [3, 0, 3]);
    let leases = factory.ran(&["lot", "leases"]).1;
    assert!(leases.iter().all(|lease| lease["ended_at_s"].is_u64()), "{leases:?}");
    let (ended, ..) = factory.ran(&["lot", "end-lease", "--lease", "99"]);
    assert_eq!(ended, 15);

    // What others make of the ledger, they make of one on a server too.
    let labels = factory.one(&["label", "--lot", "W47", "--format", "svg", "--out", "labels"]);
    assert_eq!(labels["labels"], 3);
    let report =
        factory.one(&["report", "lot", "--id", "W47", "--format", "html", "--out", "W47.html"]);
    assert_eq!((&report["devices"], &report["passed"]), (&3.into(), &3.into()));

    // A lease that is kept is there the next morning, when the server is not.
    assert_eq!(factory.enroll("sensor-0004", "a.db", &["--keep-lease"]).0, 0);
    assert_eq!(factory.lot(), [4, 2, 4]);
    factory.server.lock().unwrap().crash();
    let (code, said) = factory.enroll("sensor-0005", "a.db", &[]);
    assert_eq!(code, 0, "{said}");
}

/// What only the server could have known is named when it is there again, and stops the line once.
/// Ports that wait for the server at the same time wait for it once: each signature over the ledger's
/// end is a transaction.
#[test]
fn ports_that_wait_for_the_server_wait_together() {
    const PORTS: usize = 8;
    let factory = Factory::with_quota("20");
    let signatures = || factory.one(&["ledger", "verify"])["signatures"].as_u64().unwrap() as usize;
    let before = signatures();
    // Once all have their keys somebody else takes the server's turn, and then all go on.
    let held = Arc::new(Barrier::new(PORTS + 1));
    let devices: Vec<_> = (1..=PORTS)
        .map(|number| {
            let held = Arc::clone(&held);
            let serial = format!("sensor-{number:04}");
            with_an_accident(&serial, Stage::Keyed, move || {
                held.wait();
                held.wait();
            })
        })
        .collect();
    let ports = devices.iter().flat_map(|(port, _)| ["--port", port.path().to_str().unwrap()]);
    let mut arguments: Vec<&str> = ports.collect();
    arguments.extend(["--endpoint", "10.0.2.100:8883"]);
    arguments.extend(factory.line("a.db"));
    let ran = thread::scope(|scope| {
        let running = scope.spawn(|| factory.station.run(&arguments));
        held.wait();
        let hold = "SELECT pg_advisory_lock(1347571542, hashtext('public')); SELECT pg_sleep(2)";
        scope.spawn(|| factory.server.lock().unwrap().psql(hold).unwrap());
        thread::sleep(Duration::from_millis(500));
        held.wait();
        running.join().unwrap()
    });
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(factory.lot(), [8, 0, 8]);
    // One for each certificate, each proof, and the lease would be 17 and more.
    let made = signatures() - before;
    assert!(made < 2 * PORTS - 2, "{made}");
}

#[test]
fn a_clone_that_was_enrolled_elsewhere_meanwhile_stops_the_line() {
    let factory = Factory::with_quota("100");
    let server = Arc::clone(&factory.server);
    let accident = move || server.lock().unwrap().crash();
    let (port, _device) = with_an_accident("sensor-12", Stage::Keyed, accident);
    assert_eq!(factory.station.enroll(&port, &factory.line("a.db")).code, 0);
    factory.server.lock().unwrap().go_on().unwrap();
    // Another station, of the same CA: its key follows from the letters of its serial.
    let (port, _device) = device("sensor-21", Trick::None);
    let elsewhere = factory.station.enroll(&port, &["--lot", "W47", "--ledger", &factory.url]);
    assert_eq!(elsewhere.code, 0, "{elsewhere:?}");

    let (code, said) = factory.enroll("sensor-0003", "a.db", &[]);
    assert_eq!(code, 13, "{said}");
    let named = "device sensor-12 has the key of device sensor-21: stop the line";
    assert!(said.contains(named) && said.contains("hint: all of it is on record"), "{said}");
    let conflicts = factory.ran(&["ledger", "conflicts"]).1;
    let [conflict] = conflicts.as_slice() else { panic!("{conflicts:?}") };
    let expected = ("key-elsewhere", "sensor-12", "sensor-21");
    let text = |name: &str| conflict[name].as_str().unwrap();
    assert_eq!((text("cause"), text("device"), text("other")), expected);
    let crls = factory.ran(&["crl"]).1;
    let revoked: u64 = crls.iter().filter_map(|crl| crl["revoked"].as_u64()).sum();
    assert_eq!(revoked, 1, "{crls:?}");
    // Told once; then the operator knows.
    assert_eq!(factory.enroll("sensor-0003", "a.db", &[]).0, 0);
    factory.one(&["ledger", "verify"]);
}

/// `provision station`: the server is stopped and started while it runs, by signals to it alone.
#[test]
fn a_station_outlives_its_server() {
    let factory = Factory::with_quota("100");
    let fixture = Fixture::empty();
    let running = factory.serve(&fixture, &["--stop-after", "3"]);
    let passes = |serial: &str| {
        fixture.put(serial, Trick::None);
        running.wait_for(serial, |event| event["event"] == "result" && event["device"] == serial)
    };
    passes("sensor-0001");
    factory.server.lock().unwrap().crash();
    fixture.put("sensor-0002", Trick::None);
    let alone = running.wait_for("alone", |event| event["event"] == "warning");
    assert_eq!((&alone["alone"], &alone["left"]), (&true.into(), &2.into()), "{alone}");
    running.wait_for("the second", |event| {
        event["event"] == "result" && event["device"] == "sensor-0002"
    });
    factory.server.lock().unwrap().go_on().unwrap();
    thread::sleep(Duration::from_secs(6));
    fixture.put("sensor-0003", Trick::None);
    let back = running.wait_for("back", |event| event["event"] == "warning");
    assert_eq!((&back["alone"], &back["certificates"]), (&false.into(), &1.into()), "{back}");
    assert_eq!(running.end().1, Some(0));
    assert_eq!(factory.lot(), [3, 0, 3]);
    factory.one(&["ledger", "verify"]);
}

/// Nobody puts in another device: what was recorded alone is brought to the server all the same.
#[test]
fn a_station_that_waits_finds_its_server_again() {
    let factory = Factory::with_quota("100");
    let fixture = Fixture::empty();
    let running = factory.serve(&fixture, &[]);
    running.wait_for("an empty slot", |event| event["state"] == "empty");
    factory.server.lock().unwrap().crash();
    fixture.put("sensor-0001", Trick::None);
    running.wait_for("the device", |event| event["event"] == "result");
    factory.server.lock().unwrap().go_on().unwrap();
    let back = running.wait_for("back", |event| event["alone"] == false);
    assert_eq!((&back["certificates"], &back["proofs"]), (&1.into(), &1.into()), "{back}");
    assert_eq!(factory.lot(), [1, 2, 1]);
    running.signal(Signal::SIGINT);
    assert_eq!(running.end().1, Some(0));
    assert_eq!(factory.lot(), [1, 0, 1]);
}

/// Its end is the last occasion; where the server is still away, the operator is told.
#[test]
fn a_station_that_ends_brings_what_it_has_or_says_what_waits() {
    let factory = Factory::with_quota("100");
    let alone = |serial: &str| {
        let fixture = Fixture::empty();
        let running = factory.serve(&fixture, &[]);
        running.wait_for("an empty slot", |event| event["state"] == "empty");
        factory.server.lock().unwrap().crash();
        fixture.put(serial, Trick::None);
        running.wait_for("the device", |event| event["event"] == "result");
        (running, fixture)
    };
    let (running, _fixture) = alone("sensor-0001");
    running.signal(Signal::SIGINT);
    let waits = running.wait_for("what waits", |event| event["waiting"] == 1);
    assert_eq!((&waits["left"], &waits["file"]), (&1.into(), &"a.db".into()), "{waits}");
    let merge = "provision ledger merge --fallback a.db";
    assert!(waits["message"].as_str().unwrap().contains(merge), "{waits}");
    assert_eq!(running.end().1, Some(0));
    factory.server.lock().unwrap().go_on().unwrap();
    assert_eq!(factory.lot(), [0, 2, 0]);

    // What waited is merged at the start; what was made alone after that, at the end.
    let (running, _fixture) = alone("sensor-0002");
    factory.server.lock().unwrap().go_on().unwrap();
    running.signal(Signal::SIGINT);
    let back = running.wait_for("back", |event| event["alone"] == false);
    assert_eq!(back["certificates"], 1, "{back}");
    assert_eq!(running.end().1, Some(0));
    assert_eq!(factory.lot(), [2, 0, 2]);
    factory.one(&["ledger", "verify"]);
}

/// Alone too, what is on a label is what the server says of the device later.
#[test]
fn a_station_that_is_alone_makes_labels() {
    let factory = Factory::with_quota("100");
    // One that the server has, and this station's file not: it is known there by its certificate.
    let (known, _device) = device("sensor-0001", Trick::None);
    let lot = ["--lot", "W47", "--ledger", &factory.url];
    assert_eq!(factory.station.enroll(&known, &lot).code, 0);
    assert_eq!(factory.station.enroll(&known, &factory.line("a.db")).code, 0);

    let labels = ["--keep-lease", "--labels", "labels", "--label-format", "svg"];
    let server = Arc::clone(&factory.server);
    let accident = move || server.lock().unwrap().crash();
    let (port, _device) = with_an_accident("sensor-0002", Stage::Keyed, accident);
    let line = factory.line("a.db");
    let alone = factory.station.enroll(&port, &[&line, &labels[..]].concat());
    assert_eq!(alone.code, 0, "{alone:?}");
    assert!(alone.stderr.contains("this station goes on by itself"), "{alone:?}");
    // Its lot is at the server: a label without it would be another.
    let unknown = factory.station.enroll(&known, &[&line, &labels[..]].concat());
    assert_eq!(unknown.code, 1, "{unknown:?}");
    assert!(unknown.stderr.contains("its lot is on record at the server alone"), "{unknown:?}");

    factory.server.lock().unwrap().go_on().unwrap();
    factory.one(&["ledger", "merge", "--fallback", "a.db"]);
    factory.one(&["label", "--device", "sensor-0002", "--format", "svg", "--out", "later.svg"]);
    let read = |name: &str| std::fs::read_to_string(factory.station.path().join(name)).unwrap();
    let label = read("labels/sensor-0002.svg");
    assert_eq!(label, read("later.svg"));
    assert!(label.contains("W47"), "{label}");
}

#[test]
fn a_fallback_needs_a_lot_and_a_server() {
    let station = Station::new();
    let (port, _device) = device("sensor-0001", Trick::None);
    for (arguments, cause) in [
        (&["--fallback", "a.db"][..], "`--lot` names it"),
        (&["--fallback", "a.db", "--lot", "W47"], "`--ledger postgres://"),
        (&["--lease", "5"], "--fallback <FILE>"),
        (&["--fallback", "a.db", "--lot", "W47", "--lease", "1001"], "1001 is not in 1..=1000"),
    ] {
        let refused = station.enroll(&port, arguments);
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stderr.contains(cause), "{refused:?}");
    }
    assert!(!station.path().join("a.db").exists());
    let merge = ["ledger", "merge", "--fallback", "ca/ledger.sqlite"];
    let own = station.run(&merge);
    assert_eq!(own.code, 15, "{own:?}");
    assert!(own.stderr.contains("a ledger in its own right"), "{own:?}");
}
