//! What is said when the storage fails, and that nothing was recorded then.

use core::time::Duration;
use std::fs::OpenOptions;
use std::io::{Seek as _, SeekFrom, Write as _};

use provision_ledger::{
    Ledger as _, OpenError, RecordIssuedError, SqliteLedger, StorageError, StorageFault,
};
use provision_station::evidence::Standing;
use rusqlite::Connection;

use crate::support::{Ca, Key, NOW_S, serial};

fn storage(result: Result<(), RecordIssuedError>) -> StorageError {
    match result {
        Err(RecordIssuedError::Storage(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn locked_by_another_program() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ledger.db");
    let mut ledger = SqliteLedger::create(&path).unwrap();
    ledger.set_patience(Duration::from_millis(20)).unwrap();
    let (mut ca, key) = (Ca::new(), Key::new());
    let chain = ca.certify("d1", &key);

    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = storage(ledger.record_issued(&chain, NOW_S));
    assert_eq!(
        error.to_string(),
        format!("the ledger {}: it is locked by another program", path.display())
    );
    // Reading goes on.
    assert_eq!(ledger.standing(&serial("d1"), &key.public()).unwrap(), Standing::Unknown);
    other.execute_batch("ROLLBACK").unwrap();
    ledger.record_issued(&chain, NOW_S).unwrap();
}

#[test]
fn damaged_pages_are_not_taken_for_an_empty_ledger() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ledger.db");
    let (mut ca, key) = (Ca::new(), Key::new());
    let mut ledger = SqliteLedger::create(&path).unwrap();
    ledger.record_issued(&ca.certify("d1", &key), NOW_S).unwrap();
    drop(ledger);
    // All but the pages that say what is where.
    let pages: Vec<i64> = {
        let raw = Connection::open(&path).unwrap();
        let query = "SELECT rootpage FROM sqlite_schema WHERE rootpage > 0";
        let mut query = raw.prepare(query).unwrap();
        query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let mut file = OpenOptions::new().write(true).open(&path).unwrap();
    for page in pages {
        file.seek(SeekFrom::Start(u64::try_from(page - 1).unwrap() * 4096)).unwrap();
        file.write_all(&[0x55; 4096]).unwrap();
    }
    drop(file);

    let mut ledger = SqliteLedger::open(&path).unwrap();
    let error = ledger.standing(&serial("d1"), &key.public()).unwrap_err();
    assert!(matches!(error.fault, StorageFault::Corrupt { .. }), "{error:?}");
    let error = storage(ledger.record_issued(&ca.certify("d2", &Key::new()), NOW_S));
    assert!(matches!(error.fault, StorageFault::Corrupt { .. }), "{error:?}");
    drop(ledger);

    // And those too, but for the first page.
    let mut file = OpenOptions::new().write(true).open(&path).unwrap();
    let len = file.metadata().unwrap().len();
    file.seek(SeekFrom::Start(4096)).unwrap();
    file.write_all(&vec![0x55; usize::try_from(len).unwrap() - 4096]).unwrap();
    drop(file);
    assert!(matches!(
        SqliteLedger::open(&path),
        Err(OpenError::Storage(error)) if matches!(error.fault, StorageFault::Corrupt { .. })
    ));
}

/// Rows that are well formed for SQLite and make no sense here.
#[test]
fn rows_that_make_no_sense_are_damage() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ledger.db");
    let mut ledger = SqliteLedger::create(&path).unwrap();
    let raw = Connection::open(&path).unwrap();
    let key = "04".repeat(65);
    raw.execute_batch(&format!(
        "INSERT INTO upper_chain VALUES (1, x'3082', x'');
         INSERT INTO entry ({COLUMNS}) VALUES (1, 'd1', x'{key}', x'01', x'', zeroblob(32), 1, 0, 0);"
    ))
    .unwrap();
    let public_key = provision_csr::PublicKey::from_sec1([4; 65]).unwrap();
    let error = ledger.standing(&serial("d1"), &public_key).unwrap_err();
    assert!(matches!(error.fault, StorageFault::Corrupt { .. }), "{error:?}");

    raw.execute_batch(&format!(
        "INSERT INTO entry ({COLUMNS})
         VALUES (2, 'no such name', zeroblob(65), x'02', x'', zeroblob(32), 1, 0, 0)",
    ))
    .unwrap();
    let error = ledger.entries().unwrap_err();
    assert!(matches!(error.fault, StorageFault::Corrupt { .. }), "{error:?}");
}

const COLUMNS: &str = "id, device, public_key, cert_serial, leaf, leaf_sha256, upper_chain, \
                       not_after_s, issued_at_s";

/// A certificate in which a bit has changed is not delivered again.
#[test]
fn a_leaf_that_changed_is_damage() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ledger.db");
    let (mut ca, key) = (Ca::new(), Key::new());
    let mut ledger = SqliteLedger::create(&path).unwrap();
    let chain = ca.certify("d1", &key);
    ledger.record_issued(&chain, NOW_S).unwrap();
    let mut leaf = chain.leaf().to_vec();
    *leaf.last_mut().unwrap() ^= 1;
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch("DROP TRIGGER entry_stays").unwrap();
    raw.execute("UPDATE entry SET leaf = ?1", [leaf]).unwrap();
    let error = ledger.standing(&serial("d1"), &key.public()).unwrap_err();
    assert!(matches!(error.fault, StorageFault::Corrupt { .. }), "{error:?}");
    raw.execute("UPDATE entry SET leaf = ?1", [chain.leaf()]).unwrap();
    assert!(matches!(ledger.standing(&serial("d1"), &key.public()).unwrap(), Standing::Live(_)));
}
