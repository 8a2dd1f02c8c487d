//! What a station recorded by itself, and what cannot stand beside what was recorded meanwhile.

use core::fmt;

use provision_csr::PublicKey;
use provision_station::evidence::{CertSerial, Chain};

use crate::certificates::revoke_leaf;
use crate::chain::Kind;
use crate::database::{Row, damaged, to_sql_time};
use crate::ledger::{RecordIssuedError, StorageError, StorageFault};
use crate::query;
use crate::session::{Reading, Writing};
use crate::sql_ledger::{self, SqlLedger};

/// A certificate that a station issued while its server was away, and that cannot stand beside what
/// the server knew by then. It is on record as what it is, and revoked (`certificateHold`): a device
/// has one certificate, and a key one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictRecord {
    /// Whom it was issued to.
    pub device: String,
    /// What it cannot stand beside.
    pub cause: ConflictCause,
    /// The device that it is in conflict with; empty where there is none.
    pub other: String,
    /// The key in it.
    pub public_key: PublicKey,
    /// Its serial number.
    pub cert_serial: CertSerial,
    /// The certificate, DER.
    pub leaf: Vec<u8>,
    /// Its fingerprint.
    pub leaf_sha256: [u8; 32],
    /// When the station issued it, in seconds since 1970-01-01 UTC.
    pub issued_at_s: u64,
    /// When that was found, in seconds since 1970-01-01 UTC.
    pub found_at_s: u64,
}

/// Why a certificate cannot stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictCause {
    /// Another device has its key: one of them is a clone, or the random generator is broken.
    KeyElsewhere,
    /// The device was given another certificate elsewhere.
    DeviceHasCertificate,
    /// Another certificate has its serial number.
    CertSerialTaken,
    /// Its lease was ended by an operator, and its lot takes no more devices.
    Lot,
    /// Its key is no secret.
    WeakKey,
    /// It was revoked, and proven after that.
    Revoked,
}

impl ConflictCause {
    /// Its word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::KeyElsewhere => "key-elsewhere",
            Self::DeviceHasCertificate => "device-has-certificate",
            Self::CertSerialTaken => "serial-taken",
            Self::Lot => "lot",
            Self::WeakKey => "weak-key",
            Self::Revoked => "revoked",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [
            Self::KeyElsewhere,
            Self::DeviceHasCertificate,
            Self::CertSerialTaken,
            Self::Lot,
            Self::WeakKey,
            Self::Revoked,
        ]
        .into_iter()
        .find(|cause| cause.name() == name)
    }
}

impl fmt::Display for ConflictRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { device, other, cert_serial, .. } = self;
        match self.cause {
            ConflictCause::KeyElsewhere => {
                write!(f, "device {device} has the key of device {other}: stop the line")
            }
            ConflictCause::DeviceHasCertificate => write!(
                f,
                "device {device} was given the certificate {cert_serial} while the server was \
                 away, and has another there"
            ),
            ConflictCause::CertSerialTaken => {
                write!(f, "device {device} has the certificate serial {cert_serial} of {other}")
            }
            ConflictCause::Lot => {
                write!(
                    f,
                    "device {device} has no place: the lease was ended, and its lot takes no more"
                )
            }
            ConflictCause::WeakKey => {
                write!(f, "device {device} has a key that everybody knows: stop the line")
            }
            ConflictCause::Revoked => write!(
                f,
                "device {device} was delivered the certificate {cert_serial}, which was revoked"
            ),
        }
    }
}

impl SqlLedger {
    /// Every conflict that was found, oldest first.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub fn conflicts(&mut self) -> Result<Vec<ConflictRecord>, StorageError> {
        self.read(|session| session.all(query::CONFLICTS, &[], from_row))
    }
}

/// What was refused, and why; or what went wrong with the storage.
pub(crate) fn cause_of(
    refusal: RecordIssuedError,
) -> Result<(ConflictCause, String), StorageError> {
    Ok(match refusal {
        RecordIssuedError::KeyElsewhere { other, .. } => {
            (ConflictCause::KeyElsewhere, other.to_string())
        }
        RecordIssuedError::DeviceHasCertificate { device, .. } => {
            (ConflictCause::DeviceHasCertificate, device.to_string())
        }
        RecordIssuedError::CertSerialTaken { other, .. } => {
            (ConflictCause::CertSerialTaken, other.to_string())
        }
        RecordIssuedError::WeakKey { .. } => (ConflictCause::WeakKey, String::new()),
        RecordIssuedError::Lot(_) => (ConflictCause::Lot, String::new()),
        RecordIssuedError::Storage(error) => return Err(error),
    })
}

/// Puts a conflict on record, and its certificate on the next CRL.
pub(crate) fn add(
    session: &mut Writing<'_>,
    chain: &Chain,
    (cause, other): (ConflictCause, String),
    issued_at_s: u64,
) -> Result<ConflictRecord, StorageError> {
    let record = ConflictRecord {
        device: chain.device().to_string(),
        cause,
        other,
        public_key: *chain.public_key(),
        cert_serial: chain.cert_serial().clone(),
        leaf: chain.leaf().to_vec(),
        leaf_sha256: chain.leaf_sha256(),
        issued_at_s,
        found_at_s: session.at_s(),
    };
    session.add(
        Kind::Conflict,
        &[
            (&record.device).into(),
            record.public_key.as_sec1().into(),
            record.cert_serial.as_bytes().into(),
            (&record.leaf).into(),
            (&record.leaf_sha256).into(),
            record.cause.name().into(),
            (&record.other).into(),
            to_sql_time(issued_at_s).into(),
            to_sql_time(record.found_at_s).into(),
        ],
    )?;
    hold(session, chain)?;
    Ok(record)
}

/// Revokes a certificate that cannot stand, unless it is revoked, or shares its serial number with
/// one that does.
pub(crate) fn hold(session: &mut Writing<'_>, chain: &Chain) -> Result<(), StorageError> {
    let serial = chain.cert_serial().as_bytes();
    let other = sql_ledger::find(session, query::ENTRY_BY_SERIAL, serial.into())?;
    if other.is_some_and(|other| other.entry.leaf_sha256 != chain.leaf_sha256()) {
        return Ok(());
    }
    revoke_leaf(session, chain.leaf(), chain.device().as_str(), CERTIFICATE_HOLD)
}

/// The conflict that this certificate is in.
pub(crate) fn find(
    session: &mut Reading<'_>,
    leaf_sha256: &[u8; 32],
) -> Result<Option<ConflictRecord>, StorageError> {
    session.first(query::CONFLICT_BY_SHA256, &[leaf_sha256.into()], from_row)
}

fn from_row(row: &mut Row) -> Result<ConflictRecord, StorageFault> {
    let cause = row.text(5)?;
    Ok(ConflictRecord {
        device: row.text(0)?,
        public_key: PublicKey::from_sec1_slice(&row.blob(1)?).map_err(|fault| damaged(&fault))?,
        cert_serial: CertSerial::new(&row.blob(2)?),
        leaf: row.blob(3)?,
        leaf_sha256: row.digest(4)?,
        cause: ConflictCause::named(&cause)
            .ok_or_else(|| damaged(&format!("a conflict of cause {cause}")))?,
        other: row.text(6)?,
        issued_at_s: row.natural(7)?,
        found_at_s: row.natural(8)?,
    })
}

/// CRLReason certificateHold (RFC 5280 section 5.3.1): until somebody has found out.
const CERTIFICATE_HOLD: u8 = 6;
