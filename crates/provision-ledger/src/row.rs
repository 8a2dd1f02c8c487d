//! Rows of the tables, as values.

use der::{Reader as _, SliceReader};
use provision_csr::PublicKey;
use provision_station::evidence::{CertSerial, Chain};
use provision_wire::DeviceSerial;

use crate::database::{Row, damaged};
use crate::ledger::{Entry, State, StorageFault};

/// A row of `entry` with its proofs.
pub(crate) struct StoredEntry {
    pub(crate) id: i64,
    /// The first certificate of a device is of generation 1.
    pub(crate) generation: i64,
    pub(crate) entry: Entry,
}

impl StoredEntry {
    pub(crate) fn from_row(row: &mut Row) -> Result<Self, StorageFault> {
        let device = DeviceSerial::new(&row.text(1)?).map_err(|fault| damaged(&fault))?;
        let public_key =
            PublicKey::from_sec1_slice(&row.blob(2)?).map_err(|fault| damaged(&fault))?;
        let enrolled_at_s = row.optional(7, Row::natural)?;
        let delivery_sha256 = row.optional(8, Row::digest)?;
        let state = match (enrolled_at_s, delivery_sha256) {
            (Some(enrolled_at_s), Some(delivery_sha256)) => {
                State::Enrolled { enrolled_at_s, delivery_sha256 }
            }
            _ => State::Issued,
        };
        let entry = Entry {
            device,
            public_key,
            cert_serial: CertSerial::new(&row.blob(3)?),
            leaf_sha256: row.digest(4)?,
            not_after_s: row.natural(5)?,
            issued_at_s: row.natural(6)?,
            state,
        };
        Ok(Self { id: row.int(0)?, generation: row.int(9)?, entry })
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
pub(crate) fn chain_from_row(row: &mut Row) -> Result<Chain, StorageFault> {
    let issuers = split_certificates(&row.blob(1)?).map_err(|error| damaged(&error))?;
    Chain::from_der(row.blob(0)?, issuers, row.blob(2)?).map_err(|fault| damaged(&fault))
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
}
