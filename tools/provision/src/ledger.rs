//! `provision ledger …`, and where the ledger is.

mod audit;
mod export;
mod find;
mod import;
mod merge;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use provision_ledger::{PostgresUrl, PostgresUrlError, SqlLedger};
use serde_json::json;

use crate::cli::LedgerPlace;
use crate::fault::Fault;
use crate::report::Report;
use crate::system;

#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Make an empty ledger where none is. `ca init` makes one in the CA's directory.
    #[command(after_help = "Example:\n  provision ledger create --ledger line.sqlite")]
    Create(LedgerPlace),
    /// List every certificate on record: the devices', oldest first, then those of hosts and people.
    #[command(after_help = "Example:\n  provision ledger list")]
    List(find::List),
    /// Find certificates by device, key, serial number, fingerprint, lot or time.
    Find(find::Find),
    /// Say whether anything was changed, removed or put in by anybody but this program.
    Verify(audit::Verify),
    /// Export the signed end of the ledger, to be kept elsewhere: `verify --head` holds the ledger
    /// against it later.
    Head(audit::Head),
    /// Write what is on record as a table, or as clouds and brokers want it.
    Export(export::Export),
    /// Take over what `export` wrote as csv or json, into this ledger.
    Import(import::Import),
    /// Bring what a station recorded by itself to the server, and give back what it had leased.
    Merge(merge::Merge),
    /// List what stations recorded by themselves and what could not stand beside the rest.
    #[command(after_help = "Example:\n  provision ledger conflicts")]
    Conflicts(LedgerPlace),
    /// Bring the tables of a ledger to this version. In PostgreSQL it is for their owner; a file is
    /// brought to it by whatever writes to it.
    #[command(
        after_help = "Example:\n  provision ledger upgrade --ledger postgres://owner@db.acme.com/ledger"
    )]
    Upgrade(LedgerPlace),
}

/// The ledger given, a file or `postgres://…`, or the one in the CA's directory.
pub(crate) fn path(given: Option<&PathBuf>, ca: &Path) -> PathBuf {
    given.cloned().unwrap_or_else(|| ca.join("ledger.sqlite"))
}

/// Opens it.
pub(crate) fn open(given: Option<&PathBuf>, ca: &Path) -> Result<SqlLedger, Fault> {
    let path = path(given, ca);
    let mut ledger = match address(&path)? {
        Some(url) => SqlLedger::connect(&url, &station_key(ca))?,
        None => SqlLedger::open(&path)?,
    };
    ledger.ignore_clock(system::clock_is_ignored());
    Ok(ledger)
}

/// Opens it for what only looks, which needs no more than to read it.
pub(crate) fn open_to_read(given: Option<&PathBuf>, ca: &Path) -> Result<SqlLedger, Fault> {
    let path = path(given, ca);
    match address(&path)? {
        Some(url) => Ok(SqlLedger::connect_to_read(&url, &station_key(ca))?),
        None => Ok(SqlLedger::open_to_read(&path)?),
    }
}

/// The same, as the command line says.
pub(crate) fn open_to_read_in(place: &LedgerPlace) -> Result<SqlLedger, Fault> {
    open_to_read(place.ledger.as_ref(), &place.ca)
}

/// The same as [`open`], as the command line says.
pub(crate) fn open_in(place: &LedgerPlace) -> Result<SqlLedger, Fault> {
    open(place.ledger.as_ref(), &place.ca)
}

pub(crate) fn run(command: &LedgerCommand, report: &mut Report) -> Result<(), Fault> {
    match command {
        LedgerCommand::Create(arguments) => create(arguments, report),
        LedgerCommand::List(arguments) => find::list(arguments, report),
        LedgerCommand::Find(arguments) => find::find(arguments, report),
        LedgerCommand::Verify(arguments) => audit::verify(arguments, report),
        LedgerCommand::Head(arguments) => audit::head(arguments, report),
        LedgerCommand::Export(arguments) => export::export(arguments, report),
        LedgerCommand::Import(arguments) => import::import(arguments, report),
        LedgerCommand::Merge(arguments) => merge::merge(arguments, report),
        LedgerCommand::Conflicts(place) => merge::conflicts(place, report),
        LedgerCommand::Upgrade(place) => upgrade(place, report),
    }
}

fn create(arguments: &LedgerPlace, report: &mut Report) -> Result<(), Fault> {
    let path = path(arguments.ledger.as_ref(), &arguments.ca);
    let ledger = match address(&path)? {
        Some(url) => SqlLedger::create_in(&url, &station_key(&arguments.ca))?,
        None => SqlLedger::create(&path)?,
    };
    report.result(
        &format!("made the ledger {}", ledger.place()),
        &json!({ "event": "result", "ledger": ledger.place() }),
    )
}

fn upgrade(arguments: &LedgerPlace, report: &mut Report) -> Result<(), Fault> {
    let (given, ca) = (arguments.ledger.as_ref(), &arguments.ca);
    if let Some(url) = server(given, ca)? {
        let before = SqlLedger::upgrade_in(&url)?;
        report.note(&format!("its tables were of version {before}"))?;
    }
    // One in a file is brought to it by opening it.
    let ledger = open(given, ca)?;
    report.result(
        &format!("{} is of this program's version", ledger.place()),
        &json!({ "event": "result", "ledger": ledger.place() }),
    )
}

/// The server, if the ledger is on one.
pub(crate) fn server(given: Option<&PathBuf>, ca: &Path) -> Result<Option<PostgresUrl>, Fault> {
    address(&path(given, ca))
}

/// Beside the CA, where a ledger in a file has it too.
pub(crate) fn station_key(ca: &Path) -> PathBuf {
    ca.join("station.key")
}

/// If it is in PostgreSQL: where.
fn address(path: &Path) -> Result<Option<PostgresUrl>, Fault> {
    match path.to_str().filter(|text| PostgresUrl::is_meant(text)) {
        Some(text) => match text.parse() {
            Ok(url) => Ok(Some(url)),
            Err(wrong) => Err(Fault::Usage(PostgresUrlError::to_string(&wrong))),
        },
        None => Ok(None),
    }
}
