//! What listens to the runs on one port, and makes a record of each.

use core::time::Duration;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use provision_station::enrollment::{Change, Outcome, Progress};
use provision_wire::{DeviceSerial, VersionRange};

use super::Records;
use super::record::{Ended, FORM, Failure, Record, Step, Versions};
use crate::fault::Fault;
use crate::report::{self, hex, rounded};
use crate::system;

/// The runs on one port, one after the other.
#[derive(Debug)]
pub(crate) struct Recorder<'a> {
    records: Option<&'a Records>,
    slot: Option<&'a str>,
    /// Each step and when it was reached.
    steps: Vec<(&'static str, Instant)>,
    device: Option<DeviceSerial>,
    public_key: Option<String>,
    cert_serial: Option<String>,
}

impl<'a> Recorder<'a> {
    pub(crate) const fn new(records: Option<&'a Records>, slot: Option<&'a str>) -> Self {
        let steps = Vec::new();
        Self { records, slot, steps, device: None, public_key: None, cert_serial: None }
    }

    /// A step of the run under way.
    pub(crate) fn hear(&mut self, progress: &Progress) {
        if self.records.is_none() {
            return;
        }
        let name = report::event_name(progress);
        match (progress, self.steps.last_mut()) {
            // A delivery comes in many pieces and is one step.
            (Progress::Delivering { .. }, Some((last, at))) if *last == name => {
                *at = Instant::now();
            }
            _ => self.steps.push((name, Instant::now())),
        }
        match progress {
            Progress::Found { device, .. } => self.device = Some(device.clone()),
            Progress::Key { public_key } => self.public_key = Some(hex(public_key.as_sec1())),
            Progress::Issued { cert_serial } | Progress::KnownCertificate { cert_serial } => {
                self.cert_serial = Some(cert_serial.to_string());
            }
            _ => {}
        }
    }

    /// The run has ended. `device` is who was there, if that is known otherwise.
    ///
    /// # Errors
    ///
    /// The record cannot be written; the run is as it was.
    pub(crate) fn end(
        &mut self,
        port: &str,
        result: Result<&Outcome, &Fault>,
        device: Option<&DeviceSerial>,
        seconds: f64,
    ) -> Result<(), Fault> {
        let heard = core::mem::replace(self, Self::new(self.records, self.slot));
        let Some(records) = heard.records else { return Ok(()) };
        if matches!(result, Err(Fault::Interrupted)) && heard.device.is_none() {
            // It was not begun.
            return Ok(());
        }
        records.write(&heard.record(records, port, result, device, seconds)?)
    }

    fn record(
        self,
        records: &Records,
        port: &str,
        result: Result<&Outcome, &Fault>,
        device: Option<&DeviceSerial>,
        seconds: f64,
    ) -> Result<Record, Fault> {
        let ended_at_ms =
            SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        let ended_at_ms = u64::try_from(ended_at_ms).unwrap_or(u64::MAX);
        let took = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let began = Instant::now().checked_sub(took);
        let mut before = 0.0;
        let step = |(name, at): (&'static str, Instant)| {
            let after =
                began.map_or(0.0, |began| at.saturating_duration_since(began).as_secs_f64());
            let seconds = rounded((after - before).max(0.0));
            before = after;
            Step { step: name.into(), after_s: rounded(after), seconds }
        };
        let steps = self.steps.into_iter().map(step).collect();
        let outcome = match result {
            Ok(outcome) => match outcome.change {
                Change::Enrolled => Ended::Enrolled,
                Change::Delivered => Ended::Delivered,
                Change::Nothing => Ended::Unchanged,
            },
            Err(Fault::Interrupted) => Ended::Interrupted,
            Err(_) => Ended::Failed,
        };
        let proven = result.ok();
        let enrolled = proven.map(|outcome| &outcome.enrolled);
        let device = enrolled.map(|one| one.device()).or(device).or(self.device.as_ref());
        Ok(Record {
            record: FORM,
            id: hex(&system::bytes::<8>()?),
            device: device.map(ToString::to_string),
            slot: self.slot.map(Into::into),
            port: port.into(),
            lot: records.lot.clone(),
            station: records.station.clone(),
            station_sha256: records.station_sha256.clone(),
            operator: records.operator.clone(),
            profile: records.profile.clone(),
            started_at_ms: ended_at_ms.saturating_sub(took_ms),
            ended_at_ms,
            seconds: rounded(seconds),
            steps,
            outcome,
            error: result.err().map(Failure::from),
            public_key: self.public_key,
            cert_serial: enrolled.map(|one| one.cert_serial().to_string()).or(self.cert_serial),
            leaf_sha256: enrolled.map(|one| hex(one.leaf_sha256())),
            not_after_s: proven.map(|outcome| outcome.chain.not_after()),
            sealed: proven.map(|outcome| outcome.sealed),
            turns: proven.map(|outcome| outcome.turns),
            versions: Versions {
                provision: env!("CARGO_PKG_VERSION").into(),
                protocol: VersionRange::OURS.max,
            },
        })
    }
}

impl From<&Fault> for Failure {
    fn from(fault: &Fault) -> Self {
        Self {
            error: fault.name().into(),
            exit_code: fault.exit_code(),
            message: fault.to_string(),
            causes: report::causes(fault).map(ToString::to_string).collect(),
            hint: fault.hint().into(),
        }
    }
}
