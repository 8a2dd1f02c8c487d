//! A ledger that an earlier version of the program wrote: `fixtures/version_1.sql`.

use std::path::{Path, PathBuf};
use std::thread;

use provision_ledger::{
    Certificates as _, Expected, Ledger as _, Lot, OpenError, SqliteLedger, State, Which,
};
use provision_station::evidence::Standing;
use rusqlite::Connection;
use rusqlite::types::Value;

use crate::support::{Ca, Key, NOW_S, serial};

const VERSION_1: &str = include_str!("fixtures/version_1.sql");
/// When its last row was recorded: a clock that is behind that is refused.
const LATER_S: u64 = NOW_S + 3600;
/// The tables of version 1.
const TABLES: [&str; 3] = ["upper_chain", "entry", "proof"];

fn write_version_1(dir: &Path) -> PathBuf {
    let path = dir.join("ledger.sqlite");
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch(VERSION_1).unwrap();
    assert_eq!(version(&raw), 1);
    path
}

fn version(raw: &Connection) -> i32 {
    raw.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

/// Every column of every row, as SQLite has it.
fn rows(raw: &Connection, table: &str) -> Vec<Vec<Value>> {
    let mut query = raw.prepare(&format!("SELECT * FROM {table} ORDER BY id")).unwrap();
    let columns = query.column_count();
    query
        .query_map([], |row| (0..columns).map(|at| row.get(at)).collect())
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

/// Every column that there was is as it was; later versions may have added some.
fn same_so_far(after: &[Vec<Vec<Value>>], before: &[Vec<Vec<Value>>]) -> bool {
    after.len() == before.len()
        && after.iter().zip(before).all(|(after, before)| {
            after.len() == before.len()
                && after.iter().zip(before).all(|(after, before)| after.starts_with(before))
        })
}

/// What version 4 adds columns to.
const GREW: [&str; 3] = ["entry", "lot_member", "one_certificate_per_device"];

/// Takes away what version 4 added, row by row and word by word.
const BACK_TO_VERSION_3: &str = "
    DROP VIEW leased; DROP TABLE lease_use; DROP TABLE lease_end; DROP TABLE lease;
    DROP TABLE conflict; DROP TABLE fallback; DROP TABLE forwarded;
    DROP TRIGGER place_in_lot; DROP TRIGGER place_of_first; DROP TRIGGER one_after_the_other;
    DROP TABLE head; DROP TABLE station; DROP TABLE chain; DROP TABLE lot_closed; DROP TABLE lot;
    DROP INDEX place_once; ALTER TABLE lot_member DROP COLUMN place;
    DROP INDEX one_certificate_per_device; DROP INDEX entry_by_fingerprint; DROP INDEX entry_by_time;
    DROP INDEX certificate_by_serial; DROP INDEX certificate_by_fingerprint;
    ALTER TABLE entry DROP COLUMN generation; ALTER TABLE entry DROP COLUMN issuer_key_id;
    CREATE UNIQUE INDEX one_certificate_per_device ON entry (device);
    PRAGMA user_version = 3;";

/// Tables, indices and triggers, each with the words it was made by.
fn schema(raw: &Connection) -> Vec<(String, Option<String>)> {
    let mut query = raw.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").unwrap();
    let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn nothing_of_version_1_is_lost_or_changed() {
    let place = tempfile::tempdir().unwrap();
    let path = write_version_1(place.path());
    let read = |raw: &Connection| TABLES.map(|table| rows(raw, table));
    let (rows_before, schema_before) = {
        let raw = Connection::open(&path).unwrap();
        (read(&raw), schema(&raw))
    };
    assert_eq!(rows_before.each_ref().map(Vec::len), [2, 3, 3]);

    let mut ledger = SqliteLedger::open(&path).unwrap();
    let raw = Connection::open(&path).unwrap();
    assert_eq!(version(&raw), 5);
    assert!(same_so_far(&read(&raw), &rows_before));
    let schema_after = schema(&raw);
    for made in schema_before.iter().filter(|(name, _)| !GREW.contains(&name.as_str())) {
        assert!(schema_after.contains(made), "{made:?}");
    }
    assert_eq!(ledger.audit(&Expected::default()).unwrap().links, 9);
    raw.execute("UPDATE entry SET device = 'x'", []).unwrap_err();
    raw.execute("DELETE FROM entry", []).unwrap_err();
    let problems: String = raw.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(problems, "ok");

    // And it is still understood.
    let entries = ledger.entries().unwrap();
    let devices: Vec<&str> = entries.iter().map(|entry| entry.device.as_str()).collect();
    assert_eq!(devices, ["sensor-0001", "sensor-0002", "sensor-0003"]);
    let enrolled = |enrolled_at_s, byte| State::Enrolled {
        enrolled_at_s: NOW_S + enrolled_at_s,
        delivery_sha256: [byte; 32],
    };
    let states: Vec<State> = entries.iter().map(|entry| entry.state).collect();
    assert_eq!(states, [enrolled(2, 1), enrolled(62, 2), State::Issued]);
    for entry in &entries {
        let live = ledger.live(&entry.device).unwrap().unwrap();
        assert_eq!(live.chain.leaf_sha256(), entry.leaf_sha256);
        assert_eq!(live.chain.public_key(), &entry.public_key);
        assert_eq!(live.chain.issuers().len(), 1);
    }
}

#[test]
fn what_version_2_is_for_can_be_done_with_what_version_1_recorded() {
    let place = tempfile::tempdir().unwrap();
    let path = write_version_1(place.path());
    let mut ledger = SqliteLedger::open(&path).unwrap();
    let device = serial("sensor-0002");
    assert_eq!(ledger.revocation_of(&device).unwrap(), None);
    let revoked = ledger.revoke(&Which::OfDevice(device.clone()), 1, LATER_S).unwrap().remove(0);
    assert_eq!(ledger.revocation_of(&device).unwrap(), Some(revoked.clone()));
    let entry = ledger.find(&device).unwrap().unwrap();
    assert_eq!(revoked.cert_serial, entry.cert_serial);
    let mut on_crl = Vec::new();
    let each = &mut |record| on_crl.push(record);
    let number = ledger.begin_crl(&revoked.issuer_key_id, LATER_S, LATER_S + 1, each).unwrap();
    assert_eq!((number, on_crl), (1, vec![revoked]));

    // The old rules hold over old and new rows.
    let key = Key::new();
    ledger.record_issued(&Ca::new().certify("sensor-0004", &key), LATER_S).unwrap();
    ledger.record_issued(&Ca::new().certify("sensor-0001", &Key::new()), LATER_S).unwrap_err();
    drop(ledger);
    let mut ledger = SqliteLedger::open(&path).unwrap();
    assert_eq!(ledger.entries().unwrap().len(), 4);
    let standing = ledger.standing(&serial("sensor-0004"), &key.public()).unwrap();
    assert!(matches!(standing, Standing::Live(_)), "{standing:?}");
}

#[test]
fn it_becomes_what_a_new_one_is() {
    let place = tempfile::tempdir().unwrap();
    let path = write_version_1(place.path());
    drop(SqliteLedger::open(&path).unwrap());
    let new = place.path().join("new.sqlite");
    drop(SqliteLedger::create(&new).unwrap());
    let [brought, new] = [path, new].map(|path| schema(&Connection::open(path).unwrap()));
    // The fixture's own words begin where a dump has them begin.
    let squeezed = |schema: Vec<(String, Option<String>)>| -> Vec<(String, String)> {
        let words = |sql: String| sql.split_whitespace().collect::<Vec<_>>().join(" ");
        schema.into_iter().map(|(name, sql)| (name, sql.map(words).unwrap_or_default())).collect()
    };
    assert_eq!(squeezed(brought), squeezed(new));
}

#[test]
fn several_programs_may_open_it_at_once() {
    let place = tempfile::tempdir().unwrap();
    let path = write_version_1(place.path());
    thread::scope(|scope| {
        let opened: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| SqliteLedger::open(&path).unwrap().entries().unwrap().len()))
            .collect();
        for one in opened {
            assert_eq!(one.join().unwrap(), 3);
        }
    });
    assert_eq!(version(&Connection::open(&path).unwrap()), 5);
}

/// One with devices, a certificate and revocations from before there were lots.
#[test]
fn version_2_gets_lots_and_keeps_what_it_has() {
    let place = tempfile::tempdir().unwrap();
    let path = write_version_1(place.path());
    let mut ledger = SqliteLedger::open(&path).unwrap();
    let mut ca = Ca::new();
    let host = ca.certify("alice", &Key::new());
    ledger.record_certificate(host.leaf(), "alice", "client", LATER_S).unwrap();
    ledger.revoke(&Which::OfDevice(serial("sensor-0001")), 1, LATER_S).unwrap();
    drop(ledger);
    let raw = Connection::open(&path).unwrap();
    // As version 2 left it.
    raw.execute_batch(BACK_TO_VERSION_3).unwrap();
    raw.execute_batch("DROP TABLE lot_member; PRAGMA user_version = 2").unwrap();
    let tables = ["upper_chain", "entry", "proof", "certificate", "revocation", "crl"];
    let read = |raw: &Connection| tables.map(|table| rows(raw, table));
    let (rows_before, schema_before) = (read(&raw), schema(&raw));
    assert_eq!(rows_before.each_ref().map(Vec::len), [2, 3, 3, 1, 1, 0]);
    drop(raw);

    let mut ledger = SqliteLedger::open(&path).unwrap();
    let raw = Connection::open(&path).unwrap();
    assert_eq!(version(&raw), 5);
    assert!(same_so_far(&read(&raw), &rows_before));
    for made in schema_before.iter().filter(|(name, _)| !GREW.contains(&name.as_str())) {
        assert!(schema(&raw).contains(made), "{made:?}");
    }
    let lot: Lot = "7".parse().unwrap();
    ledger.record_issued_in(Some(&lot), &ca.certify("sensor-0009", &Key::new()), LATER_S).unwrap();
    let members = ledger.revocable(&Which::OfLot(lot)).unwrap();
    assert_eq!(members.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["sensor-0009"]);
    raw.execute("UPDATE lot_member SET lot = '8'", []).unwrap_err();
    raw.execute("DELETE FROM lot_member", []).unwrap_err();
}

/// All of version 2, or nothing: here its last table cannot be made.
#[test]
fn one_that_cannot_be_brought_up_to_date_is_left_as_it_was() {
    let place = tempfile::tempdir().unwrap();
    let path = write_version_1(place.path());
    let raw = Connection::open(&path).unwrap();
    raw.execute_batch("CREATE TABLE crl (id INTEGER PRIMARY KEY)").unwrap();
    let before = (schema(&raw), TABLES.map(|table| rows(&raw, table)));
    let error = SqliteLedger::open(&path).unwrap_err();
    assert!(matches!(&error, OpenError::Storage(_)), "{error:?}");
    assert_eq!(version(&raw), 1);
    assert_eq!((schema(&raw), TABLES.map(|table| rows(&raw, table))), before);

    raw.execute_batch("DROP TABLE crl").unwrap();
    assert_eq!(SqliteLedger::open(&path).unwrap().entries().unwrap().len(), 3);
}

/// One with lots that are names, from before there were quotas, chains and signatures.
#[test]
fn version_3_gets_places_links_and_a_signature() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ledger.sqlite");
    let mut ledger = SqliteLedger::create(&path).unwrap();
    let mut ca = Ca::new();
    let lots: [Lot; 2] = ["a", "b"].map(|name| name.parse().unwrap());
    for (at, lot) in [0, 1, 0, 0].into_iter().enumerate() {
        let chain = ca.certify(&format!("sensor-{at}"), &Key::new());
        ledger.record_issued_in(Some(&lots[lot]), &chain, NOW_S).unwrap();
    }
    ledger.revoke(&Which::OfDevice(serial("sensor-1")), 1, NOW_S + 7).unwrap();
    drop(ledger);
    let raw = Connection::open(&path).unwrap();
    let places = || rows(&Connection::open(&path).unwrap(), "lot_member");
    let before = places();
    raw.execute_batch(BACK_TO_VERSION_3).unwrap();
    drop(raw);
    assert_ne!(places(), before);

    let mut ledger = SqliteLedger::open(&path).unwrap();
    assert_eq!(places(), before, "the same places as if it had known");
    let audit = ledger.audit(&Expected::default()).unwrap();
    // One upper chain, four entries, four members, a revocation, and the station.
    assert_eq!((audit.links, audit.heads), (11, 1));
    assert_eq!(audit.head.unwrap().at_s, NOW_S + 7);
    let used: Vec<u64> = ledger.lots().unwrap().iter().map(|lot| lot.used).collect();
    assert_eq!(used, [3, 1]);
    assert!(ledger.revocation_of(&serial("sensor-1")).unwrap().is_some());
}
