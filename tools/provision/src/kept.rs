//! What is kept of each run beside the ledger: a record, and the label of a device that passes.
//!
//! The ledger is what counts. So nothing of this can fail a run: what could not be kept is told of,
//! and the program ends with its exit code once everything else went well.

use provision_station::enrollment::{Outcome, Progress};
use provision_wire::DeviceSerial;

use crate::books::Books;
use crate::fault::Fault;
use crate::job::{Job, JobArguments};
use crate::label::Labels;
use crate::records::{Recorder, Records};

/// What a call keeps, and where.
#[derive(Debug)]
pub(crate) struct Kept {
    records: Option<Records>,
    labels: Option<Labels>,
}

impl Kept {
    /// Sees to it that directories take what is to be kept, before any device is touched.
    pub(crate) fn open(arguments: &JobArguments, job: &Job) -> Result<Self, Fault> {
        Ok(Self {
            records: Records::open(arguments, job)?,
            labels: Labels::open(&arguments.labels)?,
        })
    }
}

/// Keeps what there is to be kept of the runs on one port, one after the other.
pub(crate) struct Keeper<'a> {
    recorder: Recorder<'a>,
    labels: Option<&'a Labels>,
    books: &'a Books,
}

impl<'a> Keeper<'a> {
    pub(crate) fn new(kept: &'a Kept, books: &'a Books, slot: Option<&'a str>) -> Self {
        let recorder = Recorder::new(kept.records.as_ref(), slot);
        Self { recorder, labels: kept.labels.as_ref(), books }
    }

    /// A step of the run under way.
    pub(crate) fn hear(&mut self, progress: &Progress) {
        self.recorder.hear(progress);
    }

    /// The run has ended. `device` is who was there, if that is known otherwise. What is given back
    /// could not be kept; the run is as it was.
    pub(crate) fn end(
        &mut self,
        port: &str,
        result: Result<&Outcome, &Fault>,
        device: Option<&DeviceSerial>,
        seconds: f64,
    ) -> Vec<Fault> {
        let recorded = self.recorder.end(port, result, device, seconds);
        let labelled = match (self.labels, result) {
            (Some(labels), Ok(outcome)) => labels.keep(self.books, outcome.enrolled.device()),
            _ => Ok(()),
        };
        [recorded.err(), labelled.err()].into_iter().flatten().collect()
    }
}

/// How much could not be kept.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    records: u64,
    labels: u64,
}

impl Lost {
    pub(crate) const fn count(&mut self, fault: &Fault) {
        match fault {
            Fault::LabelLost { .. } => self.labels += 1,
            _ => self.records += 1,
        }
    }

    /// What the program ends with, if everything else went well.
    pub(crate) fn fault(&self) -> Option<Fault> {
        match (self.records, self.labels) {
            (0, 0) => None,
            (0, lost) => Some(Fault::LabelsLost { lost }),
            (lost, _) => Some(Fault::RecordsLost { lost }),
        }
    }
}
