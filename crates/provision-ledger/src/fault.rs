//! What SQLite says, in a ledger's words.

use rusqlite::ffi::SQLITE_IOERR_SHMSIZE;
use rusqlite::{Error, ErrorCode};

use crate::ledger::StorageFault;

pub(crate) fn fault_of(error: Error) -> StorageFault {
    let Some(code) = error.sqlite_error_code() else {
        return match error {
            // What was stored is not what this program stores.
            Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::InvalidColumnType(..)
            | Error::Utf8Error(..)
            | Error::QueryReturnedNoRows => StorageFault::Corrupt { detail: error.to_string() },
            other => StorageFault::Other(Box::new(other)),
        };
    };
    // The index of the write-ahead log, which every reader shares, cannot be made as long as it is.
    if error.sqlite_error().is_some_and(|error| error.extended_code == SQLITE_IOERR_SHMSIZE) {
        return StorageFault::DiskFull;
    }
    match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StorageFault::Locked,
        // A file that is there cannot be opened if its log cannot be made beside it.
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied | ErrorCode::CannotOpen => {
            StorageFault::ReadOnly
        }
        ErrorCode::DiskFull => StorageFault::DiskFull,
        ErrorCode::DatabaseCorrupt => StorageFault::Corrupt { detail: error.to_string() },
        ErrorCode::NotADatabase => StorageFault::NotALedger,
        ErrorCode::ConstraintViolation => StorageFault::Rule { detail: words_of(&error) },
        _ => StorageFault::Other(Box::new(error)),
    }
}

/// What a trigger says, or which rule it is.
fn words_of(error: &Error) -> String {
    match error {
        Error::SqliteFailure(_, Some(words)) => words.clone(),
        other => other.to_string(),
    }
}
