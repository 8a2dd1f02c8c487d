//! What `ledger export` wrote, into another ledger; and what is none of it.

use std::fs;

use provision_testkit::cli::Ran;
use provision_testkit::impostor::Trick;
use provision_testkit::servers::Postgres;
use serde_json::Value;

use crate::station::{Station, device, device_of_seed, events};

/// A station with all that there is: lots, a device that was only issued a certificate, one with
/// two keys, one that is revoked, a person.
fn station_with_everything() -> Station {
    let station = Station::new();
    for (serial, more) in [
        ("sensor-0001", &["--lot", "W47"][..]),
        ("sensor-0002", &["--lot", "W47"]),
        ("sensor-0003", &[]),
    ] {
        let (port, _device) = device(serial, Trick::None);
        assert_eq!(station.enroll(&port, more).code, 0);
    }
    let (port, _device) = device("sensor-0004", Trick::ForgedProof);
    assert_ne!(station.enroll(&port, &[]).code, 0);
    let (port, _device) = device_of_seed("sensor-0002", 7, Trick::None);
    assert_eq!(station.enroll(&port, &["--accept-new-key"]).code, 0);
    assert_eq!(station.run(&["revoke", "--device", "sensor-0003"]).code, 0);
    let client = ["client-cert", "--name", "alice", "--insecure-plaintext-key", "--out", "alice"];
    assert_eq!(station.run(&client).code, 0);
    station
}

fn export(station: &Station, format: &str, ledger: &[&str]) -> String {
    let ran = station.run(&[&["ledger", "export", "--format", format], ledger].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.stdout
}

fn import(station: &Station, format: &str, file: &str, ledger: &str) -> Ran {
    let import = ["--json", "ledger", "import", "--format", format, "--in", file];
    station.run(&[&import[..], &["--ledger", ledger]].concat())
}

/// (imported, on record already)
fn counts(ran: &Ran) -> (u64, u64) {
    assert_eq!(ran.code, 0, "{ran:?}");
    let result = events(ran).pop().unwrap();
    (result["imported"].as_u64().unwrap(), result["known"].as_u64().unwrap())
}

/// Line and cause of a refusal.
fn refused(ran: &Ran) -> String {
    assert_eq!(ran.code, 15, "{ran:?}");
    events(ran).pop().unwrap()["message"].as_str().unwrap().to_owned()
}

#[test]
fn an_export_is_the_same_after_an_import() {
    let station = station_with_everything();
    let server = Postgres::start().unwrap();
    let dir = station.path();
    let exported = ["json", "csv"].map(|format| export(&station, format, &[]));
    assert_eq!(exported[0].lines().count(), 6);
    let states: Vec<Value> = exported[0]
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["state"].clone())
        .collect();
    let expected = ["enrolled", "revoked", "revoked", "issued", "enrolled", "host"];
    assert_eq!(states, expected);
    for (format, text, target) in [
        ("json", &exported[0], "of-json.sqlite".to_owned()),
        ("csv", &exported[1], "of-csv.sqlite".to_owned()),
        ("json", &exported[0], server.url()),
    ] {
        let file = format!("all.{format}");
        fs::write(dir.join(&file), text).unwrap();
        assert_eq!(station.run(&["ledger", "create", "--ledger", &target]).code, 0);
        assert_eq!(counts(&import(&station, format, &file, &target)), (6, 0));
        for (format, text) in ["json", "csv"].iter().zip(&exported) {
            assert_eq!(export(&station, format, &["--ledger", &target]), *text);
        }
        let verify = ["--json", "ledger", "verify", "--ledger", &target];
        let verified = station.run(&verify);
        assert_eq!(verified.code, 0, "{verified:?}");
        // The same again changes nothing, not even a link.
        assert_eq!(counts(&import(&station, format, &file, &target)), (0, 6));
        assert_eq!(station.run(&verify).stdout, verified.stdout);
        // It is a ledger as any other: it knows its devices, and what was revoked.
        let (port, _device) = device_of_seed("sensor-0002", 7, Trick::None);
        let known = station.enroll(&port, &["--ledger", &target]);
        assert_eq!(known.code, 0, "{known:?}");
        let (port, _device) = device("sensor-0003", Trick::None);
        assert_eq!(station.enroll(&port, &["--ledger", &target]).code, 13);
        let lot = station.run(&["--json", "lot", "show", "--id", "W47", "--ledger", &target]);
        assert_eq!(events(&lot)[0]["used"], 2, "{lot:?}");
    }
}

#[test]
fn an_import_into_a_ledger_in_use_adds_what_is_missing() {
    let station = station_with_everything();
    let all = export(&station, "json", &[]);
    let lot = export(&station, "json", &["--lot", "W47"]);
    fs::write(station.path().join("all.json"), &all).unwrap();
    fs::write(station.path().join("lot.json"), &lot).unwrap();
    assert_eq!(station.run(&["ledger", "create", "--ledger", "new.sqlite"]).code, 0);
    assert_eq!(counts(&import(&station, "json", "lot.json", "new.sqlite")), (3, 0));
    // Devices of its own.
    let (port, _device) = device("sensor-0099", Trick::None);
    assert_eq!(station.enroll(&port, &["--ledger", "new.sqlite"]).code, 0);
    assert_eq!(counts(&import(&station, "json", "all.json", "new.sqlite")), (3, 3));
    assert_eq!(export(&station, "json", &["--ledger", "new.sqlite"]).lines().count(), 7);
    // A quota holds for what is imported, too.
    assert_eq!(station.run(&["ledger", "create", "--ledger", "small.sqlite"]).code, 0);
    let create = ["lot", "create", "--id", "W47", "--quota", "1", "--ledger", "small.sqlite"];
    assert_eq!(station.run(&create).code, 0);
    let full = refused(&import(&station, "json", "lot.json", "small.sqlite"));
    assert!(full.contains("lot.json, line 2: lot W47 is full"), "{full}");
    assert_eq!(export(&station, "json", &["--ledger", "small.sqlite"]), "", "nothing at all");
}

#[test]
fn what_cannot_stand_beside_what_is_on_record_is_named_with_both_sides() {
    let station = Station::new();
    for (serial, seed) in [("sensor-0001", 1), ("sensor-0002", 2), ("sensor-0003", 3)] {
        let (port, _device) = device_of_seed(serial, seed, Trick::None);
        assert_eq!(station.enroll(&port, &[]).code, 0);
    }
    let all = export(&station, "json", &[]);
    fs::write(station.path().join("all.json"), &all).unwrap();
    fs::write(station.path().join("all.csv"), export(&station, "csv", &[])).unwrap();
    for (serial, seed, cause) in [
        ("sensor-0002", 9, "device sensor-0002 has the certificate"),
        ("clone", 2, "device clone has the key of device sensor-0002"),
    ] {
        let ledger = format!("{serial}.sqlite");
        assert_eq!(station.run(&["ledger", "create", "--ledger", &ledger]).code, 0);
        let (port, _device) = device_of_seed(serial, seed, Trick::None);
        assert_eq!(station.enroll(&port, &["--ledger", &ledger]).code, 0);
        let said = refused(&import(&station, "json", "all.json", &ledger));
        assert!(said.starts_with("all.json, line 2: ") && said.contains(cause), "{said}");
        // A certificate in PEM has lines of its own: a row is named by the one it begins on.
        let pem_lines = all.lines().next().unwrap().matches("\\n").count() as u64;
        let said = refused(&import(&station, "csv", "all.csv", &ledger));
        let at = 2 + pem_lines + 1;
        assert!(said.starts_with(&format!("all.csv, line {at}: ")), "{at}: {said}");
        assert!(said.contains(cause), "{said}");
        let on_record = export(&station, "json", &["--ledger", &ledger]);
        assert_eq!(on_record.lines().count(), 1, "the first line neither");
    }
}

#[test]
fn hostile_files_are_refused_by_line_and_nothing_is_imported() {
    let station = Station::new();
    let (port, _device) = device("sensor-0001", Trick::None);
    assert_eq!(station.enroll(&port, &[]).code, 0);
    let (json, table) = (export(&station, "json", &[]), export(&station, "csv", &[]));
    let other = Station::new();
    let (port, _device) = device("sensor-0002", Trick::None);
    assert_eq!(other.enroll(&port, &[]).code, 0);
    let foreign = export(&other, "json", &[]);
    assert_eq!(station.run(&["ledger", "create", "--ledger", "new.sqlite"]).code, 0);

    let first: Value = serde_json::from_str(&json).unwrap();
    let with = |name: &str, value: Value| {
        let mut changed = first.clone();
        changed[name] = value;
        format!("{json}{changed}\n").into_bytes()
    };
    let text = |text: &str| text.as_bytes().to_vec();
    let header = table.lines().next().unwrap();
    for (format, bytes, line, cause) in [
        ("json", text(&json[..json.len() / 2]), 1, "it is no line of an export"),
        ("json", text(&format!("{json}null\n")), 2, "it is no line of an export"),
        ("json", [json.as_bytes(), &[b'['; 300_000]].concat(), 2, "longer than 262144 bytes"),
        ("json", [json.as_bytes(), &[b'['; 100_000]].concat(), 2, "no line of an export"),
        ("json", [json.as_bytes(), b"\xff\n"].concat(), 2, "no line of an export"),
        ("json", with("generation", "one".into()), 2, "invalid type"),
        ("json", with("generation", (-1).into()), 2, "invalid value"),
        ("json", with("generation", 0.into()), 2, "from 1 on"),
        ("json", with("generation", 3.into()), 2, "has the certificate"),
        ("json", with("certificate", "x".into()), 2, "no certificate in PEM"),
        ("json", with("sha256", "00".into()), 2, "`sha256` says"),
        ("json", with("cert_serial", "00".into()), 2, "`cert_serial` says"),
        ("json", with("public_key", "04".into()), 2, "`public_key` says"),
        ("json", with("name", "sensor-0007".into()), 2, "`name` says"),
        ("json", with("not_after_s", 7.into()), 2, "`not_after` says"),
        ("json", with("state", "revoked".into()), 2, "`state` says"),
        ("json", with("reason", "whim".into()), 2, "a time and a reason"),
        ("json", with("delivery_sha256", "zz".into()), 2, "no digest"),
        ("json", with("lot", " ".into()), 2, "is no lot"),
        ("json", with("more", 1.into()), 2, "unknown field"),
        ("json", text(&foreign), 1, "not signed by the CA given"),
        ("csv", text(&json), 1, "the names of the columns"),
        ("csv", text(""), 1, "the names of the columns"),
        ("csv", text(&format!("{header}\na,b\n")), 2, "it has 2 columns, of 15"),
        ("csv", text(&table[..table.len() / 2]), 2, "was it cut off?"),
        ("csv", text(&format!("{header}\n{}", "a".repeat(600_000))), 2, "longer than"),
        ("csv", text(&format!("{header}\n\"{}", "a\n".repeat(300_000))), 2, "longer than"),
        ("csv", [header.as_bytes(), b"\n\xff,\n"].concat(), 2, "not UTF-8"),
        ("csv", text(&table.replace(",1,", ",one,")), 2, "`generation` is no number"),
        ("csv", text(&table.replace("T", "t")), 2, "is no"),
    ] {
        let name = "hostile";
        fs::write(station.path().join(name), &bytes).unwrap();
        let said = refused(&import(&station, format, name, "new.sqlite"));
        let start = format!("hostile, line {line}: ");
        assert!(said.starts_with(&start) && said.contains(cause), "{cause}: {said}");
        assert!(said.len() < 1000, "{said}");
        assert_eq!(export(&station, "json", &["--ledger", "new.sqlite"]), "", "{cause}");
    }
    // With the other CA's certificates it is believed.
    let bundle = other.path().join("ca/device-ca-bundle.crt");
    fs::write(station.path().join("foreign.json"), &foreign).unwrap();
    let import = ["ledger", "import", "--format", "json", "--in", "foreign.json"];
    let issuers = ["--ledger", "new.sqlite", "--issuers", bundle.to_str().unwrap()];
    let ran = station.run(&[&import[..], &issuers].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    for format in ["aws-bulk", "aws-mar", "azure-dps", "nrf", "mosquitto-acl"] {
        let import = ["ledger", "import", "--format", format, "--in", "foreign.json"];
        let ran = station.run(&import);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.stderr.contains("csv and json can be imported"), "{ran:?}");
    }
    let help = station.run(&["ledger", "import", "--help"]).stdout;
    assert!(help.contains("The others cannot be imported, because"), "{help}");
}
