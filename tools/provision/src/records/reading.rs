//! Records are read as anybody's files: bounded, and checked.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use provision_wire::DeviceSerial;

use super::record::{Ended, FORM, Record};

/// Longest record that is read, in bytes: one has two thousand.
const LEN_MAX: u64 = 256 * 1024;

/// Why a file is no record.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// It is something else than a file.
    NoFile,
    /// It cannot be read.
    Io(io::Error),
    /// It holds something else.
    Other(String),
}

impl core::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoFile => f.write_str("it is no file"),
            Self::Io(cause) => write!(f, "it cannot be read: {cause}"),
            Self::Other(what) => write!(f, "it is no record: {what}"),
        }
    }
}

impl Record {
    /// Reads one that anybody may have put there.
    pub(crate) fn read(path: &Path) -> Result<Self, Unreadable> {
        // A pipe would be waited for, and a link leads anywhere.
        if !fs::symlink_metadata(path).map_err(Unreadable::Io)?.is_file() {
            return Err(Unreadable::NoFile);
        }
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(Unreadable::Io)?;
        file.take(LEN_MAX + 1).read_to_end(&mut bytes).map_err(Unreadable::Io)?;
        if bytes.len() as u64 > LEN_MAX {
            return Err(Unreadable::Other(format!("it has more than {LEN_MAX} bytes")));
        }
        let record: Self =
            serde_json::from_slice(&bytes).map_err(|fault| Unreadable::Other(fault.to_string()))?;
        record.check().map_err(|what| Unreadable::Other(what.into()))?;
        Ok(record)
    }

    /// What its types do not say.
    fn check(&self) -> Result<(), &'static str> {
        if self.record != FORM {
            return Err("its form is not 1");
        }
        if self.device.as_deref().is_some_and(|device| DeviceSerial::new(device).is_err()) {
            return Err("its device is no device serial");
        }
        let times = self.steps.iter().flat_map(|step| [step.after_s, step.seconds]);
        if times.chain([self.seconds]).any(|seconds| !(0.0..=SECONDS_MAX).contains(&seconds))
            || !(self.started_at_ms..=TIME_MAX_MS).contains(&self.ended_at_ms)
        {
            return Err("its times cannot be");
        }
        match (self.outcome, &self.device, &self.error) {
            (Ended::Failed | Ended::Interrupted, _, None) => Err("it failed without an error"),
            (outcome, None, _) if outcome.is_pass() => Err("it passed without a device"),
            (outcome, _, Some(_)) if outcome.is_pass() => Err("it passed with an error"),
            _ => Ok(()),
        }
    }
}

/// No run takes a month.
const SECONDS_MAX: f64 = 30.0 * 86_400.0;
/// The end of the year 9999.
const TIME_MAX_MS: u64 = 253_402_300_799_999;

impl Ended {
    /// Whether the device has its identity.
    pub(crate) const fn is_pass(self) -> bool {
        matches!(self, Self::Enrolled | Self::Delivered | Self::Unchanged)
    }

    /// The same word as in the file.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Enrolled => "enrolled",
            Self::Delivered => "delivered",
            Self::Unchanged => "unchanged",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }
}
