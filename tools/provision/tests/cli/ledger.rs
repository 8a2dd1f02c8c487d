//! Lots, the audit, and what is found in the ledger, by the real program.

use std::fs;

use provision_ledger::{Ledger as _, SqlLedger};
use provision_testkit::impostor::Trick;
use provision_wire::Stage;
use serde_json::Value;

use crate::station::{Station, device, device_of_seed, events};
use crate::tools::openssl;

fn one(station: &Station, arguments: &[&str]) -> Value {
    let ran = station.run(&[&["--json"], arguments].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    events(&ran).pop().unwrap()
}

#[test]
fn a_lot_takes_as_many_as_it_may() {
    let station = Station::new();
    let create = ["lot", "create", "--id", "W47", "--quota", "2"];
    let made = one(&station, &create);
    assert_eq!((&made["quota"], &made["used"], &made["left"]), (&2.into(), &0.into(), &2.into()));
    let enroll = |serial: &str, more: &[&str]| {
        let (port, device) = device(serial, Trick::None);
        let ran = station.enroll(&port, more);
        let stage = device.lock().unwrap().stage();
        (ran, stage)
    };
    for serial in ["sensor-0001", "sensor-0002"] {
        assert_eq!(enroll(serial, &["--lot", "W47"]).0.code, 0);
    }
    let (full, stage) = enroll("sensor-0003", &["--lot", "W47"]);
    assert_eq!(full.code, 13, "{full:?}");
    assert!(full.stderr.contains("lot W47 is full: all 2 places are taken"), "{full:?}");
    assert_eq!(stage, Some(Stage::Keyed), "nothing was delivered");
    // Those that are in it may be run again.
    assert_eq!(enroll("sensor-0001", &["--lot", "W47"]).0.code, 0);
    let shown = one(&station, &["lot", "show", "--id", "W47"]);
    assert_eq!((&shown["used"], &shown["enrolled"]), (&2.into(), &2.into()));

    for (more, cause) in [
        (&[][..], "no lot is named"),
        (&["--lot", "W74"], "there is no lot W74"),
        (&["--lot", "W47", "--profile", "idevid"], "is for the profile device, not idevid"),
    ] {
        let (ran, _) = enroll("sensor-0004", more);
        assert_eq!(ran.code, 13, "{ran:?}");
        assert!(ran.stderr.contains(cause) && ran.stderr.contains("\nhint: "), "{ran:?}");
    }
    assert_eq!(one(&station, &["lot", "create", "--id", "W48", "--quota", "1"])["used"], 0);
    let closed = one(&station, &["lot", "close", "--id", "W48"]);
    assert!(closed["closed_at_s"].is_u64());
    let (ran, _) = enroll("sensor-0005", &["--lot", "W48"]);
    assert_eq!(ran.code, 13, "{ran:?}");
    assert!(ran.stderr.contains("lot W48 is closed"), "{ran:?}");
    let closed = one(&station, &["lot", "close", "--id", "W47"]);
    assert_eq!((&closed["used"], &closed["enrolled"]), (&2.into(), &2.into()));
    let lots = events(&station.run(&["--json", "lot", "list"]));
    assert_eq!(lots.iter().map(|lot| &lot["lot"]).collect::<Vec<_>>(), ["W47", "W48"]);
    let other = station.run(&["lot", "create", "--id", "W47", "--quota", "3"]);
    assert_eq!(other.code, 15, "{other:?}");
    let over =
        station.run(&["lot", "create", "--id", "x", "--quota", "3", "--not-after", "2020-01-01"]);
    assert_eq!(over.code, 2, "{over:?}");
    let missing = station.run(&["lot", "show", "--id", "x"]);
    assert_eq!(missing.code, 15, "{missing:?}");
}

/// Whoever keeps a copy of the file has all of it, once no program uses it: nothing stays beside it
/// in SQLite's log, which a copy would lack without anybody's notice.
#[test]
fn a_copy_of_the_file_has_what_was_recorded_last() {
    let station = Station::new();
    let (port, _device) = device("sensor-0001", Trick::None);
    let path = port.path().to_str().unwrap();
    let endpoint = ["--endpoint", "10.0.2.100:8883"];
    let by_port = ["--port", path];
    let by_station = ["station", "--stop-after", "1", "--ports", path];
    for arguments in [&by_port[..], &by_station] {
        let ran = station.run(&[arguments, &endpoint].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(!station.path().join("ca/ledger.sqlite-wal").exists(), "{arguments:?}");
        fs::copy(station.path().join("ca/ledger.sqlite"), station.path().join("copy.sqlite"))
            .unwrap();
        let links = |place: &[&str]| {
            one(&station, &[&["ledger", "verify"], place].concat())["links"].as_u64().unwrap()
        };
        assert_eq!(links(&["--ledger", "copy.sqlite"]), links(&[]), "{arguments:?}");
        fs::remove_file(station.path().join("copy.sqlite")).unwrap();
    }
}

#[test]
fn a_new_key_needs_the_operators_word_and_revokes_the_old_certificate() {
    let station = Station::new();
    let (port, _device) = device("sensor-0001", Trick::None);
    assert_eq!(station.enroll(&port, &[]).code, 0);
    let (port, replaced) = device_of_seed("sensor-0001", 7, Trick::None);
    assert_eq!(station.enroll(&port, &[]).code, 13);
    let ran = station.enroll(&port, &["--accept-new-key"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(replaced.lock().unwrap().stage(), Some(Stage::Sealed));
    let found = events(&station.run(&["--json", "ledger", "find", "--device", "sensor-0001"]));
    let states: Vec<_> = found.iter().map(|one| (&one["state"], &one["generation"])).collect();
    let expected = [("revoked", 1), ("enrolled", 2)].map(|(s, g)| (Value::from(s), Value::from(g)));
    assert_eq!(states, expected.each_ref().map(|(s, g)| (s, g)));
    assert_eq!(found[0]["reason"], "superseded");
    assert_eq!(events(&station.run(&["--json", "crl"]))[0]["revoked"], 1);
    one(&station, &["ledger", "verify"]);
}

#[test]
fn certificates_are_found_by_whatever_is_known_of_them() {
    let station = Station::new();
    let (port, _device) = device("sensor-0001", Trick::None);
    assert_eq!(station.enroll(&port, &["--lot", "W47"]).code, 0);
    let client = ["client-cert", "--name", "alice", "--insecure-plaintext-key", "--out", "alice"];
    assert_eq!(station.run(&client).code, 0);
    let all = events(&station.run(&["--json", "ledger", "list"]));
    assert_eq!((&all[0]["device"], &all[0]["lot"]), (&"sensor-0001".into(), &"W47".into()));
    assert_eq!((&all[1]["state"], &all[1]["profile"]), (&"host".into(), &"client".into()));
    let text = |at: usize, name: &str| all[at][name].as_str().unwrap();
    let (from, to) = (all[0]["issued_at_s"].to_string(), all[1]["issued_at_s"].to_string());
    for (arguments, expected) in [
        (vec!["--device", "sensor-0001"], &all[..1]),
        (vec!["--public-key", text(0, "public_key")], &all[..1]),
        (vec!["--serial", text(0, "cert_serial")], &all[..1]),
        (vec!["--sha256", text(0, "leaf_sha256")], &all[..1]),
        (vec!["--lot", "W47"], &all[..1]),
        (vec!["--serial", text(1, "cert_serial")], &all[1..]),
        (vec!["--certificate", "alice/client.crt"], &all[1..]),
        (vec!["--since", &from, "--until", &to], &all[..]),
        (vec!["--since", "2020-01-01"], &all[..]),
    ] {
        let found = station.run(&[&["--json", "ledger", "find"], &arguments[..]].concat());
        assert_eq!(found.code, 0, "{found:?}");
        assert_eq!(events(&found), expected, "{arguments:?}");
    }
    for nothing in [["--device", "sensor-9"], ["--since", "2099-01-01"], ["--lot", "x"]] {
        let found = station.run(&[&["ledger", "find"], &nothing[..]].concat());
        assert_eq!(found.code, 15, "{found:?}");
        assert!(found.stderr.contains("nothing of that kind"), "{found:?}");
    }
    for wrong in [&["--public-key", "04zz"][..], &["--sha256", "00"], &["--since", "soon"], &[]] {
        assert_eq!(station.run(&[&["ledger", "find"], wrong].concat()).code, 2, "{wrong:?}");
    }
}

#[test]
fn the_ledger_is_held_against_a_head_that_was_kept() {
    let station = Station::new();
    let (port, _device) = device("sensor-0001", Trick::None);
    assert_eq!(station.enroll(&port, &[]).code, 0);
    let dir = station.path();
    fs::copy(dir.join("ca/ledger.sqlite"), dir.join("early.sqlite")).unwrap();
    let (port, _device) = device("sensor-0002", Trick::None);
    assert_eq!(station.enroll(&port, &[]).code, 0);
    one(&station, &["ledger", "head", "--out", "kept.head"]);
    let verify = ["ledger", "verify", "--head", "kept.head"];
    let good = station.run(&[&["--json"], &verify[..]].concat());
    assert_eq!(good.code, 0, "{good:?}");
    let fingerprint = events(&good)[0]["station_sha256"].as_str().unwrap().to_owned();
    // The same as openssl has.
    let der = ["pkey", "-in", "ca/station.key", "-pubout", "-outform", "DER", "-out", "pub.der"];
    openssl(dir, &der);
    assert!(openssl(dir, &["dgst", "-sha256", "pub.der"]).trim().ends_with(&fingerprint));
    let pinned = [&verify[..], &["--station", &fingerprint]].concat();
    assert_eq!(station.run(&pinned).code, 0);
    let foreign = station.run(&["ledger", "verify", "--station", "00"]);
    assert_eq!(foreign.code, 15, "{foreign:?}");

    // Openssl believes the signature too: over what docs/ledger.md says.
    let head: Value = serde_json::from_slice(&fs::read(dir.join("kept.head")).unwrap()).unwrap();
    let hex = |text: &str| -> Vec<u8> {
        (0..text.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
            .collect()
    };
    let message = [
        b"provision ledger head v1\0".to_vec(),
        head["links"].as_u64().unwrap().to_be_bytes().to_vec(),
        hex(head["sha256"].as_str().unwrap()),
        head["signed_at_s"].as_u64().unwrap().to_be_bytes().to_vec(),
    ];
    fs::write(dir.join("message"), message.concat()).unwrap();
    fs::write(dir.join("sig.b64"), head["signature"].as_str().unwrap()).unwrap();
    openssl(dir, &["base64", "-d", "-A", "-in", "sig.b64", "-out", "sig"]);
    openssl(dir, &["pkey", "-in", "ca/station.key", "-pubout", "-out", "pub.pem"]);
    let believed =
        openssl(dir, &["dgst", "-sha256", "-verify", "pub.pem", "-signature", "sig", "message"]);
    assert!(believed.contains("Verified OK"), "{believed}");

    // Put back to what it was.
    for name in ["ledger.sqlite-wal", "ledger.sqlite-shm"] {
        let _ = fs::remove_file(dir.join("ca").join(name));
    }
    fs::copy(dir.join("early.sqlite"), dir.join("ca/ledger.sqlite")).unwrap();
    assert_eq!(station.run(&["ledger", "verify"]).code, 0, "by itself it cannot be told");
    let back = station.run(&verify);
    assert_eq!(back.code, 15, "{back:?}");
    assert!(back.stderr.contains("put back to an earlier state"), "{back:?}");
    fs::write(dir.join("kept.head"), "{}").unwrap();
    assert_eq!(station.run(&verify).code, 1);
}

#[test]
fn a_clock_behind_the_last_entry_is_refused_and_can_be_overruled() {
    let station = Station::new();
    let path = station.path().join("ca/ledger.sqlite");
    let mut ledger = SqlLedger::open(&path).unwrap();
    assert!(ledger.entries().unwrap().is_empty());
    let terms = provision_ledger::LotTerms {
        lot: "future".parse().unwrap(),
        quota: 1,
        profile: "device".into(),
        not_after_s: None,
    };
    // An entry of a machine whose clock is ten years ahead.
    let far_s =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
            + 10 * 365 * 86_400;
    ledger.create_lot(&terms, far_s).unwrap();
    drop(ledger);
    let (port, device) = device("sensor-0001", Trick::None);
    let refused = station.enroll(&port, &["--lot", "future"]);
    assert_eq!(refused.code, 15, "{refused:?}");
    assert!(refused.stderr.contains("which is before the last entry"), "{refused:?}");
    assert!(refused.stderr.contains("--insecure-ignore-clock"), "{refused:?}");
    assert_eq!(device.lock().unwrap().stage(), Some(Stage::Keyed));
    let overruled = station.enroll(&port, &["--lot", "future", "--insecure-ignore-clock"]);
    assert_eq!(overruled.code, 0, "{overruled:?}");
}

#[test]
fn what_is_on_record_is_exported_for_others() {
    let station = Station::new();
    for (serial, lot) in [("sensor-0001", "W47"), ("sensor-0002", "W48"), ("sensor.4", "W48")] {
        let (port, _device) = device(serial, Trick::None);
        assert_eq!(station.enroll(&port, &["--lot", lot]).code, 0);
    }
    assert_eq!(station.run(&["revoke", "--device", "sensor-0002"]).code, 0);
    let export =
        |arguments: &[&str]| station.run(&[&["ledger", "export", "--format"], arguments].concat());
    let objects = |arguments: &[&str]| -> Vec<Value> {
        let ran = export(arguments);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let dir = station.path();
    let all = objects(&["json"]);
    let states: Vec<_> = all.iter().map(|one| one["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["enrolled", "revoked", "enrolled"]);
    fs::write(dir.join("leaf.pem"), all[0]["certificate"].as_str().unwrap()).unwrap();
    let said = openssl(dir, &["x509", "-in", "leaf.pem", "-noout", "-subject"]);
    assert!(said.contains("sensor-0001"), "{said}");

    let table = export(&["csv"]).stdout;
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!((rows.len(), &rows[1][0], &rows[1][2]), (3, "sensor-0002", "revoked"));
    assert_eq!(rows[0][12], *all[0]["certificate"].as_str().unwrap());

    // What is in use: neither what is revoked, nor what AWS does not take.
    let things = objects(&["aws-bulk", "--lot", "W47"]);
    assert_eq!((things.len(), &things[0]["ThingName"]), (1, &"sensor-0001".into()));
    assert_eq!(things[0]["CertificatePem"], all[0]["certificate"]);
    let refused = export(&["aws-bulk", "--out", "things.json"]);
    assert_eq!(refused.code, 15, "{refused:?}");
    assert!(refused.stderr.contains("device sensor.4: a thing's name"), "{refused:?}");
    assert!(!dir.join("things.json").exists());

    let azure = objects(&["azure-dps"]);
    let enrollments = azure[0]["enrollments"].as_array().unwrap();
    assert_eq!((azure[0]["mode"].as_str(), enrollments.len()), (Some("create"), 2));
    let primary = &enrollments[0]["attestation"]["x509"]["clientCertificates"]["primary"];
    let pem = all[0]["certificate"].as_str().unwrap();
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    assert_eq!(primary["certificate"], base64);

    let nrf = export(&["nrf", "--out", "onboard.csv"]);
    assert_eq!(nrf.code, 0, "{nrf:?}");
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).from_path(dir.join("onboard.csv")).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let [first, _] = rows.as_slice() else { panic!("{rows:?}") };
    assert_eq!(first.iter().collect::<Vec<_>>(), ["sensor-0001", "", "W47", "APP", pem]);

    let second = export(&["nrf", "--skip", "1", "--take", "1"]).stdout;
    assert!(second.starts_with("sensor.4,"), "{second}");

    let acl = export(&["mosquitto-acl", "--topic", "plant/{device}/#"]).stdout;
    assert_eq!(
        acl,
        "user sensor-0001\ntopic readwrite plant/sensor-0001/#\n\n\
         user sensor.4\ntopic readwrite plant/sensor.4/#\n\n"
    );
    assert_eq!(export(&["mosquitto-acl", "--topic", "plant/#"]).code, 2);
    assert_eq!(export(&["nrf", "--out", "onboard.csv"]).code, 1, "nothing is overwritten");
}

/// The whole of it with PostgreSQL in the place of the file.
#[test]
fn a_line_with_its_ledger_in_postgresql() {
    let mut server = provision_testkit::servers::Postgres::start().unwrap();
    let station = Station::new();
    let url = server.tls_url();
    let with = |arguments: &[&str]| station.run(&[arguments, &["--ledger", &url]].concat());
    let none = with(&["ledger", "list"]);
    assert_eq!(none.code, 15, "{none:?}");
    assert!(none.stderr.contains("provision ledger create"), "{none:?}");
    assert_eq!(with(&["ledger", "create"]).code, 0);
    assert_eq!(with(&["lot", "create", "--id", "W47", "--quota", "1"]).code, 0);
    let (port, _device) = device("sensor-0001", Trick::None);
    let enrolled = station.enroll(&port, &["--lot", "W47", "--ledger", &url]);
    assert_eq!(enrolled.code, 0, "{enrolled:?}");
    let (other, _device) = device("sensor-0002", Trick::None);
    let full = station.enroll(&other, &["--lot", "W47", "--ledger", &url]);
    assert_eq!(full.code, 13, "{full:?}");
    assert_eq!(with(&["revoke", "--device", "sensor-0001"]).code, 0);
    assert_eq!(with(&["crl"]).code, 0);
    let found = with(&["--json", "ledger", "find", "--lot", "W47"]);
    assert_eq!(events(&found)[0]["state"], "revoked");
    assert_eq!(with(&["ledger", "verify"]).code, 0);

    server.crash();
    let (third, device) = device("sensor-0003", Trick::None);
    let gone = station.enroll(&third, &["--lot", "W47", "--ledger", &url]);
    assert_eq!(gone.code, 15, "{gone:?}");
    assert!(gone.stderr.contains("the database cannot be reached"), "{gone:?}");
    assert_eq!(device.lock().unwrap().stage(), Some(Stage::Blank));
    let unchecked =
        station.run(&["ledger", "list", "--ledger", "postgres://me@db/x?sslmode=require"]);
    assert_eq!(unchecked.code, 2, "{unchecked:?}");
}
