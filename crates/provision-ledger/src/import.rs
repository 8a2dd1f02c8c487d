//! Taking over what another ledger exported: one certificate after the other, all of them or none.

use provision_station::evidence::{CertSerial, Chain};
use provision_wire::DeviceSerial;
use thiserror::Error;

use crate::certificates::{
    RecordCertificateError, Unreadable, import_certificate, import_revocation, revocation_of_entry,
};
use crate::chain::Kind;
use crate::database::to_sql_time;
use crate::ledger::{RecordIssuedError, StorageError};
use crate::lot::Lot;
use crate::query;
use crate::row::StoredEntry;
use crate::session::Writing;
use crate::sql_ledger::{NewEntry, SqlLedger, add_entry, find};

/// A certificate that was on record elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRow {
    /// Whose it is.
    pub holder: ImportHolder,
    /// When it was recorded there, in seconds since 1970-01-01 UTC.
    pub issued_at_s: u64,
    /// Since when it is revoked, in seconds since 1970-01-01 UTC, and why: a `CRLReason`.
    pub revoked: Option<(u64, u8)>,
}

/// Whose a certificate is that was on record elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportHolder {
    /// A device on the line.
    Device {
        /// Its certificate, with those above it.
        chain: Box<Chain>,
        /// The lot it was made in.
        lot: Option<Lot>,
        /// Its first certificate is 1.
        generation: u64,
        /// When it proved to store it first, in seconds since 1970-01-01 UTC, and the digest of the
        /// delivery that it proved last.
        proof: Option<(u64, [u8; 32])>,
    },
    /// A person, a service or a server.
    Host {
        /// The certificate, DER.
        der: Vec<u8>,
        /// Whom it is for, for people.
        name: String,
        /// The profile it was made by.
        profile: String,
    },
}

/// What an import did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Certificates that were not on record.
    pub added: u64,
    /// Certificates that were, as they are.
    pub known: u64,
    /// Revocations that were not on record.
    pub revoked: u64,
}

/// A certificate cannot be taken over.
#[derive(Debug, Error)]
pub enum ImportError {
    /// It cannot stand beside what is on record.
    #[error(transparent)]
    Device(#[from] RecordIssuedError),
    /// Another certificate has its place.
    #[error(transparent)]
    Host(#[from] RecordCertificateError),
    /// It cannot be revoked.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// A certificate of the device is missing before this one.
    #[error("device {device} has {have} certificates on record, and this is number {generation}")]
    Generation {
        /// Which device.
        device: DeviceSerial,
        /// How many are on record.
        have: u64,
        /// Which one this is.
        generation: u64,
    },
    /// The device has another certificate at that place.
    #[error(
        "device {device} has the certificate {on_record} on record as its number {generation}, and \
         this is {found}"
    )]
    OtherCertificate {
        /// Which device.
        device: DeviceSerial,
        /// Serial number of the one on record.
        on_record: CertSerial,
        /// Which of its certificates.
        generation: u64,
        /// Serial number of the one that was to be imported.
        found: CertSerial,
    },
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl SqlLedger {
    /// Takes over certificates as `next` hands them over, until it hands over none: all of them, or,
    /// if one cannot stand beside what is on record, none. What is on record already stays as it is,
    /// so again changes nothing. They are linked and signed here, now, with the times at which they
    /// were recorded there.
    ///
    /// # Errors
    ///
    /// What `next` says, or [`ImportError`] about the row that it handed over last.
    pub fn import<E: From<StorageError> + From<ImportError>>(
        &mut self,
        next: &mut dyn FnMut() -> Result<Option<ImportRow>, E>,
        at_s: u64,
    ) -> Result<Imported, E> {
        self.write(at_s, |session| {
            let mut imported = Imported::default();
            while let Some(row) = next()? {
                add(session, &row, &mut imported)?;
            }
            Ok(imported)
        })
    }
}

fn add(
    session: &mut Writing<'_>,
    row: &ImportRow,
    imported: &mut Imported,
) -> Result<(), ImportError> {
    let (is_new, leaf, name) = match &row.holder {
        ImportHolder::Host { der, name, profile } => {
            let is_new = import_certificate(session, der, name, profile, row.issued_at_s)?;
            (is_new, der.as_slice(), name.as_str())
        }
        ImportHolder::Device { chain, lot, generation, proof } => {
            let is_new = add_device(session, chain, lot.as_ref(), *generation, row)?;
            if let Some((proven_at_s, delivery_sha256)) = proof {
                add_proof(session, chain, *proven_at_s, delivery_sha256)?;
            }
            (is_new, chain.leaf(), chain.device().as_str())
        }
    };
    if let Some((revoked_at_s, reason)) = row.revoked {
        let is_new = import_revocation(session, leaf, name, reason, revoked_at_s)?;
        imported.revoked += u64::from(is_new);
    }
    if is_new {
        imported.added += 1;
    } else {
        imported.known += 1;
    }
    Ok(())
}

/// False if it is on record.
fn add_device(
    session: &mut Writing<'_>,
    chain: &Chain,
    lot: Option<&Lot>,
    generation: u64,
    row: &ImportRow,
) -> Result<bool, ImportError> {
    let leaf_sha256 = chain.leaf_sha256();
    let device = chain.device();
    let other = |on_record: CertSerial| ImportError::OtherCertificate {
        device: device.clone(),
        on_record,
        generation,
        found: chain.cert_serial().clone(),
    };
    let known = find(session, query::ENTRY_BY_SHA256, (&leaf_sha256).into())?;
    if let Some(StoredEntry { generation: known, entry, .. }) = known {
        return if known.unsigned_abs() == generation {
            Ok(false)
        } else {
            Err(other(entry.cert_serial))
        };
    }
    let before = find(session, query::ENTRY_BY_DEVICE, device.as_str().into())?;
    let have = before.as_ref().map_or(0, |before| before.generation.unsigned_abs());
    if generation > have + 1 {
        return Err(ImportError::Generation { device: device.clone(), have, generation });
    }
    if let Some(before) = before {
        // A later one only after one that was revoked: nothing is revoked by the way.
        let revoked = revocation_of_entry(session, before.id)?.is_some();
        if generation <= have || !revoked {
            return Err(other(before.entry.cert_serial));
        }
    }
    let issued_at_s = row.issued_at_s;
    add_entry(session, &NewEntry { chain, lot, replace: true, lease: None, issued_at_s })?;
    Ok(true)
}

/// One on record stays as it is.
fn add_proof(
    session: &mut Writing<'_>,
    chain: &Chain,
    proven_at_s: u64,
    delivery_sha256: &[u8; 32],
) -> Result<(), StorageError> {
    let stored = find(session, query::ENTRY_BY_SHA256, (&chain.leaf_sha256()).into())?;
    if let Some(StoredEntry { id, entry, .. }) = stored
        && entry.delivery_sha256().is_none()
    {
        let row = [id.into(), delivery_sha256.into(), to_sql_time(proven_at_s).into()];
        session.add(Kind::Proof, &row)?;
    }
    Ok(())
}
