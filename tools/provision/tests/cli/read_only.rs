//! A ledger that may be read and not written serves whoever only reads it; whoever has to write says
//! so by name.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use provision_testkit::cli::Running;
use provision_testkit::impostor::Trick;
use provision_testkit::servers::Postgres;
use serde_json::Value;

use crate::station::{Station, device, device_of_seed};
use crate::tools::openssl;

const PROVISION: &str = env!("CARGO_BIN_EXE_provision");

/// How the program is called over such a ledger.
type Call<'a> = &'a dyn Fn(&[&str]) -> Command;

fn ran(call: Call<'_>, arguments: &[&str]) -> (i32, String) {
    let output = call(arguments).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&text).into_owned())
}

/// A lot with a device, a client whose certificate was revoked, and a responder: on record in
/// `ledger`.
fn with_records(station: &Station, ledger: &str) {
    let done = |arguments: &[&str]| {
        let ran = station.run(&[arguments, &["--ledger", ledger]].concat());
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
    };
    done(&["lot", "create", "--id", "W47", "--quota", "10"]);
    let (port, _device) = device("sensor-0001", Trick::None);
    let enroll = ["--port", port.path().to_str().unwrap(), "--endpoint", "10.0.2.100:8883"];
    done(&[&enroll[..], &["--lot", "W47"]].concat());
    done(&["client-cert", "--name", "bob", "--insecure-plaintext-key", "--out", "bob"]);
    done(&["revoke", "--certificate", "bob/client.crt"]);
    done(&["ocsp", "cert"]);
}

fn assert_serves_readers(station: &Station, call: Call<'_>, ledger: &str) {
    let (known, _device) = device("sensor-0001", Trick::None);
    let (blank, _other) = device_of_seed("sensor-0002", 2, Trick::None);
    let (known, blank) = (known.path().to_str().unwrap(), blank.path().to_str().unwrap());
    let place = ["--ledger", ledger];
    for (arguments, code, said) in [
        (&["ledger", "list"][..], 0, "sensor-0001  enrolled"),
        (&["ledger", "find", "--device", "sensor-0001"], 0, "sensor-0001"),
        (&["ledger", "verify"], 0, "links"),
        (&["ledger", "head", "--out", "a.head"], 0, "a.head"),
        (&["ledger", "export", "--format", "csv", "--out", "all.csv"], 0, "all.csv"),
        (&["ledger", "conflicts"], 0, ""),
        (&["lot", "show", "--id", "W47"], 0, "W47"),
        (&["lot", "list"], 0, "W47"),
        (&["lot", "leases"], 0, ""),
        (&["report", "lot", "--id", "W47", "--format", "junit", "--out", "W47.xml"], 0, "W47.xml"),
        (&["label", "--lot", "W47", "--format", "svg", "--out", "labels"], 0, "labels"),
        (&["--dry-run", "--port", blank, "--endpoint", "a:1", "--lot", "W47"], 0, "make its key"),
        // Whoever writes: at once, and by name.
        (&["--port", blank, "--endpoint", "a:1", "--lot", "W47"], 15, "nothing left unrecorded"),
        (&["crl"], 15, "a CRL has a number of its own, which the ledger has to record"),
        (&["crl", "watch"], 15, "a CRL has a number of its own"),
        (&["revoke", "--device", "sensor-0001"], 15, "nothing left unrecorded"),
        (&["lot", "create", "--id", "W48", "--quota", "1"], 15, "nothing left unrecorded"),
    ] {
        let (exit, text) = ran(call, &[arguments, &place].concat());
        assert_eq!(exit, code, "{arguments:?}: {text}");
        assert!(text.contains(said), "{arguments:?}: {text}");
    }
    // The device that is on record is blank here: it is asked, and the ledger with it.
    let (exit, text) = ran(call, &[&["ask", "prove", "--port", known], &place[..]].concat());
    assert_eq!(exit, 11, "{text}");
    for left_alone in ["crl", "crl/all.crl"] {
        assert!(!station.path().join(left_alone).exists(), "{left_alone}");
    }

    let serve = ["--json", "ocsp", "serve", "--listen", "127.0.0.1:0"];
    let mut serving = call(&[&serve[..], &place].concat());
    let mut serving = Running(serving.stdout(Stdio::piped()).spawn().unwrap());
    let mut output = BufReader::new(serving.0.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    let event: Value = serde_json::from_str(&line).expect(&line);
    let url = format!("http://{}/", event["address"].as_str().unwrap());
    let ask = ["ocsp", "-url", &url, "-CAfile", "ca/device-ca-bundle.crt"];
    let about = ["-issuer", "ca/device-issuing.crt", "-cert", "bob/client.crt"];
    let said = openssl(station.path(), &[&ask[..], &about].concat());
    assert!(said.contains("bob/client.crt: revoked"), "{said}");
    kill(Pid::from_raw(serving.0.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert!(serving.0.wait().unwrap().success());
}

/// As `mount -o ro` has it: root may not write there either.
#[test]
fn a_file_that_may_only_be_read() {
    let station = Station::new();
    with_records(&station, "ca/ledger.sqlite");
    let books = station.path().join("books");
    fs::create_dir(&books).unwrap();
    fs::rename(station.path().join("ca/ledger.sqlite"), books.join("ledger.sqlite")).unwrap();
    let mut modes = fs::metadata(books.join("ledger.sqlite")).unwrap().permissions();
    modes.set_readonly(true);
    fs::set_permissions(books.join("ledger.sqlite"), modes).unwrap();
    let call = |arguments: &[&str]| {
        let mut shell = Command::new("unshare");
        let script = "mount --bind books books && mount -o remount,bind,ro books && exec \"$@\"";
        shell.args(["--map-root-user", "--mount", "sh", "-c", script, "sh", PROVISION]);
        shell.args(arguments).current_dir(station.path()).stdin(Stdio::null());
        shell
    };
    assert_serves_readers(&station, &call, "books/ledger.sqlite");
    let left: Vec<_> =
        fs::read_dir(&books).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(left, ["ledger.sqlite"], "and nothing beside it");
}

#[test]
fn a_database_that_may_only_be_read() {
    let server = Postgres::start().unwrap();
    let station = Station::new();
    assert_eq!(station.run(&["ledger", "create", "--ledger", &server.url()]).code, 0);
    with_records(&station, &server.url());
    let roles = "CREATE ROLE auditor LOGIN;
        GRANT SELECT ON ALL TABLES IN SCHEMA public TO auditor";
    server.psql(roles).unwrap();
    let call = |arguments: &[&str]| station.command(arguments);
    assert_serves_readers(&station, &call, &server.url_as("auditor"));
}

#[test]
fn a_standby_serves_readers_and_is_named_to_who_writes() {
    let mut server = Postgres::start().unwrap();
    let station = Station::new();
    assert_eq!(station.run(&["ledger", "create", "--ledger", &server.url()]).code, 0);
    with_records(&station, &server.url());
    server.stand_by().unwrap();
    let call = |arguments: &[&str]| station.command(arguments);
    assert_serves_readers(&station, &call, &server.url());
    let refused = station.run(&["lot", "close", "--id", "W47", "--ledger", &server.url()]);
    let said = "the database server takes nothing new (it is a standby, a copy of another server)";
    assert!(refused.stderr.contains(said), "{refused:?}");
    assert!(refused.stderr.contains("target_session_attrs=read-write"), "{refused:?}");
    // The address that the hint speaks of: to the one of two that takes rows.
    let both = |first: &Postgres, second: &Postgres| {
        let [first, second] = [first, second].map(|server| {
            let dir = server.path().display().to_string().replace('/', "%2F");
            format!("{dir}:{}", server.address().port())
        });
        format!("postgres://postgres@{first},{second}/ledger?target_session_attrs=read-write")
    };
    let other = Postgres::start().unwrap();
    assert_eq!(station.run(&["ledger", "create", "--ledger", &other.url()]).code, 0);
    let made = ["lot", "create", "--id", "W48", "--quota", "1", "--ledger"];
    let made = station.run(&[&made[..], &[&both(&server, &other)]].concat());
    assert_eq!(made.code, 0, "{made:?}");
    server.psql("SELECT pg_promote()").unwrap();
    let closed = station.run(&["lot", "close", "--id", "W47", "--ledger", &server.url()]);
    assert!(closed.code == 0 && closed.stdout.contains("1 enrolled"), "{closed:?}");
}
