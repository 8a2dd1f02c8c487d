//! Looking for what is recorded, a page at a time.

use provision_csr::PublicKey;
use provision_station::evidence::CertSerial;
use provision_wire::DeviceSerial;

use crate::database::{Row, Value, damaged, to_sql_time};
use crate::ledger::{State, StorageError, StorageFault};
use crate::lot::Lot;
use crate::query::entry_columns;
use crate::sql_ledger::SqlLedger;

/// What to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Search {
    /// Everything.
    All,
    /// Every certificate that a device was given.
    Device(DeviceSerial),
    /// The certificate of this key.
    PublicKey(PublicKey),
    /// Certificates of this serial number.
    CertSerial(CertSerial),
    /// The certificate of this fingerprint: SHA-256 of its DER.
    Sha256([u8; 32]),
    /// Every certificate of a lot.
    Lot(Lot),
    /// What was recorded from one time to another, both in seconds since 1970-01-01 UTC, and both
    /// included.
    Time {
        /// The first second.
        from_s: u64,
        /// The last.
        to_s: u64,
    },
}

/// A certificate on record, whoever's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Whom it is for.
    pub holder: Holder,
    /// Key identifier of the CA that signed it; empty if it does not say.
    pub issuer_key_id: Vec<u8>,
    /// Its serial number.
    pub cert_serial: CertSerial,
    /// The certificate, DER.
    pub der: Vec<u8>,
    /// Its fingerprint.
    pub sha256: [u8; 32],
    /// Until when it is valid, in seconds since 1970-01-01 UTC.
    pub not_after_s: u64,
    /// When it was recorded, in seconds since 1970-01-01 UTC.
    pub issued_at_s: u64,
    /// Since when it is revoked, in seconds since 1970-01-01 UTC, and why: a `CRLReason`.
    pub revoked: Option<(u64, u8)>,
}

/// Whom a certificate is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Holder {
    /// A device on the line.
    Device {
        /// Which.
        device: DeviceSerial,
        /// Its key.
        public_key: PublicKey,
        /// The lot it was made in.
        lot: Option<Lot>,
        /// How far it came.
        state: State,
        /// Its first certificate is 1; each new key by the operator's word is one more.
        generation: u64,
    },
    /// A person, a service or a server.
    Host {
        /// Whom it is for, for people.
        name: String,
        /// The profile it was made by.
        profile: String,
    },
}

impl Found {
    /// How far it came, in a word: `issued`, `enrolled`, `revoked`, or `host` for what is no
    /// device's.
    #[must_use]
    pub fn state(&self) -> &'static str {
        match (&self.revoked, &self.holder) {
            (Some(_), _) => "revoked",
            (None, Holder::Device { state: State::Issued, .. }) => "issued",
            (None, Holder::Device { state: State::Enrolled { .. }, .. }) => "enrolled",
            (None, Holder::Host { .. }) => "host",
        }
    }
}

impl SqlLedger {
    /// Hands over what is found: devices first, oldest first, then what is no device's. A page is
    /// held at a time, however much there is; what is recorded meanwhile may be among it. Goes on
    /// until `each` says [`Break`](core::ops::ControlFlow::Break).
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub fn search(
        &mut self,
        search: &Search,
        each: &mut dyn FnMut(Found) -> core::ops::ControlFlow<()>,
    ) -> Result<(), StorageError> {
        for which in [Which::Devices, Which::Hosts] {
            let Some((statement, key, to_s)) = which.statement(search) else { continue };
            let mut after = 0;
            loop {
                let mut values = vec![key, Value::Int(after), Value::Int(PAGE)];
                values.extend(to_s.map(Value::Int));
                let page = self.read(|session| -> Result<_, StorageError> {
                    session.all(statement, &values, |row| which.read(row))
                })?;
                let full = page.len() as i64 == PAGE;
                for (id, found) in page {
                    after = id;
                    if each(found).is_break() {
                        return Ok(());
                    }
                }
                if !full {
                    break;
                }
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy)]
enum Which {
    Devices,
    Hosts,
}

/// Both kinds of certificates, with what was revoked of them.
macro_rules! devices {
    ($which:literal) => {
        concat!(
            "SELECT ",
            entry_columns!(),
            ", entry.issuer_key_id, entry.leaf,
                    revocation.revoked_at_s, revocation.reason, lot_member.lot
             FROM entry
             LEFT JOIN lot_member ON lot_member.entry = entry.id
             LEFT JOIN revocation ON revocation.issuer_key_id = entry.issuer_key_id
                AND revocation.cert_serial = entry.cert_serial
             WHERE ",
            $which,
            " AND entry.id > ?2 ORDER BY entry.id LIMIT ?3"
        )
    };
}

macro_rules! hosts {
    ($which:literal) => {
        concat!(
            "SELECT certificate.id, certificate.name, certificate.profile, certificate.cert_serial,
                    certificate.sha256, certificate.not_after_s, certificate.issued_at_s,
                    certificate.issuer_key_id, certificate.der,
                    revocation.revoked_at_s, revocation.reason
             FROM certificate
             LEFT JOIN revocation ON revocation.issuer_key_id = certificate.issuer_key_id
                AND revocation.cert_serial = certificate.cert_serial
             WHERE ",
            $which,
            " AND certificate.id > ?2 ORDER BY certificate.id LIMIT ?3"
        )
    };
}

impl Which {
    /// The statement, its first parameter, and the last that not all have.
    fn statement<'a>(self, search: &'a Search) -> Option<(&'static str, Value<'a>, Option<i64>)> {
        let all = Value::Int(0);
        Some(match (self, search) {
            (Self::Devices, Search::All) => (devices!("entry.id > ?1"), all, None),
            (Self::Hosts, Search::All) => (hosts!("certificate.id > ?1"), all, None),
            (Self::Devices, Search::Device(device)) => {
                (devices!("entry.device = ?1"), device.as_str().into(), None)
            }
            (Self::Devices, Search::PublicKey(key)) => {
                (devices!("entry.public_key = ?1"), key.as_sec1().into(), None)
            }
            (Self::Devices, Search::CertSerial(serial)) => {
                (devices!("entry.cert_serial = ?1"), serial.as_bytes().into(), None)
            }
            (Self::Hosts, Search::CertSerial(serial)) => {
                (hosts!("certificate.cert_serial = ?1"), serial.as_bytes().into(), None)
            }
            (Self::Devices, Search::Sha256(sha256)) => {
                (devices!("entry.leaf_sha256 = ?1"), sha256.into(), None)
            }
            (Self::Hosts, Search::Sha256(sha256)) => {
                (hosts!("certificate.sha256 = ?1"), sha256.into(), None)
            }
            (Self::Devices, Search::Lot(lot)) => {
                (devices!("lot_member.lot = ?1"), lot.as_str().into(), None)
            }
            (Self::Devices, Search::Time { from_s, to_s }) => (
                devices!("entry.issued_at_s >= ?1 AND entry.issued_at_s <= ?4"),
                to_sql_time(*from_s).into(),
                Some(to_sql_time(*to_s)),
            ),
            (Self::Hosts, Search::Time { from_s, to_s }) => (
                hosts!("certificate.issued_at_s >= ?1 AND certificate.issued_at_s <= ?4"),
                to_sql_time(*from_s).into(),
                Some(to_sql_time(*to_s)),
            ),
            (Self::Hosts, Search::Device(_) | Search::PublicKey(_) | Search::Lot(_)) => {
                return None;
            }
        })
    }

    fn read(self, row: &mut Row) -> Result<(i64, Found), StorageFault> {
        let revoked = |row: &mut Row, at: usize| -> Result<Option<(u64, u8)>, StorageFault> {
            let Some(since_s) = row.optional(at, Row::natural)? else { return Ok(None) };
            let reason = u8::try_from(row.int(at + 1)?).map_err(|error| damaged(&error))?;
            Ok(Some((since_s, reason)))
        };
        match self {
            Self::Devices => {
                let stored = crate::row::StoredEntry::from_row(row)?;
                let lot = row.optional(14, Row::text)?.map(|lot| lot.parse());
                let lot = lot.transpose();
                let entry = stored.entry;
                let found = Found {
                    holder: Holder::Device {
                        device: entry.device,
                        public_key: entry.public_key,
                        lot: lot.map_err(|error: crate::lot::LotError| damaged(&error))?,
                        state: entry.state,
                        generation: stored.generation.unsigned_abs(),
                    },
                    issuer_key_id: row.blob(10)?,
                    cert_serial: entry.cert_serial,
                    der: row.blob(11)?,
                    sha256: entry.leaf_sha256,
                    not_after_s: entry.not_after_s,
                    issued_at_s: entry.issued_at_s,
                    revoked: revoked(row, 12)?,
                };
                Ok((stored.id, found))
            }
            Self::Hosts => {
                let found = Found {
                    holder: Holder::Host { name: row.text(1)?, profile: row.text(2)? },
                    issuer_key_id: row.blob(7)?,
                    cert_serial: CertSerial::new(&row.blob(3)?),
                    der: row.blob(8)?,
                    sha256: row.digest(4)?,
                    not_after_s: row.natural(5)?,
                    issued_at_s: row.natural(6)?,
                    revoked: revoked(row, 9)?,
                };
                Ok((row.int(0)?, found))
            }
        }
    }
}

const PAGE: i64 = 1000;
