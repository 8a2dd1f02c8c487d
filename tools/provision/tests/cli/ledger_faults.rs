//! What goes wrong with the ledger in the middle of a run: each is named, nothing leaves unrecorded,
//! and the next run completes.

use core::cell::RefCell;
use core::time::Duration;
use std::fs;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Instant;

use provision_testkit::impostor::{Impostor, Trick};
use provision_testkit::pty::PtyPort;
use provision_testkit::servers::Postgres;
use provision_wire::Stage;

use crate::station::{Station, assert_documented, device, events, impostor};

const PROVISION: &str = env!("CARGO_BIN_EXE_provision");

/// What a run in the shell left behind: exit code and what it said to people.
fn ran(station: &Station, name: &str) -> (String, String) {
    let read = |suffix: &str| {
        fs::read_to_string(station.path().join(format!("{name}.{suffix}"))).unwrap_or_default()
    };
    (read("code").trim().to_owned(), read("err"))
}

/// A shell with mounts of its own, that are gone with it. `run NAME …` runs the program.
fn with_mounts(station: &Station, script: &str) {
    let prelude = format!(
        "run() {{ name=$1; shift; code=0; {PROVISION} \"$@\" > $name.out 2> $name.err || code=$?; echo $code > $name.code; }}\n"
    );
    let mut shell = Command::new("unshare");
    shell.args(["--map-root-user", "--mount", "sh", "-e", "-c", &(prelude + script)]);
    let output = shell.current_dir(station.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

fn assert_named(station: &Station, name: &str, cause: &str, hint: &str) {
    let (code, said) = ran(station, name);
    assert_eq!(code, "15", "{name}: {said}");
    assert!(said.contains(cause), "{name}: {said}");
    assert!(said.contains("hint: ") && said.contains(hint), "{name}: {said}");
}

#[test]
fn a_full_disk() {
    let station = Station::new();
    let (port, device) = device("sensor-0001", Trick::None);
    let port = port.path().display().to_string();
    let enroll = format!("--port {port} --endpoint 10.0.2.100:8883 --ledger tiny/ledger.sqlite");
    // Once with no room at all, and once with less than a run needs.
    with_mounts(
        &station,
        &format!(
            "mkdir tiny
             mount -t tmpfs -o size=2m tmpfs tiny
             run made ledger create --ledger tiny/ledger.sqlite
             cat /dev/zero > tiny/filler 2> cat.err || true
             run full {enroll}
             rm tiny/filler
             run none ledger list --ledger tiny/ledger.sqlite
             head -c 40960 /dev/zero > tiny/room
             cat /dev/zero > tiny/filler 2> cat.err || true
             rm tiny/room
             run nearly {enroll}
             rm tiny/filler
             run again {enroll}
             run verify ledger verify --ledger tiny/ledger.sqlite
             run list ledger list --ledger tiny/ledger.sqlite"
        ),
    );
    assert_eq!(ran(&station, "made").0, "0");
    assert_named(&station, "full", "the disk is full", "make room");
    assert_named(&station, "nearly", "the disk is full", "make room");
    assert_eq!(ran(&station, "none").0, "0", "{}", ran(&station, "none").1);
    let said = |name: &str| fs::read_to_string(station.path().join(name)).unwrap();
    assert_eq!(said("none.out"), "");
    assert_eq!(ran(&station, "again").0, "0", "{}", ran(&station, "again").1);
    assert_eq!(ran(&station, "verify").0, "0", "{}", ran(&station, "verify").1);
    let list = said("list.out");
    assert_eq!(list.matches("sensor-0001  enrolled").count(), 1, "{list}");
    assert_eq!(device.lock().unwrap().stage(), Some(Stage::Sealed));
}

#[test]
fn a_ledger_that_may_only_be_read() {
    let station = Station::new();
    let (port, device) = device("sensor-0001", Trick::None);
    let port = port.path().display().to_string();
    let enroll = format!("--port {port} --endpoint 10.0.2.100:8883 --ledger books/ledger.sqlite");
    with_mounts(
        &station,
        &format!(
            "mkdir books
             run made ledger create --ledger books/ledger.sqlite
             mount --bind books books
             mount -o remount,bind,ro books
             run directory {enroll}
             run verify ledger verify --ledger books/ledger.sqlite
             run list ledger list --ledger books/ledger.sqlite
             run export ledger export --format csv --out all.csv --ledger books/ledger.sqlite
             umount books
             cp -r books live
             echo entries > live/ledger.sqlite-wal
             mount --bind live live
             mount -o remount,bind,ro live
             run log ledger verify --ledger live/ledger.sqlite
             umount live
             mount --bind books/ledger.sqlite books/ledger.sqlite
             mount -o remount,bind,ro books/ledger.sqlite
             run file {enroll}
             run audit ledger verify --ledger books/ledger.sqlite
             umount books/ledger.sqlite"
        ),
    );
    let hint = "a file and a directory that you may write to";
    assert_named(&station, "directory", "it cannot be written to", hint);
    assert_named(&station, "file", "it cannot be written to", hint);
    // Who only looks needs no more.
    for name in ["verify", "list", "export", "audit"] {
        assert_eq!(ran(&station, name).0, "0", "{name}: {}", ran(&station, name).1);
    }
    assert_named(&station, "log", "live/ledger.sqlite-wal, which cannot be read here", "copy the");
    assert_ne!(device.lock().unwrap().stage(), Some(Stage::Certified));
    with_mounts(&station, &format!("run again {enroll}"));
    assert_eq!(ran(&station, "again").0, "0", "{}", ran(&station, "again").1);
}

#[test]
fn a_ledger_that_another_program_holds() {
    let station = Station::new();
    let holder = rusqlite::Connection::open(station.path().join("ca/ledger.sqlite")).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let (port, device) = device("sensor-0001", Trick::None);
    let began = Instant::now();
    let locked = station.enroll(&port, &[]);
    assert_eq!(locked.code, 15, "{locked:?}");
    assert!(locked.stderr.contains("it is locked by another program"), "{locked:?}");
    assert!(locked.stderr.contains("see which other program has the ledger open"), "{locked:?}");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    assert_eq!(device.lock().unwrap().stage(), Some(Stage::Keyed), "nothing was delivered");
    holder.execute_batch("ROLLBACK").unwrap();
    assert_eq!(station.enroll(&port, &[]).code, 0);
    assert_eq!(station.entries().len(), 1);
}

/// The server is gone at one moment of a run or another: before the certificate is recorded, and
/// after it was delivered.
#[test]
fn a_postgresql_that_vanishes() {
    for vanishes_at in [Stage::Keyed, Stage::Certified] {
        let server = Postgres::start().unwrap();
        let url = server.url();
        let station = Station::new();
        assert_eq!(station.run(&["ledger", "create", "--ledger", &url]).code, 0);
        let server = Arc::new(Mutex::new(server));
        let (port, device) = with_an_accident("sensor-0001", vanishes_at, {
            let server = Arc::clone(&server);
            move || server.lock().unwrap().crash()
        });
        let gone = station.enroll(&port, &["--ledger", &url]);
        assert_eq!(gone.code, 15, "{gone:?}");
        assert!(gone.stderr.contains("the database cannot be reached"), "{gone:?}");
        assert!(
            gone.stderr.contains("hint: nothing left unrecorded; is the server up"),
            "{gone:?}"
        );
        assert_eq!(device.lock().unwrap().stage(), Some(vanishes_at), "no further");
        server.lock().unwrap().go_on().unwrap();
        let list = ["--json", "ledger", "list", "--ledger", &url];
        let on_record = station.run(&list).stdout.lines().count();
        assert_eq!(on_record, usize::from(vanishes_at == Stage::Certified));
        assert_eq!(station.enroll(&port, &["--ledger", &url]).code, 0);
        assert_eq!(station.run(&list).stdout.lines().count(), 1);
        assert_eq!(station.run(&["ledger", "verify", "--ledger", &url]).code, 0);
    }
}

/// The server is there, and says nothing.
#[test]
fn a_postgresql_that_hangs() {
    let server = Postgres::start().unwrap();
    let url = server.url();
    let station = Station::new();
    assert_eq!(station.run(&["ledger", "create", "--ledger", &url]).code, 0);
    let server = Arc::new(Mutex::new(server));
    let frozen_at = Arc::new(Mutex::new(None));
    let (port, _device) = with_an_accident("sensor-0001", Stage::Keyed, {
        let (server, frozen_at) = (Arc::clone(&server), Arc::clone(&frozen_at));
        move || {
            server.lock().unwrap().freeze().unwrap();
            *frozen_at.lock().unwrap() = Some(Instant::now());
        }
    });
    let hangs = station.enroll(&port, &["--ledger", &url]);
    let took = frozen_at.lock().unwrap().unwrap().elapsed();
    assert_eq!(hangs.code, 15, "{hangs:?}");
    assert!(hangs.stderr.contains("cannot be reached (no answer within"), "{hangs:?}");
    assert!(took < Duration::from_secs(12), "{took:?}");
    server.lock().unwrap().thaw().unwrap();
    sleep(Duration::from_millis(500));
    assert_eq!(station.enroll(&port, &["--ledger", &url]).code, 0);
    let list = station.run(&["--json", "ledger", "list", "--ledger", &url]);
    assert_eq!(list.stdout.lines().count(), 1, "{list:?}");
}

/// The server is there, and refuses: by its name, with what to do about it, to people and programs.
#[test]
fn a_postgresql_that_refuses() {
    let server = Postgres::start().unwrap();
    let station = Station::new();
    assert_eq!(station.run(&["ledger", "create", "--ledger", &server.url()]).code, 0);
    server
        .psql(
            "CREATE ROLE with_password;
             CREATE ROLE line LOGIN PASSWORD 'right' IN ROLE with_password;
             CREATE ROLE auditor LOGIN; CREATE ROLE crowd CONNECTION LIMIT 0 LOGIN;
             GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO line;
             GRANT SELECT ON ALL TABLES IN SCHEMA public TO auditor",
        )
        .unwrap();
    let (port, device) = device("sensor-0001", Trick::None);
    let enroll = |url: &str, password: &str| {
        let port = port.path().to_str().unwrap();
        let enroll = ["--port", port, "--endpoint", "10.0.2.100:8883", "--ledger", url];
        let by = |json: &[&str]| {
            station.run_with(&[json, &enroll].concat(), |run| run.env("PGPASSWORD", password))
        };
        (by(&[]), by(&["--json"]))
    };
    let nowhere = server.url().replacen("/ledger", "/nowhere", 1);
    for (url, password, cause, said, hint) in [
        (
            server.url_as("line"),
            "wrong",
            "password",
            "take the password (password auth",
            "PGPASSWORD",
        ),
        (
            server.url_as("line:wrong"),
            "",
            "password",
            "take the password (password auth",
            "PGPASSWORD",
        ),
        (server.url_as("nobody"), "", "role", "not let the role in (role", "pg_hba.conf"),
        (nowhere, "", "no-database", "no such database", "createdb"),
        (server.url_as("auditor"), "", "no-right", "auditor may not add to chain", "GRANT"),
        (
            server.url_as("crowd"),
            "",
            "too-many-connections",
            "no connection left",
            "CONNECTION LIMIT",
        ),
    ] {
        let (text, json) = enroll(&url, password);
        assert_eq!((text.code, json.code), (15, 15), "{text:?} {json:?}");
        assert!(text.stderr.contains(said) && text.stderr.contains(hint), "{text:?}");
        let event = &events(&json)[0];
        assert_documented(event);
        assert_eq!(
            (&event["error"], &event["storage"]),
            (&"ledger".into(), &cause.into()),
            "{event}"
        );
        assert!(event["message"].as_str().unwrap().contains(said), "{event}");
        for output in [&text, &json] {
            let all = format!("{}{}", output.stdout, output.stderr);
            assert!(!all.contains("wrong") && !all.contains("cannot be reached"), "{all}");
        }
    }
    assert_eq!(device.lock().unwrap().stage(), Some(Stage::Blank), "it was not asked for anything");
    assert_eq!(enroll(&server.url_as("line"), "right").1.code, 0);
}

/// A device, and what happens once when it has come to a stage, before it says so.
pub(crate) fn with_an_accident(
    serial: &str,
    at: Stage,
    accident: impl FnOnce() + Send + 'static,
) -> (PtyPort, Arc<Mutex<Impostor>>) {
    let device = Arc::new(Mutex::new(impostor(serial, Trick::None)));
    let (shared, accident) = (Arc::clone(&device), RefCell::new(Some(accident)));
    let port = PtyPort::serve(move |bytes| {
        let mut device = shared.lock().unwrap();
        let answer = device.receive(bytes);
        if device.stage() == Some(at)
            && let Some(accident) = accident.take()
        {
            accident();
        }
        answer
    });
    (port.unwrap(), device)
}
