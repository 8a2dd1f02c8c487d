//! Many ports at once, and a station that runs all shift.

use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::process::Stdio;
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::Instant;

use nix::sys::signal::Signal;
use provision_testkit::impostor::{Impostor, Trick};
use provision_testkit::pty::PtyPort;
use provision_wire::Stage;
use serde_json::{Value, json};

use crate::station::{Fixture, Following, Station, assert_documented, device, events, impostor};

const ENDPOINT: [&str; 2] = ["--endpoint", "10.0.2.100:8883"];

fn honest(serial: &str) -> Impostor {
    impostor(serial, Trick::None)
}

#[test]
fn what_no_event_is_does_not_fit_the_schema() {
    for event in [
        json!({ "event": "slot", "state": "asleep", "slot": "left", "port": "" }),
        json!({ "event": "result", "outcome": "enrolled", "port": "a" }),
        json!({ "event": "found", "stage": "blank", "port": "a" }),
        json!({ "event": "nonsense" }),
    ] {
        assert!(std::panic::catch_unwind(|| assert_documented(&event)).is_err(), "{event}");
    }
}

/// `provision station` on these ports.
fn station_on(station: &Station, ports: &[&str], more: &[&str]) -> Following {
    let start = ["--json", "station", "--ports"];
    station.follow(&[&start[..], ports, &ENDPOINT, more].concat()).documented()
}

fn result_of(device: &str) -> impl Fn(&Value) -> bool {
    move |event| event["event"] == "result" && event["device"] == device
}

fn state(name: &str) -> impl Fn(&Value) -> bool {
    move |event| event["event"] == "slot" && event["state"] == name
}

fn error(name: &str) -> impl Fn(&Value) -> bool {
    move |event| event["event"] == "error" && event["error"] == name
}

#[test]
fn all_ports_are_served_at_the_same_time() {
    let station = Station::new();
    // Neither answers before the other was asked.
    let both_asked = Arc::new(Barrier::new(2));
    let serve = |serial: &'static str| {
        let (both_asked, mut device, mut asked) = (Arc::clone(&both_asked), honest(serial), false);
        PtyPort::serve(move |bytes| {
            if !core::mem::replace(&mut asked, true) {
                both_asked.wait();
            }
            device.receive(bytes)
        })
        .unwrap()
    };
    let (first, second) = (serve("sensor-0001"), serve("sensor-0002"));
    let ports = [&first, &second].map(|port| port.path().to_str().unwrap());
    let ran = station.run(&[&["--port", ports[0], "--port", ports[1]], &ENDPOINT[..]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(station.entries().len(), 2);
}

#[test]
fn one_port_twice_is_refused() {
    let station = Station::new();
    let ran = station.run(&[&["--port", "/dev/a", "/dev/a"], &ENDPOINT[..]].concat());
    assert_eq!((ran.code, ran.stderr.contains("named twice")), (2, true), "{ran:?}");
}

#[test]
fn after_a_cloned_key_nothing_more_is_signed_on_any_port() {
    let station = Station::new();
    let (original, _device) = device("sensor-12", Trick::None);
    assert_eq!(station.enroll(&original, &[]).code, 0);

    let (clone, _device) = device("sensor-21", Trick::None);
    let clone_was_seen = Arc::new(AtomicBool::new(false));
    let (seen, mut innocent) = (Arc::clone(&clone_was_seen), honest("sensor-0003"));
    let late = PtyPort::serve(move |bytes| {
        while !seen.load(Ordering::Relaxed) {
            thread::sleep(Duration::from_millis(10));
        }
        innocent.receive(bytes)
    })
    .unwrap();
    let ports = [&clone, &late].map(|port| port.path().to_str().unwrap());
    let running =
        station.follow(&[&["--json", "--port", ports[0], ports[1]], &ENDPOINT[..]].concat());
    let stopped = running.wait_for("clone", error("policy"));
    assert!(stopped["message"].as_str().unwrap().contains("stop the line"), "{stopped}");
    clone_was_seen.store(true, Ordering::Relaxed);
    let (events, code) = running.end();
    let late = events.iter().find(|event| error("policy")(event)).unwrap();
    assert!(late["message"].as_str().unwrap().contains("the line was stopped"), "{late}");
    assert_eq!(code, Some(13));
    assert_eq!(station.entries().len(), 1, "nothing was signed for the third");
}

#[test]
fn a_station_enrolls_one_device_after_the_other() {
    let station = Station::new();
    let fixture = Fixture::empty();
    let running = station_on(&station, &[fixture.path()], &["--stop-after", "2"]);
    running.wait_for("empty slot", state("empty"));
    fixture.put("sensor-0001", Trick::None);
    let first = running.wait_for("first", result_of("sensor-0001"));
    assert_eq!((&first["outcome"], &first["slot"]), (&"enrolled".into(), &fixture.path().into()));
    assert_eq!(fixture.stage(), Some(Stage::Sealed));
    fixture.take_out();
    running.wait_for("empty slot", state("empty"));
    fixture.put("sensor-0002", Trick::None);
    running.wait_for("second", result_of("sensor-0002"));
    let (events, code) = running.end();
    let end = events.last().unwrap();
    assert_eq!((&end["event"], &end["passed"]), (&"station".into(), &2.into()), "{end}");
    assert_eq!(code, Some(0));
}

#[test]
fn a_device_that_stays_is_run_once_and_the_next_one_without_a_pause() {
    let station = Station::new();
    let fixture = Fixture::empty();
    fixture.put("sensor-0001", Trick::None);
    let running = station_on(&station, &[fixture.path()], &["--stop-after", "2"]);
    running.wait_for("first", result_of("sensor-0001"));
    thread::sleep(Duration::from_secs(2));
    fixture.put("sensor-0002", Trick::None);
    let next = running.wait_for("a result", |event| event["event"] == "result");
    assert_eq!(next["device"], "sensor-0002", "the first was run again");
    assert_eq!(running.end().1, Some(0));
}

#[test]
fn a_bad_device_and_a_missing_port_do_not_stop_the_others() {
    let station = Station::new();
    let (good, bad) = (Fixture::empty(), Fixture::empty());
    bad.put("sensor-0001", Trick::BrokenSelfSignature);
    let later = station.path().join("later");
    let ports = [bad.path(), later.to_str().unwrap()];
    let running = station_on(&station, &ports, &["--stop-after", "1", "--retries", "0"]);
    // In whichever order.
    let (is_missing, is_bad) = (state("no-port"), error("not-proven"));
    let (mut missing, mut bad_device) = (false, None);
    running.wait_for("missing port and bad device", |event| {
        missing |= is_missing(event);
        if is_bad(event) {
            bad_device = Some(event["device"].clone());
        }
        missing && bad_device.is_some()
    });
    assert_eq!(bad_device.unwrap(), "sensor-0001");
    // Plugged in while it runs.
    good.put("sensor-0002", Trick::None);
    symlink(good.path(), &later).unwrap();
    running.wait_for("good device", result_of("sensor-0002"));
    let (events, code) = running.end();
    let end = events.last().unwrap();
    assert_eq!((&end["passed"], &end["failed"]), (&1.into(), &1.into()), "{end}");
    assert_eq!(end["causes"]["not-proven"], 1);
    assert_eq!(code, Some(0));
}

#[test]
fn a_device_that_went_silent_is_tried_again_while_it_stays() {
    let station = Station::new();
    let mut device = honest("sensor-0001");
    // Nothing for longer than a run is patient, in the middle of the first.
    let mut heard = 0;
    let mut silent_until = None;
    let port = PtyPort::serve(move |bytes| {
        heard += bytes.len();
        if heard > 600 && silent_until.is_none() {
            silent_until = Some(Instant::now() + Duration::from_secs(6));
        }
        match silent_until {
            Some(until) if Instant::now() < until => Vec::new(),
            _ => device.receive(bytes),
        }
    })
    .unwrap();
    let path = port.path().to_str().unwrap();
    let running = station_on(&station, &[path], &["--stop-after", "1"]);
    running.wait_for("silence", error("no-answer"));
    let result = running.wait_for("result", result_of("sensor-0001"));
    assert_eq!(result["outcome"], "delivered", "with the certificate it had: {result}");
    assert_eq!(running.end().1, Some(0));
    assert_eq!(station.entries().len(), 1);
}

#[test]
fn a_device_that_is_reset_again_and_again_is_not_tried_for_ever() {
    let station = Station::new();
    let mut device = honest("sensor-0001");
    // Breaks down in the middle of each run, for so long that it is missed, and is back.
    let (mut heard, mut silent_until) = (0, None);
    let port = PtyPort::serve(move |bytes| {
        let now = Instant::now();
        if silent_until.is_some_and(|until| now < until) {
            return Vec::new();
        }
        // Hello alone is shorter.
        heard = if bytes.len() > 40 { heard + bytes.len() } else { 0 };
        if heard > 300 {
            (heard, silent_until) = (0, Some(now + Duration::from_secs(7)));
            return Vec::new();
        }
        device.receive(bytes)
    })
    .unwrap();
    let path = port.path().to_str().unwrap();
    let running = station_on(&station, &[path], &["--retries", "1"]);
    running.wait_for("first failure", error("no-answer"));
    running.wait_for("second failure", error("no-answer"));
    thread::sleep(Duration::from_secs(4));
    running.signal(Signal::SIGINT);
    let (events, _) = running.end();
    let end = events.last().unwrap();
    assert_eq!(end["failed"], 2, "it was run again: {end}");
}

#[test]
fn what_speaks_otherwise_is_told_apart_from_an_empty_slot() {
    let station = Station::new();
    let mut later = impostor("sensor-0001", Trick::OtherVersion);
    let other_version = PtyPort::serve(move |bytes| later.receive(bytes)).unwrap();
    let noise = PtyPort::serve(|_| b"\0\xf8\x80~x\0\x1e\xfe\0".to_vec()).unwrap();
    let ports = [&other_version, &noise].map(|port| port.path().to_str().unwrap());
    let running = station_on(&station, &ports, &[]);
    let refused = running.wait_for("refusal", error("refused"));
    assert_eq!((&refused["port"], &refused["device"]), (&ports[0].into(), &Value::Null));
    let heard = running.wait_for("noise", state("noise"));
    assert_eq!(heard["port"], ports[1]);
    thread::sleep(Duration::from_secs(1));
    running.signal(Signal::SIGINT);
    let (events, _) = running.end();
    let end = events.last().unwrap();
    assert_eq!(end["failed"], 1, "told once for as long as it stays: {end}");
}

#[test]
fn with_scanning_only_the_device_that_was_scanned_is_run() {
    let station = Station::new();
    let fixture = Fixture::empty();
    fixture.put("sensor-0001", Trick::None);
    let arguments = ["--json", "station", "--start", "scan", "--stop-after", "1", "--ports"];
    let arguments = [&arguments[..], &[fixture.path()], &ENDPOINT].concat();
    let mut process =
        station.command(&arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut scanner = process.stdin.take().unwrap();
    let running = Following::of(process).documented();
    running.wait_for("wait for a scan", state("scan"));
    assert_eq!(fixture.stage(), Some(Stage::Blank));
    writeln!(scanner, "sensor-0002").unwrap();
    let other = running.wait_for("other device", error("policy"));
    let cause = "expected device sensor-0002, found sensor-0001";
    assert!(other["message"].as_str().unwrap().contains(cause), "{other}");
    assert_eq!(fixture.stage(), Some(Stage::Blank));
    running.wait_for("wait for another scan", state("scan"));
    writeln!(scanner, "sensor-0001").unwrap();
    running.wait_for("result", result_of("sensor-0001"));
    assert_eq!(running.end().1, Some(0));
}

/// Nobody waits for a scanner that is not there.
#[test]
fn where_no_scan_can_come_the_station_says_so_and_ends() {
    let station = Station::new();
    let fixture = Fixture::empty();
    fixture.put("sensor-0001", Trick::None);
    let arguments = ["--json", "station", "--start", "scan", "--ports"];
    let arguments = [&arguments[..], &[fixture.path()], &ENDPOINT].concat();
    let start = |input: Stdio| {
        let mut command = station.command(&arguments);
        command.stdin(input).stdout(Stdio::piped()).spawn().unwrap()
    };
    let running = Following::of(start(Stdio::null())).documented();
    let said = running.wait_for("the end", |event| event["event"] == "warning");
    assert!(said["message"].as_str().unwrap().contains("no scan can come any more"), "{said}");
    assert_eq!(running.end().1, Some(0));
    assert_eq!(fixture.stage(), Some(Stage::Blank));

    // What was scanned before that is run.
    let mut process = start(Stdio::piped());
    let mut scanner = process.stdin.take().unwrap();
    let running = Following::of(process).documented();
    running.wait_for("wait for a scan", state("scan"));
    writeln!(scanner, "sensor-0001").unwrap();
    drop(scanner);
    running.wait_for("result", result_of("sensor-0001"));
    assert_eq!(running.end().1, Some(0));
}

#[test]
fn what_would_not_be_used_is_refused() {
    let station = Station::new();
    let ports = ["--ports", "/dev/null"];
    for (arguments, cause) in [
        (&["--reset-command", "touch x"][..], "`--reset-command` goes with `--reset command`"),
        (&["--reset", "dtr-rts", "--reset-command", "touch x"], "goes with `--reset command`"),
        (&["--baud", "0"], "0 is not in 1.."),
        (&["--stop-after", "0"], "0 is not in 1.."),
    ] {
        let ran = station.run(&[&["station"], &ports[..], &ENDPOINT, arguments].concat());
        assert_eq!(ran.code, 2, "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(cause), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn ctrl_c_lets_a_run_finish_and_a_second_one_leaves_it_where_it_is() {
    for (signals, code) in [(1, 0), (2, 0)] {
        let station = Station::new();
        // Slow enough to be interrupted.
        let mut device = honest("sensor-0001");
        let port = PtyPort::serve(move |bytes| {
            let answer = device.receive(bytes);
            if !answer.is_empty() {
                thread::sleep(Duration::from_millis(200));
            }
            answer
        })
        .unwrap();
        let path = port.path().to_str().unwrap();
        let running = station_on(&station, &[path], &[]);
        running.wait_for("certificate", |event| event["event"] == "recorded");
        for _ in 0..signals {
            running.signal(Signal::SIGINT);
            thread::sleep(Duration::from_millis(50));
        }
        let (events, ended) = running.end();
        assert_eq!(ended, Some(code));
        let finished = events.iter().any(result_of("sensor-0001"));
        assert_eq!(finished, signals == 1, "{events:?}");
        // Either way the next run completes, with the same certificate.
        let again = station.run(&[&["--json", "--port", path], &ENDPOINT[..]].concat());
        assert_eq!(again.code, 0, "{again:?}");
        assert_eq!(station.entries().len(), 1);
    }
}

/// A slip in a pattern, or nothing plugged in yet: it does not wait in silence.
#[test]
fn a_station_without_a_port_yet_says_that_it_waits() {
    let station = Station::new();
    let serving = station_on(&station, &["usb:no-such-hub", "/dev/no-such-*"], &[]);
    let said = serving.wait_for("warning", |event| event["event"] == "warning");
    let message = said["message"].as_str().unwrap();
    assert!(message.contains("no port is there for usb:no-such-hub, /dev/no-such-*"), "{said}");
    thread::sleep(Duration::from_millis(1200));
    serving.signal(Signal::SIGTERM);
    let (events, code) = serving.end();
    assert_eq!(code, Some(0));
    assert!(events.iter().all(|event| event["event"] == "station"), "said once: {events:?}");
    // A slot without its port says so itself.
    let serving = station_on(&station, &["/dev/no-such-port"], &[]);
    let first = serving.wait_for("event", |_| true);
    assert_eq!((&first["event"], &first["state"]), (&"slot".into(), &"no-port".into()));
}

#[test]
fn a_station_without_ports_or_with_bad_slots_is_refused() {
    let station = Station::new();
    let ran = station.run(&[&["station"], &ENDPOINT[..]].concat());
    assert_eq!((ran.code, ran.stderr.contains("which ports?")), (2, true), "{ran:?}");
    fs::write(station.path().join("station.toml"), "[[slot]]\nname = \"a\"\n").unwrap();
    let ran = station.run(&[&["station", "--slots", "station.toml"], &ENDPOINT[..]].concat());
    assert_eq!((ran.code, ran.stderr.contains("either `usb` or `port`")), (2, true), "{ran:?}");
}

#[test]
fn slots_of_a_file_have_names() {
    let station = Station::new();
    let fixture = Fixture::empty();
    fixture.put("sensor-0001", Trick::None);
    let slots = format!("[[slot]]\nname = \"left\"\nport = \"{}\"\n", fixture.path());
    fs::write(station.path().join("station.toml"), slots).unwrap();
    let arguments = ["--json", "station", "--slots", "station.toml", "--stop-after", "1"];
    let running = station.follow(&[&arguments[..], &ENDPOINT].concat());
    let result = running.wait_for("result", result_of("sensor-0001"));
    assert_eq!((&result["slot"], &result["port"]), (&"left".into(), &fixture.path().into()));
    assert_eq!(running.end().1, Some(0));
}

#[test]
fn what_a_device_says_besides_is_kept_where_it_is_asked_for() {
    let station = Station::new();
    let mut device = honest("sensor-0001");
    let mut booted = false;
    let port = PtyPort::serve(move |bytes| {
        let answer = device.receive(bytes);
        if core::mem::replace(&mut booted, true) {
            return answer;
        }
        [b"*** boot 1.2 ***\r\n".to_vec(), answer].concat()
    })
    .unwrap();
    let ran = station.enroll(&port, &["--capture", "logs"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let name =
        port.path().to_str().unwrap().trim_start_matches('/').replace('/', "-") + "-said.log";
    let kept = fs::read_to_string(station.path().join("logs").join(name)).unwrap();
    assert_eq!(kept, "*** boot 1.2 ***\r\n");
}

/// What is asked and answered takes longer on the line than a device may take to answer.
#[test]
fn a_station_on_a_slow_line_waits_for_what_is_on_its_way() {
    let station = Station::new();
    let slow = ["--baud", "2400"];
    let _line = station.simulate(1, &[&["--devices", "1"], &slow[..]].concat()).unwrap();
    let serve = ["--json", "station", "--ports", "line/port-01", "--endpoint", "10.0.2.100:8883"];
    let running = station.follow(&[&serve[..], &["--stop-after", "1"], &slow].concat());
    let passed = running
        .documented()
        .wait_for("its end", |event| matches!(event["event"].as_str(), Some("result" | "error")));
    assert_eq!((&passed["outcome"], &passed["turns"]), (&"enrolled".into(), &9.into()), "{passed}");
}

#[test]
fn a_device_is_reset_only_if_that_is_asked_for() {
    let station = Station::new();
    let (port, _device) = device("sensor-0001", Trick::None);
    let by_program = ["--reset", "command", "--reset-command", "touch 'was reset'"];
    assert_eq!(station.enroll(&port, &[]).code, 0);
    let flag = station.path().join("was reset");
    assert!(!flag.exists());
    assert_eq!(station.enroll(&port, &by_program).code, 0);
    assert!(flag.exists());

    // It is somebody else's program, and gets no secret; nor an address that may have one in it.
    let by_shell = ["--reset", "command", "--reset-command", "sh -c 'env > environment'"];
    let enroll = ["--port", port.path().to_str().unwrap(), "--endpoint", "10.0.2.100:8883"];
    let ran = station.run_with(&[&enroll[..], &by_shell].concat(), |command| {
        command
            .env("PROVISION_KEY_PASSPHRASE", "open sesame")
            .env("PGPASSWORD", "open sesame")
            .env("PROVISION_LEDGER", "ca/ledger.sqlite")
    });
    assert_eq!(ran.code, 0, "{ran:?}");
    let environment = fs::read_to_string(station.path().join("environment")).unwrap();
    for secret in ["open sesame", "PROVISION_LEDGER"] {
        assert!(!environment.contains(secret), "{environment}");
    }

    let no_program = ["--reset", "command", "--reset-command", "no-such-program {port}"];
    let ran = station.enroll(&port, &[&no_program[..], &["--json"]].concat());
    assert_eq!(ran.code, 16, "{ran:?}");
    let message = events(&ran)[0]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("cannot reset the device"), "{message}");
    // A pseudo-terminal has no such lines.
    let ran = station.enroll(&port, &["--reset", "dtr-rts"]);
    assert_eq!((ran.code, ran.stderr.contains("--reset none")), (16, true), "{ran:?}");
}
