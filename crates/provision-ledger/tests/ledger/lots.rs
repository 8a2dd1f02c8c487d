//! Lots with quotas. That they are exact, whoever is killed over them, is in `both.rs`.

use provision_ledger::{
    Certificates as _, Expected, Issuance, Ledger as _, Lot, LotRefusal, LotTerms, LotsError,
    RecordIssuedError, SqliteLedger, Which,
};
use rusqlite::Connection;

use crate::support::{Ca, Key, NOW_S, enrolled, serial};

pub(crate) fn lot(name: &str) -> Lot {
    name.parse().unwrap()
}

pub(crate) fn terms(name: &str, quota: u64) -> LotTerms {
    LotTerms { lot: lot(name), quota, profile: "device".into(), not_after_s: None }
}

fn refusal(result: Result<(), RecordIssuedError>) -> LotRefusal {
    match result {
        Err(RecordIssuedError::Lot(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_full_lot_takes_no_more_and_a_rerun_does_not_count() {
    let (mut ca, mut ledger) = (Ca::new(), SqliteLedger::open_in_memory().unwrap());
    ledger.create_lot(&terms("W47", 2), NOW_S).unwrap();
    let w47 = lot("W47");
    let chains = ["d1", "d2", "d3"].map(|device| ca.certify(device, &Key::new()));
    ledger.record_issued_in(Some(&w47), &chains[0], NOW_S).unwrap();
    ledger.record_issued_in(Some(&w47), &chains[0], NOW_S).unwrap();
    ledger.record_issued_in(Some(&w47), &chains[1], NOW_S).unwrap();
    let full = refusal(ledger.record_issued_in(Some(&w47), &chains[2], NOW_S));
    assert_eq!(full, LotRefusal::Full { lot: lot("W47"), quota: 2 });
    assert_eq!(full.to_string(), "lot W47 is full: all 2 places are taken");
    assert_eq!(ledger.find(&serial("d3")).unwrap(), None);
    // Those that are in it may be run again.
    ledger.record_issued_in(Some(&w47), &chains[1], NOW_S).unwrap();
    let record = ledger.lot(&w47).unwrap();
    assert_eq!((record.used, record.enrolled), (2, 0));
}

#[test]
fn a_new_key_by_the_operators_word_keeps_the_place() {
    let (mut ca, mut ledger) = (Ca::new(), SqliteLedger::open_in_memory().unwrap());
    ledger.create_lot(&terms("W47", 1), NOW_S).unwrap();
    let w47 = lot("W47");
    let (old_key, new_key) = (Key::new(), Key::new());
    let old = ca.certify("d1", &old_key);
    let new = ca.certify("d1", &new_key);
    ledger.record_issued_in(Some(&w47), &old, NOW_S).unwrap();
    ledger.record_enrolled(&enrolled(&old, &old_key, [1; 32]), NOW_S).unwrap();
    let without_word = ledger.record_issued_in(Some(&w47), &new, NOW_S);
    assert!(
        matches!(without_word, Err(RecordIssuedError::DeviceHasCertificate { .. })),
        "{without_word:?}"
    );
    let issuance = Issuance { chain: &new, lot: Some(&w47), replace: true };
    ledger.record(&issuance, NOW_S + 9).unwrap();
    ledger.record(&issuance, NOW_S + 10).unwrap();
    assert_eq!(ledger.lot(&w47).unwrap().used, 1);
    // The old one is on the CRL, the new one is not.
    let members = ledger.revocable(&Which::OfLot(w47)).unwrap();
    let revoked: Vec<_> =
        members.iter().map(|one| one.revoked.as_ref().map(|r| r.reason)).collect();
    assert_eq!(revoked, [Some(4), None]);
    assert_eq!(ledger.revocation_of(&serial("d1")).unwrap(), None);
    assert_eq!(ledger.find(&serial("d1")).unwrap().unwrap().cert_serial, *new.cert_serial());
    ledger.audit(&Expected::default()).unwrap();
}

#[test]
fn a_closed_an_expired_and_an_unknown_lot_are_named() {
    let (mut ca, mut ledger) = (Ca::new(), SqliteLedger::open_in_memory().unwrap());
    // A name alone, as long as no lot has terms.
    let chain = ca.certify("d0", &Key::new());
    ledger.record_issued_in(Some(&lot("free")), &chain, NOW_S).unwrap();
    assert_eq!(ledger.lot(&lot("free")).unwrap().terms, None);

    let until = LotTerms { not_after_s: Some(NOW_S + 10), ..terms("short", 9) };
    ledger.create_lot(&until, NOW_S).unwrap();
    let mut record = |name: Option<&str>, at_s| {
        let chain = ca.certify(&format!("d{at_s}"), &Key::new());
        ledger.record_issued_in(name.map(lot).as_ref(), &chain, at_s)
    };
    record(Some("short"), NOW_S + 10).unwrap();
    let expired = refusal(record(Some("short"), NOW_S + 11));
    assert!(matches!(expired, LotRefusal::Expired { .. }), "{expired:?}");
    assert_eq!(refusal(record(Some("shrot"), NOW_S)), LotRefusal::Unknown { lot: lot("shrot") });
    assert_eq!(refusal(record(Some("free"), NOW_S)), LotRefusal::Unknown { lot: lot("free") });
    assert_eq!(refusal(record(None, NOW_S)), LotRefusal::Needed);

    ledger.create_lot(&terms("W47", 5), NOW_S).unwrap();
    assert_eq!(ledger.close_lot(&lot("W47"), NOW_S).unwrap().closed_at_s, Some(NOW_S));
    assert_eq!(ledger.close_lot(&lot("W47"), NOW_S + 5).unwrap().closed_at_s, Some(NOW_S));
    let chain = ca.certify("late", &Key::new());
    let closed = refusal(ledger.record_issued_in(Some(&lot("W47")), &chain, NOW_S));
    assert_eq!(closed, LotRefusal::Closed { lot: lot("W47"), closed_at_s: NOW_S });

    assert!(matches!(ledger.close_lot(&lot("no"), NOW_S), Err(LotsError::NotFound { .. })));
    ledger.create_lot(&terms("W47", 5), NOW_S + 9).unwrap();
    let other = ledger.create_lot(&terms("W47", 6), NOW_S);
    assert!(matches!(other, Err(LotsError::AlreadyExists { .. })), "{other:?}");
    assert!(matches!(ledger.create_lot(&terms("x", 0), NOW_S), Err(LotsError::NoQuota { .. })));
    let profile = ledger.check_lot(Some(&lot("short")), "idevid", NOW_S).unwrap_err();
    assert_eq!(profile.to_string(), "lot short is for the profile device, not idevid");
}

/// Past this program, the database still counts.
#[test]
fn the_database_itself_holds_the_quota() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ledger.sqlite");
    let (mut ca, mut ledger) = (Ca::new(), SqliteLedger::create(&path).unwrap());
    ledger.create_lot(&terms("W47", 1), NOW_S).unwrap();
    ledger.create_lot(&terms("other", 3), NOW_S).unwrap();
    ledger.record_issued_in(Some(&lot("W47")), &ca.certify("d1", &Key::new()), NOW_S).unwrap();
    ledger.record_issued_in(Some(&lot("other")), &ca.certify("d2", &Key::new()), NOW_S).unwrap();
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch(
        "DROP TRIGGER entry_kept; DROP TRIGGER lot_member_kept;
        DELETE FROM lot_member WHERE lot = 'other'",
    )
    .unwrap();
    for (member, why) in [
        ("(2, 'W47', 1)", "UNIQUE"),
        ("(2, 'W47', 2)", "the lot takes no more devices"),
        ("(2, 'W47', NULL)", "a device in a lot needs a place"),
    ] {
        let insert = format!("INSERT INTO lot_member (entry, lot, place) VALUES {member}");
        let error = raw.execute(&insert, []).unwrap_err().to_string();
        assert!(error.contains(why), "{member}: {error}");
    }
    ledger.close_lot(&lot("other"), NOW_S).unwrap();
    let insert = "INSERT INTO lot_member (entry, lot, place) VALUES (2, 'other', 1)";
    raw.execute(insert, []).unwrap_err();
}
