//! `provision report lot`: what became of a lot, for line controllers, test systems and people.
//!
//! ```text
//!   gather     what the ledger and the records say of each device
//!   figures    yield, seconds, causes, repeats, rate
//!   json, junit, openhtf, html   the forms it is written in
//!   plots      what the page draws
//! ```
//!
//! The ledger decides who passed; records say how it came about. Whatever they hold may come from
//! anybody, and is written so that it can do no harm in any of the forms.

mod figures;
mod gather;
mod html;
mod json;
mod junit;
mod openhtf;
mod plots;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use provision_issuer::Access;
use provision_ledger::Lot;
use serde_json::json;

use crate::cli::LedgerPlace;
use crate::fault::Fault;
use crate::report::Report;
use crate::{files, ledger, system};

use figures::Figures;

const EXAMPLES: &str = "\
Examples:
  provision report lot --id 2026-W47 --records records --format html --out 2026-W47.html
  provision report lot --id 2026-W47 --records line-1 --records line-2 --format junit --out W47.xml
  provision report lot --id 2026-W47 --format json          of the ledger alone

The page opens offline. docs/reports.md says what is counted, and how.";

#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// What became of a lot: yield, seconds, causes, repeats.
    Lot(LotArguments),
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LotArguments {
    /// Name of the lot.
    #[arg(long, value_name = "LOT")]
    pub id: Lot,

    /// Directory of records, as `--records` keeps them; may be given several times. Without one the
    /// report has what the ledger knows: no seconds, no failures.
    #[arg(long, value_name = "DIR")]
    pub records: Vec<PathBuf>,

    /// For whom.
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub format: Format,

    /// New file for the result; - for standard output.
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub out: PathBuf,

    #[command(flatten)]
    pub place: LedgerPlace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// JUnit XML: a test case for each device, as Jenkins and GitLab read it.
    Junit,
    /// Test records as OpenHTF writes them, one for each run, in one array.
    Openhtf,
    /// Everything, as one JSON object.
    Json,
    /// A page with plots.
    Html,
}

pub(crate) fn run(command: &ReportCommand, report: &mut Report) -> Result<(), Fault> {
    match command {
        ReportCommand::Lot(arguments) => lot(arguments, report),
    }
}

fn lot(arguments: &LotArguments, report: &mut Report) -> Result<(), Fault> {
    let mut ledger = ledger::open_to_read_in(&arguments.place)?;
    let lot = gather::gather(&mut ledger, &arguments.id, &arguments.records, system::now_s()?)?;
    for (path, why) in &lot.unreadable {
        report.warning(&format!("{path}: {why}"), json!({ "file": path }))?;
    }
    let figures = Figures::of(&lot);
    files::write_new_by(&arguments.out, Access::EverybodyReads, |out| match arguments.format {
        Format::Junit => out.write_all(junit::write(&lot, &figures)?.as_bytes()),
        Format::Openhtf => openhtf::write(&lot, out),
        Format::Json => out.write_all(json::write(&lot, &figures).as_bytes()),
        Format::Html => out.write_all(html::write(&lot, &figures).as_bytes()),
    })?;
    if files::is_dash(&arguments.out) {
        return Ok(());
    }
    let percent = |share: Option<f64>| {
        share.map_or_else(|| "unknown".into(), |share| format!("{:.1} %", share * 100.0))
    };
    report.result(
        &format!(
            "lot {}: {} of {} devices passed, at first {}; wrote {}",
            lot.lot,
            figures.passed,
            figures.devices,
            percent(figures.first_pass_yield),
            arguments.out.display()
        ),
        &json!({
            "event": "result",
            "file": arguments.out,
            "lot": lot.lot,
            "devices": figures.devices,
            "passed": figures.passed,
            "first_pass_yield": figures.first_pass_yield,
            "final_yield": figures.final_yield,
            "unreadable": lot.unreadable.len(),
        }),
    )
}

/// Text that anybody may have written, without what XML does not take (1.0, section 2.2) and what
/// turns a line round on a screen.
fn printable(text: &str) -> String {
    let harmless = |c: char| match c {
        '\n' | '\t' => c,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => '\u{fffd}',
        '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(harmless).collect()
}
