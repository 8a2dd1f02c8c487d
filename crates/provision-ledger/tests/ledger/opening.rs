//! Making and opening a ledger, and what is said when that cannot be.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use provision_ledger::{Expected, Ledger as _, OpenError, SqliteLedger, StorageFault};
use rusqlite::Connection;

use crate::support::{Ca, Key, NOW_S, serial};

fn fault(result: Result<SqliteLedger, OpenError>) -> StorageFault {
    match result {
        Err(OpenError::Storage(error)) => error.fault,
        other => panic!("{other:?}"),
    }
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn it_is_its_owners_alone() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ledger.db");
    let mut ledger = SqliteLedger::create(&path).unwrap();
    ledger.record_issued(&Ca::new().certify("d1", &Key::new()), NOW_S).unwrap();
    // The files beside it too, and nothing else is left of the making.
    assert_eq!(names(place.path()), ["ledger.db", "ledger.db-shm", "ledger.db-wal", "station.key"]);
    for name in names(place.path()) {
        let mode = fs::metadata(place.path().join(&name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600, "{name}");
    }
    drop(ledger);
    assert_eq!(names(place.path()), ["ledger.db", "station.key"]);
    assert!(SqliteLedger::open(&path).unwrap().find(&serial("d1")).unwrap().is_some());
}

#[test]
fn a_path_that_is_mistyped_is_no_new_ledger() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("legder.db");
    let error = SqliteLedger::open(&path).unwrap_err();
    assert!(matches!(&error, OpenError::NotFound { path: at } if *at == path), "{error:?}");
    assert!(names(place.path()).is_empty());
}

#[test]
fn what_is_there_is_never_replaced() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ledger.db");
    let mut ledger = SqliteLedger::create(&path).unwrap();
    ledger.record_issued(&Ca::new().certify("d1", &Key::new()), NOW_S).unwrap();
    drop(ledger);
    let before = fs::read(&path).unwrap();
    let error = SqliteLedger::create(&path).unwrap_err();
    assert!(matches!(&error, OpenError::AlreadyExists { path: at } if *at == path), "{error:?}");
    assert_eq!(fs::read(&path).unwrap(), before);

    // What an earlier ledger of that name left behind would be read into the new one.
    let left = place.path().join("other.db-wal");
    fs::write(&left, "left over").unwrap();
    let error = SqliteLedger::create(&place.path().join("other.db")).unwrap_err();
    assert!(matches!(&error, OpenError::AlreadyExists { path: at } if *at == left), "{error:?}");
    assert_eq!(names(place.path()), ["ledger.db", "other.db-wal", "station.key"]);
}

#[test]
fn a_directory_that_is_not_there_is_named() {
    let place = tempfile::tempdir().unwrap();
    let error = SqliteLedger::create(&place.path().join("no/ledger.db")).unwrap_err();
    assert!(matches!(&error, OpenError::File { action: "create", .. }), "{error:?}");
}

#[test]
fn other_files_are_not_ledgers() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("file");
    for contents in [&b""[..], b"thesis, chapter one", &[0x55; 4096]] {
        fs::write(&path, contents).unwrap();
        assert!(matches!(fault(SqliteLedger::open(&path)), StorageFault::NotALedger));
        assert_eq!(fs::read(&path).unwrap(), contents);
    }
    fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE songs (title TEXT)").unwrap();
    let result = SqliteLedger::open(&path);
    assert_eq!(
        result.as_ref().unwrap_err().to_string(),
        format!("the ledger {}: it is not a ledger", path.display())
    );
    assert!(matches!(fault(result), StorageFault::NotALedger));
}

#[test]
fn a_ledger_of_a_later_version_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ledger.db");
    drop(SqliteLedger::create(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 6).unwrap();
    let error = SqliteLedger::open(&path).unwrap_err();
    assert!(matches!(&error, OpenError::NewerSchema { found: 6, known: 5, .. }), "{error:?}");
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 5).unwrap();
    SqliteLedger::open(&path).unwrap();
}

/// To look at it is not to make anything of it: not even what this version would.
#[test]
fn who_only_looks_changes_nothing() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ledger.db");
    let mut ledger = SqliteLedger::create(&path).unwrap();
    ledger.create_lot(&crate::lots::terms("W47", 3), NOW_S).unwrap();
    let head = ledger.signed_head().unwrap();
    drop(ledger);
    let mut looking = SqliteLedger::open_to_read(&path).unwrap();
    assert_eq!(looking.audit(&Expected::default()).unwrap().head, head);
    let refused = looking.create_lot(&crate::lots::terms("W48", 3), NOW_S).unwrap_err();
    assert!(refused.to_string().contains("it cannot be written to"), "{refused}");
    drop(looking);
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 4).unwrap();
    let older = SqliteLedger::open_to_read(&path).unwrap_err();
    assert!(matches!(&older, OpenError::OlderSchema { found: 4, needed: 5, .. }), "{older:?}");
    let missing = SqliteLedger::open_to_read(&place.path().join("none.db")).unwrap_err();
    assert!(matches!(&missing, OpenError::NotFound { .. }), "{missing:?}");
}

#[test]
fn a_question_mark_in_a_path_is_a_question_mark() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ledger.db?mode=memory");
    drop(SqliteLedger::create(&path).unwrap());
    SqliteLedger::open(&path).unwrap();
    assert_eq!(names(place.path()), ["ledger.db?mode=memory"]);
}
