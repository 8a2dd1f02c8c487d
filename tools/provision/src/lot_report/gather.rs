//! What the ledger and the records say of each device of a lot.

use core::ops::ControlFlow;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

use provision_ledger::{Found, Holder, Lot, LotRecord, LotsError, Search, SqlLedger, State};

use crate::fault::Fault;
use crate::records::{Ended, Record};
use crate::report::hex;

/// A lot as it is now.
#[derive(Debug)]
pub(super) struct LotReport {
    pub(super) lot: String,
    /// Where the ledger is.
    pub(super) ledger: String,
    /// When this was put together, in seconds since 1970-01-01 UTC.
    pub(super) made_at_s: u64,
    /// Its quota, if it has one.
    pub(super) quota: Option<u64>,
    /// Its profile, if it has terms.
    pub(super) profile: Option<String>,
    /// When it was closed, in seconds since 1970-01-01 UTC.
    pub(super) closed_at_s: Option<u64>,
    /// Whether there were records to look into.
    pub(super) has_records: bool,
    /// By their names.
    pub(super) devices: BTreeMap<String, Device>,
    /// Runs at which nobody answered.
    pub(super) nobody: Vec<Record>,
    /// Files that are no records, and why.
    pub(super) unreadable: Vec<(String, String)>,
}

/// One device.
#[derive(Debug, Default)]
pub(super) struct Device {
    /// Its newest certificate of this lot.
    pub(super) certificate: Option<Certificate>,
    /// Fingerprints of all it has in this lot.
    fingerprints: Vec<String>,
    /// Its runs, oldest first.
    pub(super) runs: Vec<Record>,
}

/// What the ledger has.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) cert_serial: String,
    pub(super) leaf_sha256: String,
    /// `issued`, `enrolled` or `revoked`.
    pub(super) state: &'static str,
    /// In seconds since 1970-01-01 UTC.
    pub(super) issued_at_s: u64,
    /// When it was proven that the device stores it.
    pub(super) enrolled_at_s: Option<u64>,
}

/// What became of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is enrolled, and its last run ended well.
    Passed,
    /// Its last run failed.
    Failed,
    /// No run came to an end, and the ledger has no proof.
    Unfinished,
    /// Its record says that it passed, and the ledger knows of no such certificate in this lot.
    Unconfirmed,
}

impl Verdict {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Unfinished => "unfinished",
            Self::Unconfirmed => "unconfirmed",
        }
    }
}

impl Device {
    /// Runs that were waited for.
    pub(super) fn attempts(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.runs.iter().filter(|run| run.outcome != Ended::Interrupted)
    }

    pub(super) fn verdict(&self) -> Verdict {
        let is_enrolled = self.certificate.as_ref().is_some_and(|one| one.enrolled_at_s.is_some());
        match self.attempts().next_back() {
            Some(last) if !last.outcome.is_pass() => Verdict::Failed,
            Some(last) if !self.confirms(last) => Verdict::Unconfirmed,
            _ if is_enrolled => Verdict::Passed,
            Some(_) => Verdict::Unconfirmed,
            None => Verdict::Unfinished,
        }
    }

    /// Whether the ledger has the certificate in this lot that a run is said to have ended with.
    pub(super) fn confirms(&self, run: &Record) -> bool {
        run.leaf_sha256.as_ref().is_some_and(|sha256| self.fingerprints.contains(sha256))
    }

    /// Whether its first attempt ended well, by the ledger too; `None` without an attempt.
    pub(super) fn passed_at_first(&self) -> Option<bool> {
        let first = self.attempts().next()?;
        Some(first.outcome.is_pass() && self.confirms(first))
    }

    /// Why its last run failed.
    pub(super) fn last_failure(&self) -> Option<&Record> {
        self.attempts().next_back().filter(|run| !run.outcome.is_pass())
    }

    /// The first run that ended well, by the ledger too.
    pub(super) fn first_pass(&self) -> Option<&Record> {
        self.attempts().find(|run| run.outcome.is_pass() && self.confirms(run))
    }

    fn take(&mut self, found: &Found) {
        let Holder::Device { state, .. } = &found.holder else { return };
        let enrolled_at_s = match state {
            State::Issued => None,
            State::Enrolled { enrolled_at_s, .. } => Some(*enrolled_at_s),
        };
        let leaf_sha256 = hex(&found.sha256);
        self.fingerprints.push(leaf_sha256.clone());
        // They come oldest first.
        self.certificate = Some(Certificate {
            cert_serial: found.cert_serial.to_string(),
            leaf_sha256,
            state: found.state(),
            issued_at_s: found.issued_at_s,
            enrolled_at_s,
        });
    }
}

/// Reads both.
pub(super) fn gather(
    ledger: &mut SqlLedger,
    lot: &Lot,
    dirs: &[PathBuf],
    made_at_s: u64,
) -> Result<LotReport, Fault> {
    let found = ledger.lot(lot);
    let mut report = LotReport {
        lot: lot.to_string(),
        ledger: ledger.place().to_owned(),
        made_at_s,
        quota: None,
        profile: None,
        closed_at_s: None,
        has_records: !dirs.is_empty(),
        devices: BTreeMap::new(),
        nobody: Vec::new(),
        unreadable: Vec::new(),
    };
    ledger.search(&Search::Lot(lot.clone()), &mut |found| {
        if let Holder::Device { device, .. } = &found.holder {
            report.devices.entry(device.to_string()).or_default().take(&found);
        }
        ControlFlow::Continue(())
    })?;
    let mut seen = HashSet::new();
    for dir in dirs {
        report.read(dir, &mut seen)?;
    }
    for device in report.devices.values_mut() {
        device.runs.sort_by_key(|run| (run.started_at_ms, run.ended_at_ms));
    }
    match found {
        Ok(LotRecord { terms, closed_at_s, .. }) => {
            report.quota = terms.as_ref().map(|terms| terms.quota);
            report.profile = terms.map(|terms| terms.profile);
            report.closed_at_s = closed_at_s;
        }
        // A name alone, under which every device failed so far.
        Err(LotsError::NotFound { .. })
            if !(report.devices.is_empty() && report.nobody.is_empty()) => {}
        Err(fault) => return Err(fault.into()),
    }
    Ok(report)
}

impl LotReport {
    /// Takes in the records of this lot in a directory.
    fn read(&mut self, dir: &Path, seen: &mut HashSet<String>) -> Result<(), Fault> {
        let unread = |cause| Fault::Read { path: dir.into(), cause };
        for entry in fs::read_dir(dir).map_err(unread)? {
            let path = entry.map_err(unread)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // What begins with a dot is being written, or was left by a station that was killed.
            if name.starts_with('.') || !name.ends_with(".json") {
                continue;
            }
            match Record::read(&path) {
                Ok(record) if record.lot.as_ref() != Some(&self.lot) => {}
                // A copy.
                Ok(record) if !seen.insert(record.id.clone()) => {}
                Ok(record) => match &record.device {
                    Some(device) => {
                        self.devices.entry(device.clone()).or_default().runs.push(record);
                    }
                    None => self.nobody.push(record),
                },
                Err(why) => {
                    self.unreadable.push((path.display().to_string(), why.to_string()));
                }
            }
        }
        self.unreadable.sort();
        Ok(())
    }
}
