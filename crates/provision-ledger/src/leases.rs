//! Places of a lot that a station keeps for when its server is away.
//!
//! ```text
//!            lease                 use a place            end
//!   (free) ─────────► leased ─────────────────► taken
//!     ▲                 │
//!     └──────── end ────┘
//! ```

use core::fmt;

use crate::chain::Kind;
use crate::database::{Row, damaged, to_sql_time};
use crate::ledger::{StorageError, StorageFault};
use crate::lot::Lot;
use crate::lots::{LotCheckError, LotRefusal, LotsError, known_lot, lot_from};
use crate::query;
use crate::session::{Reading, Writing};
use crate::sql_ledger::SqlLedger;

/// Who has a lease: the file in which a station goes on by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseHolder(pub [u8; 16]);

impl fmt::Display for LeaseHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Places of a lot, kept for one station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Its number in the ledger.
    pub id: u64,
    /// Whose it is.
    pub holder: LeaseHolder,
    /// The holder's count of its leases, from 1 on.
    pub number: u64,
    /// The lot.
    pub lot: Lot,
    /// The lot's profile.
    pub profile: String,
    /// How many places.
    pub places: u64,
    /// How many of them are taken, as far as is known here.
    pub used: u64,
    /// When it was granted, in seconds since 1970-01-01 UTC.
    pub granted_at_s: u64,
    /// Until when the station may use it, in seconds since 1970-01-01 UTC.
    pub expires_at_s: u64,
    /// When it ended, in seconds since 1970-01-01 UTC.
    pub ended_at_s: Option<u64>,
}

impl Lease {
    /// How many places are left.
    #[must_use]
    pub const fn left(&self) -> u64 {
        self.places.saturating_sub(self.used)
    }

    /// Whether another device may be made under it now.
    pub(crate) fn takes_another(&self, now_s: u64) -> Result<(), LotRefusal> {
        let lot = || self.lot.clone();
        if now_s > self.expires_at_s {
            return Err(LotRefusal::LeaseExpired { lot: lot(), expires_at_s: self.expires_at_s });
        }
        if self.left() == 0 {
            return Err(LotRefusal::LeaseUsedUp { lot: lot(), places: self.places });
        }
        Ok(())
    }

    pub(crate) fn is_for(&self, lot: &Lot, profile: &str) -> Result<(), LotRefusal> {
        if self.lot != *lot {
            return Err(LotRefusal::NoLease { lot: lot.clone() });
        }
        if self.profile != profile {
            return Err(LotRefusal::OtherProfile {
                lot: lot.clone(),
                expected: self.profile.clone(),
                found: profile.to_owned(),
            });
        }
        Ok(())
    }

    pub(crate) fn sql_id(&self) -> i64 {
        to_sql_time(self.id)
    }

    pub(crate) fn from_row(row: &mut Row) -> Result<Self, StorageFault> {
        Ok(Self {
            id: row.natural(0)?,
            holder: holder_from_row(row, 1)?,
            number: row.natural(2)?,
            lot: lot_from(row, 3)?,
            profile: row.text(4)?,
            places: row.natural(5)?,
            used: row.natural(6)?,
            granted_at_s: row.natural(7)?,
            expires_at_s: row.natural(8)?,
            ended_at_s: row.optional(9, Row::natural)?,
        })
    }

    /// Adds it as a row; its `id` is that row's from then on.
    pub(crate) fn add(&mut self, session: &mut Writing<'_>) -> Result<(), StorageError> {
        let id = session.add(
            Kind::Lease,
            &[
                (&self.holder.0).into(),
                to_sql_time(self.number).into(),
                self.lot.as_str().into(),
                self.profile.as_str().into(),
                to_sql_time(self.places).into(),
                to_sql_time(self.granted_at_s).into(),
                to_sql_time(self.expires_at_s).into(),
            ],
        )?;
        self.id = id.unsigned_abs();
        Ok(())
    }
}

/// What a station would like to lease.
#[derive(Debug, Clone, Copy)]
pub struct LeaseTerms<'a> {
    /// For whom.
    pub holder: LeaseHolder,
    /// Of which lot.
    pub lot: &'a Lot,
    /// By which profile it makes devices.
    pub profile: &'a str,
    /// How many places at most.
    pub places: u64,
    /// For how long, in seconds.
    pub lasts_s: u64,
}

impl SqlLedger {
    /// Leases places of a lot: as many as are asked for, but no more than half of those that are
    /// free, so that the last ones are for whoever comes first. None if that is none.
    ///
    /// # Errors
    ///
    /// [`LotCheckError`]: the lot is for another profile, closed, or over; or nobody knows.
    pub fn lease(
        &mut self,
        terms: &LeaseTerms<'_>,
        at_s: u64,
    ) -> Result<Option<Lease>, LotCheckError> {
        let LeaseTerms { holder, lot, profile, places, lasts_s } = *terms;
        self.write(at_s, |session| {
            let unknown = || LotRefusal::Unknown { lot: lot.clone() };
            let known = known_lot(session, Some(lot))?.ok_or_else(unknown)?;
            let lot_terms = known.terms.as_ref().ok_or_else(unknown)?;
            known.is_for(profile)?;
            match known.takes_another(at_s) {
                Err(LotRefusal::Full { .. } | LotRefusal::Leased { .. }) => return Ok(None),
                other => other?,
            }
            let free = lot_terms.quota.saturating_sub(known.used).saturating_sub(known.leased);
            let places = places.min(free / 2);
            if places == 0 {
                return Ok(None);
            }
            let last =
                session.first(query::LAST_LEASE_OF_HOLDER, &[(&holder.0).into()], |row| {
                    row.natural(0)
                })?;
            let expires_at_s = at_s.saturating_add(lasts_s);
            let mut lease = Lease {
                id: 0,
                holder,
                number: last.unwrap_or(0) + 1,
                lot: lot.clone(),
                profile: profile.to_owned(),
                places,
                used: 0,
                granted_at_s: at_s,
                expires_at_s: lot_terms.not_after_s.unwrap_or(u64::MAX).min(expires_at_s),
                ended_at_s: None,
            };
            lease.add(session)?;
            Ok(Some(lease))
        })
    }

    /// Every lease that there was, oldest first.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub fn leases(&mut self) -> Result<Vec<Lease>, StorageError> {
        self.read(|session| session.all(query::LEASES, &[], Lease::from_row))
    }

    /// Ends a lease by the operator's word: for a station that will never come back. Its places are
    /// free again, and what it recorded by itself has none any more. Again changes nothing.
    ///
    /// # Errors
    ///
    /// [`LotsError::NoSuchLease`] and others.
    pub fn end_lease(&mut self, id: u64, at_s: u64) -> Result<Lease, LotsError> {
        self.write(at_s, |session| {
            let found = session.first(query::LEASE, &[to_sql_time(id).into()], Lease::from_row)?;
            let mut lease = found.ok_or(LotsError::NoSuchLease { lease: id })?;
            if lease.ended_at_s.is_none() {
                end(session, &lease)?;
                lease.ended_at_s = Some(at_s);
            }
            Ok(lease)
        })
    }
}

/// Ends a lease that has not ended.
pub(crate) fn end(session: &mut Writing<'_>, lease: &Lease) -> Result<(), StorageError> {
    let ended = [lease.sql_id().into(), to_sql_time(session.at_s()).into()];
    session.add(Kind::LeaseEnd, &ended)?;
    Ok(())
}

/// The leases of a holder that have not ended.
pub(crate) fn open_leases(
    session: &mut Reading<'_>,
    holder: LeaseHolder,
) -> Result<Vec<Lease>, StorageError> {
    session.all(query::OPEN_LEASES_OF_HOLDER, &[(&holder.0).into()], Lease::from_row)
}

pub(crate) fn holder_from_row(row: &mut Row, column: usize) -> Result<LeaseHolder, StorageFault> {
    let bytes = row.blob(column)?;
    bytes
        .try_into()
        .map(LeaseHolder)
        .map_err(|bytes: Vec<u8>| damaged(&format!("a holder of {} bytes", bytes.len())))
}
