//! One certificate per device, one device per key, one certificate per serial number; nothing ever
//! changed or removed.

use std::sync::Barrier;
use std::thread;

use provision_ledger::{Ledger as _, RecordEnrolledError, RecordIssuedError, SqliteLedger, State};
use provision_station::evidence::{LiveCertificate, Standing};
use rusqlite::Connection;

use crate::support::{Ca, Key, NOW_S, enrolled, serial, with_cert_serial_of};

fn in_memory() -> SqliteLedger {
    SqliteLedger::open_in_memory().unwrap()
}

#[test]
fn what_was_issued_is_known_and_comes_back_as_it_was() {
    let (mut ca, mut ledger, key) = (Ca::new(), in_memory(), Key::new());
    let device = serial("d1");
    assert_eq!(ledger.standing(&device, &key.public()).unwrap(), Standing::Unknown);
    assert_eq!(ledger.find(&device).unwrap(), None);

    let chain = ca.certify("d1", &key);
    ledger.record_issued(&chain, NOW_S).unwrap();
    let entry = ledger.find(&device).unwrap().unwrap();
    assert_eq!(entry.device, device);
    assert_eq!(entry.public_key, key.public());
    assert_eq!(entry.cert_serial, *chain.cert_serial());
    assert_eq!(entry.leaf_sha256, chain.leaf_sha256());
    assert_eq!(entry.not_after_s, chain.not_after());
    assert_eq!(entry.issued_at_s, NOW_S);
    assert_eq!(entry.state, State::Issued);
    let live = LiveCertificate { chain, delivery_sha256: None };
    assert_eq!(ledger.standing(&device, &key.public()).unwrap(), Standing::Live(live));
}

#[test]
fn the_identical_certificate_again_changes_nothing() {
    let (mut ca, mut ledger, key) = (Ca::new(), in_memory(), Key::new());
    let chain = ca.certify("d1", &key);
    ledger.record_issued(&chain, NOW_S).unwrap();
    let before = ledger.entries().unwrap();
    ledger.record_issued(&chain, NOW_S + 60).unwrap();
    assert_eq!(ledger.entries().unwrap(), before);
}

#[test]
fn another_certificate_for_a_device_is_refused() {
    let (mut ca, mut ledger) = (Ca::new(), in_memory());
    let (key, new_key) = (Key::new(), Key::new());
    let first = ca.certify("d1", &key);
    ledger.record_issued(&first, NOW_S).unwrap();
    let before = ledger.entries().unwrap();

    // For a new key, and for the same.
    for second in [ca.certify("d1", &new_key), ca.certify("d1", &key)] {
        let refused = ledger.record_issued(&second, NOW_S).unwrap_err();
        assert!(
            matches!(&refused, RecordIssuedError::DeviceHasCertificate { device, cert_serial }
                if *device == serial("d1") && cert_serial == first.cert_serial()),
            "{refused:?}"
        );
        assert!(refused.to_string().contains(&first.cert_serial().to_string()), "{refused}");
    }
    assert_eq!(ledger.entries().unwrap(), before);
    assert_eq!(
        ledger.standing(&serial("d1"), &new_key.public()).unwrap(),
        Standing::OtherKey { known: key.public() }
    );
}

#[test]
fn a_key_of_another_device_is_refused_before_anything_else() {
    let (mut ca, mut ledger) = (Ca::new(), in_memory());
    let (key, own) = (Key::new(), Key::new());
    ledger.record_issued(&ca.certify("d1", &key), NOW_S).unwrap();
    ledger.record_issued(&ca.certify("d2", &own), NOW_S).unwrap();
    let before = ledger.entries().unwrap();

    // To a device that is new, and to one that has a certificate: the key decides.
    for clone in ["d3", "d2"] {
        let refused = ledger.record_issued(&ca.certify(clone, &key), NOW_S).unwrap_err();
        assert!(
            matches!(&refused, RecordIssuedError::KeyElsewhere { device, other }
                if *device == serial(clone) && *other == serial("d1")),
            "{refused:?}"
        );
        assert_eq!(
            ledger.standing(&serial(clone), &key.public()).unwrap(),
            Standing::KeyElsewhere { device: serial("d1") }
        );
    }
    assert_eq!(ledger.entries().unwrap(), before);
}

#[test]
fn a_serial_number_of_another_certificate_is_refused() {
    let (mut ca, mut ledger) = (Ca::new(), in_memory());
    let first = ca.certify("d1", &Key::new());
    let second = ca.certify("d2", &Key::new());
    ledger.record_issued(&first, NOW_S).unwrap();
    let refused = ledger.record_issued(&with_cert_serial_of(&second, &first), NOW_S).unwrap_err();
    assert!(
        matches!(&refused, RecordIssuedError::CertSerialTaken { cert_serial, other }
            if cert_serial == first.cert_serial() && *other == serial("d1")),
        "{refused:?}"
    );
    assert_eq!(ledger.entries().unwrap().len(), 1);
    ledger.record_issued(&second, NOW_S).unwrap();
}

#[test]
fn names_of_devices_are_told_apart_by_every_letter() {
    let (mut ca, mut ledger) = (Ca::new(), in_memory());
    for device in ["d1", "D1", "d-1", "d1.0", "d01"] {
        ledger.record_issued(&ca.certify(device, &Key::new()), NOW_S).unwrap();
    }
    let devices: Vec<String> =
        ledger.entries().unwrap().iter().map(|entry| entry.device.to_string()).collect();
    assert_eq!(devices, ["d1", "D1", "d-1", "d1.0", "d01"]);
}

#[test]
fn enrolled_after_a_proof_only() {
    let (mut ca, mut ledger, key) = (Ca::new(), in_memory(), Key::new());
    let chain = ca.certify("d1", &key);
    let proof = enrolled(&chain, &key, [1; 32]);

    let refused = ledger.record_enrolled(&proof, NOW_S).unwrap_err();
    assert!(
        matches!(&refused, RecordEnrolledError::NotIssued { device } if *device == serial("d1")),
        "{refused:?}"
    );
    ledger.record_issued(&chain, NOW_S).unwrap();
    let receipt = ledger.record_enrolled(&proof, NOW_S + 1).unwrap();
    assert_eq!(*receipt.device(), serial("d1"));
    assert_eq!(receipt.cert_serial(), chain.cert_serial());
    assert_eq!(receipt.delivery_sha256(), &[1; 32]);
    assert_eq!(receipt.proven_at_s(), NOW_S + 1);
    let state = |ledger: &mut SqliteLedger| ledger.find(&serial("d1")).unwrap().unwrap().state;
    let first = State::Enrolled { enrolled_at_s: NOW_S + 1, delivery_sha256: [1; 32] };
    assert_eq!(state(&mut ledger), first);
    let standing = ledger.standing(&serial("d1"), &key.public()).unwrap();
    assert!(
        matches!(&standing, Standing::Live(live) if live.delivery_sha256 == Some([1; 32])),
        "{standing:?}"
    );

    // The same proof again: the same receipt, and nothing new on record.
    assert_eq!(ledger.record_enrolled(&proof, NOW_S + 2).unwrap(), receipt);
    assert_eq!(state(&mut ledger), first);
    // Delivered again before it was sealed: enrolled when it was, and the latest delivery counts.
    let again = enrolled(&chain, &key, [2; 32]);
    let receipt = ledger.record_enrolled(&again, NOW_S + 3).unwrap();
    assert_eq!((receipt.delivery_sha256(), receipt.proven_at_s()), (&[2; 32], NOW_S + 3));
    let second = State::Enrolled { enrolled_at_s: NOW_S + 1, delivery_sha256: [2; 32] };
    assert_eq!(state(&mut ledger), second);
    // And the issued certificate again takes nothing of that back.
    ledger.record_issued(&chain, NOW_S + 4).unwrap();
    assert_eq!(state(&mut ledger), second);
}

#[test]
fn a_proof_of_a_certificate_that_was_not_recorded_is_refused() {
    let (mut ca, mut ledger, key) = (Ca::new(), in_memory(), Key::new());
    let (recorded, other) = (ca.certify("d1", &key), ca.certify("d1", &key));
    ledger.record_issued(&recorded, NOW_S).unwrap();
    let refused = ledger.record_enrolled(&enrolled(&other, &key, [1; 32]), NOW_S).unwrap_err();
    assert!(
        matches!(&refused, RecordEnrolledError::OtherCertificate { expected, found, .. }
            if expected == recorded.cert_serial() && found == other.cert_serial()),
        "{refused:?}"
    );
    assert_eq!(ledger.find(&serial("d1")).unwrap().unwrap().state, State::Issued);
}

/// Two stations at one ledger, the same devices in both: one of them wins each, and nobody waits
/// forever.
#[test]
fn two_that_want_the_same_device_at_once() {
    const DEVICES: usize = 60;
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ledger.db");
    drop(SqliteLedger::create(&path).unwrap());
    let start = Barrier::new(2);
    let run = || {
        let (mut ca, mut ledger) = (Ca::new(), SqliteLedger::open(&path).unwrap());
        let chains: Vec<_> =
            (0..DEVICES).map(|n| ca.certify(&format!("d{n}"), &Key::new())).collect();
        start.wait();
        let record = |chain| match ledger.record_issued(chain, NOW_S) {
            Ok(()) => true,
            Err(RecordIssuedError::DeviceHasCertificate { .. }) => false,
            Err(other) => panic!("{other:?}"),
        };
        let won: Vec<bool> = chains.iter().map(record).collect();
        (chains, won)
    };
    let (one, two) = thread::scope(|scope| {
        let (one, two) = (scope.spawn(run), scope.spawn(run));
        (one.join().unwrap(), two.join().unwrap())
    });
    let mut ledger = SqliteLedger::open(&path).unwrap();
    assert_eq!(ledger.entries().unwrap().len(), DEVICES);
    for n in 0..DEVICES {
        assert!(one.1[n] != two.1[n], "device {n} was won by {} and {}", one.1[n], two.1[n]);
        let winner = if one.1[n] { &one.0[n] } else { &two.0[n] };
        let entry = ledger.find(winner.device()).unwrap().unwrap();
        assert_eq!(entry.cert_serial, *winner.cert_serial());
    }
}

/// The rules do not hang on this program's checks: the database refuses, whoever writes.
#[test]
fn the_database_itself_refuses_to_break_the_rules() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ledger.db");
    let (mut ca, mut ledger, key) = (Ca::new(), SqliteLedger::create(&path).unwrap(), Key::new());
    let chain = ca.certify("d1", &key);
    ledger.record_issued(&chain, NOW_S).unwrap();
    ledger.record_enrolled(&enrolled(&chain, &key, [1; 32]), NOW_S).unwrap();
    let before = ledger.entries().unwrap();

    let raw = Connection::open(&path).unwrap();
    let refused = |sql: &str, why: &str| {
        let error = raw.execute(sql, []).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    };
    let copy = |device: &str, key: &str, cert_serial: &str| {
        format!(
            "INSERT INTO entry (device, public_key, cert_serial, leaf, leaf_sha256, upper_chain, \
             not_after_s, issued_at_s) SELECT {device}, {key}, {cert_serial}, leaf, leaf_sha256, \
             upper_chain, not_after_s, issued_at_s FROM entry WHERE device = 'd1'"
        )
    };
    let (new_key, new_serial) = ("zeroblob(65)", "x'01'");
    refused(&copy("device", new_key, new_serial), "UNIQUE constraint failed: entry.device");
    refused(&copy("'d2'", "public_key", new_serial), "UNIQUE constraint failed: entry.public_key");
    refused(&copy("'d2'", new_key, "cert_serial"), "UNIQUE constraint failed: entry.cert_serial");
    refused(&copy("''", new_key, new_serial), "CHECK constraint failed");
    refused("UPDATE entry SET device = 'd9'", "cannot be changed");
    refused("DELETE FROM entry", "cannot be removed");
    refused("UPDATE proof SET proven_at_s = 0", "cannot be changed");
    refused("DELETE FROM proof", "cannot be removed");
    refused("UPDATE upper_chain SET anchor = x''", "cannot be changed");
    refused("DELETE FROM upper_chain", "cannot be removed");
    assert_eq!(ledger.entries().unwrap(), before);
    // With all three new, it is a row like any other: the refusals were for the reason given.
    assert_eq!(raw.execute(&copy("'d2'", new_key, new_serial), []).unwrap(), 1);
}
