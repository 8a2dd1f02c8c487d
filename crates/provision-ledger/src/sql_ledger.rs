//! A ledger in a database: its rules, whatever the database is.

use core::fmt;
use core::time::Duration;
use std::path::{Path, PathBuf};

use provision_csr::PublicKey;
use provision_station::evidence::{Chain, Enrolled, LiveCertificate, Standing};
use provision_wire::DeviceSerial;

use crate::audit::SignedHead;
use crate::certificates::{issuer_key_id_of, revocation_of_entry, revoke_leaf};
use crate::chain::Kind;
use crate::database::{Access, Database, Value, damaged, to_sql_time};
use crate::ledger::{
    Entry, Ledger, Receipt, RecordEnrolledError, RecordIssuedError, StorageError, StorageFault,
};
use crate::lot::Lot;
use crate::open_error::OpenError;
use crate::postgres::{Postgres, PostgresUrl};
use crate::row::{StoredEntry, chain_from_row};
use crate::session::{Reading, Writer, Writing};
use crate::sqlite::{IN_MEMORY, Sqlite};
use crate::station_key::StationKey;
use crate::weak_key::weak_key;
use crate::{lots, migration, query};

/// A [`Ledger`] in a database: a SQLite file for any number of programs on one machine, PostgreSQL
/// for any number of machines, or in memory for tests.
///
/// Every record is on the disk before the call returns. Beside a SQLite file lie two more, `-wal`
/// and `-shm`, while it is in use: they belong to it, and a copy made without them may lack the
/// latest records. Not for network file systems, which lock poorly.
///
/// Everything that is recorded is chained by hashes, and the end of the chain is signed by this
/// station's key, `station.key` beside the file, which is made when it is first needed.
pub struct SqlLedger {
    database: Box<dyn Database>,
    place: String,
    station: Station,
    ignore_clock: bool,
    /// The head that was signed here, or believed, last.
    known: Option<SignedHead>,
}

/// A [`SqlLedger`], by the name of where it is kept most often.
pub type SqliteLedger = SqlLedger;

/// Where this station's key is.
enum Station {
    Held(StationKey),
    /// Read, or made, when it is needed.
    InFile(PathBuf),
}

impl Station {
    fn key(&mut self) -> Result<&StationKey, StorageFault> {
        if let Self::InFile(path) = self {
            let key = StationKey::open_or_create(path);
            *self = Self::Held(key.map_err(|error| StorageFault::Other(error.into()))?);
        }
        match self {
            Self::Held(key) => Ok(key),
            Self::InFile(path) => Err(damaged(&path.display())),
        }
    }
}

impl SqlLedger {
    /// Makes an empty ledger in a file where nothing is yet, readable by its owner only, and opens
    /// it.
    ///
    /// Apart from [`open`](Self::open) for a reason: a mistyped path must not pass for a ledger
    /// that has seen no device.
    ///
    /// # Errors
    ///
    /// [`OpenError::AlreadyExists`] and others; nothing is left behind then.
    pub fn create(path: &Path) -> Result<Self, OpenError> {
        Sqlite::create(path)?;
        Self::open(path)
    }

    /// Opens a ledger in a file that is there.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if there is none, or if it is not one this program can write to.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let database = Box::new(Sqlite::open(path)?);
        let station = Station::InFile(path.with_file_name(STATION_KEY));
        let place = path.display().to_string();
        let mut ledger = Self { database, place, station, ignore_clock: false, known: None };
        migration::bring_up_to_date(&mut ledger)?;
        Ok(ledger)
    }

    /// Opens a ledger in a file that is there, of this version of the program, to look at it alone: an
    /// auditor's copy, or one on a medium that cannot be written. While somebody writes to it from
    /// elsewhere, it has to be in a directory that can be written to.
    ///
    /// # Errors
    ///
    /// [`OpenError`]; [`OpenError::OlderSchema`] if only [`open`](Self::open) can bring its tables to
    /// this version.
    pub fn open_to_read(path: &Path) -> Result<Self, OpenError> {
        let database = Box::new(Sqlite::open_to_read(path)?);
        let station = Station::InFile(path.with_file_name(STATION_KEY));
        let place = path.display().to_string();
        Ok(Self { database, place, station, ignore_clock: false, known: None })
    }

    /// Makes an empty ledger in a PostgreSQL database, in the schema that is searched first, and
    /// opens it.
    ///
    /// # Errors
    ///
    /// [`OpenError::AlreadyExists`] and others; nothing is left behind then.
    pub fn create_in(url: &PostgresUrl, station_key: &Path) -> Result<Self, OpenError> {
        Postgres::create(url)?;
        Self::connect(url, station_key)
    }

    /// Opens a ledger in a PostgreSQL database. Its end is signed by the key in `station_key`, which
    /// is made if there is none.
    ///
    /// A connection that was lost is made again at the next call; the call in which it is lost says
    /// so ([`StorageFault::Unreachable`]), and may be repeated.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if there is none, or if it is not one this program can write to.
    pub fn connect(url: &PostgresUrl, station_key: &Path) -> Result<Self, OpenError> {
        Self::connect_for(Access::Write, url, station_key)
    }

    /// The same, to look at it alone: a role that may read is enough.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if there is none.
    pub fn connect_to_read(url: &PostgresUrl, station_key: &Path) -> Result<Self, OpenError> {
        Self::connect_for(Access::Read, url, station_key)
    }

    fn connect_for(
        access: Access,
        url: &PostgresUrl,
        station_key: &Path,
    ) -> Result<Self, OpenError> {
        let database = Box::new(Postgres::open(url, access)?);
        let station = Station::InFile(station_key.to_owned());
        Ok(Self { database, place: url.to_string(), station, ignore_clock: false, known: None })
    }

    /// Brings the tables of a ledger in PostgreSQL to the version of this program, all or nothing.
    /// Nothing that is recorded is changed. For the tables' owner; stations of earlier versions find
    /// a newer ledger after it, and say so. Returns the version before.
    ///
    /// (A ledger in a file is brought to it by opening it.)
    ///
    /// # Errors
    ///
    /// [`OpenError`]; nothing is changed then.
    pub fn upgrade_in(url: &PostgresUrl) -> Result<i32, OpenError> {
        Postgres::upgrade(url)
    }

    /// A ledger that is gone with the value: for tests and simulations.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if there is no memory for it.
    pub fn open_in_memory() -> Result<Self, OpenError> {
        let place = IN_MEMORY.to_owned();
        let station = StationKey::generate().map_err(|error| StorageError {
            place: place.clone(),
            fault: StorageFault::Other(error.into()),
        })?;
        let database = Box::new(Sqlite::in_memory()?);
        Ok(Self {
            database,
            place,
            station: Station::Held(station),
            ignore_clock: false,
            known: None,
        })
    }

    /// Has the end of the chain signed by the key in this file, which is made if there is none.
    pub fn sign_by(&mut self, station_key: &Path) {
        self.station = Station::InFile(station_key.to_owned());
    }

    /// The key by which this station signs.
    ///
    /// # Errors
    ///
    /// [`StorageError`] if it cannot be read or made.
    pub fn station_key(&mut self) -> Result<PublicKey, StorageError> {
        let key = self.station.key().map(|key| *key.public_key());
        key.map_err(|fault| self.failed(fault))
    }

    /// Records even though the clock is behind the last entry. Only for a ledger whose last entry
    /// was made by a clock that was ahead.
    pub const fn ignore_clock(&mut self, ignore: bool) {
        self.ignore_clock = ignore;
    }

    /// Where it is: a path, or what else names it.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// How long to wait for another program that writes at the same time. Five seconds if this is
    /// not called; a write takes milliseconds.
    ///
    /// # Errors
    ///
    /// [`StorageError`], which does not happen on an open ledger.
    pub fn set_patience(&mut self, patience: Duration) -> Result<(), StorageError> {
        self.database.set_patience(patience).map_err(|fault| self.failed(fault))
    }

    /// As [`record_issued`](Ledger::record_issued), for a device made in a lot. In which lot it was
    /// made is recorded with its certificate, once.
    ///
    /// # Errors
    ///
    /// As [`record_issued`](Ledger::record_issued).
    pub fn record_issued_in(
        &mut self,
        lot: Option<&Lot>,
        chain: &Chain,
        at_s: u64,
    ) -> Result<(), RecordIssuedError> {
        self.record(&Issuance { chain, lot, replace: false }, at_s)
    }

    /// Records a certificate before it leaves the station, as
    /// [`record_issued`](Ledger::record_issued) does, with all that may be said of it.
    ///
    /// # Errors
    ///
    /// As [`record_issued`](Ledger::record_issued), and if the lot does not take the device.
    pub fn record(&mut self, issuance: &Issuance<'_>, at_s: u64) -> Result<(), RecordIssuedError> {
        self.write(at_s, |session| {
            let new = NewEntry::on_the_line(issuance, session.at_s());
            add_entry(session, &new)
        })
    }

    pub(crate) fn read<T, E: From<StorageError>>(
        &mut self,
        work: impl FnOnce(&mut Reading<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        Reading::within(&mut *self.database, &self.place, work)
    }

    pub(crate) fn write<T, E: From<StorageError>>(
        &mut self,
        at_s: u64,
        work: impl FnOnce(&mut Writing<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let Self { database, place, station, ignore_clock, known } = self;
        let failed = |fault| StorageError { place: place.clone(), fault };
        let station = station.key().map_err(failed)?;
        let writer = Writer { station, at_s, ignore_clock: *ignore_clock, known };
        Writing::within(&mut **database, place, writer, work)
    }

    pub(crate) fn failed(&self, fault: StorageFault) -> StorageError {
        StorageError { place: self.place.clone(), fault }
    }
}

/// A certificate that is to be recorded for a device on the line.
#[derive(Debug, Clone, Copy)]
pub struct Issuance<'a> {
    /// The certificate.
    pub chain: &'a Chain,
    /// The lot the device is made in.
    pub lot: Option<&'a Lot>,
    /// The operator's word that a device which is known has a new key: the certificate it has is
    /// revoked (`superseded`) with the same stroke.
    pub replace: bool,
}

/// A certificate that is to be recorded, wherever it was issued.
pub(crate) struct NewEntry<'a> {
    pub(crate) chain: &'a Chain,
    pub(crate) lot: Option<&'a Lot>,
    pub(crate) replace: bool,
    /// Whose place it takes: a row of `lease`.
    pub(crate) lease: Option<i64>,
    pub(crate) issued_at_s: u64,
}

impl<'a> NewEntry<'a> {
    /// One that is made now, on this line.
    pub(crate) const fn on_the_line(issuance: &Issuance<'a>, at_s: u64) -> Self {
        let Issuance { chain, lot, replace } = *issuance;
        Self { chain, lot, replace, lease: None, issued_at_s: at_s }
    }
}

/// Looks for what the unique indexes would refuse, so as to name it: in the order in which it
/// matters, for a key on two devices stops the line. Nobody can come between this and the
/// insertion; and if it were wrong, the indexes would still refuse.
pub(crate) fn add_entry(
    session: &mut Writing<'_>,
    new: &NewEntry<'_>,
) -> Result<(), RecordIssuedError> {
    let NewEntry { chain, lot, replace, lease, issued_at_s } = *new;
    let (key, device) = (chain.public_key().as_sec1(), chain.device());
    if let Some(weakness) = weak_key(chain.public_key()) {
        return Err(RecordIssuedError::WeakKey { device: device.clone(), weakness });
    }
    let leaf_sha256 = chain.leaf_sha256();
    let has_one = |entry: Entry| RecordIssuedError::DeviceHasCertificate {
        device: entry.device,
        cert_serial: entry.cert_serial,
    };
    if let Some(StoredEntry { entry, .. }) = find(session, query::ENTRY_BY_KEY, key.into())? {
        return match entry {
            entry if entry.leaf_sha256 == leaf_sha256 => Ok(()),
            entry if entry.device != *device => {
                Err(RecordIssuedError::KeyElsewhere { device: device.clone(), other: entry.device })
            }
            entry => Err(has_one(entry)),
        };
    }
    let before = find(session, query::ENTRY_BY_DEVICE, device.as_str().into())?;
    if let (Some(before), false) = (&before, replace) {
        return Err(has_one(before.entry.clone()));
    }
    let serial = chain.cert_serial().as_bytes();
    if let Some(StoredEntry { entry, .. }) = find(session, query::ENTRY_BY_SERIAL, serial.into())? {
        return Err(RecordIssuedError::CertSerialTaken {
            cert_serial: entry.cert_serial,
            other: entry.device,
        });
    }
    let place = lots::place(session, lot, before.as_ref(), lease.is_some())?;
    let generation = match &before {
        Some(before) => {
            supersede(session, before)?;
            before.generation + 1
        }
        None => 1,
    };
    let upper_chain = upper_chain_id(session, chain)?;
    let entry = session.add(
        Kind::Entry,
        &[
            device.as_str().into(),
            key.into(),
            serial.into(),
            chain.leaf().into(),
            (&leaf_sha256).into(),
            upper_chain.into(),
            to_sql_time(chain.not_after()).into(),
            to_sql_time(issued_at_s).into(),
            generation.into(),
            (&issuer_key_id_of(chain.leaf())).into(),
        ],
    )?;
    // First: with it the place is no more one that is kept.
    if let Some(lease) = lease {
        session.add(Kind::LeaseUse, &[entry.into(), lease.into()])?;
    }
    if let Some(place) = place {
        let member = [entry.into(), (&place.lot).into(), place.number.into()];
        session.add(Kind::LotMember, &member)?;
    }
    Ok(())
}

/// The certificate before is on the CRL from now on.
fn supersede(session: &mut Writing<'_>, before: &StoredEntry) -> Result<(), StorageError> {
    let leaf = session.first(query::CHAIN, &[before.id.into()], |row| row.blob(0))?;
    let device = before.entry.device.as_str();
    revoke_leaf(session, &leaf.unwrap_or_default(), device, SUPERSEDED)
}

fn upper_chain_id(session: &mut Writing<'_>, chain: &Chain) -> Result<i64, StorageError> {
    let issuers = chain.issuers().concat();
    let values: [Value<'_>; 2] = [(&issuers).into(), chain.anchor().into()];
    match session.first(query::FIND_UPPER_CHAIN, &values, |row| row.int(0))? {
        Some(id) => Ok(id),
        None => session.add(Kind::UpperChain, &values),
    }
}

pub(crate) fn find(
    session: &mut Reading<'_>,
    statement: &'static str,
    key: Value<'_>,
) -> Result<Option<StoredEntry>, StorageError> {
    session.first(statement, &[key], StoredEntry::from_row)
}

pub(crate) fn add_proof(
    session: &mut Writing<'_>,
    enrolled: &Enrolled,
) -> Result<Receipt, RecordEnrolledError> {
    let device = enrolled.device();
    let by_device = find(session, query::ENTRY_BY_DEVICE, device.as_str().into())?;
    let Some(StoredEntry { id, entry, .. }) = by_device else {
        return Err(RecordEnrolledError::NotIssued { device: device.clone() });
    };
    if entry.leaf_sha256 != *enrolled.leaf_sha256() {
        return Err(RecordEnrolledError::OtherCertificate {
            device: device.clone(),
            expected: entry.cert_serial,
            found: enrolled.cert_serial().clone(),
        });
    }
    if revocation_of_entry(session, id)?.is_some() {
        return Err(RecordEnrolledError::Revoked {
            device: device.clone(),
            cert_serial: entry.cert_serial,
        });
    }
    let latest = session
        .first(query::LATEST_PROOF, &[id.into()], |row| Ok((row.digest(0)?, row.natural(1)?)))?;
    match latest {
        Some((delivery_sha256, proven_at_s)) if delivery_sha256 == *enrolled.delivery_sha256() => {
            return Ok(Receipt::new(enrolled, proven_at_s));
        }
        _ => {}
    }
    let at_s = session.at_s();
    let proof = [id.into(), enrolled.delivery_sha256().into(), to_sql_time(at_s).into()];
    session.add(Kind::Proof, &proof)?;
    Ok(Receipt::new(enrolled, at_s))
}

fn standing(
    session: &mut Reading<'_>,
    device: &DeviceSerial,
    public_key: &PublicKey,
) -> Result<Standing, StorageError> {
    let by_key = find(session, query::ENTRY_BY_KEY, public_key.as_sec1().into())?;
    if let Some(StoredEntry { entry, .. }) = &by_key
        && entry.device != *device
    {
        return Ok(Standing::KeyElsewhere { device: entry.device.clone() });
    }
    let Some(StoredEntry { id, entry, .. }) =
        find(session, query::ENTRY_BY_DEVICE, device.as_str().into())?
    else {
        return Ok(Standing::Unknown);
    };
    if entry.public_key != *public_key {
        return Ok(Standing::OtherKey { known: entry.public_key });
    }
    let chain = session.first(query::CHAIN, &[id.into()], chain_from_row)?;
    let chain = match chain {
        Some(chain) if chain.leaf_sha256() == entry.leaf_sha256 => chain,
        _ => {
            let changed = "a certificate does not match its recorded digest";
            return Err(session.failed(damaged(changed)));
        }
    };
    let delivery_sha256 = entry.delivery_sha256().copied();
    Ok(Standing::Live(LiveCertificate { chain, delivery_sha256 }))
}

impl Ledger for SqlLedger {
    fn standing(
        &mut self,
        device: &DeviceSerial,
        public_key: &PublicKey,
    ) -> Result<Standing, StorageError> {
        self.read(|session| standing(session, device, public_key))
    }

    fn record_issued(&mut self, chain: &Chain, at_s: u64) -> Result<(), RecordIssuedError> {
        self.record_issued_in(None, chain, at_s)
    }

    fn record_enrolled(
        &mut self,
        enrolled: &Enrolled,
        at_s: u64,
    ) -> Result<Receipt, RecordEnrolledError> {
        self.write(at_s, |session| add_proof(session, enrolled))
    }

    fn find(&mut self, device: &DeviceSerial) -> Result<Option<Entry>, StorageError> {
        self.read(|session| {
            let found = find(session, query::ENTRY_BY_DEVICE, device.as_str().into())?;
            Ok(found.map(|StoredEntry { entry, .. }| entry))
        })
    }

    fn entries(&mut self) -> Result<Vec<Entry>, StorageError> {
        self.read(|session| {
            session.all(query::ENTRIES, &[], |row| Ok(StoredEntry::from_row(row)?.entry))
        })
    }
}

impl fmt::Debug for SqlLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlLedger").field("place", &self.place).finish_non_exhaustive()
    }
}

/// CRLReason superseded (RFC 5280 section 5.3.1).
const SUPERSEDED: u8 = 4;

const STATION_KEY: &str = "station.key";
