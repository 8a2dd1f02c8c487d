//! Rows of the tables, as values.

use core::error::Error as StdError;

use der::{Reader as _, SliceReader};
use provision_csr::PublicKey;
use provision_station::evidence::{CertSerial, Chain};
use provision_wire::DeviceSerial;
use rusqlite::types::Type;
use rusqlite::{Error as SqlError, Result, Row};
use thiserror::Error;

use crate::ledger::{Entry, State};

/// A row of `entry` with its proofs.
pub(crate) struct StoredEntry {
    pub(crate) id: i64,
    pub(crate) entry: Entry,
}

impl StoredEntry {
    pub(crate) fn from_row(row: &Row<'_>) -> Result<Self> {
        let device = row.get_ref(1)?.as_str()?;
        let device = DeviceSerial::new(device).map_err(|fault| damaged(1, Type::Text, fault))?;
        let public_key = PublicKey::from_sec1_slice(row.get_ref(2)?.as_blob()?)
            .map_err(|fault| damaged(2, Type::Blob, fault))?;
        let enrolled_at_s: Option<i64> = row.get(7)?;
        let delivery_sha256: Option<[u8; 32]> = row.get(8)?;
        let state = match (enrolled_at_s, delivery_sha256) {
            (Some(enrolled_at_s), Some(delivery_sha256)) => {
                State::Enrolled { enrolled_at_s: from_sql_time(enrolled_at_s), delivery_sha256 }
            }
            _ => State::Issued,
        };
        let entry = Entry {
            device,
            public_key,
            cert_serial: CertSerial::new(row.get_ref(3)?.as_blob()?),
            leaf_sha256: row.get(4)?,
            not_after_s: from_sql_time(row.get(5)?),
            issued_at_s: from_sql_time(row.get(6)?),
            state,
        };
        Ok(Self { id: row.get(0)?, entry })
    }
}

impl Entry {
    pub(crate) const fn delivery_sha256(&self) -> Option<&[u8; 32]> {
        match &self.state {
            State::Issued => None,
            State::Enrolled { delivery_sha256, .. } => Some(delivery_sha256),
        }
    }
}

/// A chain from leaf, issuers and anchor.
pub(crate) fn chain_from_row(row: &Row<'_>) -> Result<Chain> {
    let issuers = split_certificates(row.get_ref(1)?.as_blob()?)
        .map_err(|error| damaged(1, Type::Blob, error))?;
    Chain::from_der(row.get(0)?, issuers, row.get(2)?)
        .map_err(|fault| damaged(0, Type::Blob, fault))
}

/// SQLite's integers are signed; the difference matters in 292 billion years.
pub(crate) fn to_sql_time(unix_s: u64) -> i64 {
    i64::try_from(unix_s).unwrap_or(i64::MAX)
}

/// Time before 1970 is none this program wrote.
pub(crate) fn from_sql_time(unix_s: i64) -> u64 {
    u64::try_from(unix_s).unwrap_or(0)
}

/// Takes certificates apart that are written end to end: DER says where each of them ends.
fn split_certificates(der: &[u8]) -> der::Result<Vec<Vec<u8>>> {
    let mut reader = SliceReader::new(der)?;
    let mut certificates = Vec::new();
    while !reader.is_finished() {
        certificates.push(reader.tlv_bytes()?.to_vec());
    }
    Ok(certificates)
}

/// What is stored in this column makes no sense.
pub(crate) fn damaged(
    column: usize,
    kind: Type,
    cause: impl StdError + Send + Sync + 'static,
) -> SqlError {
    SqlError::FromSqlConversionFailure(column, kind, Box::new(cause))
}

/// A stored leaf is not the one that was recorded.
#[derive(Debug, Error)]
#[error("a certificate does not match its recorded digest")]
pub(crate) struct LeafChanged;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_end_to_end_come_apart() {
        let split = |der: &[u8]| split_certificates(der).map_err(|_| ());
        assert_eq!(split(&[]), Ok(vec![]));
        assert_eq!(split(&[0x30, 1, 5, 0x30, 0]), Ok(vec![vec![0x30, 1, 5], vec![0x30, 0]]));
        assert_eq!(split(&[0x30, 2, 5]), Err(()));
        assert_eq!(split(&[0x30, 0, 0x30]), Err(()));
    }

    #[test]
    fn times() {
        for unix_s in [0, 1_800_000_000, i64::MAX as u64] {
            assert_eq!(from_sql_time(to_sql_time(unix_s)), unix_s);
        }
        assert_eq!(to_sql_time(u64::MAX), i64::MAX);
        assert_eq!(from_sql_time(-1), 0);
    }
}
