//! What is promised, and how a simulation says that it was not kept.

use core::fmt;

use provision_ledger::{RecordEnrolledError, RecordIssuedError};
use provision_wire::DeviceSerial;

use crate::device::Broken;

/// The promises of SECURITY.md that are checked here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Promise {
    /// Power may be cut anywhere; no answer runs ahead of what is durable.
    D2,
    /// What the device stores was checked first; a refusal leaves the old state whole.
    D3,
    /// Once sealed, nothing on the line changes the identity.
    D4,
    /// The ledger entry is durable before the leaf leaves the station.
    L1,
    /// One device, one live certificate.
    L2,
    /// The same public key on two devices stops the line.
    L3,
    /// Only what was proven in this session is signed, and only as the profile says.
    L4,
    /// A device passes only after it signed a fresh challenge with the key of the stored leaf.
    L5,
    /// The station may die anywhere; the next run completes.
    L7,
}

impl fmt::Display for Promise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("promise {promise} is broken at step {step}, device {device}: {what}")]
pub struct Violation {
    /// Which.
    pub promise: Promise,
    /// How.
    pub what: String,
    /// At which device.
    pub device: DeviceSerial,
    /// At which step of the shift, counted from 1.
    pub step: u64,
    /// Devices of the shift that were enrolled before.
    pub enrolled_before: u64,
}

/// A [`Violation`] whose place is not known yet.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) promise: Promise,
    pub(super) what: String,
}

impl Finding {
    pub(super) fn new(promise: Promise, what: impl fmt::Display) -> Self {
        Self { promise, what: what.to_string() }
    }
}

impl From<Broken> for Finding {
    fn from(broken: Broken) -> Self {
        let promise = match broken {
            Broken::SealedChanged => Promise::D4,
            _ => Promise::D2,
        };
        Self::new(promise, broken)
    }
}

/// The ledger holds the line up: whatever it refuses, something before it went wrong.
impl From<RecordIssuedError> for Finding {
    fn from(error: RecordIssuedError) -> Self {
        let promise = match error {
            RecordIssuedError::DeviceHasCertificate { .. } => Promise::L2,
            RecordIssuedError::KeyElsewhere { .. } | RecordIssuedError::WeakKey { .. } => {
                Promise::L3
            }
            RecordIssuedError::Lot(_) => Promise::L4,
            // A certificate that the ledger cannot know.
            RecordIssuedError::CertSerialTaken { .. } => Promise::L1,
            RecordIssuedError::Storage(_) => Promise::L7,
        };
        Self::new(promise, error)
    }
}

impl From<RecordEnrolledError> for Finding {
    fn from(error: RecordEnrolledError) -> Self {
        let promise = match error {
            RecordEnrolledError::NotIssued { .. } => Promise::L1,
            RecordEnrolledError::OtherCertificate { .. } | RecordEnrolledError::Revoked { .. } => {
                Promise::L2
            }
            RecordEnrolledError::Storage(_) => Promise::L7,
        };
        Self::new(promise, error)
    }
}
