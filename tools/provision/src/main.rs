//! `provision`: gives every device on the line an identity.
//!
//! ```text
//!   cli        what can be said on the command line
//!   enroll     the main job: one run of the dialogue on each port given
//!   station    the same all shift long: slots, hot plug, scanning
//!   plan       what a run would do
//!   simulate   devices that are none, for training and load
//!   job, run, books   what all runs share; one run; the CA and the ledger behind one lock
//!   ask, conversation   one question by hand
//!   ca, host_cert, sign, csr, revoke, crl, ocsp  the CA; each has its arguments beside it
//!   verify, inspect, check_end, matching         what is this, and is it good?
//!   doctor          does a server take us, and if not, why?
//!   key, convert, fullchain, p12, dhparam        files put into another form
//!   config     servers that take devices and people: one file each in `config/`
//!   kit        all of that for one server and one client
//!   ledger, lot, ports   what is around it
//!   arguments   groups of arguments that several commands have
//!   files, secret   files and `-`; passphrases
//!   line, capture   a serial port, written to in small pieces; what it says besides the dialogue
//!   ending     Ctrl-C
//!   records, lot_report   a file for each run; what became of a lot
//!   label      what is stuck on a device
//!   bars       how far each of a few ports is
//!   report     what people and programs are told
//!   fault      what went wrong, its exit code, what to do next
//! ```
//!
//! stdout carries results (with `--json`, one object per event); stderr carries talk.

mod arguments;
mod ask;
mod bars;
mod books;
mod ca;
mod capture;
mod check_end;
mod cli;
mod config;
mod conversation;
mod convert;
mod crl;
mod csr;
mod dhparam;
mod doctor;
mod ending;
mod enroll;
mod fault;
mod files;
mod fullchain;
mod host_cert;
mod inspect;
mod job;
mod kept;
mod key;
mod kit;
mod label;
mod ledger;
mod line;
mod line_ledger;
mod lot;
mod lot_report;
mod matching;
mod ocsp;
mod operator;
mod p12;
mod plan;
mod ports;
mod records;
mod report;
mod revoke;
mod run;
mod secret;
mod shared_turn;
mod sign;
mod signing;
#[cfg(unix)]
mod simulate;
mod station;
mod system;
mod verify;
mod wrapped;

use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory as _, FromArgMatches as _};

use cli::{Cli, Command};
use fault::Fault;
use report::Report;

fn main() -> ExitCode {
    let matches = match Cli::command().try_get_matches() {
        Ok(matches) => matches,
        // Help and version are asked for, and no fault.
        Err(told) if !told.use_stderr() => told.exit(),
        Err(wrong) => return failed(&mut Report::new(asks_for_json()), None, &wrong.into()),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(wrong) => return failed(&mut Report::new(asks_for_json()), None, &wrong.into()),
    };
    let mut report = Report::new(cli.json);
    if cli.insecure_ignore_clock {
        system::ignore_clock();
    }
    let result = nothing_misplaced(&matches).and_then(|()| match &cli.command {
        Some(Command::Ca(command)) => ca::run(command, &mut report),
        Some(Command::ServerCert(arguments)) => host_cert::server(arguments, &mut report),
        Some(Command::ClientCert(arguments)) => host_cert::client(arguments, &mut report),
        Some(Command::Sign(arguments)) => sign::run(arguments, &mut report),
        Some(Command::Csr(arguments)) => csr::run(arguments, &mut report),
        Some(Command::Verify(arguments)) => verify::run(arguments, &mut report),
        Some(Command::Doctor(arguments)) => doctor::run(arguments, &mut report),
        Some(Command::Inspect(arguments)) => inspect::run(arguments, &mut report),
        Some(Command::CheckEnd(arguments)) => check_end::run(arguments, &mut report),
        Some(Command::Match(arguments)) => matching::run(arguments, &mut report),
        Some(Command::Key(command)) => key::run(command, &mut report),
        Some(Command::Convert(arguments)) => convert::run(arguments, &mut report),
        Some(Command::Fullchain(arguments)) => fullchain::run(arguments, &mut report),
        Some(Command::P12(command)) => p12::run(command, &mut report),
        Some(Command::Dhparam(arguments)) => dhparam::run(arguments, &mut report),
        Some(Command::Revoke(arguments)) => revoke::run(arguments, &mut report),
        Some(Command::Crl(arguments)) => crl::run(arguments, &mut report),
        Some(Command::Kit(arguments)) => kit::run(arguments, &mut report),
        Some(Command::Config(command)) => config::run(command, &mut report),
        Some(Command::Ocsp(command)) => ocsp::run(command, &mut report),
        Some(Command::Station(arguments)) => station::run(arguments, &mut report),
        #[cfg(unix)]
        Some(Command::Simulate(arguments)) => simulate::run(arguments, &mut report),
        Some(Command::Ask(arguments)) => ask::run(arguments, &mut report),
        Some(Command::Ports) => ports::run(&mut report),
        Some(Command::Ledger(command)) => ledger::run(command, &mut report),
        Some(Command::Lot(command)) => lot::run(command, &mut report),
        Some(Command::Label(arguments)) => label::run(arguments, &mut report),
        Some(Command::Report(command)) => lot_report::run(command, &mut report),
        None => enroll::run(&cli.enroll, &mut report),
    });
    let port = match cli.enroll.port.as_slice() {
        [port] => Some(port.as_str()),
        _ => None,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => failed(&mut report, port, &fault),
    }
}

fn failed(report: &mut Report, port: Option<&str>, fault: &Fault) -> ExitCode {
    report.fault(port, fault);
    ExitCode::from(fault.exit_code())
}

/// What stands before a subcommand is the main job's. Taken in silence it would be ignored: the CA
/// that was named there is not the one that is used.
fn nothing_misplaced(matches: &ArgMatches) -> Result<(), Fault> {
    let Some(subcommand) = matches.subcommand_name() else { return Ok(()) };
    let typed = |id: &&str| matches.value_source(id) == Some(ValueSource::CommandLine);
    match matches.ids().map(clap::Id::as_str).filter(|id| !GLOBAL.contains(id)).find(typed) {
        None => Ok(()),
        Some(id) => {
            let option = id.replace('_', "-");
            Err(Fault::Usage(format!(
                "`--{option}` stands before `{subcommand}`, where it means nothing: put it behind"
            )))
        }
    }
}

/// What means the same before a subcommand and behind it.
const GLOBAL: [&str; 2] = ["json", "insecure_ignore_clock"];

/// Whether the command line, of which nothing else could be understood, asks for JSON.
fn asks_for_json() -> bool {
    std::env::args_os().any(|argument| argument == "--json")
}
