//! Certificates of anything but devices on the line, revocations, and the CRLs made of them.

use core::fmt;

use der::{Decode as _, Encode as _};
use provision_station::evidence::CertSerial;
use provision_wire::DeviceSerial;
use rusqlite::{Connection, OptionalExtension as _, Row};
use thiserror::Error;
use x509_cert::certificate::Certificate;
use x509_cert::ext::pkix::AuthorityKeyIdentifier;

use crate::ledger::StorageError;
use crate::lot::Lot;
use crate::row::{from_sql_time, to_sql_time};
use crate::schema;
use crate::sqlite::{SqliteLedger, begin};

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
    /// This one, DER, on record or not: a CA that was taken over has issued others before.
    This(Vec<u8>),
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OfDevice(device) => write!(f, "the certificate of device {device}"),
            Self::OfLot(lot) => write!(f, "lot {lot}"),
            Self::Serial(serial) => write!(f, "the certificate {serial}"),
            Self::This(_) => f.write_str("this certificate"),
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
        let certificate = Certificate::from_der(der)?;
        let tbs = certificate.tbs_certificate();
        let authority = tbs.get_extension::<AuthorityKeyIdentifier>()?;
        let key_id = authority.and_then(|(_, authority)| authority.key_identifier);
        let key_id = match key_id {
            Some(key_id) => key_id.as_bytes().to_vec(),
            // A root vouches for itself, and has its own identifier only.
            None if tbs.issuer().to_der()? == tbs.subject().to_der()? => {
                let own = tbs.get_extension::<x509_cert::ext::pkix::SubjectKeyIdentifier>()?;
                own.map(|(_, own)| own.0.as_bytes().to_vec()).ok_or(Unreadable::NoIssuerKey)?
            }
            None => return Err(Unreadable::NoIssuerKey),
        };
        Ok(Self {
            issuer_key_id: key_id,
            cert_serial: CertSerial::new(tbs.serial_number().as_bytes()),
            not_after_s: tbs.validity().not_after.to_unix_duration().as_secs(),
        })
    }
}

fn subject_of(der: &[u8]) -> String {
    Certificate::from_der(der)
        .map(|certificate| certificate.tbs_certificate().subject().to_string())
        .unwrap_or_default()
}

impl SqliteLedger {
    /// Certificates on record that may be meant, each with its name.
    fn meant(&self, which: &Which) -> rusqlite::Result<Vec<(Vec<u8>, String)>> {
        let (query, key): (&str, &dyn rusqlite::ToSql) = match which {
            Which::OfDevice(device) => (schema::LEAF_OF_DEVICE, &device.as_str()),
            Which::OfLot(lot) => (schema::LEAVES_OF_LOT, &lot.as_str()),
            Which::Serial(serial) => (schema::BY_SERIAL, &serial.as_bytes()),
            Which::This(der) => {
                let known = Identity::of(der).ok();
                let Some(identity) = known else { return Ok(vec![(der.clone(), String::new())]) };
                let on_record = self.meant(&Which::Serial(identity.cert_serial))?;
                let name = on_record.into_iter().find(|(known, _)| known == der);
                let name = name.map_or_else(|| subject_of(der), |(_, name)| name);
                return Ok(vec![(der.clone(), name)]);
            }
        };
        let mut query = self.connection.prepare_cached(query)?;
        query.query_map([key], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
    }

    /// The certificates that are meant: one, unless it is a lot.
    fn identified(&self, which: &Which) -> Result<Vec<(Identity, String)>, RevokeError> {
        let meant = self.meant(which).map_err(|error| self.failed(error))?;
        match meant.len() {
            0 => return Err(RevokeError::NotOnRecord { which: which.to_string() }),
            1 => {}
            _ if matches!(which, Which::OfLot(_)) => {}
            count => return Err(RevokeError::Ambiguous { count }),
        }
        meant.into_iter().map(|(der, name)| Ok((Identity::of(&der)?, name))).collect()
    }

    fn add_revocations(
        &mut self,
        identified: &[(Identity, String)],
        reason: u8,
        at_s: u64,
    ) -> rusqlite::Result<Vec<RevocationRecord>> {
        let transaction = begin(&mut self.connection)?;
        let mut revoked = Vec::with_capacity(identified.len());
        for (identity, name) in identified {
            if let Some(known) = revocation(&transaction, identity)? {
                revoked.push(known);
                continue;
            }
            transaction.prepare_cached(schema::ADD_REVOCATION)?.execute((
                &identity.issuer_key_id,
                identity.cert_serial.as_bytes(),
                name,
                reason,
                to_sql_time(at_s),
                to_sql_time(identity.not_after_s),
            ))?;
            revoked.push(RevocationRecord {
                issuer_key_id: identity.issuer_key_id.clone(),
                cert_serial: identity.cert_serial.clone(),
                name: name.clone(),
                reason,
                revoked_at_s: at_s,
                not_after_s: identity.not_after_s,
            });
        }
        transaction.commit()?;
        Ok(revoked)
    }

    /// The serial number that another certificate has already, if one does; nothing was recorded
    /// then.
    fn add_certificates(
        &mut self,
        certificates: &[NewCertificate<'_>],
        identities: &[Identity],
        at_s: u64,
    ) -> rusqlite::Result<Option<CertSerial>> {
        let transaction = begin(&mut self.connection)?;
        {
            let mut known = transaction.prepare_cached(schema::CERTIFICATE)?;
            let mut add = transaction.prepare_cached(schema::ADD_CERTIFICATE)?;
            for (new, identity) in certificates.iter().zip(identities) {
                let Identity { issuer_key_id, cert_serial, not_after_s, .. } = identity;
                let added = add.execute((
                    issuer_key_id,
                    cert_serial.as_bytes(),
                    new.name,
                    new.profile,
                    new.der,
                    sha256(new.der),
                    to_sql_time(*not_after_s),
                    to_sql_time(at_s),
                ))?;
                if added == 0 {
                    let there: Vec<u8> = known
                        .query_row((issuer_key_id, cert_serial.as_bytes()), |row| row.get(0))?;
                    if there != new.der {
                        return Ok(Some(cert_serial.clone()));
                    }
                }
            }
        }
        transaction.commit()?;
        Ok(None)
    }

    fn status_inner(
        &self,
        issuer_key_id: &[u8],
        cert_serial: &CertSerial,
    ) -> rusqlite::Result<CertificateStatus> {
        // One snapshot for both questions.
        let snapshot = self.connection.unchecked_transaction()?;
        let revoked = snapshot
            .prepare_cached(schema::REVOCATION)?
            .query_row((issuer_key_id, cert_serial.as_bytes()), revocation_from_row)
            .optional()?;
        if let Some(revoked) = revoked {
            return Ok(CertificateStatus::Revoked(revoked));
        }
        let mut query = snapshot.prepare_cached(schema::BY_SERIAL)?;
        let mut rows = query.query([cert_serial.as_bytes()])?;
        while let Some(row) = rows.next()? {
            let issued = Identity::of(row.get_ref(0)?.as_blob()?);
            if issued.is_ok_and(|identity| identity.issuer_key_id == issuer_key_id) {
                return Ok(CertificateStatus::InForce);
            }
        }
        Ok(CertificateStatus::NotOnRecord)
    }

    fn add_crl(
        &mut self,
        issuer_key_id: &[u8],
        this_update_s: u64,
        next_update_s: u64,
        each: &mut dyn FnMut(RevocationRecord),
    ) -> rusqlite::Result<u64> {
        // One that writes, so nothing can be revoked between the reading and the number.
        let transaction = begin(&mut self.connection)?;
        let latest: Option<i64> = transaction
            .prepare_cached(schema::LATEST_CRL)?
            .query_row([issuer_key_id], |row| row.get(0))
            .optional()?;
        let number = latest.unwrap_or(0) + 1;
        let mut revoked = 0;
        for record in transaction
            .prepare_cached(schema::REVOCATIONS)?
            .query_map([issuer_key_id], revocation_from_row)?
        {
            each(record?);
            revoked += 1;
        }
        transaction.prepare_cached(schema::ADD_CRL)?.execute((
            issuer_key_id,
            number,
            to_sql_time(this_update_s),
            to_sql_time(next_update_s),
            to_sql_time(revoked),
        ))?;
        transaction.commit()?;
        Ok(from_sql_time(number))
    }
}

impl Certificates for SqliteLedger {
    fn record_certificates(
        &mut self,
        certificates: &[NewCertificate<'_>],
        at_s: u64,
    ) -> Result<(), RecordCertificateError> {
        // Everything that can be done before others have to wait.
        let identities =
            certificates.iter().map(|new| Identity::of(new.der)).collect::<Result<Vec<_>, _>>()?;
        let taken = self
            .add_certificates(certificates, &identities, at_s)
            .map_err(|error| self.failed(error))?;
        match taken {
            None => Ok(()),
            Some(cert_serial) => Err(RecordCertificateError::CertSerialTaken { cert_serial }),
        }
    }

    fn certificates(&mut self) -> Result<Vec<CertificateRecord>, StorageError> {
        let list = || -> rusqlite::Result<Vec<_>> {
            self.connection
                .prepare_cached(schema::CERTIFICATES)?
                .query_map([], certificate_from_row)?
                .collect()
        };
        list().map_err(|error| self.failed(error))
    }

    fn revocable(&mut self, which: &Which) -> Result<Vec<Revocable>, RevokeError> {
        let identified = self.identified(which)?;
        let found = identified.into_iter().map(|(identity, name)| {
            let revoked = revocation(&self.connection, &identity)?;
            let Identity { cert_serial, not_after_s, .. } = identity;
            Ok(Revocable { cert_serial, name, not_after_s, revoked })
        });
        let found: rusqlite::Result<Vec<_>> = found.collect();
        Ok(found.map_err(|error| self.failed(error))?)
    }

    fn revoke(
        &mut self,
        which: &Which,
        reason: u8,
        at_s: u64,
    ) -> Result<Vec<RevocationRecord>, RevokeError> {
        let identified = self.identified(which)?;
        let added = self.add_revocations(&identified, reason, at_s);
        Ok(added.map_err(|error| self.failed(error))?)
    }

    fn revocation_of(
        &mut self,
        device: &DeviceSerial,
    ) -> Result<Option<RevocationRecord>, StorageError> {
        let meant =
            self.meant(&Which::OfDevice(device.clone())).map_err(|error| self.failed(error))?;
        let Some(identity) = meant.first().and_then(|(der, _)| Identity::of(der).ok()) else {
            return Ok(None);
        };
        revocation(&self.connection, &identity).map_err(|error| self.failed(error))
    }

    fn status(
        &mut self,
        issuer_key_id: &[u8],
        cert_serial: &CertSerial,
    ) -> Result<CertificateStatus, StorageError> {
        self.status_inner(issuer_key_id, cert_serial).map_err(|error| self.failed(error))
    }

    fn revocations(&mut self, issuer_key_id: &[u8]) -> Result<Vec<RevocationRecord>, StorageError> {
        let list = || -> rusqlite::Result<Vec<_>> {
            self.connection
                .prepare_cached(schema::REVOCATIONS)?
                .query_map([issuer_key_id], revocation_from_row)?
                .collect()
        };
        list().map_err(|error| self.failed(error))
    }

    fn begin_crl(
        &mut self,
        issuer_key_id: &[u8],
        this_update_s: u64,
        next_update_s: u64,
        each: &mut dyn FnMut(RevocationRecord),
    ) -> Result<u64, StorageError> {
        self.add_crl(issuer_key_id, this_update_s, next_update_s, each)
            .map_err(|error| self.failed(error))
    }

    fn latest_crl(&mut self, issuer_key_id: &[u8]) -> Result<Option<CrlRecord>, StorageError> {
        let find = || {
            let revoked: i64 = self
                .connection
                .prepare_cached(schema::COUNT_REVOCATIONS)?
                .query_row([issuer_key_id], |row| row.get(0))?;
            let revoked = from_sql_time(revoked);
            self.connection
                .prepare_cached(schema::LATEST_CRL)?
                .query_row([issuer_key_id], |row| {
                    Ok(CrlRecord {
                        number: from_sql_time(row.get(0)?),
                        this_update_s: from_sql_time(row.get(1)?),
                        next_update_s: from_sql_time(row.get(2)?),
                        revoked_since: revoked.saturating_sub(from_sql_time(row.get(3)?)),
                    })
                })
                .optional()
        };
        find().map_err(|error| self.failed(error))
    }
}

fn revocation(
    connection: &Connection,
    identity: &Identity,
) -> rusqlite::Result<Option<RevocationRecord>> {
    let key = (&identity.issuer_key_id, identity.cert_serial.as_bytes());
    connection.prepare_cached(schema::REVOCATION)?.query_row(key, revocation_from_row).optional()
}

fn certificate_from_row(row: &Row<'_>) -> rusqlite::Result<CertificateRecord> {
    Ok(CertificateRecord {
        issuer_key_id: row.get(0)?,
        cert_serial: CertSerial::new(row.get_ref(1)?.as_blob()?),
        name: row.get(2)?,
        profile: row.get(3)?,
        der: row.get(4)?,
        not_after_s: from_sql_time(row.get(5)?),
        issued_at_s: from_sql_time(row.get(6)?),
    })
}

fn revocation_from_row(row: &Row<'_>) -> rusqlite::Result<RevocationRecord> {
    Ok(RevocationRecord {
        issuer_key_id: row.get(0)?,
        cert_serial: CertSerial::new(row.get_ref(1)?.as_blob()?),
        name: row.get(2)?,
        reason: row.get(3)?,
        revoked_at_s: from_sql_time(row.get(4)?),
        not_after_s: from_sql_time(row.get(5)?),
    })
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(bytes).into()
}
