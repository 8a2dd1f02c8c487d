//! `provision ledger merge` and `conflicts`.

use std::path::PathBuf;

use clap::Args;
use provision_issuer::inspect::time_text;
use provision_ledger::{ConflictRecord, Fallback, Merged, News};
use serde_json::json;

use crate::cli::LedgerPlace;
use crate::fault::Fault;
use crate::line_ledger::conflicts_of;
use crate::report::{Report, hex};
use crate::system;

const EXAMPLES: &str = "\
Examples:
  provision ledger merge --fallback station-3.db --ledger postgres://line@db.acme.com/ledger
  provision ledger conflicts --ledger postgres://line@db.acme.com/ledger

A station merges by itself when it starts, and when its server is there again: this is for a station
that does not start any more. May be repeated, and interrupted at any moment. What cannot stand beside
what the server knows is recorded as a conflict, and the exit code is 13.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Merge {
    /// The file in which a station went on by itself.
    #[arg(long, value_name = "FILE", env = "PROVISION_FALLBACK")]
    pub fallback: PathBuf,

    #[command(flatten)]
    pub place: LedgerPlace,
}

pub(crate) fn merge(arguments: &Merge, report: &mut Report) -> Result<(), Fault> {
    let now_s = system::now_s()?;
    let mut fallback =
        Fallback::open(&arguments.fallback, &super::station_key(&arguments.place.ca))?;
    fallback.ledger().ignore_clock(system::clock_is_ignored());
    let mut ledger = super::open_in(&arguments.place)?;
    let merged = fallback.merge(&mut ledger, now_s)?;
    for record in &merged.conflicts {
        show(record, report)?;
    }
    let Merged { certificates, proofs, returned, ref conflicts } = merged;
    report.result(
        &format!(
            "brought {certificates} certificates and {proofs} proofs to {}; {returned} leased \
             places are free again; {} conflicts",
            ledger.place(),
            conflicts.len()
        ),
        &json!({
            "event": "result",
            "ledger": ledger.place(),
            "certificates": certificates,
            "proofs": proofs,
            "returned": returned,
            "conflicts": conflicts.len(),
        }),
    )?;
    conflicts_of(&[News::Merged(merged)]).map_or(Ok(()), Err)
}

pub(crate) fn conflicts(place: &LedgerPlace, report: &mut Report) -> Result<(), Fault> {
    let conflicts = super::open_to_read_in(place)?.conflicts()?;
    if conflicts.is_empty() {
        report.note("there are no conflicts")?;
    }
    conflicts.iter().try_for_each(|record| show(record, report))
}

fn show(record: &ConflictRecord, report: &mut Report) -> Result<(), Fault> {
    report.result(
        &format!("{}: {record}", time_text(record.found_at_s)),
        &json!({
            "event": "conflict",
            "device": record.device,
            "cause": record.cause.name(),
            "other": record.other,
            "cert_serial": record.cert_serial.to_string(),
            "leaf_sha256": hex(&record.leaf_sha256),
            "public_key": hex(record.public_key.as_sec1()),
            "issued_at_s": record.issued_at_s,
            "found_at_s": record.found_at_s,
            "message": record.to_string(),
        }),
    )
}
