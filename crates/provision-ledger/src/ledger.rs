//! What a ledger promises, whatever keeps it.

use core::error::Error as StdError;
use core::fmt;
use std::path::PathBuf;

use provision_csr::PublicKey;
use provision_station::evidence::{CertSerial, Chain, Enrolled, LiveCertificate, Standing};
use provision_wire::DeviceSerial;
use thiserror::Error;

use crate::audit::Tampering;
use crate::lots::LotRefusal;
use crate::weak_key::WeakKey;

/// The record of every certificate issued.
///
/// # Contract
///
/// What a call returned `Ok` for is durable: no crash of this process and no loss of power takes
/// it back. What it returned an error for was not recorded, with one exception: if the storage
/// failed ([`StorageFault`]), the record may have been made, so ask [`standing`](Self::standing)
/// before anything else. If power is lost within a call, either all of it was recorded or nothing.
///
/// These hold at any time, for any number of users of one ledger at once:
///
/// - a device has one certificate in force, and another only by the operator's word;
/// - a public key belongs to one device;
/// - a certificate's serial number belongs to one certificate.
///
/// Nothing that was recorded is ever changed or removed.
pub trait Ledger {
    /// What is known of a device and the key it holds.
    ///
    /// A key that another device has is reported before anything else: the line must stop.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    fn standing(
        &mut self,
        device: &DeviceSerial,
        public_key: &PublicKey,
    ) -> Result<Standing, StorageError>;

    /// Records a certificate before it leaves the station. `at_s` is the time now, in seconds
    /// since 1970-01-01 UTC. May be repeated: the identical chain again changes nothing.
    ///
    /// # Errors
    ///
    /// [`RecordIssuedError`] if that would break one of the three rules above.
    fn record_issued(&mut self, chain: &Chain, at_s: u64) -> Result<(), RecordIssuedError>;

    /// Records that a device has proven what it stores. May be repeated: the same proof again
    /// changes nothing and gives the same receipt. A proof of another delivery (made again because
    /// the device was not sealed yet) is added.
    ///
    /// # Errors
    ///
    /// [`RecordEnrolledError`] if that certificate was not recorded before.
    fn record_enrolled(
        &mut self,
        enrolled: &Enrolled,
        at_s: u64,
    ) -> Result<Receipt, RecordEnrolledError>;

    /// What is recorded of one device.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    fn find(&mut self, device: &DeviceSerial) -> Result<Option<Entry>, StorageError>;

    /// The certificate in force of one device.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    fn live(&mut self, device: &DeviceSerial) -> Result<Option<LiveCertificate>, StorageError> {
        let Some(entry) = self.find(device)? else { return Ok(None) };
        match self.standing(device, &entry.public_key)? {
            Standing::Live(live) => Ok(Some(live)),
            _ => Ok(None),
        }
    }

    /// Everything that is recorded, in the order in which it was issued.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    fn entries(&mut self) -> Result<Vec<Entry>, StorageError>;
}

/// What is recorded of one certificate. The certificate itself is in
/// [`Standing::Live`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Whom it is for.
    pub device: DeviceSerial,
    /// The key in it.
    pub public_key: PublicKey,
    /// Its serial number.
    pub cert_serial: CertSerial,
    /// Its fingerprint.
    pub leaf_sha256: [u8; 32],
    /// Until when it is valid, in seconds since 1970-01-01 UTC.
    pub not_after_s: u64,
    /// When it was recorded, in seconds since 1970-01-01 UTC.
    pub issued_at_s: u64,
    /// How far it came.
    pub state: State,
}

/// How far a certificate came. One way only: from the first to the second.
///
/// ```text
///   Issued ──proof──► Enrolled ──proof of another delivery──► Enrolled
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It was made, and may have been sent to the device. That the device stores it is not proven.
    Issued,
    /// The device has proven that it stores it and holds its key.
    Enrolled {
        /// When it first did, in seconds since 1970-01-01 UTC.
        enrolled_at_s: u64,
        /// Digest of the delivery it proved to store last.
        delivery_sha256: [u8; 32],
    },
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Issued => "issued",
            Self::Enrolled { .. } => "enrolled",
        })
    }
}

/// Evidence that an enrollment is on record: what a [`Ledger`] answers once it is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub(crate) device: DeviceSerial,
    pub(crate) cert_serial: CertSerial,
    pub(crate) delivery_sha256: [u8; 32],
    pub(crate) proven_at_s: u64,
}

impl Receipt {
    /// For implementations of [`Ledger`], to call when the record is durable.
    #[must_use]
    pub fn new(enrolled: &Enrolled, proven_at_s: u64) -> Self {
        Self {
            device: enrolled.device().clone(),
            cert_serial: enrolled.cert_serial().clone(),
            delivery_sha256: *enrolled.delivery_sha256(),
            proven_at_s,
        }
    }

    /// Which device.
    #[must_use]
    pub const fn device(&self) -> &DeviceSerial {
        &self.device
    }

    /// Serial number of its certificate.
    #[must_use]
    pub const fn cert_serial(&self) -> &CertSerial {
        &self.cert_serial
    }

    /// Digest of the delivery it proved to store.
    #[must_use]
    pub const fn delivery_sha256(&self) -> &[u8; 32] {
        &self.delivery_sha256
    }

    /// When that proof was first recorded, in seconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn proven_at_s(&self) -> u64 {
        self.proven_at_s
    }
}

/// A certificate was not recorded, and must not leave the station.
#[derive(Debug, Error)]
pub enum RecordIssuedError {
    /// The device has another certificate.
    #[error("device {device} has a certificate already (serial {cert_serial})")]
    DeviceHasCertificate {
        /// The device.
        device: DeviceSerial,
        /// Serial number of the certificate it has.
        cert_serial: CertSerial,
    },
    /// Another device has the key.
    #[error("device {other} has the key of device {device}: stop the line")]
    KeyElsewhere {
        /// The device that was to be recorded.
        device: DeviceSerial,
        /// The device that has the key.
        other: DeviceSerial,
    },
    /// Another certificate has the serial number.
    #[error("the certificate of device {other} has the serial {cert_serial} already")]
    CertSerialTaken {
        /// The serial number.
        cert_serial: CertSerial,
        /// Whose certificate has it.
        other: DeviceSerial,
    },
    /// Its key is no secret.
    #[error("the key of device {device} is known to everybody ({weakness}): stop the line")]
    WeakKey {
        /// The device.
        device: DeviceSerial,
        /// What is wrong with it.
        weakness: WeakKey,
    },
    /// The lot takes no more devices, or not this one.
    #[error(transparent)]
    Lot(#[from] LotRefusal),
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A device was not recorded as enrolled.
#[derive(Debug, Error)]
pub enum RecordEnrolledError {
    /// No certificate was recorded for it.
    #[error("no certificate was recorded for device {device}")]
    NotIssued {
        /// The device.
        device: DeviceSerial,
    },
    /// That certificate was revoked: a proof of it counts no more.
    #[error("the certificate {cert_serial} of device {device} was revoked")]
    Revoked {
        /// The device.
        device: DeviceSerial,
        /// Serial number of the certificate.
        cert_serial: CertSerial,
    },
    /// Another certificate was recorded for it.
    #[error("device {device} proved certificate {found}, but {expected} was recorded for it")]
    OtherCertificate {
        /// The device.
        device: DeviceSerial,
        /// Serial number of the certificate recorded.
        expected: CertSerial,
        /// Serial number of the certificate it proved.
        found: CertSerial,
    },
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// The storage of a ledger failed.
#[derive(Debug, Error)]
#[error("the ledger {place}: {fault}")]
pub struct StorageError {
    /// Which ledger: a path, or what else names it.
    pub place: String,
    /// What went wrong.
    pub fault: StorageFault,
}

/// What went wrong with the storage of a ledger.
#[derive(Debug, Error)]
pub enum StorageFault {
    /// Another program holds it, longer than one was willing to wait.
    #[error("it is locked by another program")]
    Locked,
    /// A file that may be read, not written.
    #[error("it cannot be written to")]
    ReadOnly,
    /// There is no room left on the disk.
    #[error("the disk is full")]
    DiskFull,
    /// What is in it makes no sense.
    #[error("it is damaged ({detail})")]
    Corrupt {
        /// What makes no sense.
        detail: String,
    },
    /// It is something else than a ledger.
    #[error("it is not a ledger")]
    NotALedger,
    /// The database itself refuses what breaks a rule of the ledger.
    #[error("the database refuses it ({detail})")]
    Rule {
        /// Which rule.
        detail: String,
    },
    /// The database server cannot be reached, or went away. What was under way may be recorded:
    /// ask before anything else.
    #[error("the database cannot be reached ({detail})")]
    Unreachable {
        /// What happened.
        detail: String,
    },
    /// The database server is there, and does not serve us.
    #[error("{refusal} ({detail})")]
    Refused {
        /// Why.
        refusal: DatabaseRefusal,
        /// What it said. There is no password in it.
        detail: String,
    },
    /// The database server is there, and there is no TLS with it that either side believes.
    #[error("no TLS with the database server ({detail})")]
    Tls {
        /// What is wrong.
        detail: String,
    },
    /// A file that TLS with the database server needs cannot be used.
    #[error("{} cannot be used for TLS with the database server ({detail})", path.display())]
    TlsFile {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// Somebody else than this program wrote to its end, and nothing may be signed after that.
    /// Nothing was recorded.
    #[error("it was tampered with: {0}")]
    Tampered(#[from] Tampering),
    /// The clock of this machine is behind what is recorded already. Nothing was recorded.
    #[error(
        "the clock of this machine shows {now_s} s since 1970, which is before the last entry \
         ({last_s} s)"
    )]
    ClockBehind {
        /// What it shows, in seconds since 1970-01-01 UTC.
        now_s: u64,
        /// When the last entry was made, in seconds since 1970-01-01 UTC.
        last_s: u64,
    },
    /// Anything else the storage may say.
    #[error(transparent)]
    Other(Box<dyn StdError + Send + Sync>),
}

impl StorageFault {
    /// Whether it may be there to be read, and nothing can be added to it.
    #[must_use]
    pub const fn is_read_only(&self) -> bool {
        use DatabaseRefusal::{NoRight, ReadOnly};
        matches!(self, Self::ReadOnly | Self::Refused { refusal: NoRight | ReadOnly, .. })
    }

    /// One word for programs.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Locked => "locked",
            Self::ReadOnly => "read-only",
            Self::DiskFull => "disk-full",
            Self::Corrupt { .. } => "damaged",
            Self::NotALedger => "not-a-ledger",
            Self::Rule { .. } => "rule",
            Self::Unreachable { .. } => "unreachable",
            Self::Refused { refusal, .. } => refusal.word(),
            Self::Tls { .. } => "tls",
            Self::TlsFile { .. } => "tls-file",
            Self::Tampered(_) => "tampered",
            Self::ClockBehind { .. } => "clock-behind",
            Self::Other(_) => "other",
        }
    }
}

/// Why a database server that is there does not serve us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseRefusal {
    /// The password is wrong, or there is none (SQLSTATE 28P01).
    Password,
    /// The role is not there, may not log in, or not from here or in this way (28000).
    Role,
    /// The database is not there (3D000).
    NoDatabase,
    /// The role has not the right that is needed (42501).
    NoRight,
    /// It is a standby, a copy of another server (it says so itself; 25006).
    ReadOnly,
    /// It has as many connections as it may have, or the role has (53300). It passes by itself.
    TooManyConnections,
}

impl DatabaseRefusal {
    const fn word(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Role => "role",
            Self::NoDatabase => "no-database",
            Self::NoRight => "no-right",
            Self::ReadOnly => "read-only",
            Self::TooManyConnections => "too-many-connections",
        }
    }
}

impl fmt::Display for DatabaseRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Password => "the database server does not take the password",
            Self::Role => "the database server does not let the role in",
            Self::NoDatabase => "the database server has no such database",
            Self::NoRight => "the role lacks a right in the database",
            Self::ReadOnly => "the database server takes nothing new",
            Self::TooManyConnections => "the database server has no connection left",
        })
    }
}
