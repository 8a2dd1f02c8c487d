//! Why there is no ledger to work with.

use std::path::PathBuf;

use thiserror::Error;

use crate::ledger::StorageError;

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
    #[error("the ledger {place} has tables of version {found}; this program knows up to {known}")]
    NewerSchema {
        /// The ledger.
        place: String,
        /// Its version.
        found: i32,
        /// The latest version known here.
        known: i32,
    },
    /// The ledger was made by an earlier version of this program, and is not changed by the way:
    /// stations of that version would be shut out.
    #[error("the ledger {place} has tables of version {found}; this program needs {needed}")]
    OlderSchema {
        /// The ledger.
        place: String,
        /// Its version.
        found: i32,
        /// The version needed here.
        needed: i32,
    },
    /// It can only be read here, and its latest entries are in the log beside it, which cannot be
    /// read where nothing can be written.
    #[error("the latest entries of the ledger are in {}, which cannot be read here", log.display())]
    UnreadLog {
        /// The log.
        log: PathBuf,
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
    /// The server may lose what it said was recorded.
    #[error("the database {place} has fsync switched off: what is recorded could be lost")]
    NotDurable {
        /// The database.
        place: String,
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
