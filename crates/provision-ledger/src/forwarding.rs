//! Records that wait together for the server, or for the file that stands in for it.

use provision_station::evidence::{Chain, Enrolled};

use crate::fallback;
use crate::leases::LeaseHolder;
use crate::ledger::{RecordEnrolledError, RecordIssuedError, StorageError};
use crate::lot::Lot;
use crate::lots::LotRefusal;
use crate::session::Writing;
use crate::sql_ledger::{Issuance, NewEntry, add_entry, add_proof};

/// Several records in one transaction, at the server or alone, as [`Together`](crate::Together) has
/// them: each is accepted or refused by itself.
pub struct Forwarding<'s, 'w, 'e> {
    session: &'s mut Writing<'w>,
    lot: &'s Lot,
    /// Without the server: whose leased places are taken, and by which profile.
    alone: Option<(LeaseHolder, &'s str)>,
    /// At the server: what it accepted, for the file to know.
    pub(crate) proven: Vec<&'e Enrolled>,
    /// At the server: a device was refused because all free places of the lot are leased.
    pub(crate) wants_leased: bool,
}

impl<'s, 'w, 'e> Forwarding<'s, 'w, 'e> {
    pub(crate) const fn new(
        session: &'s mut Writing<'w>,
        lot: &'s Lot,
        alone: Option<(LeaseHolder, &'s str)>,
    ) -> Self {
        Self { session, lot, alone, proven: Vec::new(), wants_leased: false }
    }

    /// As [`StoreAndForward::record`](crate::StoreAndForward::record), of a device that keeps the key
    /// it has; the inner result is of this record alone.
    ///
    /// # Errors
    ///
    /// [`StorageError`], to end all of it.
    pub fn record(&mut self, chain: &Chain) -> Result<Result<(), RecordIssuedError>, StorageError> {
        let recorded = match self.alone {
            Some((holder, profile)) => {
                fallback::record(self.session, holder, self.lot, profile, chain)
            }
            None => {
                let issuance = Issuance { chain, lot: Some(self.lot), replace: false };
                add_entry(self.session, &NewEntry::on_the_line(&issuance, self.session.at_s()))
            }
        };
        let is_leased = matches!(recorded, Err(RecordIssuedError::Lot(LotRefusal::Leased { .. })));
        self.wants_leased |= is_leased && self.alone.is_none();
        match recorded {
            Err(RecordIssuedError::Storage(error)) => Err(error),
            recorded => Ok(recorded),
        }
    }

    /// As [`StoreAndForward::record_enrolled`](crate::StoreAndForward::record_enrolled); the inner
    /// result is of this record alone.
    ///
    /// # Errors
    ///
    /// [`StorageError`], to end all of it.
    pub fn record_enrolled(
        &mut self,
        enrolled: &'e Enrolled,
    ) -> Result<Result<(), RecordEnrolledError>, StorageError> {
        match add_proof(self.session, enrolled) {
            Err(RecordEnrolledError::Storage(error)) => Err(error),
            Err(refused) => Ok(Err(refused)),
            Ok(_) => {
                self.proven.push(enrolled);
                Ok(Ok(()))
            }
        }
    }
}
