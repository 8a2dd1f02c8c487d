//! Whoever writes to the file past this program is found out, and what they wrote is named.

use std::path::{Path, PathBuf};

use provision_ledger::{
    AuditError, Certificates as _, Expected, Ledger as _, SignedHead, SqliteLedger, StationKey,
    StorageFault, Tampering, Which,
};
use rusqlite::Connection;

use crate::lots::{lot, terms};
use crate::support::{Ca, Key, NOW_S, enrolled, serial};

/// A ledger with something in every table.
struct Filled {
    dir: tempfile::TempDir,
    path: PathBuf,
}

impl Filled {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.sqlite");
        let (mut ca, mut ledger) = (Ca::new(), SqliteLedger::create(&path).unwrap());
        let host = ca.certify("alice", &Key::new());
        ledger.record_certificate(host.leaf(), "alice", "client", NOW_S).unwrap();
        ledger.create_lot(&terms("W47", 9), NOW_S).unwrap();
        for device in ["d1", "d2", "d3"] {
            let key = Key::new();
            let chain = ca.certify(device, &key);
            ledger.record_issued_in(Some(&lot("W47")), &chain, NOW_S).unwrap();
            ledger.record_enrolled(&enrolled(&chain, &key, [7; 32]), NOW_S + 1).unwrap();
        }
        let revoked = ledger.revoke(&Which::OfDevice(serial("d2")), 1, NOW_S + 2).unwrap();
        let ca_key = &revoked[0].issuer_key_id;
        ledger.begin_crl(ca_key, NOW_S + 3, NOW_S + 4, &mut |_| {}).unwrap();
        ledger.close_lot(&lot("W47"), NOW_S + 5).unwrap();
        Self { dir, path }
    }

    fn audit(&self) -> Result<provision_ledger::Audit, AuditError> {
        SqliteLedger::open(&self.path).unwrap().audit(&Expected::default())
    }

    /// Writes past the program, which has first to take the triggers away.
    fn tamper(&self, statements: &str) -> Tampering {
        let raw = Connection::open(&self.path).unwrap();
        raw.pragma_update(None, "foreign_keys", false).unwrap();
        let mut query =
            raw.prepare("SELECT name FROM sqlite_schema WHERE type = 'trigger'").unwrap();
        let names = query.query_map([], |row| row.get::<_, String>(0)).unwrap();
        let drop: String = names.map(|name| format!("DROP TRIGGER {};", name.unwrap())).collect();
        raw.execute_batch(&drop).unwrap();
        raw.execute_batch(statements).unwrap();
        match self.audit() {
            Err(AuditError::Tampered(tampering)) => tampering,
            other => panic!("{statements}: {other:?}"),
        }
    }
}

fn check(statements: &str, expected: &str) {
    let found = Filled::new().tamper(statements).to_string();
    assert!(found.contains(expected), "{statements}: {found}");
}

#[test]
fn an_untouched_ledger_verifies() {
    let filled = Filled::new();
    let audit = filled.audit().unwrap();
    // Host, lot, upper chain, three times entry, member and proof; revocation, CRL, closing; station.
    assert_eq!((audit.links, audit.heads), (16, 11));
    assert_eq!(audit.stations.len(), 1);
    let head = audit.head.unwrap();
    assert!(head.is_signed());
    assert_eq!((head.links, head.at_s), (16, NOW_S + 5));
    let empty = SqliteLedger::open_in_memory().unwrap().audit(&Expected::default()).unwrap();
    assert_eq!((empty.links, empty.head), (0, None));
}

#[test]
fn every_edit_is_named() {
    for (edit, named) in [
        ("UPDATE entry SET device = 'd9' WHERE id = 2", "entry 2 (d9)"),
        ("UPDATE entry SET not_after_s = not_after_s + 1 WHERE id = 1", "entry 1 (d1)"),
        ("UPDATE entry SET public_key = (SELECT public_key FROM entry WHERE id = 1) || x'' WHERE 0;
          UPDATE entry SET leaf = zeroblob(9) WHERE id = 3", "entry 3 (d3)"),
        ("UPDATE proof SET proven_at_s = 1 WHERE id = 2", "proof 2"),
        ("UPDATE lot SET quota = 10", "lot 1 (W47)"),
        ("UPDATE lot_member SET lot = 'W48' WHERE id = 3", "lot_member 3 (W48)"),
        ("UPDATE lot_closed SET closed_at_s = 1", "lot_closed 1"),
        ("UPDATE revocation SET reason = 0", "revocation 1 (d2)"),
        ("UPDATE crl SET number = 2", "crl 1"),
        ("UPDATE certificate SET name = 'mallory'", "certificate 1 (mallory)"),
        ("UPDATE upper_chain SET anchor = x'00'", "upper_chain 1"),
        ("UPDATE chain SET hash = zeroblob(32) WHERE seq = 5", "link 5"),
    ] {
        check(edit, named);
    }
}

#[test]
fn every_removal_is_named() {
    for (removal, named) in [
        ("DELETE FROM revocation", "revocation 1, of link 14, is gone"),
        ("DELETE FROM entry WHERE id = 2", "entry 2, of link 8, is gone"),
        ("DELETE FROM proof WHERE id = 3", "proof 3, of link 13, is gone"),
        ("DELETE FROM chain WHERE seq = 14; DELETE FROM revocation", "link 14 is gone"),
        ("DELETE FROM head WHERE seq = 16", "links 16 to 16 are not signed"),
        ("DELETE FROM head", "are not signed"),
    ] {
        check(removal, named);
    }
}

#[test]
fn what_was_put_in_or_moved_is_named() {
    for (change, named) in [
        (
            "INSERT INTO revocation (issuer_key_id, cert_serial, name, reason, revoked_at_s,
             not_after_s) VALUES (x'01', x'02', 'd3', 0, 0, 0)",
            "revocation 2 (d3) has no link",
        ),
        (
            "UPDATE chain SET seq = -1 WHERE 0; PRAGMA ignore_check_constraints = 1;
             UPDATE chain SET seq = -7 WHERE seq = 7; UPDATE chain SET seq = 7 WHERE seq = 8;
             UPDATE chain SET seq = 8 WHERE seq = -7",
            "link 7",
        ),
        (
            "UPDATE chain SET row_id = 5 - row_id WHERE table_name = 'proof' AND row_id > 1",
            "link 10",
        ),
    ] {
        check(change, named);
    }
}

/// The end cut off with everything that belongs to it, but for what a station signed.
#[test]
fn a_cut_off_end_is_found_by_what_was_signed() {
    let cut = "DELETE FROM lot_closed; DELETE FROM chain WHERE seq = 16";
    assert_eq!(Filled::new().tamper(cut), Tampering::CutOff { signed: 16, links: 15 });
}

/// The end cut off with its signature too: then only a head that was kept elsewhere tells.
#[test]
fn a_ledger_put_back_is_found_by_a_head_kept_elsewhere() {
    let filled = Filled::new();
    let mut ledger = SqliteLedger::open(&filled.path).unwrap();
    let kept = ledger.signed_head().unwrap().unwrap();
    let raw = Connection::open(&filled.path).unwrap();
    raw.execute_batch(
        "PRAGMA foreign_keys = 0; DROP TRIGGER lot_closed_kept; DROP TRIGGER chain_kept;
         DROP TRIGGER head_kept; DELETE FROM lot_closed; DELETE FROM chain WHERE seq = 16;
         DELETE FROM head WHERE seq = 16",
    )
    .unwrap();
    ledger.audit(&Expected::default()).unwrap();
    let audit = |ledger: &mut SqliteLedger, head: &SignedHead| {
        let expected = Expected { head: Some(head.clone()), stations: Vec::new() };
        match ledger.audit(&expected) {
            Err(AuditError::Tampered(tampering)) => tampering,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(audit(&mut ledger, &kept), Tampering::RolledBack { expected: 16, found: 15 });
    // Written on, it is still another.
    ledger.create_lot(&terms("W48", 1), NOW_S + 9).unwrap();
    assert_eq!(audit(&mut ledger, &kept), Tampering::OtherHistory { seq: 16 });
    let forged = SignedHead { links: 15, ..kept };
    assert_eq!(audit(&mut ledger, &forged), Tampering::HeadForged);
}

/// Who cannot sign cannot make the chain anew; who signs with another key is seen.
#[test]
fn another_station_is_seen() {
    let filled = Filled::new();
    let mut ledger = SqliteLedger::open(&filled.path).unwrap();
    let ours = ledger.station_key().unwrap();
    let other_key = filled.dir.path().join("other.key");
    ledger.sign_by(&other_key);
    ledger.create_lot(&terms("W48", 1), NOW_S + 9).unwrap();
    let audit = ledger.audit(&Expected::default()).unwrap();
    assert_eq!(audit.stations.len(), 2);
    assert_eq!(audit.stations[0].public_key, ours);
    let expected = Expected { head: None, stations: vec![ours] };
    let found = ledger.audit(&expected).unwrap_err();
    assert!(
        matches!(found, AuditError::Tampered(Tampering::ForeignStation { row: 2 })),
        "{found:?}"
    );
    // The signatures of the other laid under our name.
    let swap = "UPDATE head SET station = 1";
    let forged = filled.tamper(swap);
    assert!(matches!(forged, Tampering::UnsignedStation { row: 2 } | Tampering::Forged { .. }));
    // A station that is on record without having signed that.
    let row = format!(
        "INSERT INTO station (public_key, added_at_s) VALUES (x'04{}', 1)",
        "00".repeat(64)
    );
    let unsigned = Filled::new().tamper(&row);
    assert!(matches!(unsigned, Tampering::Unlinked { .. }), "{unsigned:?}");
}

#[cfg(unix)]
#[test]
fn the_stations_key_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let filled = Filled::new();
    let key = filled.dir.path().join("station.key");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&key), 0o600);
    let mut ledger = SqliteLedger::open(&filled.path).unwrap();
    let public = *StationKey::open(&key).unwrap().public_key();
    assert_eq!(ledger.station_key().unwrap(), public);

    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    let mut ledger = SqliteLedger::open(&filled.path).unwrap();
    let refused = ledger.create_lot(&terms("W48", 1), NOW_S + 9).unwrap_err().to_string();
    assert!(refused.contains("others may read the station's key"), "{refused}");
    ledger.audit(&Expected::default()).unwrap();
}

#[test]
fn a_clock_that_went_back_is_refused() {
    let (mut ca, mut ledger) = (Ca::new(), SqliteLedger::open_in_memory().unwrap());
    ledger.record_issued(&ca.certify("d1", &Key::new()), NOW_S).unwrap();
    // Clocks of two stations are not the same.
    ledger.record_issued(&ca.certify("d2", &Key::new()), NOW_S - 120).unwrap();
    // But not each a little further: what counts is the latest, not the last.
    assert_eq!(ledger.signed_head().unwrap().unwrap().at_s, NOW_S);
    let chain = ca.certify("d4", &Key::new());
    let back = ledger.record_issued(&chain, NOW_S - 121).unwrap_err();
    assert!(
        matches!(&back, provision_ledger::RecordIssuedError::Storage(error)
            if matches!(error.fault, StorageFault::ClockBehind { now_s, last_s }
                if now_s == NOW_S - 121 && last_s == NOW_S)),
        "{back:?}"
    );
    let revoke = ledger.revoke(&Which::OfDevice(serial("d1")), 1, 5).unwrap_err().to_string();
    assert!(revoke.contains("before the last entry"), "{revoke}");
    assert_eq!(ledger.find(&serial("d4")).unwrap(), None);
    ledger.ignore_clock(true);
    ledger.record_issued(&chain, NOW_S - 121).unwrap();
    // The operator's word holds for those after it.
    ledger.ignore_clock(false);
    ledger.record_issued(&ca.certify("d5", &Key::new()), NOW_S - 121).unwrap();
    ledger.audit(&Expected::default()).unwrap();
}
