//! Leased places, on both databases.

use provision_ledger::{
    Expected, LeaseHolder, LeaseTerms, Ledger as _, LotCheckError, LotRefusal, LotsError,
    RecordIssuedError, SqlLedger,
};

use crate::backend::{Backend, File, Server};
use crate::lots::{lot, terms};
use crate::support::{Ca, Key, NOW_S};

const HOUR_S: u64 = 3600;

fn wanted(holder: u8, lot: &provision_ledger::Lot, places: u64) -> LeaseTerms<'_> {
    let holder = LeaseHolder([holder; 16]);
    LeaseTerms { holder, lot, profile: "device", places, lasts_s: HOUR_S }
}

fn refusal(result: Result<Option<provision_ledger::Lease>, LotCheckError>) -> LotRefusal {
    match result {
        Err(LotCheckError::Lot(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn in_a_file() {
    leased_places_count_until_they_end(&File::start());
}

#[test]
fn on_postgresql() {
    leased_places_count_until_they_end(&Server::start());
}

fn leased_places_count_until_they_end(backend: &impl Backend) {
    let (mut ca, mut ledger) = (Ca::new(), backend.open());
    let w47 = lot("W47");
    let unknown = refusal(ledger.lease(&wanted(1, &w47, 3), NOW_S));
    assert_eq!(unknown, LotRefusal::Unknown { lot: lot("W47") });
    ledger.create_lot(&terms("W47", 10), NOW_S).unwrap();
    let first = ledger.lease(&wanted(1, &w47, 3), NOW_S).unwrap().unwrap();
    assert_eq!((first.number, first.places, first.left()), (1, 3, 3));
    assert_eq!(first.expires_at_s, NOW_S + HOUR_S);
    // Half of what is free, at most.
    let second = ledger.lease(&wanted(2, &w47, 100), NOW_S).unwrap().unwrap();
    assert_eq!((second.number, second.places), (1, 3));
    let place = |ledger: &mut SqlLedger| {
        let record = ledger.lot(&lot("W47")).unwrap();
        (record.used, record.leased)
    };
    assert_eq!(place(&mut ledger), (0, 6));

    let mut record = |ledger: &mut SqlLedger, device: &str| {
        ledger.record_issued_in(Some(&lot("W47")), &ca.certify(device, &Key::new()), NOW_S)
    };
    for device in ["d1", "d2", "d3", "d4"] {
        record(&mut ledger, device).unwrap();
    }
    match record(&mut ledger, "d5") {
        Err(RecordIssuedError::Lot(refusal)) => {
            assert_eq!(refusal, LotRefusal::Leased { lot: lot("W47"), leased: 6 });
            let said = "lot W47 has no free place: the last 6 are leased to stations";
            assert_eq!(refusal.to_string(), said);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(ledger.lease(&wanted(3, &w47, 1), NOW_S).unwrap(), None, "nothing is free");

    let ended = ledger.end_lease(first.id, NOW_S + 1).unwrap();
    assert_eq!(ended.ended_at_s, Some(NOW_S + 1));
    assert_eq!(ledger.end_lease(first.id, NOW_S + 9).unwrap(), ended, "once");
    assert!(matches!(ledger.end_lease(99, NOW_S), Err(LotsError::NoSuchLease { lease: 99 })));
    assert_eq!(place(&mut ledger), (4, 3));
    record(&mut ledger, "d5").unwrap();
    let again = ledger.lease(&wanted(1, &w47, 100), NOW_S + 2).unwrap().unwrap();
    assert_eq!((again.number, again.places), (2, 1));

    // A lot that ends before the lease does, one for another profile, and one that is closed.
    let until = provision_ledger::LotTerms { not_after_s: Some(NOW_S + 60), ..terms("W48", 9) };
    ledger.create_lot(&until, NOW_S + 3).unwrap();
    let short = ledger.lease(&wanted(1, &lot("W48"), 2), NOW_S + 3).unwrap().unwrap();
    assert_eq!(short.expires_at_s, NOW_S + 60);
    let other = LeaseTerms { profile: "idevid", ..wanted(1, &w47, 1) };
    assert!(matches!(refusal(ledger.lease(&other, NOW_S)), LotRefusal::OtherProfile { .. }));
    ledger.close_lot(&w47, NOW_S + 4).unwrap();
    assert!(matches!(refusal(ledger.lease(&wanted(1, &w47, 1), NOW_S)), LotRefusal::Closed { .. }));
    assert_eq!(ledger.leases().unwrap().len(), 4);
    ledger.audit(&Expected::default()).unwrap();
}

/// Whoever writes: the database holds the quota by itself.
#[test]
fn the_database_itself_holds_the_quota() {
    let rules = [
        // More than is free; in a lot that is closed.
        "INSERT INTO lease (holder, number, lot, profile, places, granted_at_s, expires_at_s)
         VALUES (HOLDER, 9, 'W47', 'device', 4, 0, 0)",
        "INSERT INTO lease (holder, number, lot, profile, places, granted_at_s, expires_at_s)
         VALUES (HOLDER, 9, 'shut', 'device', 1, 0, 0)",
        // The same lease twice, and what was recorded of it changed or taken back.
        "INSERT INTO lease (holder, number, lot, profile, places, granted_at_s, expires_at_s)
         VALUES (HOLDER, 1, 'W47', 'device', 1, 0, 0)",
        "UPDATE lease SET places = 1",
        "DELETE FROM lease",
        // A place that is leased; a place of a lease that has ended.
        "INSERT INTO lot_member (entry, lot, place) VALUES (1, 'W47', 4)",
        "INSERT INTO lease_use (entry, lease) VALUES (1, 2)",
    ];
    let prepare = |ledger: &mut SqlLedger| {
        let (mut ca, w47) = (Ca::new(), lot("W47"));
        ledger.record_issued(&ca.certify("d1", &Key::new()), NOW_S).unwrap();
        ledger.create_lot(&terms("W47", 6), NOW_S).unwrap();
        ledger.create_lot(&terms("shut", 6), NOW_S).unwrap();
        ledger.close_lot(&lot("shut"), NOW_S).unwrap();
        ledger.lease(&wanted(1, &w47, 3), NOW_S).unwrap().unwrap();
        let ended = ledger.lease(&wanted(2, &w47, 1), NOW_S).unwrap().unwrap();
        ledger.end_lease(ended.id, NOW_S).unwrap();
    };
    let holder = "01".repeat(16);
    let file = File::start();
    prepare(&mut file.open());
    let raw = rusqlite::Connection::open(file.address()).unwrap();
    for rule in rules {
        let broken = raw.execute(&rule.replace("HOLDER", &format!("x'{holder}'")), []);
        assert!(broken.is_err(), "{rule}");
    }
    let good = "INSERT INTO lot_member (entry, lot, place) VALUES (1, 'W47', 3)";
    raw.execute(good, []).unwrap();

    let server = Server::start();
    prepare(&mut server.open());
    let mut raw = ::postgres::Client::connect(&server.address(), ::postgres::NoTls).unwrap();
    for rule in rules {
        let broken = raw.batch_execute(&rule.replace("HOLDER", &format!("'\\x{holder}'")));
        assert!(broken.is_err(), "{rule}");
    }
    raw.batch_execute(good).unwrap();
}
