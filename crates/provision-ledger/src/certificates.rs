//! Certificates of anything but devices on the line, revocations, and the CRLs made of them.

use core::fmt;

use der::{Decode as _, Encode as _};
use provision_station::evidence::CertSerial;
use provision_wire::DeviceSerial;
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use x509_cert::certificate::{Certificate, TbsCertificate};
use x509_cert::ext::pkix::AuthorityKeyIdentifier;

use crate::chain::Kind;
use crate::database::{Row, Value, damaged, from_sql_time, to_sql_time};
use crate::ledger::{StorageError, StorageFault};
use crate::lot::Lot;
use crate::query;
use crate::row::StoredEntry;
use crate::session::{Reading, Writing};
use crate::sql_ledger::{SqlLedger, find};

/// The record of certificates that were signed from a CSR or for a host, and of what was revoked.
///
/// # Contract
///
/// As for [`Ledger`](crate::Ledger): what a call returned `Ok` for is durable, nothing is ever
/// changed or taken back, and a certificate is revoked once. So a CRL made after a revocation has
/// it, and each CRL of a CA has a higher number than the one before.
pub trait Certificates {
    /// Records certificates before they leave, all of them or none: one wait for the disk for all.
    /// May be repeated.
    ///
    /// # Errors
    ///
    /// [`RecordCertificateError`]; none of them may leave then.
    fn record_certificates(
        &mut self,
        certificates: &[NewCertificate<'_>],
        at_s: u64,
    ) -> Result<(), RecordCertificateError>;

    /// Records one certificate before it leaves. May be repeated. `name` is for people.
    ///
    /// # Errors
    ///
    /// [`RecordCertificateError`].
    fn record_certificate(
        &mut self,
        der: &[u8],
        name: &str,
        profile: &str,
        at_s: u64,
    ) -> Result<(), RecordCertificateError> {
        self.record_certificates(&[NewCertificate { der, name, profile }], at_s)
    }

    /// Every one that was recorded so, oldest first.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    fn certificates(&mut self) -> Result<Vec<CertificateRecord>, StorageError>;

    /// What [`revoke`](Self::revoke) would revoke. Changes nothing.
    ///
    /// # Errors
    ///
    /// As [`revoke`](Self::revoke).
    fn revocable(&mut self, which: &Which) -> Result<Vec<Revocable>, RevokeError>;

    /// Revokes a certificate, or every one of a lot: all of them or none. `reason` is a `CRLReason`
    /// (RFC 5280 section 5.3.1). What was revoked before stays as it was recorded first, and is
    /// returned so.
    ///
    /// # Errors
    ///
    /// [`RevokeError`] if there is no such certificate, or more than one where one is meant.
    fn revoke(
        &mut self,
        which: &Which,
        reason: u8,
        at_s: u64,
    ) -> Result<Vec<RevocationRecord>, RevokeError>;

    /// Whether the certificate of a device was revoked.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    fn revocation_of(
        &mut self,
        device: &DeviceSerial,
    ) -> Result<Option<RevocationRecord>, StorageError>;

    /// What is known of a certificate, by what OCSP and CRLs know it by. The same rows as a CRL is
    /// made from, so the two differ by no more than what was revoked since the CRL.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    fn status(
        &mut self,
        issuer_key_id: &[u8],
        cert_serial: &CertSerial,
    ) -> Result<CertificateStatus, StorageError>;

    /// What was revoked of a CA's certificates, oldest first.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    fn revocations(&mut self, issuer_key_id: &[u8]) -> Result<Vec<RevocationRecord>, StorageError>;

    /// Records that a CA is about to sign a CRL: returns its number, and hands over all that must be
    /// in it, one after the other, oldest first.
    ///
    /// # Errors
    ///
    /// [`StorageError`]. What was handed over until then is not to be used.
    fn begin_crl(
        &mut self,
        issuer_key_id: &[u8],
        this_update_s: u64,
        next_update_s: u64,
        each: &mut dyn FnMut(RevocationRecord),
    ) -> Result<u64, StorageError>;

    /// The CRL that a CA signed last, if any, and how much was revoked since.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    fn latest_crl(&mut self, issuer_key_id: &[u8]) -> Result<Option<CrlRecord>, StorageError>;
}

/// Which certificate is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// That of a device.
    OfDevice(DeviceSerial),
    /// That of every device of a lot.
    OfLot(Lot),
    /// The one on record with that serial number.
    Serial(CertSerial),
    /// This one, DER, which is on record, or was revoked before.
    This(Vec<u8>),
    /// This one, on record or not: a CA that was taken over has issued others before. Who asks has
    /// seen that the CA signed it; a certificate need not say whose it is.
    Of {
        /// Key identifier of the CA, by which its CRL is made.
        issuer_key_id: Vec<u8>,
        /// The certificate, DER.
        der: Vec<u8>,
    },
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OfDevice(device) => write!(f, "the certificate of device {device}"),
            Self::OfLot(lot) => write!(f, "lot {lot}"),
            Self::Serial(serial) => write!(f, "the certificate {serial}"),
            Self::This(_) | Self::Of { .. } => f.write_str("this certificate"),
        }
    }
}

/// A certificate that is to be recorded.
#[derive(Debug, Clone, Copy)]
pub struct NewCertificate<'a> {
    /// The certificate, DER.
    pub der: &'a [u8],
    /// Whom it is for, for people.
    pub name: &'a str,
    /// The profile it was made by.
    pub profile: &'a str,
}

/// A certificate on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRecord {
    /// Key identifier of the CA that signed it.
    pub issuer_key_id: Vec<u8>,
    /// Its serial number.
    pub cert_serial: CertSerial,
    /// Whom it is for, for people.
    pub name: String,
    /// The profile it was made by.
    pub profile: String,
    /// The certificate, DER.
    pub der: Vec<u8>,
    /// Until when it is valid, in seconds since 1970-01-01 UTC.
    pub not_after_s: u64,
    /// When it was recorded, in seconds since 1970-01-01 UTC.
    pub issued_at_s: u64,
}

/// A certificate that may be revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revocable {
    /// Its serial number.
    pub cert_serial: CertSerial,
    /// Whom it is for, for people.
    pub name: String,
    /// Until when it is valid, in seconds since 1970-01-01 UTC.
    pub not_after_s: u64,
    /// If that was done before: when and why.
    pub revoked: Option<RevocationRecord>,
}

/// A revocation on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationRecord {
    /// Key identifier of the CA that signed the certificate.
    pub issuer_key_id: Vec<u8>,
    /// The certificate's serial number.
    pub cert_serial: CertSerial,
    /// Whom it was for, for people.
    pub name: String,
    /// Why: a `CRLReason`.
    pub reason: u8,
    /// Since when, in seconds since 1970-01-01 UTC.
    pub revoked_at_s: u64,
    /// Until when it would have been valid, in seconds since 1970-01-01 UTC.
    pub not_after_s: u64,
}

/// What is known of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateStatus {
    /// It is on record, and was not revoked.
    InForce,
    /// It was revoked, whether it is on record or not.
    Revoked(RevocationRecord),
    /// That CA has issued none with that serial number, as far as is known here.
    NotOnRecord,
}

/// A CRL on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrlRecord {
    /// Its number.
    pub number: u64,
    /// When it was made, in seconds since 1970-01-01 UTC.
    pub this_update_s: u64,
    /// When the next one comes at the latest, in seconds since 1970-01-01 UTC.
    pub next_update_s: u64,
    /// How many certificates were revoked since.
    pub revoked_since: u64,
}

/// A certificate was not recorded, and must not leave.
#[derive(Debug, Error)]
pub enum RecordCertificateError {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// Another certificate of that CA has its serial number.
    #[error("another certificate has the serial {cert_serial} already")]
    CertSerialTaken {
        /// The serial number.
        cert_serial: CertSerial,
    },
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Nothing was revoked.
#[derive(Debug, Error)]
pub enum RevokeError {
    /// There is no such certificate on record.
    #[error("{which} is not on record")]
    NotOnRecord {
        /// What was looked for.
        which: String,
    },
    /// More than one CA used that serial number.
    #[error("{count} certificates on record have that serial number: give the certificate itself")]
    Ambiguous {
        /// How many.
        count: usize,
    },
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A certificate that does not say enough to be named in a CRL.
#[derive(Debug, Error)]
pub enum Unreadable {
    /// It cannot be read.
    #[error("the certificate cannot be read ({0})")]
    Der(#[from] der::Error),
    /// It does not say which key signed it.
    #[error("the certificate has no authority key identifier, so nobody knows whose CRL it is for")]
    NoIssuerKey,
}

/// What a CRL knows a certificate by, and when that ends to matter.
struct Identity {
    issuer_key_id: Vec<u8>,
    cert_serial: CertSerial,
    not_after_s: u64,
}

impl Identity {
    fn of(der: &[u8]) -> Result<Self, Unreadable> {
        Self::by(der, None)
    }

    /// The same of a certificate whose issuer is known, whatever it says itself.
    fn by(der: &[u8], issuer_key_id: Option<&[u8]>) -> Result<Self, Unreadable> {
        let certificate = Certificate::from_der(der)?;
        let tbs = certificate.tbs_certificate();
        let issuer_key_id = match issuer_key_id {
            Some(known) => known.to_vec(),
            None => Self::issuer_key_id(tbs)?,
        };
        Ok(Self {
            issuer_key_id,
            cert_serial: cert_serial_of(tbs),
            not_after_s: tbs.validity().not_after.to_unix_duration().as_secs(),
        })
    }

    fn issuer_key_id(tbs: &TbsCertificate) -> Result<Vec<u8>, Unreadable> {
        let authority = tbs.get_extension::<AuthorityKeyIdentifier>()?;
        let key_id = authority.and_then(|(_, authority)| authority.key_identifier);
        match key_id {
            Some(key_id) => Ok(key_id.as_bytes().to_vec()),
            // A root vouches for itself, and has its own identifier only.
            None if tbs.issuer().to_der()? == tbs.subject().to_der()? => {
                let own = tbs.get_extension::<x509_cert::ext::pkix::SubjectKeyIdentifier>()?;
                own.map(|(_, own)| own.0.as_bytes().to_vec()).ok_or(Unreadable::NoIssuerKey)
            }
            None => Err(Unreadable::NoIssuerKey),
        }
    }
}

fn cert_serial_of(tbs: &TbsCertificate) -> CertSerial {
    CertSerial::new(tbs.serial_number().as_bytes())
}

fn subject_of(der: &[u8]) -> String {
    Certificate::from_der(der)
        .map(|certificate| certificate.tbs_certificate().subject().to_string())
        .unwrap_or_default()
}

/// Key identifier of the CA that signed this certificate; empty if it does not say.
pub(crate) fn issuer_key_id_of(der: &[u8]) -> Vec<u8> {
    Identity::of(der).map(|identity| identity.issuer_key_id).unwrap_or_default()
}

/// Certificates on record that may be meant, each with its name.
fn meant(session: &mut Reading<'_>, which: &Which) -> Result<Vec<(Vec<u8>, String)>, StorageError> {
    let (statement, key): (&'static str, Value<'_>) = match which {
        Which::OfDevice(device) => (query::LEAF_OF_DEVICE, device.as_str().into()),
        Which::OfLot(lot) => (query::LEAVES_OF_LOT, lot.as_str().into()),
        Which::Serial(serial) => (query::BY_SERIAL, serial.as_bytes().into()),
        Which::This(der) => {
            let known = match on_record(session, der)? {
                Some(known) => Some(known),
                None => revoked_before(session, der)?,
            };
            return Ok(known.into_iter().collect());
        }
        Which::Of { der, .. } => {
            let known = on_record(session, der)?;
            return Ok(vec![known.unwrap_or_else(|| (der.clone(), subject_of(der)))]);
        }
    };
    session.all(statement, &[key], |row| Ok((row.blob(0)?, row.text(1)?)))
}

/// A certificate and its name, if that very one is on record.
fn on_record(
    session: &mut Reading<'_>,
    der: &[u8],
) -> Result<Option<(Vec<u8>, String)>, StorageError> {
    let Ok(certificate) = Certificate::from_der(der) else { return Ok(None) };
    let found = meant(session, &Which::Serial(cert_serial_of(certificate.tbs_certificate())))?;
    Ok(found.into_iter().find(|(known, _)| known == der))
}

/// A certificate and its name, if it was revoked, on record or not.
fn revoked_before(
    session: &mut Reading<'_>,
    der: &[u8],
) -> Result<Option<(Vec<u8>, String)>, StorageError> {
    let Ok(Identity { issuer_key_id, cert_serial, .. }) = Identity::of(der) else {
        return Ok(None);
    };
    let revoked = revocation(session, &issuer_key_id, &cert_serial)?;
    Ok(revoked.map(|record| (der.to_vec(), record.name)))
}

/// The certificates that are meant: one, unless it is a lot.
fn identified(
    session: &mut Reading<'_>,
    which: &Which,
) -> Result<Vec<(Identity, String)>, RevokeError> {
    let meant = meant(session, which)?;
    match meant.len() {
        0 => return Err(RevokeError::NotOnRecord { which: which.to_string() }),
        1 => {}
        _ if matches!(which, Which::OfLot(_)) => {}
        count => return Err(RevokeError::Ambiguous { count }),
    }
    let issuer = match which {
        Which::Of { issuer_key_id, .. } => Some(issuer_key_id.as_slice()),
        _ => None,
    };
    meant.into_iter().map(|(der, name)| Ok((Identity::by(&der, issuer)?, name))).collect()
}

fn add_revocation(
    session: &mut Writing<'_>,
    identity: Identity,
    name: String,
    reason: u8,
    revoked_at_s: u64,
) -> Result<RevocationRecord, StorageError> {
    let Identity { issuer_key_id, cert_serial, not_after_s } = identity;
    if let Some(known) = revocation(session, &issuer_key_id, &cert_serial)? {
        return Ok(known);
    }
    session.add(
        Kind::Revocation,
        &[
            (&issuer_key_id).into(),
            cert_serial.as_bytes().into(),
            (&name).into(),
            i64::from(reason).into(),
            to_sql_time(revoked_at_s).into(),
            to_sql_time(not_after_s).into(),
        ],
    )?;
    Ok(RevocationRecord { issuer_key_id, cert_serial, name, reason, revoked_at_s, not_after_s })
}

fn add_certificate(
    session: &mut Writing<'_>,
    new: &NewCertificate<'_>,
    identity: &Identity,
    issued_at_s: u64,
) -> Result<bool, RecordCertificateError> {
    let Identity { issuer_key_id, cert_serial, not_after_s } = identity;
    let key = [issuer_key_id.into(), cert_serial.as_bytes().into()];
    match session.first(query::CERTIFICATE, &key, |row| row.blob(0))? {
        Some(there) if there == new.der => return Ok(false),
        Some(_) => {
            let cert_serial = cert_serial.clone();
            return Err(RecordCertificateError::CertSerialTaken { cert_serial });
        }
        None => {}
    }
    session.add(
        Kind::Certificate,
        &[
            issuer_key_id.into(),
            cert_serial.as_bytes().into(),
            new.name.into(),
            new.profile.into(),
            new.der.into(),
            (&sha256(new.der)).into(),
            to_sql_time(*not_after_s).into(),
            to_sql_time(issued_at_s).into(),
        ],
    )?;
    Ok(true)
}

/// Records a certificate with the time at which it was recorded elsewhere; false if it is here.
pub(crate) fn import_certificate(
    session: &mut Writing<'_>,
    der: &[u8],
    name: &str,
    profile: &str,
    issued_at_s: u64,
) -> Result<bool, RecordCertificateError> {
    let identity = Identity::of(der)?;
    add_certificate(session, &NewCertificate { der, name, profile }, &identity, issued_at_s)
}

/// Records a revocation with the time at which it was recorded elsewhere; false if there is one.
pub(crate) fn import_revocation(
    session: &mut Writing<'_>,
    der: &[u8],
    name: &str,
    reason: u8,
    revoked_at_s: u64,
) -> Result<bool, RecordCertificateError> {
    let identity = Identity::of(der)?;
    if revocation(session, &identity.issuer_key_id, &identity.cert_serial)?.is_some() {
        return Ok(false);
    }
    add_revocation(session, identity, name.to_owned(), reason, revoked_at_s)?;
    Ok(true)
}

/// Revokes a certificate, unless it is; one that cannot be read is in no CRL either.
pub(crate) fn revoke_leaf(
    session: &mut Writing<'_>,
    der: &[u8],
    name: &str,
    reason: u8,
) -> Result<(), StorageError> {
    let Ok(identity) = Identity::of(der) else { return Ok(()) };
    let at_s = session.at_s();
    add_revocation(session, identity, name.to_owned(), reason, at_s).map(drop)
}

/// The revocation of a device's certificate, by its row.
pub(crate) fn revocation_of_entry(
    session: &mut Reading<'_>,
    entry: i64,
) -> Result<Option<RevocationRecord>, StorageError> {
    session.first(query::REVOCATION_OF_ENTRY, &[entry.into()], revocation_from_row)
}

impl Certificates for SqlLedger {
    fn record_certificates(
        &mut self,
        certificates: &[NewCertificate<'_>],
        at_s: u64,
    ) -> Result<(), RecordCertificateError> {
        // Everything that can be done before others have to wait.
        let identities =
            certificates.iter().map(|new| Identity::of(new.der)).collect::<Result<Vec<_>, _>>()?;
        self.write(at_s, |session| {
            certificates.iter().zip(&identities).try_for_each(|(new, identity)| {
                add_certificate(session, new, identity, at_s).map(|_| ())
            })
        })
    }

    fn certificates(&mut self) -> Result<Vec<CertificateRecord>, StorageError> {
        self.read(|session| session.all(query::CERTIFICATES, &[], certificate_from_row))
    }

    fn revocable(&mut self, which: &Which) -> Result<Vec<Revocable>, RevokeError> {
        self.read(|session| {
            let identified = identified(session, which)?;
            let found = identified.into_iter().map(|(identity, name)| {
                let Identity { issuer_key_id, cert_serial, not_after_s } = identity;
                let revoked = revocation(session, &issuer_key_id, &cert_serial)?;
                Ok(Revocable { cert_serial, name, not_after_s, revoked })
            });
            found.collect()
        })
    }

    fn revoke(
        &mut self,
        which: &Which,
        reason: u8,
        at_s: u64,
    ) -> Result<Vec<RevocationRecord>, RevokeError> {
        self.write(at_s, |session| {
            let identified = identified(session, which)?;
            let revoked = identified
                .into_iter()
                .map(|(identity, name)| Ok(add_revocation(session, identity, name, reason, at_s)?));
            revoked.collect()
        })
    }

    fn revocation_of(
        &mut self,
        device: &DeviceSerial,
    ) -> Result<Option<RevocationRecord>, StorageError> {
        self.read(|session| {
            let entry = find(session, query::ENTRY_BY_DEVICE, device.as_str().into())?;
            match entry {
                Some(StoredEntry { id, .. }) => revocation_of_entry(session, id),
                None => Ok(None),
            }
        })
    }

    fn status(
        &mut self,
        issuer_key_id: &[u8],
        cert_serial: &CertSerial,
    ) -> Result<CertificateStatus, StorageError> {
        self.read(|session| {
            if let Some(revoked) = revocation(session, issuer_key_id, cert_serial)? {
                return Ok(CertificateStatus::Revoked(revoked));
            }
            let mut status = CertificateStatus::NotOnRecord;
            session.each(query::BY_SERIAL, &[cert_serial.as_bytes().into()], &mut |row| {
                let issued = Identity::of(&row.blob(0)?);
                if issued.is_ok_and(|identity| identity.issuer_key_id == issuer_key_id) {
                    status = CertificateStatus::InForce;
                }
                Ok(())
            })?;
            Ok(status)
        })
    }

    fn revocations(&mut self, issuer_key_id: &[u8]) -> Result<Vec<RevocationRecord>, StorageError> {
        self.read(|session| {
            session.all(query::REVOCATIONS, &[issuer_key_id.into()], revocation_from_row)
        })
    }

    fn begin_crl(
        &mut self,
        issuer_key_id: &[u8],
        this_update_s: u64,
        next_update_s: u64,
        each: &mut dyn FnMut(RevocationRecord),
    ) -> Result<u64, StorageError> {
        // It writes, so nothing can be revoked between the reading and the number.
        self.write(this_update_s, |session| {
            let ca: [Value<'_>; 1] = [issuer_key_id.into()];
            let latest = session.first(query::LATEST_CRL, &ca, |row| row.int(0))?;
            let number = latest.unwrap_or(0) + 1;
            let revoked = session.each(query::REVOCATIONS, &ca, &mut |row| {
                each(revocation_from_row(row)?);
                Ok(())
            })?;
            session.add(
                Kind::Crl,
                &[
                    issuer_key_id.into(),
                    number.into(),
                    to_sql_time(this_update_s).into(),
                    to_sql_time(next_update_s).into(),
                    to_sql_time(revoked).into(),
                ],
            )?;
            Ok(from_sql_time(number))
        })
    }

    fn latest_crl(&mut self, issuer_key_id: &[u8]) -> Result<Option<CrlRecord>, StorageError> {
        self.read(|session| {
            let ca: [Value<'_>; 1] = [issuer_key_id.into()];
            let revoked = session.first(query::COUNT_REVOCATIONS, &ca, |row| row.natural(0))?;
            let revoked = revoked.unwrap_or(0);
            session.first(query::LATEST_CRL, &ca, |row| {
                Ok(CrlRecord {
                    number: row.natural(0)?,
                    this_update_s: row.natural(1)?,
                    next_update_s: row.natural(2)?,
                    revoked_since: revoked.saturating_sub(row.natural(3)?),
                })
            })
        })
    }
}

pub(crate) fn revocation(
    session: &mut Reading<'_>,
    issuer_key_id: &[u8],
    cert_serial: &CertSerial,
) -> Result<Option<RevocationRecord>, StorageError> {
    let key = [issuer_key_id.into(), cert_serial.as_bytes().into()];
    session.first(query::REVOCATION, &key, revocation_from_row)
}

fn certificate_from_row(row: &mut Row) -> Result<CertificateRecord, StorageFault> {
    Ok(CertificateRecord {
        issuer_key_id: row.blob(0)?,
        cert_serial: CertSerial::new(&row.blob(1)?),
        name: row.text(2)?,
        profile: row.text(3)?,
        der: row.blob(4)?,
        not_after_s: row.natural(5)?,
        issued_at_s: row.natural(6)?,
    })
}

fn revocation_from_row(row: &mut Row) -> Result<RevocationRecord, StorageFault> {
    let reason = row.int(3)?;
    Ok(RevocationRecord {
        issuer_key_id: row.blob(0)?,
        cert_serial: CertSerial::new(&row.blob(1)?),
        name: row.text(2)?,
        reason: u8::try_from(reason).map_err(|error| damaged(&error))?,
        revoked_at_s: row.natural(4)?,
        not_after_s: row.natural(5)?,
    })
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
