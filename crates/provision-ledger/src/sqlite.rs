//! A ledger's tables in a SQLite file.

use core::time::Duration;
use std::path::{Path, PathBuf};
use std::time::SystemTime;
use std::{fs, io};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, ToSql, params_from_iter};

use crate::database::{Access, Cell, Database, Row, Value};
use crate::fault::fault_of;
use crate::ledger::{StorageError, StorageFault};
use crate::open_error::OpenError;
use crate::{new_file, schema};

pub(crate) struct Sqlite {
    connection: Connection,
    /// If it is read as a file that does not change.
    still: Option<Still>,
}

/// A file in a place where nothing can be written. SQLite is told that it does not change, and does
/// not look: others may write to it from elsewhere all the same.
struct Still {
    path: PathBuf,
    seen: Seen,
}

/// What shows that a file was written to.
#[derive(PartialEq, Eq)]
struct Seen {
    len: u64,
    modified: SystemTime,
    /// Bytes in the log beside it.
    log_len: u64,
}

impl Sqlite {
    /// Makes empty tables in a new file.
    pub(crate) fn create(path: &Path) -> Result<(), OpenError> {
        check_sqlite_version(rusqlite::version_number())?;
        new_file::create(path, |staging| {
            let connection = connect(staging, OpenFlags::SQLITE_OPEN_READ_WRITE)
                .map_err(|error| at(path, error))?;
            make_tables(connection).map_err(|error| at(path, error))
        })
    }

    /// Opens a file that is there, whatever the version of its tables.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        check_sqlite_version(rusqlite::version_number())?;
        check_is_there(path)?;
        Self::open_with(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
    }

    /// Opens a file that is there, of this version, to look at it. What is recorded is not changed,
    /// and nothing needs to be written; where it can be, SQLite keeps the index of its log beside the
    /// file.
    pub(crate) fn open_to_read(path: &Path) -> Result<Self, OpenError> {
        check_sqlite_version(rusqlite::version_number())?;
        check_is_there(path)?;
        match Self::read_from(path, path, OpenFlags::empty()) {
            Err(OpenError::Storage(error)) if matches!(error.fault, StorageFault::ReadOnly) => {
                Self::open_still(path)
            }
            opened => opened,
        }
    }

    fn open_still(path: &Path) -> Result<Self, OpenError> {
        let seen = Seen::of(path).map_err(|source| OpenError::File {
            action: "look at",
            path: path.to_owned(),
            source,
        })?;
        // No index of the log can be made here, so none is read. That is right if there is no log:
        // a program that writes to the ledger has one.
        if seen.log_len > 0 {
            return Err(OpenError::UnreadLog { log: log_of(path) });
        }
        let name = percent_encode(path.as_os_str().as_encoded_bytes(), NOT_IN_A_PATH);
        let immutable = format!("file:{name}?immutable=1");
        let opened = Self::read_from(Path::new(&immutable), path, OpenFlags::SQLITE_OPEN_URI)?;
        Ok(Self { still: Some(Still { path: path.to_owned(), seen }), ..opened })
    }

    /// Opens a file anew that was to stay as it is, and did not.
    fn look_again(&mut self) -> Result<(), StorageFault> {
        let Some(Still { path, seen }) = &self.still else { return Ok(()) };
        if Seen::of(path).is_ok_and(|now| now == *seen) {
            return Ok(());
        }
        *self = Self::open_still(path).map_err(|error| match error {
            OpenError::Storage(error) => error.fault,
            other => StorageFault::Other(other.into()),
        })?;
        Ok(())
    }

    fn read_from(name: &Path, path: &Path, more: OpenFlags) -> Result<Self, OpenError> {
        let connection = connect(name, OpenFlags::SQLITE_OPEN_READ_ONLY | more)
            .map_err(|error| at(path, error))?;
        let (found, needed) = (version_of(&connection, path)?, schema::VERSION);
        if found < needed {
            let place = path.display().to_string();
            return Err(OpenError::OlderSchema { place, found, needed });
        }
        Ok(Self { connection, still: None })
    }

    pub(crate) fn in_memory() -> Result<Self, OpenError> {
        check_sqlite_version(rusqlite::version_number())?;
        let made = || {
            let connection = Connection::open_in_memory()?;
            configure(&connection)?;
            make_tables_in(&connection)?;
            Ok(connection)
        };
        match made() {
            Ok(connection) => Ok(Self { connection, still: None }),
            Err(error) => {
                Err(StorageError { place: IN_MEMORY.to_owned(), fault: fault_of(error) }.into())
            }
        }
    }

    fn open_with(path: &Path, access: OpenFlags) -> Result<Self, OpenError> {
        let connection = connect(path, access).map_err(|error| at(path, error))?;
        version_of(&connection, path)?;
        if connection.is_readonly("main").map_err(|error| at(path, error))? {
            let place = path.display().to_string();
            return Err(StorageError { place, fault: StorageFault::ReadOnly }.into());
        }
        let mode = "PRAGMA journal_mode = WAL";
        let mode: String =
            connection.query_row(mode, [], |row| row.get(0)).map_err(|error| at(path, error))?;
        if mode != "wal" {
            return Err(OpenError::NoWriteAheadLog { path: path.to_owned(), found: mode });
        }
        Ok(Self { connection, still: None })
    }
}

impl Seen {
    fn of(path: &Path) -> io::Result<Self> {
        let file = fs::metadata(path)?;
        let log_len = fs::metadata(log_of(path)).map_or(0, |log| log.len());
        Ok(Self { len: file.len(), modified: file.modified()?, log_len })
    }
}

fn log_of(path: &Path) -> PathBuf {
    new_file::with_suffix(path, "-wal")
}

impl Database for Sqlite {
    fn begin(&mut self, access: Access) -> Result<(), StorageFault> {
        self.look_again()?;
        self.batch(match access {
            Access::Read => "BEGIN",
            Access::Write => "BEGIN IMMEDIATE",
        })
    }

    fn commit(&mut self) -> Result<(), StorageFault> {
        self.batch("COMMIT")
    }

    fn rollback(&mut self) {
        // Some errors end the transaction by themselves.
        if !self.connection.is_autocommit() {
            let _ = self.batch("ROLLBACK");
        }
    }

    fn run(
        &mut self,
        statement: &'static str,
        values: &[Value<'_>],
        each: &mut dyn FnMut(&mut Row) -> Result<(), StorageFault>,
    ) -> Result<u64, StorageFault> {
        let mut statement = self.connection.prepare_cached(statement).map_err(fault_of)?;
        let columns = statement.column_count();
        let mut rows = statement.query(params_from_iter(values)).map_err(fault_of)?;
        let mut count = 0;
        let mut row = Row::default();
        while let Some(stored) = rows.next().map_err(fault_of)? {
            row.cells.clear();
            for column in 0..columns {
                row.cells.push(cell(stored.get_ref(column).map_err(fault_of)?)?);
            }
            each(&mut row)?;
            count += 1;
        }
        Ok(count)
    }

    fn batch(&mut self, statements: &str) -> Result<(), StorageFault> {
        self.connection.execute_batch(statements).map_err(fault_of)
    }

    fn set_patience(&mut self, patience: Duration) -> Result<(), StorageFault> {
        self.connection.busy_timeout(patience).map_err(fault_of)
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn cell(value: ValueRef<'_>) -> Result<Cell, StorageFault> {
    Ok(match value {
        ValueRef::Null => Cell::Null,
        ValueRef::Integer(number) => Cell::Int(number),
        ValueRef::Text(text) => {
            let text = core::str::from_utf8(text);
            Cell::Text(text.map_err(|error| crate::database::damaged(&error))?.to_owned())
        }
        ValueRef::Blob(bytes) => Cell::Blob(bytes.to_vec()),
        ValueRef::Real(_) => return Err(crate::database::damaged("a fraction is stored")),
    })
}

fn check_is_there(path: &Path) -> Result<(), OpenError> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(OpenError::NotFound { path: path.to_owned() })
        }
        _ => Ok(()),
    }
}

/// The version of its tables, which is known here, if it is a ledger.
fn version_of(connection: &Connection, path: &Path) -> Result<i32, OpenError> {
    let place = || path.display().to_string();
    let header = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let application_id = header("application_id").map_err(|error| at(path, error))?;
    if application_id != schema::APPLICATION_ID {
        return Err(StorageError { place: place(), fault: StorageFault::NotALedger }.into());
    }
    let (found, known) =
        (header("user_version").map_err(|error| at(path, error))?, schema::VERSION);
    if found > known {
        return Err(OpenError::NewerSchema { place: place(), found, known });
    }
    Ok(found)
}

fn connect(path: &Path, access: OpenFlags) -> rusqlite::Result<Connection> {
    // Without SQLITE_OPEN_URI, but for `open_to_read`: a path is a path. Without
    // SQLITE_OPEN_CREATE: see `create`.
    let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    configure(&connection)?;
    Ok(connection)
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(64);
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
    transaction.execute_batch(schema::ADD_VERSION_4)?;
    transaction.execute_batch(schema::ADD_VERSION_5)?;
    transaction.pragma_update(None, "application_id", schema::APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", schema::VERSION)?;
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

/// What stands for something else in the name of a file as SQLite takes it from a URI.
const NOT_IN_A_PATH: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_');

/// A commit takes milliseconds; whoever holds the ledger longer than this has stopped.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) const IN_MEMORY: &str = "in memory";

#[cfg(test)]
mod tests {
    use super::*;

    fn number(connection: &Connection, pragma: &str) -> i64 {
        connection.pragma_query_value(None, pragma, |row| row.get(0)).unwrap()
    }

    #[test]
    fn commits_are_synced_and_keys_are_checked() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("ledger.db");
        Sqlite::create(&path).unwrap();
        let Sqlite { connection, .. } = Sqlite::open(&path).unwrap();
        assert_eq!(number(&connection, "synchronous"), 2, "FULL");
        assert_eq!(number(&connection, "foreign_keys"), 1);
        let mode: String =
            connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
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
    fn what_is_written_from_elsewhere_to_a_still_file_is_seen() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("ledger.db");
        Sqlite::create(&path).unwrap();
        let mut still = Sqlite::open_still(&path).unwrap();
        let mut rows = || {
            still.begin(Access::Read)?;
            let mut count = 0;
            still.run("SELECT count(*) FROM upper_chain", &[], &mut |row| {
                count = row.int(0)?;
                Ok(())
            })?;
            still.rollback();
            Ok::<_, StorageFault>(count)
        };
        assert_eq!(rows().unwrap(), 0);
        let mut writer = Sqlite::open(&path).unwrap();
        for before in 0..3 {
            writer
                .batch("INSERT INTO upper_chain (issuers, anchor) VALUES (x'', randomblob(8))")
                .unwrap();
            // In the log, which is not read here; then in the file.
            let fault = rows().unwrap_err();
            assert!(
                fault.to_string().contains("ledger.db-wal, which cannot be read here"),
                "{fault}"
            );
            writer.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
            assert_eq!(rows().unwrap(), before + 1);
        }
        drop(writer);
        assert_eq!(rows().unwrap(), 3);
    }

    #[test]
    fn a_file_that_can_only_be_read_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("ledger.db");
        Sqlite::create(&path).unwrap();
        let refused = Sqlite::open_with(&path, OpenFlags::SQLITE_OPEN_READ_ONLY).map(|_| ());
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
        let Sqlite { connection, .. } = Sqlite::in_memory().unwrap();
        let add = || {
            let row = "INSERT INTO upper_chain (issuers, anchor) VALUES (randomblob(4000), x'')";
            connection.execute(row, [])
        };
        add().unwrap();
        let pages = number(&connection, "page_count");
        connection.pragma_update(None, "max_page_count", pages).unwrap();
        let fault = (0..10).find_map(|_| add().err()).map(fault_of);
        assert!(matches!(fault, Some(StorageFault::DiskFull)), "{fault:?}");

        connection.pragma_update(None, "max_page_count", 1000).unwrap();
        connection.pragma_update(None, "query_only", true).unwrap();
        let fault = add().map_err(fault_of);
        assert!(matches!(fault, Err(StorageFault::ReadOnly)), "{fault:?}");
    }
}
