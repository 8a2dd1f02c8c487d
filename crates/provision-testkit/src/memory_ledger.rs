//! A ledger in memory: the semantics of the real one, without a database.

use provision_csr::PublicKey;
use provision_ledger::{
    Entry, Ledger, Receipt, RecordEnrolledError, RecordIssuedError, State, StorageError,
};
use provision_station::evidence::{Chain, Enrolled, LiveCertificate, Standing};
use provision_wire::DeviceSerial;

use crate::planted::Bug;

/// A [`Ledger`] that is gone with the value, for factories of a few devices: it looks at every
/// entry. A test holds it against the one in SQLite, call by call.
///
/// ```
/// use provision_ledger::Ledger;
/// use provision_testkit::memory_ledger::MemoryLedger;
///
/// let mut ledger = MemoryLedger::new();
/// assert!(ledger.entries()?.is_empty());
/// # Ok::<(), provision_ledger::StorageError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct MemoryLedger {
    rows: Vec<Row>,
    bug: Bug,
    /// With [`Bug::LedgerAnswersBeforeWriting`]: the last row is not on the disk yet.
    last_is_late: bool,
}

#[derive(Debug, Clone)]
struct Row {
    chain: Chain,
    leaf_sha256: [u8; 32],
    issued_at_s: u64,
    /// Each with its time; never two of the same delivery in a row.
    proofs: Vec<([u8; 32], u64)>,
}

impl MemoryLedger {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty one with a bug in it.
    #[must_use]
    pub fn with(bug: Bug) -> Self {
        Self { bug, ..Self::default() }
    }

    /// The machine it runs on loses its power. What was recorded is there afterwards, or it is a
    /// bug.
    pub fn crash(&mut self) {
        if core::mem::take(&mut self.last_is_late) {
            self.rows.pop();
        }
    }

    fn by_key(&self, key: &PublicKey) -> Option<&Row> {
        self.rows.iter().find(|row| row.chain.public_key() == key)
    }

    fn by_device(&self, device: &DeviceSerial) -> Option<&Row> {
        self.rows.iter().find(|row| row.chain.device() == device)
    }
}

impl Row {
    fn entry(&self) -> Entry {
        let state = match (self.proofs.first(), self.proofs.last()) {
            (Some((_, enrolled_at_s)), Some((delivery_sha256, _))) => {
                State::Enrolled { enrolled_at_s: *enrolled_at_s, delivery_sha256: *delivery_sha256 }
            }
            _ => State::Issued,
        };
        Entry {
            device: self.chain.device().clone(),
            public_key: *self.chain.public_key(),
            cert_serial: self.chain.cert_serial().clone(),
            leaf_sha256: self.leaf_sha256,
            not_after_s: self.chain.not_after(),
            issued_at_s: self.issued_at_s,
            state,
        }
    }
}

impl Ledger for MemoryLedger {
    fn standing(
        &mut self,
        device: &DeviceSerial,
        public_key: &PublicKey,
    ) -> Result<Standing, StorageError> {
        let by_key = if self.bug == Bug::LedgerTakesKeyTwice {
            self.by_device(device).filter(|row| row.chain.public_key() == public_key)
        } else {
            self.by_key(public_key)
        };
        if let Some(row) = by_key {
            if row.chain.device() != device {
                return Ok(Standing::KeyElsewhere { device: row.chain.device().clone() });
            }
            return Ok(Standing::Live(LiveCertificate {
                chain: row.chain.clone(),
                delivery_sha256: row.proofs.last().map(|(delivery_sha256, _)| *delivery_sha256),
            }));
        }
        Ok(match self.by_device(device) {
            Some(row) => Standing::OtherKey { known: *row.chain.public_key() },
            None => Standing::Unknown,
        })
    }

    fn record_issued(&mut self, chain: &Chain, at_s: u64) -> Result<(), RecordIssuedError> {
        let leaf_sha256 = chain.leaf_sha256();
        let (device, cert_serial) = (chain.device(), chain.cert_serial());
        if let Some(row) = self.by_key(chain.public_key())
            && self.bug != Bug::LedgerTakesKeyTwice
        {
            if row.leaf_sha256 == leaf_sha256 {
                return Ok(());
            }
            let (known, cert_serial) = (row.chain.device().clone(), row.chain.cert_serial());
            return Err(if known == *device {
                RecordIssuedError::DeviceHasCertificate {
                    device: known,
                    cert_serial: cert_serial.clone(),
                }
            } else {
                RecordIssuedError::KeyElsewhere { device: device.clone(), other: known }
            });
        }
        if let Some(row) = self.by_device(device) {
            return Err(RecordIssuedError::DeviceHasCertificate {
                device: device.clone(),
                cert_serial: row.chain.cert_serial().clone(),
            });
        }
        if let Some(row) = self.rows.iter().find(|row| row.chain.cert_serial() == cert_serial) {
            return Err(RecordIssuedError::CertSerialTaken {
                cert_serial: cert_serial.clone(),
                other: row.chain.device().clone(),
            });
        }
        self.last_is_late = self.bug == Bug::LedgerAnswersBeforeWriting;
        let chain = chain.clone();
        self.rows.push(Row { chain, leaf_sha256, issued_at_s: at_s, proofs: Vec::new() });
        Ok(())
    }

    fn record_enrolled(
        &mut self,
        enrolled: &Enrolled,
        at_s: u64,
    ) -> Result<Receipt, RecordEnrolledError> {
        let device = enrolled.device();
        let Some(row) = self.rows.iter_mut().find(|row| row.chain.device() == device) else {
            return Err(RecordEnrolledError::NotIssued { device: device.clone() });
        };
        if row.leaf_sha256 != *enrolled.leaf_sha256() {
            return Err(RecordEnrolledError::OtherCertificate {
                device: device.clone(),
                expected: row.chain.cert_serial().clone(),
                found: enrolled.cert_serial().clone(),
            });
        }
        self.last_is_late = false;
        match row.proofs.last() {
            Some((delivery_sha256, proven_at_s))
                if delivery_sha256 == enrolled.delivery_sha256() =>
            {
                Ok(Receipt::new(enrolled, *proven_at_s))
            }
            _ => {
                row.proofs.push((*enrolled.delivery_sha256(), at_s));
                Ok(Receipt::new(enrolled, at_s))
            }
        }
    }

    fn find(&mut self, device: &DeviceSerial) -> Result<Option<Entry>, StorageError> {
        Ok(self.by_device(device).map(Row::entry))
    }

    fn entries(&mut self) -> Result<Vec<Entry>, StorageError> {
        Ok(self.rows.iter().map(Row::entry).collect())
    }
}
