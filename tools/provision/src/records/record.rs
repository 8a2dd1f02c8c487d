//! A record, as it is in its file.

use serde::{Deserialize, Serialize};

/// What is written now. Fields are added without a new number.
pub(super) const FORM: u32 = 1;

/// One run of a device, or of a port at which none was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Form of the record.
    pub(crate) record: u32,
    /// A random number in hexadecimal: a copy is known by it.
    pub(crate) id: String,
    /// `None` if nobody answered.
    pub(crate) device: Option<String>,
    /// The slot, at a station that has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) slot: Option<String>,
    /// Its port.
    pub(crate) port: String,
    /// The lot that was named.
    pub(crate) lot: Option<String>,
    /// What the station is called.
    pub(crate) station: String,
    /// Fingerprint of the key by which it signs the ledger.
    pub(crate) station_sha256: String,
    /// Who worked there, if that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) operator: Option<String>,
    /// The profile that certificates are made by.
    pub(crate) profile: String,
    /// In milliseconds since 1970-01-01 UTC.
    pub(crate) started_at_ms: u64,
    /// In milliseconds since 1970-01-01 UTC.
    pub(crate) ended_at_ms: u64,
    /// How long it took.
    pub(crate) seconds: f64,
    /// What was reached, in its order.
    pub(crate) steps: Vec<Step>,
    /// How it ended.
    pub(crate) outcome: Ended,
    /// Why it did not go well.
    pub(crate) error: Option<Failure>,
    /// The device's public key, if it came as far: 65 bytes in hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) public_key: Option<String>,
    /// Serial number of its certificate, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cert_serial: Option<String>,
    /// Fingerprint of the certificate that it has proven to store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) leaf_sha256: Option<String>,
    /// Until when that is valid, in seconds since 1970-01-01 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) not_after_s: Option<u64>,
    /// Whether its identity is final.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sealed: Option<bool>,
    /// Questions asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) turns: Option<u32>,
    /// Of the programs.
    pub(crate) versions: Versions,
}

/// A step of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// As events call it.
    pub(crate) step: String,
    /// When it was reached, in seconds since the start.
    pub(crate) after_s: f64,
    /// How long it took since the step before.
    pub(crate) seconds: f64,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Ended {
    /// Well: with a new certificate.
    Enrolled,
    /// Well: with the certificate it had.
    Delivered,
    /// Well: it has proven what it stores.
    Unchanged,
    /// Not well.
    Failed,
    /// It was not waited for.
    Interrupted,
}

/// Why a run did not go well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// One word.
    pub(crate) error: String,
    /// As the program ends with it.
    pub(crate) exit_code: u8,
    /// For people.
    pub(crate) message: String,
    /// What is behind it, if anything.
    pub(crate) causes: Vec<String>,
    /// What to do.
    pub(crate) hint: String,
}

/// What was at work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Versions {
    /// This program.
    pub(crate) provision: String,
    /// The newest version of the protocol it speaks.
    pub(crate) protocol: u32,
}
