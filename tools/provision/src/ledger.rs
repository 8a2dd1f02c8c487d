//! `provision ledger …`, and where the ledger is.

use std::path::{Path, PathBuf};

use provision_ledger::{Ledger as _, SqliteLedger, State};
use serde_json::json;

use crate::cli::{LedgerCommand, LedgerPlace};
use crate::fault::Fault;
use crate::report::{Report, hex};

/// The ledger given, or the one in the CA's directory.
pub(crate) fn path(given: Option<&PathBuf>, ca: &Path) -> PathBuf {
    given.cloned().unwrap_or_else(|| ca.join("ledger.sqlite"))
}

pub(crate) fn run(command: &LedgerCommand, report: &mut Report) -> Result<(), Fault> {
    match command {
        LedgerCommand::Create(arguments) => create(arguments, report),
        LedgerCommand::List(arguments) => list(arguments, report),
    }
}

fn create(arguments: &LedgerPlace, report: &mut Report) -> Result<(), Fault> {
    let path = path(arguments.ledger.as_ref(), &arguments.ca);
    SqliteLedger::create(&path)?;
    report.result(
        &format!("made the ledger {}", path.display()),
        &json!({ "event": "result", "ledger": path }),
    )
}

fn list(arguments: &LedgerPlace, report: &mut Report) -> Result<(), Fault> {
    let mut ledger = SqliteLedger::open(&path(arguments.ledger.as_ref(), &arguments.ca))?;
    let entries = ledger.entries()?;
    if entries.is_empty() {
        report.note("no device has a certificate yet")?;
    }
    for entry in entries {
        let enrolled = match entry.state {
            State::Issued => None,
            State::Enrolled { enrolled_at_s, delivery_sha256 } => {
                Some((enrolled_at_s, hex(&delivery_sha256)))
            }
        };
        report.result(
            &format!("{}  {}  {}", entry.device, entry.state, entry.cert_serial),
            &json!({
                "event": "entry",
                "device": entry.device.as_str(),
                "state": entry.state.to_string(),
                "cert_serial": entry.cert_serial.to_string(),
                "public_key": hex(entry.public_key.as_sec1()),
                "leaf_sha256": hex(&entry.leaf_sha256),
                "not_after_s": entry.not_after_s,
                "issued_at_s": entry.issued_at_s,
                "enrolled_at_s": enrolled.as_ref().map(|(at_s, _)| at_s),
                "delivery_sha256": enrolled.as_ref().map(|(_, digest)| digest),
            }),
        )?;
    }
    Ok(())
}
