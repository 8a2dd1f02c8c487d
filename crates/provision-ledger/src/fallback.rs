//! The file in which a station goes on while its server is away.
//!
//! It is a ledger like any other, with the same rules, chained and signed by the station. What makes
//! it a fallback is that it knows which of its rows the server has (`forwarded`), and what the
//! station may do by itself (`lease`).

use std::path::Path;

use provision_station::evidence::{Chain, Enrolled, LiveCertificate, Standing};
use provision_wire::DeviceSerial;
use thiserror::Error;

use crate::certificates::revocation_of_entry;
use crate::chain::Kind;
use crate::conflict::{self, ConflictRecord};
use crate::database::{Row, to_sql_time};
use crate::leases::{self, Lease, LeaseHolder, LeaseTerms};
use crate::ledger::{
    Ledger as _, Receipt, RecordEnrolledError, RecordIssuedError, StorageError, StorageFault,
};
use crate::lot::Lot;
use crate::lots::{LotCheckError, LotRefusal};
use crate::open_error::OpenError;
use crate::query;
use crate::row::{StoredEntry, chain_from_row};
use crate::session::{Reading, Writing};
use crate::sql_ledger::{NewEntry, SqlLedger, add_entry, add_proof, find};

/// A station's own file, for when its server is away.
#[derive(Debug)]
pub struct Fallback {
    pub(crate) ledger: SqlLedger,
    holder: LeaseHolder,
}

/// There is no file to go on in.
#[derive(Debug, Error)]
pub enum FallbackError {
    /// It cannot be opened or made.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It is a ledger in its own right.
    #[error("{place} is a ledger in its own right, and not what a station goes on in")]
    NotAFallback {
        /// Which file.
        place: String,
    },
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(getrandom::Error),
}

/// What a merge did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Merged {
    /// Certificates that the server did not know.
    pub certificates: u64,
    /// Proofs that the server did not know.
    pub proofs: u64,
    /// What could not stand beside what the server knows.
    pub conflicts: Vec<ConflictRecord>,
    /// Leased places that were not used, and are free again.
    pub returned: u64,
}

impl Merged {
    /// Whether there was anything to tell.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.certificates == 0 && self.proofs == 0 && self.conflicts.is_empty()
    }
}

impl Fallback {
    /// Opens the file, or makes it; `station_key` signs it, `server` says for people which server it
    /// stands in for.
    ///
    /// # Errors
    ///
    /// [`FallbackError`] if the file is something else.
    pub fn open_or_create(
        path: &Path,
        station_key: &Path,
        server: &str,
        at_s: u64,
    ) -> Result<Self, FallbackError> {
        match SqlLedger::create(path) {
            Ok(_) | Err(OpenError::AlreadyExists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        let mut ledger = SqlLedger::open(path)?;
        ledger.sign_by(station_key);
        if let Some(holder) = holder_of(&mut ledger)? {
            return Ok(Self { ledger, holder });
        }
        if ledger.signed_head()?.is_some() {
            return Err(FallbackError::NotAFallback { place: ledger.place().to_owned() });
        }
        let mut holder = LeaseHolder([0; 16]);
        getrandom::fill(&mut holder.0).map_err(FallbackError::Random)?;
        ledger.write(at_s, |session| -> Result<(), StorageError> {
            let row = [(&holder.0).into(), server.into(), to_sql_time(at_s).into()];
            session.add(Kind::Fallback, &row)?;
            Ok(())
        })?;
        Ok(Self { ledger, holder })
    }

    /// Opens a file that is there.
    ///
    /// # Errors
    ///
    /// [`FallbackError`] if there is none, or if it is something else.
    pub fn open(path: &Path, station_key: &Path) -> Result<Self, FallbackError> {
        let mut ledger = SqlLedger::open(path)?;
        ledger.sign_by(station_key);
        match holder_of(&mut ledger)? {
            Some(holder) => Ok(Self { ledger, holder }),
            None => Err(FallbackError::NotAFallback { place: ledger.place().to_owned() }),
        }
    }

    /// Whose leases are this file's.
    #[must_use]
    pub const fn holder(&self) -> LeaseHolder {
        self.holder
    }

    /// The ledger in the file, to look at.
    pub const fn ledger(&mut self) -> &mut SqlLedger {
        &mut self.ledger
    }

    /// The lease under which the station may go on by itself, if it has one.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub fn lease(&mut self) -> Result<Option<Lease>, StorageError> {
        let holder = self.holder;
        self.ledger.read(|session| open_lease(session, holder))
    }

    /// How many devices the server is to hear of: they have a leased place, or a proof, that it may
    /// not know.
    pub(crate) fn waiting(&mut self) -> Result<u64, StorageError> {
        let count = self
            .ledger
            .read(|session| session.first(query::COUNT_WAITING, &[], |row| row.natural(0)))?;
        Ok(count.unwrap_or(0))
    }

    /// Leases places of the server, and notes them here.
    ///
    /// If the station dies in between, the server keeps them until the next [`merge`](Self::merge).
    ///
    /// # Errors
    ///
    /// [`LotCheckError`].
    pub(crate) fn lease_from(
        &mut self,
        server: &mut SqlLedger,
        terms: &LeaseTerms<'_>,
        at_s: u64,
    ) -> Result<Option<Lease>, LotCheckError> {
        let Some(mut lease) = server.lease(terms, at_s)? else { return Ok(None) };
        self.ledger.write(at_s, |session| lease.add(session))?;
        Ok(Some(lease))
    }

    /// Ends the lease here, so that it is not used any more whatever happens next. Only then may the
    /// server hear of it.
    pub(crate) fn give_up_lease(&mut self, at_s: u64) -> Result<(), StorageError> {
        let holder = self.holder;
        self.ledger.write(at_s, |session| {
            let open = leases::open_leases(session, holder)?;
            open.iter().try_for_each(|lease| leases::end(session, lease))
        })
    }

    /// Notes certificates before the server is asked to record them. What this file refuses, the
    /// server decides.
    pub(crate) fn keep(
        &mut self,
        lot: &Lot,
        chains: &[&Chain],
        at_s: u64,
    ) -> Result<(), StorageError> {
        self.ledger.write(at_s, |session| {
            chains.iter().try_for_each(|chain| {
                let new = NewEntry {
                    chain,
                    lot: Some(lot),
                    replace: false,
                    lease: None,
                    issued_at_s: at_s,
                };
                match add_entry(session, &new) {
                    Err(RecordIssuedError::Storage(error)) => Err(error),
                    _ => Ok(()),
                }
            })
        })
    }

    /// Notes a certificate that the server has, and that it has it.
    pub(crate) fn keep_known(&mut self, chain: &Chain, at_s: u64) -> Result<(), StorageError> {
        let new = NewEntry { chain, lot: None, replace: true, lease: None, issued_at_s: at_s };
        let kept = self.ledger.write(at_s, |session| {
            add_entry(session, &new)?;
            match entry_of(session, chain.leaf_sha256())? {
                Some(entry) => Ok::<_, RecordIssuedError>(mark(session, "entry", entry, KNOWN)?),
                None => Ok(()),
            }
        });
        match kept {
            Err(RecordIssuedError::Storage(error)) => Err(error),
            _ => Ok(()),
        }
    }

    /// Notes proofs that the server has.
    pub(crate) fn keep_proofs(
        &mut self,
        proven: &[&Enrolled],
        at_s: u64,
    ) -> Result<(), StorageError> {
        self.ledger.write(at_s, |session| {
            proven.iter().try_for_each(|enrolled| match keep_proof(session, enrolled) {
                Err(RecordEnrolledError::Storage(error)) => Err(error),
                _ => Ok(()),
            })
        })
    }

    /// Whether a device may be made now, without the server.
    pub(crate) fn check_lot(
        &mut self,
        lot: &Lot,
        profile: &str,
        now_s: u64,
    ) -> Result<(), LotCheckError> {
        let lease = self.lease()?.ok_or_else(|| LotRefusal::NoLease { lot: lot.clone() })?;
        lease.is_for(lot, profile)?;
        Ok(lease.takes_another(now_s)?)
    }

    /// Records a certificate without the server: it takes a leased place.
    pub(crate) fn record(
        &mut self,
        lot: &Lot,
        profile: &str,
        chain: &Chain,
        at_s: u64,
    ) -> Result<(), RecordIssuedError> {
        let holder = self.holder;
        self.ledger.write(at_s, |session| record(session, holder, lot, profile, chain))
    }

    /// What is known of a device here. A certificate that the server may not have takes a leased
    /// place before it is delivered.
    pub(crate) fn standing(
        &mut self,
        device: &DeviceSerial,
        public_key: &provision_csr::PublicKey,
        lot: &Lot,
        profile: &str,
        at_s: u64,
    ) -> Result<Standing, LotCheckError> {
        let standing = self.ledger.standing(device, public_key)?;
        if let Standing::Live(LiveCertificate { chain, .. }) = &standing {
            let (holder, leaf_sha256) = (self.holder, chain.leaf_sha256());
            self.ledger.write(at_s, |session| match entry_of(session, leaf_sha256)? {
                Some(entry) => back(session, entry, holder, lot, profile),
                None => Ok(()),
            })?;
        }
        Ok(standing)
    }

    /// Records a proof without the server.
    pub(crate) fn record_enrolled(
        &mut self,
        enrolled: &Enrolled,
        at_s: u64,
    ) -> Result<Receipt, RecordEnrolledError> {
        self.ledger.record_enrolled(enrolled, at_s)
    }

    /// Brings everything that was recorded here to the server, all or nothing, and gives back what is
    /// left of the lease. Again changes nothing; and if this program dies within, again completes it.
    ///
    /// # Errors
    ///
    /// [`StorageError`], of this file or of the server; what was not merged is still here.
    pub fn merge(&mut self, server: &mut SqlLedger, at_s: u64) -> Result<Merged, StorageError> {
        let holder = self.holder;
        let (merged, entries, proofs) = server.write(at_s, |session| {
            // First here, and not before the server is ours: nobody uses a place that it may give
            // away, and a server that does not answer leaves the station its lease.
            self.give_up_lease(at_s)?;
            let (entries, proofs) = self.ledger.read(|session| -> Result<_, StorageError> {
                Ok((
                    session.all(query::ENTRIES_TO_FORWARD, &[], KeptEntry::from_row)?,
                    session.all(query::PROOFS_TO_FORWARD, &[], KeptProof::from_row)?,
                ))
            })?;
            let (merged, outcomes) = merge_into(session, holder, &entries, &proofs)?;
            let entries: Vec<_> = entries.into_iter().zip(outcomes).collect();
            Ok::<_, StorageError>((merged, entries, proofs))
        })?;
        // Dying here has all of it looked for again, and found.
        self.ledger.write(at_s, |session| -> Result<(), StorageError> {
            for (kept, outcome) in &entries {
                mark(session, "entry", kept.id, *outcome)?;
                if *outcome != KNOWN {
                    conflict::hold(session, &kept.chain)?;
                }
            }
            proofs.iter().try_for_each(|kept| mark(session, "proof", kept.id, KNOWN))
        })?;
        Ok(merged)
    }
}

/// Records a certificate in the file alone. Refused before anything is written, if it is.
pub(crate) fn record(
    session: &mut Writing<'_>,
    holder: LeaseHolder,
    lot: &Lot,
    profile: &str,
    chain: &Chain,
) -> Result<(), RecordIssuedError> {
    let known = entry_of(session, chain.leaf_sha256())?;
    if let Some(entry) = known {
        return back(session, entry, holder, lot, profile).map_err(Into::into);
    }
    // Before anything that may pass: a clone stops the line.
    let by_key = find(session, query::ENTRY_BY_KEY, chain.public_key().as_sec1().into())?;
    if let Some(StoredEntry { entry, .. }) = by_key
        && entry.device != *chain.device()
    {
        let device = chain.device().clone();
        return Err(RecordIssuedError::KeyElsewhere { device, other: entry.device });
    }
    let lease = usable_lease(session, holder, lot, profile)?;
    let new = NewEntry {
        chain,
        lot: Some(lot),
        replace: false,
        lease: Some(lease.sql_id()),
        issued_at_s: session.at_s(),
    };
    add_entry(session, &new)
}

fn keep_proof(session: &mut Writing<'_>, enrolled: &Enrolled) -> Result<(), RecordEnrolledError> {
    let Some(entry) = entry_of(session, *enrolled.leaf_sha256())? else { return Ok(()) };
    add_proof(session, enrolled)?;
    mark(session, "entry", entry, KNOWN)?;
    let proof = session.first(query::LAST_PROOF_ID, &[entry.into()], |row| row.int(0))?;
    if let Some(proof) = proof {
        mark(session, "proof", proof, KNOWN)?;
    }
    Ok(())
}

/// A certificate that the server may not know.
struct KeptEntry {
    id: i64,
    chain: Chain,
    issued_at_s: u64,
    lot: Option<Lot>,
    /// The number of the lease that it has a place of.
    lease: Option<u64>,
}

impl KeptEntry {
    fn from_row(row: &mut Row) -> Result<Self, StorageFault> {
        let chain = chain_from_row(row)?;
        let lot = if row.is_null(5) { None } else { Some(crate::lots::lot_from(row, 5)?) };
        Ok(Self {
            id: row.int(3)?,
            chain,
            issued_at_s: row.natural(4)?,
            lot,
            lease: row.optional(6, Row::natural)?,
        })
    }
}

/// A proof that the server may not know.
struct KeptProof {
    id: i64,
    leaf_sha256: [u8; 32],
    delivery_sha256: [u8; 32],
    proven_at_s: u64,
}

impl KeptProof {
    fn from_row(row: &mut Row) -> Result<Self, StorageFault> {
        Ok(Self {
            id: row.int(0)?,
            leaf_sha256: row.digest(1)?,
            delivery_sha256: row.digest(2)?,
            proven_at_s: row.natural(3)?,
        })
    }
}

/// At the server: what is not there yet is added, what cannot stand is put on record as such.
fn merge_into(
    session: &mut Writing<'_>,
    holder: LeaseHolder,
    entries: &[KeptEntry],
    proofs: &[KeptProof],
) -> Result<(Merged, Vec<i64>), StorageError> {
    let mut merged = Merged::default();
    let mut outcomes = vec![KNOWN; entries.len()];
    // Those that have a place, then what is left of the places, then those that never left the
    // station: they take what is free.
    for leased in [true, false] {
        for (kept, outcome) in entries.iter().zip(&mut outcomes) {
            if kept.lease.is_some() == leased {
                *outcome = merge_entry(session, holder, kept, &mut merged)?;
            }
        }
        for lease in leases::open_leases(session, holder)? {
            merged.returned += lease.left();
            leases::end(session, &lease)?;
        }
    }
    for kept in proofs {
        merge_proof(session, kept, &mut merged)?;
    }
    Ok((merged, outcomes))
}

fn merge_entry(
    session: &mut Writing<'_>,
    holder: LeaseHolder,
    kept: &KeptEntry,
    merged: &mut Merged,
) -> Result<i64, StorageError> {
    let leaf_sha256 = kept.chain.leaf_sha256();
    if entry_of(session, leaf_sha256)?.is_some() {
        return Ok(KNOWN);
    }
    if let Some(record) = conflict::find(session, &leaf_sha256)? {
        merged.conflicts.push(record);
        return Ok(CONFLICT);
    }
    let lease = match kept.lease {
        Some(number) => {
            let key = [(&holder.0).into(), to_sql_time(number).into()];
            let lease = session.first(query::LEASE_BY_NUMBER, &key, Lease::from_row)?;
            lease.filter(|lease| lease.ended_at_s.is_none() && lease.left() > 0)
        }
        None => None,
    };
    let new = NewEntry {
        chain: &kept.chain,
        lot: kept.lot.as_ref(),
        replace: false,
        lease: lease.map(|lease| lease.sql_id()),
        issued_at_s: kept.issued_at_s,
    };
    match add_entry(session, &new) {
        Ok(()) => {
            merged.certificates += 1;
            Ok(KNOWN)
        }
        Err(refusal) => {
            let cause = conflict::cause_of(refusal)?;
            if kept.lease.is_none() {
                return Ok(WITHDRAWN);
            }
            let record = conflict::add(session, &kept.chain, cause, kept.issued_at_s)?;
            merged.conflicts.push(record);
            Ok(CONFLICT)
        }
    }
}

fn merge_proof(
    session: &mut Writing<'_>,
    kept: &KeptProof,
    merged: &mut Merged,
) -> Result<(), StorageError> {
    let stored = find(session, query::ENTRY_BY_SHA256, (&kept.leaf_sha256).into())?;
    // Of a certificate that is a conflict: that is on record as such.
    let Some(StoredEntry { id, entry, .. }) = stored else { return Ok(()) };
    let proof = [id.into(), (&kept.delivery_sha256).into()];
    if session.first(query::PROOF, &proof, |row| row.int(0))?.is_some() {
        return Ok(());
    }
    if revocation_of_entry(session, id)?.is_some()
        && let Some(chain) = session.first(query::CHAIN, &[id.into()], chain_from_row)?
    {
        let record = match conflict::find(session, &kept.leaf_sha256)? {
            Some(record) => record,
            None => {
                let cause = (conflict::ConflictCause::Revoked, entry.device.to_string());
                conflict::add(session, &chain, cause, entry.issued_at_s)?
            }
        };
        merged.conflicts.push(record);
        return Ok(());
    }
    let row = [id.into(), (&kept.delivery_sha256).into(), to_sql_time(kept.proven_at_s).into()];
    session.add(Kind::Proof, &row)?;
    merged.proofs += 1;
    Ok(())
}

/// The row of the certificate with that fingerprint.
fn entry_of(session: &mut Reading<'_>, leaf_sha256: [u8; 32]) -> Result<Option<i64>, StorageError> {
    let found = find(session, query::ENTRY_BY_SHA256, (&leaf_sha256).into())?;
    Ok(found.map(|stored| stored.id))
}

/// A certificate leaves this station only if the server has it, or a leased place is taken for it.
fn back(
    session: &mut Writing<'_>,
    entry: i64,
    holder: LeaseHolder,
    lot: &Lot,
    profile: &str,
) -> Result<(), LotCheckError> {
    match outcome_of(session, "entry", entry)? {
        Some(KNOWN) => return Ok(()),
        // The server refused it: a place of this station's does not make it good.
        Some(_) => return Err(LotRefusal::NoLease { lot: lot.clone() }.into()),
        None => {}
    }
    if session.first(query::LEASE_USE, &[entry.into()], |row| row.int(0))?.is_some() {
        return Ok(());
    }
    let lease = usable_lease(session, holder, lot, profile)?;
    session.add(Kind::LeaseUse, &[entry.into(), lease.sql_id().into()])?;
    Ok(())
}

fn usable_lease(
    session: &mut Writing<'_>,
    holder: LeaseHolder,
    lot: &Lot,
    profile: &str,
) -> Result<Lease, LotCheckError> {
    let lease = open_lease(session, holder)?;
    let lease = lease.ok_or_else(|| LotRefusal::NoLease { lot: lot.clone() })?;
    lease.is_for(lot, profile)?;
    lease.takes_another(session.at_s())?;
    Ok(lease)
}

fn open_lease(
    session: &mut Reading<'_>,
    holder: LeaseHolder,
) -> Result<Option<Lease>, StorageError> {
    Ok(leases::open_leases(session, holder)?.pop())
}

fn holder_of(ledger: &mut SqlLedger) -> Result<Option<LeaseHolder>, StorageError> {
    ledger
        .read(|session| session.first(query::FALLBACK, &[], |row| leases::holder_from_row(row, 0)))
}

/// What the server said to a row, if it knows it.
fn outcome_of(
    session: &mut Reading<'_>,
    table: &str,
    row: i64,
) -> Result<Option<i64>, StorageError> {
    session.first(query::OUTCOME, &[table.into(), row.into()], |row| row.int(0))
}

/// Says that the server has a row, unless that was said.
fn mark(
    session: &mut Writing<'_>,
    table: &str,
    row: i64,
    outcome: i64,
) -> Result<(), StorageError> {
    if outcome_of(session, table, row)?.is_some() {
        return Ok(());
    }
    let at_s = to_sql_time(session.at_s());
    session.add(Kind::Forwarded, &[table.into(), row.into(), outcome.into(), at_s.into()])?;
    Ok(())
}

const KNOWN: i64 = 1;
const CONFLICT: i64 = 2;
/// The server refuses it, and it never left this station: it is as if it had not been made.
const WITHDRAWN: i64 = 3;
