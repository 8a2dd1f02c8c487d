//! Lots with terms: how many devices, of what, until when.

use thiserror::Error;

use crate::chain::Kind;
use crate::database::{Row, Value, to_sql_time};
use crate::ledger::{RecordIssuedError, StorageError, StorageFault};
use crate::lot::Lot;
use crate::query;
use crate::row::StoredEntry;
use crate::session::{Reading, Writing};
use crate::sql_ledger::SqlLedger;

/// What a lot is allowed. Never changed once it is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LotTerms {
    /// Its name.
    pub lot: Lot,
    /// How many devices it may have; at least one.
    pub quota: u64,
    /// Name of the profile its certificates are made by.
    pub profile: String,
    /// It takes no more devices after this, in seconds since 1970-01-01 UTC.
    pub not_after_s: Option<u64>,
}

/// A lot as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LotRecord {
    /// What it is allowed; `None` for a lot that is a name alone, without a quota.
    pub terms: Option<LotTerms>,
    /// Its name.
    pub lot: Lot,
    /// How many devices it has: each counts once, with however many certificates.
    pub used: u64,
    /// How many more are kept for stations, for when their server is away.
    pub leased: u64,
    /// How many of those it has have proven what they store.
    pub enrolled: u64,
    /// When it was made, in seconds since 1970-01-01 UTC.
    pub created_at_s: Option<u64>,
    /// When it was closed, in seconds since 1970-01-01 UTC.
    pub closed_at_s: Option<u64>,
}

/// How full a lot is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LotUse {
    /// Places that are taken.
    pub used: u64,
    /// How many there are.
    pub quota: u64,
}

impl LotRecord {
    /// Whether its certificates are made by that profile.
    pub(crate) fn is_for(&self, profile: &str) -> Result<(), LotRefusal> {
        match &self.terms {
            Some(terms) if terms.profile != profile => Err(LotRefusal::OtherProfile {
                lot: self.lot.clone(),
                expected: terms.profile.clone(),
                found: profile.to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Whether another device would be taken now.
    ///
    /// # Errors
    ///
    /// [`LotRefusal`] says why not.
    pub fn takes_another(&self, now_s: u64) -> Result<(), LotRefusal> {
        let Some(terms) = &self.terms else { return Ok(()) };
        let lot = || self.lot.clone();
        if let Some(closed_at_s) = self.closed_at_s {
            return Err(LotRefusal::Closed { lot: lot(), closed_at_s });
        }
        match terms.not_after_s {
            Some(not_after_s) if now_s > not_after_s => {
                return Err(LotRefusal::Expired { lot: lot(), not_after_s });
            }
            _ => {}
        }
        if self.used >= terms.quota {
            return Err(LotRefusal::Full { lot: lot(), quota: terms.quota });
        }
        if self.used.saturating_add(self.leased) >= terms.quota {
            return Err(LotRefusal::Leased { lot: lot(), leased: self.leased });
        }
        Ok(())
    }
}

/// A lot does not take a device. Nothing was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum LotRefusal {
    /// All its places are taken.
    #[error("lot {lot} is full: all {quota} places are taken")]
    Full {
        /// The lot.
        lot: Lot,
        /// How many devices it may have.
        quota: u64,
    },
    /// Those that are not taken are kept for stations whose server may go away.
    #[error("lot {lot} has no free place: the last {leased} are leased to stations")]
    Leased {
        /// The lot.
        lot: Lot,
        /// How many places are leased.
        leased: u64,
    },
    /// The server is away, and this station keeps no places of the lot.
    #[error("the server is away, and this station has leased no places of lot {lot}")]
    NoLease {
        /// The lot.
        lot: Lot,
    },
    /// The server is away, and all places that this station keeps are taken.
    #[error(
        "the server is away, and all {places} places of lot {lot} that this station leased are taken"
    )]
    LeaseUsedUp {
        /// The lot.
        lot: Lot,
        /// How many it had leased.
        places: u64,
    },
    /// The server is away for too long.
    #[error(
        "the server is away, and the lease of this station, of places of lot {lot}, has expired \
         ({expires_at_s} s since 1970)"
    )]
    LeaseExpired {
        /// The lot.
        lot: Lot,
        /// When, in seconds since 1970-01-01 UTC.
        expires_at_s: u64,
    },
    /// Its time is over.
    #[error("lot {lot} has expired: it took devices until {not_after_s} s since 1970")]
    Expired {
        /// The lot.
        lot: Lot,
        /// Until when, in seconds since 1970-01-01 UTC.
        not_after_s: u64,
    },
    /// It was closed.
    #[error("lot {lot} is closed")]
    Closed {
        /// The lot.
        lot: Lot,
        /// Since when, in seconds since 1970-01-01 UTC.
        closed_at_s: u64,
    },
    /// There is no such lot, where lots have terms.
    #[error("there is no lot {lot}, and this ledger has lots with quotas")]
    Unknown {
        /// What was asked for.
        lot: Lot,
    },
    /// No lot was named, where lots have terms.
    #[error("no lot is named, and this ledger has lots with quotas")]
    Needed,
    /// It is for another profile.
    #[error("lot {lot} is for the profile {expected}, not {found}")]
    OtherProfile {
        /// The lot.
        lot: Lot,
        /// Its profile.
        expected: String,
        /// The profile that was to be used.
        found: String,
    },
}

/// A lot was not made, closed or found.
#[derive(Debug, Error)]
pub enum LotsError {
    /// There is one of that name.
    #[error("there is a lot {lot} already")]
    AlreadyExists {
        /// Its name.
        lot: Lot,
    },
    /// A quota of none, or one that no number here can hold.
    #[error("a quota of {quota} devices is none")]
    NoQuota {
        /// What was asked for.
        quota: u64,
    },
    /// There is no such lease.
    #[error("there is no lease {lease}")]
    NoSuchLease {
        /// Its number in the ledger.
        lease: u64,
    },
    /// There is none of that name.
    #[error("there is no lot {lot}")]
    NotFound {
        /// What was asked for.
        lot: Lot,
    },
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl SqlLedger {
    /// Makes a lot. The same terms again change nothing. Devices that were made in a lot that was
    /// a name alone until now have their places.
    ///
    /// # Errors
    ///
    /// [`LotsError::AlreadyExists`] if it has other terms, and others.
    pub fn create_lot(&mut self, terms: &LotTerms, at_s: u64) -> Result<(), LotsError> {
        let quota = i64::try_from(terms.quota).ok().filter(|quota| *quota >= 1);
        let Some(quota) = quota else {
            return Err(LotsError::NoQuota { quota: terms.quota });
        };
        self.write(at_s, |session| {
            match find(session, &terms.lot)? {
                Some(known) if known.terms.as_ref() == Some(terms) => return Ok(()),
                Some(_) => return Err(LotsError::AlreadyExists { lot: terms.lot.clone() }),
                None => {}
            }
            session.add(
                Kind::Lot,
                &[
                    terms.lot.as_str().into(),
                    quota.into(),
                    terms.profile.as_str().into(),
                    terms.not_after_s.map(to_sql_time).into(),
                    to_sql_time(at_s).into(),
                ],
            )?;
            Ok(())
        })
    }

    /// Closes a lot for good: it takes no more devices. Again changes nothing.
    ///
    /// # Errors
    ///
    /// [`LotsError::NotFound`] and others.
    pub fn close_lot(&mut self, lot: &Lot, at_s: u64) -> Result<LotRecord, LotsError> {
        self.write(at_s, |session| {
            let missing = || LotsError::NotFound { lot: lot.clone() };
            let mut known = find(session, lot)?.ok_or_else(missing)?;
            if known.closed_at_s.is_none() {
                let closing = [lot.as_str().into(), to_sql_time(at_s).into()];
                session.add(Kind::LotClosed, &closing)?;
                known.closed_at_s = Some(at_s);
            }
            known.enrolled = enrolled(session, lot)?;
            Ok(known)
        })
    }

    /// How many places of a lot are taken; none if it has no quota. For who asks often: nothing is
    /// counted.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub fn lot_use(&mut self, lot: &Lot) -> Result<Option<LotUse>, StorageError> {
        let found = self.read(|session| find(session, lot))?;
        Ok(found.and_then(|LotRecord { terms, used, .. }| {
            terms.map(|LotTerms { quota, .. }| LotUse { used, quota })
        }))
    }

    /// A lot with terms, or one that devices were made in.
    ///
    /// # Errors
    ///
    /// [`LotsError::NotFound`] and others.
    pub fn lot(&mut self, lot: &Lot) -> Result<LotRecord, LotsError> {
        self.read(|session| {
            let found = match find(session, lot)? {
                Some(found) => Some(found),
                None => names_alone(session)?.into_iter().find(|one| one.lot == *lot),
            };
            let mut found = found.ok_or_else(|| LotsError::NotFound { lot: lot.clone() })?;
            found.enrolled = enrolled(session, lot)?;
            Ok(found)
        })
    }

    /// Every lot, those with terms first, oldest first.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub fn lots(&mut self) -> Result<Vec<LotRecord>, StorageError> {
        self.read(|session| {
            let mut lots = session.all(query::LOTS, &[], from_row)?;
            lots.extend(names_alone(session)?);
            for one in &mut lots {
                one.enrolled = enrolled(session, &one.lot)?;
            }
            Ok(lots)
        })
    }

    /// Whether a device may be made in a lot, by a profile, now: what
    /// [`record`](Self::record) will say, before anything is signed.
    ///
    /// # Errors
    ///
    /// [`LotCheckError`].
    pub fn check_lot(
        &mut self,
        lot: Option<&Lot>,
        profile: &str,
        now_s: u64,
    ) -> Result<(), LotCheckError> {
        self.read(|session| {
            let Some(known) = known_lot(session, lot)? else { return Ok(()) };
            known.is_for(profile)?;
            Ok(known.takes_another(now_s)?)
        })
    }
}

/// A lot does not take a device, or nobody knows.
#[derive(Debug, Error)]
pub enum LotCheckError {
    /// It does not.
    #[error(transparent)]
    Lot(#[from] LotRefusal),
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<LotCheckError> for RecordIssuedError {
    fn from(error: LotCheckError) -> Self {
        match error {
            LotCheckError::Lot(refusal) => Self::Lot(refusal),
            LotCheckError::Storage(error) => Self::Storage(error),
        }
    }
}

/// A device's place in a lot.
pub(crate) struct Place {
    pub(crate) lot: String,
    /// None for a later certificate of a device that has one.
    pub(crate) number: Option<i64>,
}

/// The place that a device gets with the certificate it is about to be given.
pub(crate) fn place(
    session: &mut Writing<'_>,
    lot: Option<&Lot>,
    before: Option<&StoredEntry>,
    under_lease: bool,
) -> Result<Option<Place>, LotCheckError> {
    // A device keeps the lot it was made in, and counts there once.
    if let Some(before) = before {
        let kept = session.first(query::LOT_OF_ENTRY, &[before.id.into()], |row| row.text(0))?;
        if let Some(lot) = kept {
            return Ok(Some(Place { lot, number: None }));
        }
    }
    // A leased place was counted when it was leased, and is taken whatever became of the lot.
    if !under_lease && let Some(known) = known_lot(session, lot)? {
        known.takes_another(session.at_s()).map_err(LotCheckError::from)?;
    }
    let Some(lot) = lot else { return Ok(None) };
    let last = session.first(query::LAST_PLACE, &[lot.as_str().into()], |row| row.int(0))?;
    Ok(Some(Place { lot: lot.as_str().to_owned(), number: Some(last.unwrap_or(0) + 1) }))
}

/// The lot with terms of that name; none if it is a name alone.
pub(crate) fn known_lot(
    session: &mut Reading<'_>,
    lot: Option<&Lot>,
) -> Result<Option<LotRecord>, LotCheckError> {
    if let Some(lot) = lot
        && let Some(known) = find(session, lot)?
    {
        return Ok(Some(known));
    }
    // Once a ledger has lots with terms, leaving out the lot, or a slip of the pen, must not be a
    // way around them.
    match (session.first(query::ANY_LOT, &[], |row| row.int(0))?, lot) {
        (None, _) => Ok(None),
        (Some(_), Some(lot)) => Err(LotRefusal::Unknown { lot: lot.clone() }.into()),
        (Some(_), None) => Err(LotRefusal::Needed.into()),
    }
}

fn find(session: &mut Reading<'_>, lot: &Lot) -> Result<Option<LotRecord>, StorageError> {
    session.first(query::LOT, &[lot.as_str().into()], from_row)
}

fn enrolled(session: &mut Reading<'_>, lot: &Lot) -> Result<u64, StorageError> {
    let lot: [Value<'_>; 1] = [lot.as_str().into()];
    let count = session.first(query::COUNT_ENROLLED_OF_LOT, &lot, |row| row.natural(0))?;
    Ok(count.unwrap_or(0))
}

fn names_alone(session: &mut Reading<'_>) -> Result<Vec<LotRecord>, StorageError> {
    session.all(query::LOTS_WITHOUT_TERMS, &[], |row| {
        Ok(LotRecord {
            terms: None,
            lot: lot_from(row, 0)?,
            used: row.optional(1, Row::natural)?.unwrap_or(0),
            leased: 0,
            enrolled: 0,
            created_at_s: None,
            closed_at_s: None,
        })
    })
}

fn from_row(row: &mut Row) -> Result<LotRecord, StorageFault> {
    let lot = lot_from(row, 0)?;
    let terms = LotTerms {
        lot: lot.clone(),
        quota: row.natural(1)?,
        profile: row.text(2)?,
        not_after_s: row.optional(3, Row::natural)?,
    };
    Ok(LotRecord {
        terms: Some(terms),
        lot,
        used: row.natural(5)?,
        leased: row.natural(7)?,
        enrolled: 0,
        created_at_s: Some(row.natural(4)?),
        closed_at_s: row.optional(6, Row::natural)?,
    })
}

pub(crate) fn lot_from(row: &mut Row, column: usize) -> Result<Lot, StorageFault> {
    row.text(column)?
        .parse()
        .map_err(|error: crate::lot::LotError| crate::database::damaged(&error))
}
