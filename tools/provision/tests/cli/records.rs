//! A file for each run: `--records`.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Instant;

use boon::{Compiler, SchemaIndex, Schemas};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use provision_testkit::cli::Running;
use provision_testkit::impostor::Trick;
use provision_testkit::pty::PtyPort;
use provision_wire::Stage;
use serde_json::{Value, json};

use crate::station::{Fixture, Station, assert_documented, device, events, impostor};

const ENDPOINT: [&str; 2] = ["--endpoint", "10.0.2.100:8883"];

/// Says how a record differs from docs/record.schema.json.
fn against_the_schema(record: &Value) -> Result<(), String> {
    static SCHEMA: LazyLock<(Schemas, SchemaIndex)> = LazyLock::new(|| {
        let text = include_str!("../../../../docs/record.schema.json");
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("record", serde_json::from_str(text).unwrap()).unwrap();
        let index = compiler.compile("record", &mut schemas).unwrap();
        (schemas, index)
    });
    let (schemas, index) = &*SCHEMA;
    schemas.validate(record, *index).map_err(|fault| format!("{fault}: {record:#}"))
}

/// The records in a directory, oldest first, each held against the schema.
pub(crate) fn records(dir: &Path) -> Vec<Value> {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut names: Vec<_> = names.filter(|path| path.extension().is_some()).collect();
    names.retain(|path| !path.file_name().unwrap().to_string_lossy().starts_with('.'));
    let read = |path| {
        let text = fs::read_to_string(path).unwrap();
        let record: Value =
            serde_json::from_str(&text).unwrap_or_else(|fault| panic!("{fault}: {text:.200}"));
        against_the_schema(&record).unwrap();
        record
    };
    let mut records: Vec<Value> = names.into_iter().map(read).collect();
    records.sort_by_key(|record| record["started_at_ms"].as_u64());
    records
}

fn steps(record: &Value) -> Vec<&str> {
    record["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect()
}

#[test]
fn a_device_that_passed_has_a_record_of_each_run() {
    let station = Station::new();
    let (port, _device) = device("sensor-0001", Trick::None);
    let more = ["--json", "--records", "records", "--lot", "W47", "--station-name", "line 3"];
    let ran = station.enroll(&port, &more);
    assert_eq!(ran.code, 0, "{ran:?}");
    let result = events(&ran).pop().unwrap();
    let dir = station.path().join("records");
    let [record] = &records(&dir)[..] else { panic!("not one record") };
    for name in ["device", "port", "cert_serial", "leaf_sha256", "not_after_s", "sealed", "turns"] {
        assert_eq!(record[name], result[name], "{name} of {record:#}");
    }
    let said = ["lot", "station", "profile", "outcome"].map(|name| &record[name]);
    assert_eq!(said, ["W47", "line 3", "device", "enrolled"]);
    let reached = steps(record);
    let expected = ["found", "key", "possession-proven", "issued", "recorded", "delivering"];
    assert_eq!(reached, [&expected[..], &["stored", "proven", "sealed"]].concat());
    let in_steps: f64 = record["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["seconds"].as_f64().unwrap())
        .sum();
    let seconds = record["seconds"].as_f64().unwrap();
    assert!(in_steps > 0.0 && in_steps <= seconds + 0.02, "{in_steps} of {seconds}");
    let signed = events(&station.run(&["--json", "ledger", "verify"]));
    assert_eq!(record["station_sha256"], signed[0]["station_sha256"]);

    assert_eq!(station.enroll(&port, &["--records", "records"]).code, 0);
    let [_, again] = &records(&dir)[..] else { panic!("not two records") };
    assert_eq!(
        (&again["outcome"], &again["lot"], &again["cert_serial"]),
        (&"unchanged".into(), &Value::Null, &record["cert_serial"])
    );
}

/// In the records and the events that end a run; not in the ledger, which keeps what it has for ever.
#[test]
fn who_worked_there_is_noted_if_it_is_said() {
    let station = Station::new();
    let (port, _device) = device("sensor-0001", Trick::None);
    let (bad, _other) = device("sensor-0002", Trick::BrokenSelfSignature);
    let more = ["--json", "--records", "records", "--lot", "W47", "--operator", "A. Meier"];
    let good = station.enroll(&port, &more);
    let failed = station.enroll(&bad, &more[..5]);
    assert_eq!((good.code, failed.code), (0, 12), "{good:?} {failed:?}");
    let by_environment = station.run_with(
        &[
            &["station", "--stop-after", "1", "--ports", port.path().to_str().unwrap()],
            &ENDPOINT[..],
            &more[..5],
        ]
        .concat(),
        |command| command.env("PROVISION_OPERATOR", "4711"),
    );
    assert_eq!(by_environment.code, 0, "{by_environment:?}");
    let mut of_events = Vec::new();
    for event in [&good, &failed, &by_environment].into_iter().flat_map(events) {
        assert_documented(&event);
        if let "result" | "error" | "station" = event["event"].as_str().unwrap() {
            of_events.push(event["operator"].as_str().map(str::to_owned));
        }
    }
    let [meier, number] = ["A. Meier", "4711"].map(|name| Some(name.to_owned()));
    assert_eq!(of_events, [meier, None, number.clone(), number]);
    let kept = records(&station.path().join("records"));
    let of_records: Vec<_> = kept.iter().map(|record| record["operator"].as_str()).collect();
    assert_eq!(of_records, [Some("A. Meier"), None, Some("4711")]);

    let report = |format: &str| {
        let what = ["report", "lot", "--id", "W47", "--records", "records", "--format", format];
        let ran = station.run(&what);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.stdout
    };
    let junit = report("junit");
    assert!(junit.contains(r#"<property name="operators" value="4711, A. Meier"/>"#), "{junit}");
    assert!(junit.contains("\noperator A. Meier</system-out>"), "{junit}");
    let html = report("html");
    assert!(html.contains("Operators: 4711, A. Meier. "), "{html}");
    let openhtf: Value = serde_json::from_str(&report("openhtf")).unwrap();
    let of = |run: &Value| run["metadata"]["operator_id"].clone();
    let operators: Vec<_> = openhtf.as_array().unwrap().iter().map(of).collect();
    assert_eq!(operators, [json!("A. Meier"), Value::Null, json!("4711")]);
    let ledger = fs::read(station.path().join("ca/ledger.sqlite")).unwrap();
    assert!(!ledger.windows(5).any(|bytes| bytes == b"Meier"));

    for wrong in ["", " x", "a\nb", "\u{1b}[2J", &"x".repeat(65)] {
        let refused = station.enroll(&port, &["--operator", wrong]);
        assert_eq!(refused.code, 2, "{wrong:?}: {refused:?}");
        assert!(refused.stderr.contains("1 to 64 characters"), "{refused:?}");
    }
}

#[test]
fn a_run_that_failed_has_a_record_with_its_cause_and_what_to_do() {
    let station = Station::new();
    let (bad, _device) = device("sensor-0001", Trick::BrokenSelfSignature);
    let none = PtyPort::serve(|_| Vec::new()).unwrap();
    let ports = [&bad, &none].map(|port| port.path().to_str().unwrap());
    let ports = ["--json", "--wait", "1", "--records", "records", "--port", ports[0], ports[1]];
    let ran = station.run(&[&ports[..], &ENDPOINT].concat());
    assert_eq!(ran.code, 12, "{ran:?}");
    let mut records = records(&station.path().join("records"));
    records.sort_by_key(|record| record["device"].is_null());
    let [bad, none] = &records[..] else { panic!("not two records") };
    assert_eq!((&bad["device"], &bad["outcome"]), (&"sensor-0001".into(), &"failed".into()));
    assert_eq!(steps(bad), ["found", "key"]);
    assert_eq!((&none["device"], steps(none).len()), (&Value::Null, 0));
    for (record, error) in [(bad, "not-proven"), (none, "no-answer")] {
        assert_eq!(record["error"]["error"], error);
        let told = events(&ran).into_iter().find(|event| event["error"] == error).unwrap();
        for name in ["exit_code", "message", "causes", "hint"] {
            assert_eq!(record["error"][name], told[name], "{record:#}");
        }
        assert_eq!(record["port"], told["port"]);
    }
}

#[test]
fn what_no_record_is_does_not_fit_the_schema() {
    let station = Station::new();
    let (port, _device) = device("sensor-0001", Trick::None);
    assert_eq!(station.enroll(&port, &["--records", "records"]).code, 0);
    let record = records(&station.path().join("records")).pop().unwrap();
    for (name, wrong) in [
        ("outcome", json!("failed")),
        ("outcome", json!("lost")),
        ("device", Value::Null),
        ("device", json!("<b>")),
        ("seconds", json!("2")),
        ("steps", json!([{ "step": "dance", "after_s": 1, "seconds": 1 }])),
        ("private_key", json!("00")),
        ("operator", json!("a\nb")),
        ("operator", json!("")),
    ] {
        let mut other = record.clone();
        other[name] = wrong;
        assert!(against_the_schema(&other).is_err(), "{other:#}");
    }
}

#[test]
fn a_station_keeps_a_record_of_each_attempt_at_each_slot() {
    let station = Station::new();
    let fixture = Fixture::empty();
    fixture.put("sensor-0001", Trick::BrokenSelfSignature);
    let slots = format!("[[slot]]\nname = \"left\"\nport = \"{}\"\n", fixture.path());
    fs::write(station.path().join("station.toml"), slots).unwrap();
    let start = ["--json", "station", "--slots", "station.toml", "--stop-after", "1"];
    let running =
        station.follow(&[&start[..], &["--records", "records"], &ENDPOINT].concat()).documented();
    running.wait_for("failure", |event| event["error"] == "not-proven");
    fixture.put("sensor-0002", Trick::None);
    running.wait_for("result", |event| event["event"] == "result");
    assert_eq!(running.end().1, Some(0));
    let records = records(&station.path().join("records"));
    let told: Vec<_> = records
        .iter()
        .map(|r| ["slot", "device", "outcome"].map(|n| r[n].as_str().unwrap()))
        .collect();
    assert_eq!(told, [["left", "sensor-0001", "failed"], ["left", "sensor-0002", "enrolled"]]);
    assert!(records[0]["ended_at_ms"].as_u64() <= records[1]["started_at_ms"].as_u64());
}

#[test]
fn a_directory_that_takes_no_records_is_named_before_a_device_is_touched() {
    let station = Station::new();
    let (port, device) = device("sensor-0001", Trick::None);
    fs::write(station.path().join("file"), "").unwrap();
    let ran = station.enroll(&port, &["--records", "file/records"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("cannot write records into file/records"), "{ran:?}");
    assert!(ran.stderr.contains("\nhint: no device was touched"), "{ran:?}");

    // A disk of one page, in a namespace of its own.
    fs::create_dir(station.path().join("full")).unwrap();
    let program = env!("CARGO_BIN_EXE_provision");
    let port = port.path().to_str().unwrap();
    for of in ["--port", "station --ports"] {
        let script = format!(
            "mount -t tmpfs -o size=4k none full && exec {program} --json {of} {port} \
             --endpoint 10.0.2.100:8883 --records full"
        );
        let ran = station.run_with(&[], |command| {
            let own = ["--user", "--map-root-user", "--mount", "sh", "-c"];
            *command = std::process::Command::new("unshare");
            command.args(own).arg(&script).current_dir(station.path()).stdin(Stdio::null())
        });
        assert_eq!(ran.code, 1, "{ran:?}");
        let told = events(&ran).pop().unwrap();
        assert_eq!((&told["error"], &told["event"]), (&"records".into(), &"error".into()));
        assert!(told["message"].as_str().unwrap().contains("No space left"), "{told}");
        assert_documented(&told);
    }
    assert_eq!(device.lock().unwrap().stage(), Some(Stage::Blank));
    assert!(station.entries().is_empty());
}

#[test]
fn a_record_that_cannot_be_written_later_is_told_of_and_the_device_is_enrolled() {
    for at_a_station in [false, true] {
        let station = Station::new();
        let dir = station.path().join("records");
        let mut device = impostor("sensor-0001", Trick::None);
        let gone = Arc::new(AtomicBool::new(false));
        let (removed, of) = (Arc::clone(&gone), dir.clone());
        let port = PtyPort::serve(move |bytes| {
            // The first question comes after the directory was found good.
            if !removed.swap(true, Ordering::Relaxed) {
                fs::remove_dir_all(&of).unwrap();
            }
            device.receive(bytes)
        })
        .unwrap();
        let port = port.path().to_str().unwrap();
        let command = if at_a_station {
            vec!["--json", "station", "--stop-after", "1", "--ports", port]
        } else {
            vec!["--json", "--port", port]
        };
        let ran = station.run(&[&command[..], &ENDPOINT, &["--records", "records"]].concat());
        assert!(gone.load(Ordering::Relaxed));
        let told = events(&ran);
        told.iter().for_each(assert_documented);
        assert!(told.iter().any(|event| event["outcome"] == "enrolled"), "{ran:?}");
        let lost = told.iter().find(|event| event["event"] == "warning").unwrap();
        let message = lost["message"].as_str().unwrap();
        assert!(message.contains("of device sensor-0001"), "{message}");
        let end = told.last().unwrap();
        assert_eq!((ran.code, &end["error"]), (1, &"records".into()), "{ran:?}");
        let states: Vec<_> = station.entries().into_iter().map(|(_, state, _)| state).collect();
        assert_eq!(states, ["enrolled"]);
    }
}

#[test]
fn a_plan_makes_no_record() {
    let station = Station::new();
    let (port, _device) = device("sensor-0001", Trick::None);
    assert_eq!(station.enroll(&port, &["--dry-run", "--records", "records"]).code, 0);
    assert!(!station.path().join("records").exists());
}

#[test]
fn a_record_is_whole_whenever_it_is_looked_at_and_whenever_the_station_is_killed() {
    let station = Station::new();
    let mut line = station.simulate(3, &["--devices", "30"]).unwrap();
    let dir = station.path().join("records");
    fs::create_dir(&dir).unwrap();
    // What the system tells of the directory: which files were begun there, and which were renamed.
    let told = Inotify::init(InitFlags::IN_NONBLOCK).unwrap();
    told.add_watch(&dir, AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO).unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let (is_over, of) = (Arc::clone(&over), dir.clone());
    let watcher = thread::spawn(move || {
        let mut looks = 0;
        while !is_over.load(Ordering::Relaxed) {
            looks += records(&of).len();
        }
        looks
    });
    let start = ["station", "--slots", "line/station.toml", "--records", "records"];
    let started = || {
        let mut command = station.command(&[&start[..], &ENDPOINT].concat());
        Running(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    };
    for round in 0..8 {
        let running = started();
        thread::sleep(Duration::from_millis(400 + 97 * round));
        // By SIGKILL.
        drop(running);
    }
    let last = started();
    let deadline = Instant::now() + Duration::from_secs(120);
    while line.0.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "they are never done");
        thread::sleep(Duration::from_millis(50));
    }
    drop(last);
    over.store(true, Ordering::Relaxed);
    assert!(watcher.join().unwrap() > 0, "nothing was looked at");
    let mut renamed = 0;
    while let Ok(events) = told.read_events() {
        for event in events {
            let name = event.name.unwrap_or_default();
            // Under its own name a record is whole from the beginning.
            if !name.to_string_lossy().starts_with('.') {
                assert_eq!(event.mask, AddWatchFlags::IN_MOVED_TO, "{name:?} was begun");
                renamed += 1;
            }
        }
    }
    let records = records(&dir);
    assert_eq!(renamed, records.len());
    let passed: BTreeSet<&str> = records
        .iter()
        .filter(|record| record["outcome"] != "failed")
        .map(|record| record["device"].as_str().unwrap())
        .collect();
    // Who was sealed in the moment of a kill has no record.
    assert!((6..=30).contains(&passed.len()), "{passed:?}");
    assert!(station.entries().iter().all(|(_, state, _)| state == "enrolled"));
}
