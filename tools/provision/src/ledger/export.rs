//! `provision ledger export`: what is on record, as others want it.

mod clouds;
mod tables;

use core::ops::ControlFlow;
use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use provision_ledger::{Found, Holder, Lot, Search, State};
use serde_json::json;

use crate::cli::LedgerPlace;
use crate::fault::Fault;
use crate::files;
use crate::report::Report;

pub(super) use tables::CSV_COLUMNS;

const EXAMPLES: &str = "\
Examples:
  provision ledger export --format csv --out all.csv
  provision ledger export --format aws-bulk --lot 2026-W47 --out things.json
  provision ledger export --format nrf --skip 1000 --take 1000 --out second-thousand.csv
  provision ledger export --format mosquitto-acl --topic 'plant/{device}/#' --out acl

csv and json have everything. The others have the devices that are enrolled and not revoked, each
with the certificate it has now; docs/ledger.md says what to do with them.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Export {
    /// For whom.
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub format: Format,

    /// The devices of this lot alone.
    #[arg(long, value_name = "LOT")]
    pub lot: Option<Lot>,

    /// Leave out the first so many.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub skip: u64,

    /// Stop after so many.
    #[arg(long, value_name = "N")]
    pub take: Option<u64>,

    /// For mosquitto-acl: the topics of a device, in which `{device}` stands for its name.
    #[arg(long, value_name = "TOPIC", default_value = "devices/{device}/#")]
    pub topic: String,

    /// New file for the result; - for standard output.
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub out: PathBuf,

    #[command(flatten)]
    pub place: LedgerPlace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table with a line of names (RFC 4180).
    Csv,
    /// One JSON object a line.
    Json,
    /// AWS IoT: parameters for `start-thing-registration-task`, one JSON object a line.
    AwsBulk,
    /// AWS IoT: requests for `register-certificate-without-ca` (several accounts), one a line.
    AwsMar,
    /// Azure DPS: requests for a bulk operation, ten devices each, one a line.
    AzureDps,
    /// nRF Cloud: the table that devices are onboarded by, 1000 at most.
    Nrf,
    /// mosquitto: who may use which topics, by the name in the certificate.
    MosquittoAcl,
}

/// Takes one certificate after the other, and writes what it becomes.
pub(crate) trait Sink {
    /// Writes one.
    fn put(&mut self, found: &Found, out: &mut dyn Write) -> Result<(), Refused>;

    /// Writes what is held back.
    fn finish(&mut self, _out: &mut dyn Write) -> Result<(), Refused> {
        Ok(())
    }
}

/// Nothing can be written.
pub(crate) enum Refused {
    /// The device cannot be had there, for a reason.
    Device(String, String),
    Output(io::Error),
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

pub(crate) fn export(arguments: &Export, report: &mut Report) -> Result<(), Fault> {
    let mut sink: Box<dyn Sink> = match arguments.format {
        Format::Csv => Box::new(tables::Csv::default()),
        Format::Json => Box::new(tables::Json),
        Format::AwsBulk => Box::new(clouds::AwsBulk),
        Format::AwsMar => Box::new(clouds::AwsMar),
        Format::AzureDps => Box::new(clouds::AzureDps::default()),
        Format::Nrf => Box::new(tables::Nrf::default()),
        Format::MosquittoAcl => Box::new(clouds::MosquittoAcl::new(&arguments.topic)?),
    };
    let everything = matches!(arguments.format, Format::Csv | Format::Json);
    let search = arguments.lot.clone().map_or(Search::All, Search::Lot);
    let mut ledger = super::open_to_read_in(&arguments.place)?;
    let to_stdout = files::is_dash(&arguments.out);
    let mut out: Box<dyn Write> = if to_stdout {
        Box::new(io::stdout().lock())
    } else {
        let path = &arguments.out;
        let made = OpenOptions::new().write(true).create_new(true).open(path);
        let made = made.map_err(|cause| Fault::Write { path: path.clone(), cause })?;
        Box::new(made)
    };
    let mut writer = BufWriter::new(&mut out);
    let (mut skipped, mut count, mut refused) = (0_u64, 0_u64, None);
    ledger.search(&search, &mut |found| {
        if !everything && !is_in_use(&found) {
            return ControlFlow::Continue(());
        }
        if skipped < arguments.skip {
            skipped += 1;
            return ControlFlow::Continue(());
        }
        if arguments.take.is_some_and(|take| count >= take) {
            return ControlFlow::Break(());
        }
        count += 1;
        match sink.put(&found, &mut writer) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                refused = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    let finished = match refused {
        Some(refused) => Err(refused),
        None => sink.finish(&mut writer).and_then(|()| Ok(writer.flush()?)),
    };
    drop(writer);
    drop(out);
    if let Err(refused) = finished {
        if !to_stdout {
            // Half a table would be taken for a whole one.
            let _ = std::fs::remove_file(&arguments.out);
        }
        return Err(match refused {
            Refused::Device(device, why) => Fault::NotExported { device, why },
            Refused::Output(error) => Fault::Output(error),
        });
    }
    if to_stdout {
        return Ok(());
    }
    report.result(
        &format!("certificates written to {}: {count}", arguments.out.display()),
        &json!({ "event": "result", "file": arguments.out, "certificates": count }),
    )
}

/// What others need to know of: a device that has proven what it stores. What is revoked has no
/// business there, and what was superseded is.
fn is_in_use(found: &Found) -> bool {
    let enrolled = matches!(&found.holder, Holder::Device { state: State::Enrolled { .. }, .. });
    enrolled && found.revoked.is_none()
}

/// The device's name, for what is a device's.
fn device(found: &Found) -> &str {
    match &found.holder {
        Holder::Device { device, .. } => device.as_str(),
        Holder::Host { name, .. } => name,
    }
}
