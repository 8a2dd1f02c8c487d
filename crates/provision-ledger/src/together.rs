//! Records that wait for the disk together.

use provision_station::evidence::Enrolled;

use crate::ledger::{Receipt, RecordEnrolledError, RecordIssuedError, StorageError};
use crate::session::Writing;
use crate::sql_ledger::{Issuance, NewEntry, SqlLedger, add_entry, add_proof};

/// Several records in one transaction, with one signature over the end of the chain and one wait for
/// the disk.
///
/// Each is accepted or refused by itself, with those before it on record already: a refusal comes
/// before anything of its record is written, and takes nothing of the others with it.
pub struct Together<'s, 'w> {
    session: &'s mut Writing<'w>,
}

impl SqlLedger {
    /// Has `work` record as much as it likes. What was accepted is durable once this returns `Ok`;
    /// until then nothing of it may be acted on.
    ///
    /// # Errors
    ///
    /// [`StorageError`], and whatever else ends `work`: nothing was recorded then, with the exception
    /// that [`Ledger`](crate::Ledger) names.
    pub fn together<T>(
        &mut self,
        at_s: u64,
        work: impl FnOnce(&mut Together<'_, '_>) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        self.write(at_s, |session| work(&mut Together { session }))
    }
}

impl Together<'_, '_> {
    /// As [`SqlLedger::record`]; the inner result is of this record alone.
    ///
    /// # Errors
    ///
    /// [`StorageError`], to end all of it.
    pub fn record(
        &mut self,
        issuance: &Issuance<'_>,
    ) -> Result<Result<(), RecordIssuedError>, StorageError> {
        let new = NewEntry::on_the_line(issuance, self.session.at_s());
        match add_entry(self.session, &new) {
            Err(RecordIssuedError::Storage(error)) => Err(error),
            recorded => Ok(recorded),
        }
    }

    /// As [`Ledger::record_enrolled`](crate::Ledger::record_enrolled); the inner result is of this
    /// record alone.
    ///
    /// # Errors
    ///
    /// [`StorageError`], to end all of it.
    pub fn record_enrolled(
        &mut self,
        enrolled: &Enrolled,
    ) -> Result<Result<Receipt, RecordEnrolledError>, StorageError> {
        match add_proof(self.session, enrolled) {
            Err(RecordEnrolledError::Storage(error)) => Err(error),
            recorded => Ok(recorded),
        }
    }
}
