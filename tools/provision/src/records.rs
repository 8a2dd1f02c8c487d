//! `--records DIR`: what became of each run of a device, one JSON file each, for those who keep a
//! factory's records. docs/record.schema.json says what is in one.
//!
//! ```text
//!   record     the value, as it is written and read
//!   reading    as anybody's file
//!   recorder   listens to the runs on one port, and makes a record of each
//! ```
//!
//! The ledger is what counts; a record says how it came about. So nothing waits for a record, and
//! one that cannot be written undoes nothing: it is told of, and the device is as it is.

mod reading;
mod record;
mod recorder;

use std::io::{self, Write as _};
use std::path::PathBuf;

use clap::Args;
use gethostname::gethostname;
use provision_issuer::inspect::time_text;
use provision_ledger::station_fingerprint;

use crate::fault::Fault;
use crate::files::{self, name_of};
use crate::job::{Job, JobArguments};
use crate::report::hex;

pub(crate) use record::{Ended, Failure, Record, Step};
pub(crate) use recorder::Recorder;

/// Bytes that are written and removed again before the first device comes: some records' worth.
const PROBE_LEN: usize = 16 * 1024;

/// Whether records are written, and where.
#[derive(Debug, Args)]
pub(crate) struct RecordsArguments {
    /// Directory for a record of each run, whether it went well or not: one JSON file each.
    #[arg(long, value_name = "DIR")]
    pub records: Option<PathBuf>,

    /// What records call this station [default: the name of the machine].
    #[arg(long, value_name = "NAME", requires = "records")]
    pub station_name: Option<String>,
}

/// A directory of records, and what all records of one call have in common.
#[derive(Debug)]
pub(crate) struct Records {
    dir: PathBuf,
    station: String,
    station_sha256: String,
    operator: Option<String>,
    lot: Option<String>,
    profile: String,
}

impl Records {
    /// If records are wanted: sees to it that the directory takes one, before any device is touched.
    pub(crate) fn open(arguments: &JobArguments, job: &Job) -> Result<Option<Self>, Fault> {
        let Some(dir) = &arguments.records.records else { return Ok(None) };
        let station = arguments.records.station_name.clone();
        let station = station.unwrap_or_else(|| gethostname().to_string_lossy().into_owned());
        let records = Self {
            dir: dir.clone(),
            station,
            station_sha256: hex(&station_fingerprint(&job.books.station_key()?)),
            operator: arguments.operator.as_ref().map(ToString::to_string),
            lot: arguments.lot.as_ref().map(ToString::to_string),
            profile: job.books.profile_name().to_owned(),
        };
        match files::probe(dir, PROBE_LEN) {
            Ok(()) => Ok(Some(records)),
            Err(cause) => Err(Fault::Records { dir: dir.clone(), cause }),
        }
    }

    /// Writes a record: whole, or not at all.
    fn write(&self, record: &Record) -> Result<(), Fault> {
        let device = record.device.as_deref().unwrap_or("no-device");
        let device = name_of(device);
        let started = time_text(record.started_at_ms / 1000).replace([':', '-'], "");
        let name = format!("{started}-{device}-{}.json", record.id.get(..8).unwrap_or_default());
        let mut text = Vec::new();
        let written = serde_json::to_writer_pretty(&mut text, record)
            .map_err(io::Error::from)
            .and_then(|()| writeln!(text))
            .and_then(|()| files::write_whole(&self.dir, &name, &text));
        written.map_err(|cause| Fault::RecordLost {
            path: self.dir.join(name),
            device: record.device.clone(),
            cause,
        })
    }
}
