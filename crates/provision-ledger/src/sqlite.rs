//! A ledger in one file.

use core::fmt;
use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};

use provision_csr::PublicKey;
use provision_station::evidence::{Chain, Enrolled, LiveCertificate, Standing};
use provision_wire::DeviceSerial;
use rusqlite::types::Type;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Transaction, TransactionBehavior};
use thiserror::Error;

use crate::fault::fault_of;
use crate::ledger::{
    Entry, Ledger, Receipt, RecordEnrolledError, RecordIssuedError, StorageError, StorageFault,
};
use crate::lot::Lot;
use crate::row::{LeafChanged, StoredEntry, chain_from_row, damaged, from_sql_time, to_sql_time};
use crate::{new_file, schema};

/// A [`Ledger`] in a SQLite file, for any number of programs on one machine.
///
/// Every record is on the disk before the call returns (write-ahead log, `synchronous=FULL`). Two
/// more files, `-wal` and `-shm`, lie beside it while it is in use: they belong to it, and a copy
/// made without them may lack the latest records. Not for network file systems, which lock poorly.
pub struct SqliteLedger {
    pub(crate) connection: Connection,
    place: String,
}

impl SqliteLedger {
    /// Makes an empty ledger where nothing is yet, readable by its owner only, and opens it.
    ///
    /// Apart from [`open`](Self::open) for a reason: a mistyped path must not pass for a ledger
    /// that has seen no device.
    ///
    /// # Errors
    ///
    /// [`OpenError::AlreadyExists`] and others; nothing is left behind then.
    pub fn create(path: &Path) -> Result<Self, OpenError> {
        check_sqlite_version(rusqlite::version_number())?;
        new_file::create(path, |staging| {
            let connection = connect(staging, OpenFlags::SQLITE_OPEN_READ_WRITE)
                .map_err(|error| at(path, error))?;
            make_tables(connection).map_err(|error| at(path, error))
        })?;
        Self::open(path)
    }

    /// Opens a ledger that is there.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if there is none, or if it is not one this program can write to.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        check_sqlite_version(rusqlite::version_number())?;
        match fs::metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(OpenError::NotFound { path: path.to_owned() });
            }
            _ => {}
        }
        Self::open_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    /// A ledger that is gone with the value: for tests and simulations.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if there is no memory for it.
    pub fn open_in_memory() -> Result<Self, OpenError> {
        check_sqlite_version(rusqlite::version_number())?;
        let place = "in memory".to_owned();
        let made = || {
            let connection = Connection::open_in_memory()?;
            configure(&connection)?;
            make_tables_in(&connection)?;
            Ok(connection)
        };
        match made() {
            Ok(connection) => Ok(Self { connection, place }),
            Err(error) => Err(StorageError { place, fault: fault_of(error) }.into()),
        }
    }

    /// How long to wait for another program that writes at the same time. Five seconds if this is
    /// not called; a write takes milliseconds.
    ///
    /// # Errors
    ///
    /// [`StorageError`], which does not happen on an open ledger.
    pub fn set_patience(&mut self, patience: Duration) -> Result<(), StorageError> {
        self.connection.busy_timeout(patience).map_err(|error| self.failed(error))
    }

    /// As [`record_issued`](Ledger::record_issued), for a device made in a lot. In which lot it was
    /// made is recorded with its certificate, once.
    ///
    /// # Errors
    ///
    /// As [`record_issued`](Ledger::record_issued).
    pub fn record_issued_in(
        &mut self,
        lot: Option<&Lot>,
        chain: &Chain,
        at_s: u64,
    ) -> Result<(), RecordIssuedError> {
        let conflict = self.add_entry(chain, lot, at_s).map_err(|error| self.failed(error))?;
        let Some(Conflict { field, entry }) = conflict else {
            return Ok(());
        };
        let leaf_sha256 = chain.leaf_sha256();
        Err(match field {
            _ if entry.leaf_sha256 == leaf_sha256 => return Ok(()),
            Field::PublicKey if entry.device != *chain.device() => {
                RecordIssuedError::KeyElsewhere {
                    device: chain.device().clone(),
                    other: entry.device,
                }
            }
            Field::PublicKey | Field::Device => RecordIssuedError::DeviceHasCertificate {
                device: entry.device,
                cert_serial: entry.cert_serial,
            },
            Field::CertSerial => RecordIssuedError::CertSerialTaken {
                cert_serial: entry.cert_serial,
                other: entry.device,
            },
        })
    }

    fn open_with(path: &Path, access: OpenFlags) -> Result<Self, OpenError> {
        let connection = connect(path, access).map_err(|error| at(path, error))?;
        let header = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
        let application_id = header("application_id").map_err(|error| at(path, error))?;
        if application_id != schema::APPLICATION_ID {
            return Err(StorageError {
                place: path.display().to_string(),
                fault: StorageFault::NotALedger,
            }
            .into());
        }
        let version = header("user_version").map_err(|error| at(path, error))?;
        if version > schema::VERSION {
            return Err(OpenError::NewerSchema {
                path: path.to_owned(),
                found: version,
                known: schema::VERSION,
            });
        }
        if connection.is_readonly("main").map_err(|error| at(path, error))? {
            return Err(StorageError {
                place: path.display().to_string(),
                fault: StorageFault::ReadOnly,
            }
            .into());
        }
        let mode = "PRAGMA journal_mode = WAL";
        let mode: String =
            connection.query_row(mode, [], |row| row.get(0)).map_err(|error| at(path, error))?;
        if mode != "wal" {
            return Err(OpenError::NoWriteAheadLog { path: path.to_owned(), found: mode });
        }
        let mut connection = connection;
        bring_up_to_date(&mut connection).map_err(|error| at(path, error))?;
        Ok(Self { connection, place: path.display().to_string() })
    }

    pub(crate) fn failed(&self, error: rusqlite::Error) -> StorageError {
        StorageError { place: self.place.clone(), fault: fault_of(error) }
    }

    fn standing_inner(
        &self,
        device: &DeviceSerial,
        public_key: &PublicKey,
    ) -> rusqlite::Result<Standing> {
        // One snapshot for all that is read.
        let snapshot = self.connection.unchecked_transaction()?;
        let by_key = find(&snapshot, schema::ENTRY_BY_KEY, public_key.as_sec1())?;
        if let Some(StoredEntry { id, entry }) = by_key {
            if entry.device != *device {
                return Ok(Standing::KeyElsewhere { device: entry.device });
            }
            let chain = snapshot.prepare_cached(schema::CHAIN)?.query_row([id], chain_from_row)?;
            if chain.leaf_sha256() != entry.leaf_sha256 {
                return Err(damaged(0, Type::Blob, LeafChanged));
            }
            let delivery_sha256 = entry.delivery_sha256().copied();
            return Ok(Standing::Live(LiveCertificate { chain, delivery_sha256 }));
        }
        let by_device = find(&snapshot, schema::ENTRY_BY_DEVICE, device.as_str())?;
        Ok(match by_device {
            Some(StoredEntry { entry, .. }) => Standing::OtherKey { known: entry.public_key },
            None => Standing::Unknown,
        })
    }

    /// What is recorded already, if the rules forbid to record `chain`.
    fn add_entry(
        &mut self,
        chain: &Chain,
        lot: Option<&Lot>,
        at_s: u64,
    ) -> rusqlite::Result<Option<Conflict>> {
        let transaction = begin(&mut self.connection)?;
        if let Some(conflict) = conflict(&transaction, chain)? {
            return Ok(Some(conflict));
        }
        let upper_chain = upper_chain_id(&transaction, chain)?;
        transaction.prepare_cached(schema::ADD_ENTRY)?.execute((
            chain.device().as_str(),
            chain.public_key().as_sec1(),
            chain.cert_serial().as_bytes(),
            chain.leaf(),
            chain.leaf_sha256(),
            upper_chain,
            to_sql_time(chain.not_after()),
            to_sql_time(at_s),
        ))?;
        if let Some(lot) = lot {
            let entry = transaction.last_insert_rowid();
            transaction.prepare_cached(schema::ADD_LOT_MEMBER)?.execute((entry, lot.as_str()))?;
        }
        transaction.commit()?;
        Ok(None)
    }

    fn add_proof(&mut self, enrolled: &Enrolled, at_s: u64) -> rusqlite::Result<AddedProof> {
        let transaction = begin(&mut self.connection)?;
        let by_device = find(&transaction, schema::ENTRY_BY_DEVICE, enrolled.device().as_str())?;
        let Some(StoredEntry { id, entry }) = by_device else {
            return Ok(AddedProof::NoEntry);
        };
        if entry.leaf_sha256 != *enrolled.leaf_sha256() {
            return Ok(AddedProof::OtherEntry(entry));
        }
        let latest: Option<([u8; 32], i64)> = transaction
            .prepare_cached(schema::LATEST_PROOF)?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        match latest {
            Some((delivery_sha256, proven_at_s))
                if delivery_sha256 == *enrolled.delivery_sha256() =>
            {
                return Ok(AddedProof::Proven { proven_at_s: from_sql_time(proven_at_s) });
            }
            _ => {}
        }
        let delivery_sha256 = enrolled.delivery_sha256();
        transaction.prepare_cached(schema::ADD_PROOF)?.execute((
            id,
            delivery_sha256,
            to_sql_time(at_s),
        ))?;
        transaction.commit()?;
        Ok(AddedProof::Proven { proven_at_s: at_s })
    }

    fn list(&self) -> rusqlite::Result<Vec<Entry>> {
        self.connection
            .prepare_cached(schema::ENTRIES)?
            .query_map([], |row| Ok(StoredEntry::from_row(row)?.entry))?
            .collect()
    }
}

impl Ledger for SqliteLedger {
    fn standing(
        &mut self,
        device: &DeviceSerial,
        public_key: &PublicKey,
    ) -> Result<Standing, StorageError> {
        self.standing_inner(device, public_key).map_err(|error| self.failed(error))
    }

    fn record_issued(&mut self, chain: &Chain, at_s: u64) -> Result<(), RecordIssuedError> {
        self.record_issued_in(None, chain, at_s)
    }

    fn record_enrolled(
        &mut self,
        enrolled: &Enrolled,
        at_s: u64,
    ) -> Result<Receipt, RecordEnrolledError> {
        let device = || enrolled.device().clone();
        match self.add_proof(enrolled, at_s).map_err(|error| self.failed(error))? {
            AddedProof::Proven { proven_at_s } => Ok(Receipt::new(enrolled, proven_at_s)),
            AddedProof::NoEntry => Err(RecordEnrolledError::NotIssued { device: device() }),
            AddedProof::OtherEntry(entry) => Err(RecordEnrolledError::OtherCertificate {
                device: device(),
                expected: entry.cert_serial,
                found: enrolled.cert_serial().clone(),
            }),
        }
    }

    fn find(&mut self, device: &DeviceSerial) -> Result<Option<Entry>, StorageError> {
        find(&self.connection, schema::ENTRY_BY_DEVICE, device.as_str())
            .map(|found| found.map(|StoredEntry { entry, .. }| entry))
            .map_err(|error| self.failed(error))
    }

    fn entries(&mut self) -> Result<Vec<Entry>, StorageError> {
        self.list().map_err(|error| self.failed(error))
    }
}

impl fmt::Debug for SqliteLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteLedger").field("place", &self.place).finish_non_exhaustive()
    }
}

/// A ledger could not be opened or made.
#[derive(Debug, Error)]
pub enum OpenError {
    /// There is none.
    #[error("there is no ledger {}", path.display())]
    NotFound {
        /// Where it should be.
        path: PathBuf,
    },
    /// Something is there already. It was not touched. Files left over from a ledger that was
    /// removed count: what is in them would find its way into the new one.
    #[error("{} exists already", path.display())]
    AlreadyExists {
        /// What is there.
        path: PathBuf,
    },
    /// The ledger was made by a later version of this program.
    #[error(
        "the ledger {} has tables of version {found}; this program knows up to {known}",
        path.display()
    )]
    NewerSchema {
        /// The ledger.
        path: PathBuf,
        /// Its version.
        found: i32,
        /// The latest version known here.
        known: i32,
    },
    /// The file system cannot do what durable records need.
    #[error("the ledger {} cannot use a write-ahead log here (mode {found})", path.display())]
    NoWriteAheadLog {
        /// The ledger.
        path: PathBuf,
        /// The journal mode SQLite fell back to.
        found: String,
    },
    /// This program was linked against a SQLite with known defects.
    #[error("SQLite {needed} or later is needed, this is {found} (as in 3051003 for 3.51.3)")]
    OldSqlite {
        /// The version number of the library.
        found: i32,
        /// The oldest that will do.
        needed: i32,
    },
    /// A file could not be made.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// What was tried: a verb, as in "create".
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// What forbids to record a certificate.
struct Conflict {
    field: Field,
    entry: Entry,
}

/// In the order in which they matter: a key on two devices stops the line.
#[derive(Debug, Clone, Copy)]
enum Field {
    PublicKey,
    Device,
    CertSerial,
}

enum AddedProof {
    Proven { proven_at_s: u64 },
    NoEntry,
    OtherEntry(Entry),
}

/// Looks for what the unique indexes would refuse, so as to name it. Within a transaction that
/// writes, so nobody can come between this and the insertion; and if it were wrong, the indexes
/// would still refuse.
fn conflict(transaction: &Transaction<'_>, chain: &Chain) -> rusqlite::Result<Option<Conflict>> {
    let (key, device) = (chain.public_key().as_sec1(), chain.device().as_str());
    if let Some(StoredEntry { entry, .. }) = find(transaction, schema::ENTRY_BY_KEY, key)? {
        return Ok(Some(Conflict { field: Field::PublicKey, entry }));
    }
    if let Some(StoredEntry { entry, .. }) = find(transaction, schema::ENTRY_BY_DEVICE, device)? {
        return Ok(Some(Conflict { field: Field::Device, entry }));
    }
    let serial = chain.cert_serial().as_bytes();
    if let Some(StoredEntry { entry, .. }) = find(transaction, schema::ENTRY_BY_SERIAL, serial)? {
        return Ok(Some(Conflict { field: Field::CertSerial, entry }));
    }
    Ok(None)
}

fn find(
    connection: &Connection,
    query: &str,
    key: impl rusqlite::ToSql,
) -> rusqlite::Result<Option<StoredEntry>> {
    connection.prepare_cached(query)?.query_row([key], StoredEntry::from_row).optional()
}

fn upper_chain_id(transaction: &Transaction<'_>, chain: &Chain) -> rusqlite::Result<i64> {
    let issuers = chain.issuers().concat();
    let known = transaction
        .prepare_cached(schema::FIND_UPPER_CHAIN)?
        .query_row((&issuers, chain.anchor()), |row| row.get(0))
        .optional()?;
    match known {
        Some(id) => Ok(id),
        None => {
            transaction.prepare_cached(schema::ADD_UPPER_CHAIN)?.insert((&issuers, chain.anchor()))
        }
    }
}

/// Begins a transaction that will write: takes its turn now, so that what it reads still holds
/// when it writes.
pub(crate) fn begin(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

fn connect(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    // Without SQLITE_OPEN_URI: a path is a path. Without SQLITE_OPEN_CREATE: see `create`.
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    configure(&connection)?;
    Ok(connection)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    // In write-ahead mode FULL syncs the log at every commit: with less, a commit can be lost.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // macOS reaches the disk by F_FULLFSYNC only; elsewhere these change nothing.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // A ledger may come from elsewhere: its schema runs no functions but SQLite's harmless ones,
    // and its pages are looked at twice.
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)
}

fn make_tables(connection: Connection) -> rusqlite::Result<()> {
    make_tables_in(&connection)?;
    connection.close().map_err(|(_, error)| error)
}

/// All or nothing, the header included.
fn make_tables_in(connection: &Connection) -> rusqlite::Result<()> {
    let transaction = connection.unchecked_transaction()?;
    transaction.execute_batch(schema::CREATE)?;
    transaction.execute_batch(schema::ADD_VERSION_2)?;
    transaction.execute_batch(schema::ADD_VERSION_3)?;
    transaction.pragma_update(None, "application_id", schema::APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", schema::VERSION)?;
    transaction.commit()
}

/// Adds what later versions of the tables have; nothing that is there is touched. All or nothing,
/// and once, however many programs open the ledger at the same time.
fn bring_up_to_date(connection: &mut Connection) -> rusqlite::Result<()> {
    let version = |connection: &Connection| {
        connection.pragma_query_value(None, "user_version", |row| row.get::<_, i32>(0))
    };
    if version(connection)? >= schema::VERSION {
        return Ok(());
    }
    let transaction = begin(connection)?;
    for (before, add) in [(1, schema::ADD_VERSION_2), (2, schema::ADD_VERSION_3)] {
        if version(&transaction)? == before {
            transaction.execute_batch(add)?;
            transaction.pragma_update(None, "user_version", before + 1)?;
        }
    }
    transaction.commit()
}

fn check_sqlite_version(found: i32) -> Result<(), OpenError> {
    if found < OLDEST_SQLITE {
        return Err(OpenError::OldSqlite { found, needed: OLDEST_SQLITE });
    }
    Ok(())
}

fn at(path: &Path, error: rusqlite::Error) -> OpenError {
    StorageError { place: path.display().to_string(), fault: fault_of(error) }.into()
}

/// 3.51.3 mends a race between two programs in write-ahead mode that could damage the file
/// (<https://sqlite.org/wal.html#walresetbug>).
const OLDEST_SQLITE: i32 = 3_051_003;

/// A commit takes milliseconds; whoever holds the ledger longer than this has stopped.
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn number(ledger: &SqliteLedger, pragma: &str) -> i64 {
        ledger.connection.pragma_query_value(None, pragma, |row| row.get(0)).unwrap()
    }

    #[test]
    fn commits_are_synced_and_keys_are_checked() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("ledger.db");
        drop(SqliteLedger::create(&path).unwrap());
        let ledger = SqliteLedger::open(&path).unwrap();
        assert_eq!(number(&ledger, "synchronous"), 2, "FULL");
        assert_eq!(number(&ledger, "foreign_keys"), 1);
        let mode: String =
            ledger.connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        assert_eq!(mode, "wal");
    }

    #[test]
    fn an_old_sqlite_is_refused() {
        assert!(check_sqlite_version(rusqlite::version_number()).is_ok());
        assert!(check_sqlite_version(3_051_003).is_ok());
        let refused = check_sqlite_version(3_051_002);
        assert!(
            matches!(refused, Err(OpenError::OldSqlite { found: 3_051_002, needed: 3_051_003 })),
            "{refused:?}"
        );
    }

    #[test]
    fn a_file_that_can_only_be_read_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("ledger.db");
        drop(SqliteLedger::create(&path).unwrap());
        let refused = SqliteLedger::open_with(&path, OpenFlags::SQLITE_OPEN_READ_ONLY);
        assert!(
            matches!(&refused, Err(OpenError::Storage(error))
                if matches!(error.fault, StorageFault::ReadOnly)),
            "{refused:?}"
        );
    }

    /// A database that may not grow, or not be written, answers as a disk does that is full or
    /// cannot be written.
    #[test]
    fn a_full_disk_and_a_write_protected_one_are_named() {
        let ledger = SqliteLedger::open_in_memory().unwrap();
        let add = || {
            let row = "INSERT INTO upper_chain (issuers, anchor) VALUES (randomblob(4000), x'')";
            ledger.connection.execute(row, [])
        };
        add().unwrap();
        let pages = number(&ledger, "page_count");
        ledger.connection.pragma_update(None, "max_page_count", pages).unwrap();
        let fault = (0..10).find_map(|_| add().err()).map(fault_of);
        assert!(matches!(fault, Some(StorageFault::DiskFull)), "{fault:?}");

        ledger.connection.pragma_update(None, "max_page_count", 1000).unwrap();
        ledger.connection.pragma_update(None, "query_only", true).unwrap();
        let fault = add().map_err(fault_of);
        assert!(matches!(fault, Err(StorageFault::ReadOnly)), "{fault:?}");
    }
}
