//! `provision ca init`.

use provision_issuer::{CaNames, CaRequest, CaValidity, Country, KeyProtection, NameText};
use provision_ledger::SqliteLedger;
use serde_json::json;

use crate::cli::{CaCommand, CaInit};
use crate::fault::Fault;
use crate::report::Report;
use crate::{ledger, secret, system};

pub(crate) fn run(command: &CaCommand, report: &mut Report) -> Result<(), Fault> {
    match command {
        CaCommand::Init(arguments) => init(arguments, report),
    }
}

fn init(arguments: &CaInit, report: &mut Report) -> Result<(), Fault> {
    let usage = |fault: &dyn core::fmt::Display| Fault::Usage(fault.to_string());
    let protection = if arguments.insecure_plaintext_keys {
        KeyProtection::InsecurePlaintext
    } else {
        secret::for_making(&arguments.place)?
    };
    let request = CaRequest {
        names: CaNames::of(&arguments.name).map_err(|fault| usage(&fault))?,
        organization: name_text(arguments.organization.as_deref())?,
        country: country(arguments.country.as_deref())?,
        validity: CaValidity::default(),
        protection,
        now_s: system::now_s()?,
    };
    let made = provision_issuer::init(&arguments.place.ca, &request)?;
    let ledger = ledger::path(None, &arguments.place.ca);
    SqliteLedger::create(&ledger)?;
    let encrypted = !arguments.insecure_plaintext_keys;
    let text = format!(
        "made a CA in {}\n  device root     {}\n  device issuing  {}\n  server root     {}\n  \
         for servers     {} (whom they trust for devices)\n  \
         ledger          {}",
        made.path().display(),
        made.device_root_certificate().display(),
        made.device_issuing_certificate().display(),
        made.server_root_certificate().display(),
        made.device_ca_bundle().display(),
        ledger.display(),
    );
    report.result(
        &text,
        &json!({
            "event": "result",
            "ca": made.path(),
            "device_root": made.device_root_certificate(),
            "device_issuing": made.device_issuing_certificate(),
            "server_root": made.server_root_certificate(),
            "device_ca_bundle": made.device_ca_bundle(),
            "ledger": ledger,
            "keys_encrypted": encrypted,
        }),
    )?;
    if !encrypted {
        report.note("warning: the CA's private keys are not encrypted; for development only")?;
    }
    Ok(())
}

/// An attribute of a name, if it is given.
pub(crate) fn name_text(text: Option<&str>) -> Result<Option<NameText>, Fault> {
    text.map(NameText::new).transpose().map_err(|fault| Fault::Usage(fault.to_string()))
}

/// A country, if it is given.
pub(crate) fn country(code: Option<&str>) -> Result<Option<Country>, Fault> {
    code.map(Country::new).transpose().map_err(|fault| Fault::Usage(fault.to_string()))
}
