//! `provision revoke`: a certificate, or those of a whole lot, are not to be accepted any more.

use std::path::{Path, PathBuf};

use clap::Args;
use provision_issuer::inspect::{CertificateValues, time_text};
use provision_issuer::{CrlSource, DocumentKind, Reason};
use provision_ledger::{Certificates as _, Lot, Revocable, RevokeError, SqlLedger, Which};
use provision_wire::DeviceSerial;
use serde_json::json;

use crate::arguments::cert_serial;
use crate::cli::LedgerPlace;
use crate::fault::Fault;
use crate::report::Report;
use crate::{files, ledger, system};

const EXAMPLES: &str = "\
Examples:
  provision revoke --device sensor-0042 --reason keyCompromise
  provision revoke --serial 3A5F…
  provision revoke --certificate old.crt --reason superseded
  provision revoke --lot 2026-W47 --dry-run   who would it be?
  provision crl --out crl                     and then publish the CRLs

Reasons: unspecified, keyCompromise, CACompromise, affiliationChanged, superseded,
cessationOfOperation, privilegeWithdrawn.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Revoke {
    #[command(flatten)]
    pub which: WhichArguments,

    /// Why.
    #[arg(long, value_name = "REASON", default_value_t = Reason::Unspecified)]
    pub reason: Reason,

    /// Say what would be revoked, and revoke nothing.
    #[arg(long)]
    pub dry_run: bool,

    #[command(flatten)]
    pub place: LedgerPlace,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct WhichArguments {
    /// The certificate of this device.
    #[arg(long, value_name = "SERIAL")]
    pub device: Option<DeviceSerial>,
    /// The certificates of all devices that were made in this lot (`provision --lot`).
    #[arg(long, value_name = "LOT")]
    pub lot: Option<Lot>,
    /// The certificate on record with this serial number, in hexadecimal.
    #[arg(long, value_name = "HEX")]
    pub serial: Option<String>,
    /// This certificate: on record, or else signed by a CA of this directory.
    #[arg(long, value_name = "FILE")]
    pub certificate: Option<PathBuf>,
}

pub(crate) fn run(arguments: &Revoke, report: &mut Report) -> Result<(), Fault> {
    let which = which(&arguments.which)?;
    let place = &arguments.place;
    let mut ledger = ledger::open(place.ledger.as_ref(), &place.ca)?;
    let which = match (which, &arguments.which.certificate) {
        (Which::This(der), Some(path)) => this(path, der, &place.ca, &mut ledger)?,
        (which, _) => which,
    };
    if arguments.dry_run {
        return preview(&ledger.revocable(&which)?, report);
    }
    let now_s = system::now_s()?;
    let revoked = ledger.revoke(&which, arguments.reason.code(), now_s)?;
    let mut now = 0;
    for record in &revoked {
        let reason = Reason::of_code(record.reason).unwrap_or_default();
        let earlier = record.revoked_at_s < now_s || reason != arguments.reason;
        now += usize::from(!earlier);
        report.result(
            &format!(
                "{} {} {} since {}: {reason}",
                record.name,
                record.cert_serial,
                if earlier { "was revoked already," } else { "is revoked" },
                time_text(record.revoked_at_s),
            ),
            &json!({
                "event": if arguments.which.lot.is_some() { "revoked" } else { "result" },
                "name": record.name,
                "cert_serial": record.cert_serial.to_string(),
                "reason": reason.name(),
                "revoked_at_s": record.revoked_at_s,
                "earlier": earlier,
            }),
        )?;
    }
    if let Some(lot) = &arguments.which.lot {
        report.result(
            &format!("lot {lot}: {now} of {} certificates revoked now", revoked.len()),
            &json!({
                "event": "result",
                "lot": lot.as_str(),
                "certificates": revoked.len(),
                "revoked_now": now,
            }),
        )?;
    }
    report.note("servers know of it once they have the next CRL (`provision crl`), or ask by OCSP")
}

fn preview(meant: &[Revocable], report: &mut Report) -> Result<(), Fault> {
    let mut now = 0;
    for one in meant {
        let since = one.revoked.as_ref().map(|record| record.revoked_at_s);
        now += usize::from(since.is_none());
        let what = match since {
            None => format!("would be revoked; it ends on {}", time_text(one.not_after_s)),
            Some(since) => format!("was revoked already, since {}", time_text(since)),
        };
        report.result(
            &format!("{} {} {what}", one.name, one.cert_serial),
            &json!({
                "event": "would-revoke",
                "name": one.name,
                "cert_serial": one.cert_serial.to_string(),
                "not_after_s": one.not_after_s,
                "revoked_at_s": since,
            }),
        )?;
    }
    report.result(
        &format!("nothing was revoked; {now} of {} certificates would be", meant.len()),
        &json!({ "event": "result", "certificates": meant.len(), "would_revoke": now }),
    )
}

/// A certificate that is on record, or that a CA of this directory signed: of any other, no CRL that
/// is made here would ever tell.
fn this(path: &Path, der: Vec<u8>, ca: &Path, ledger: &mut SqlLedger) -> Result<Which, Fault> {
    match ledger.revocable(&Which::This(der.clone())) {
        Ok(_) => return Ok(Which::This(der)),
        Err(RevokeError::NotOnRecord { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    match CrlSource::that_signed(ca, &der)? {
        Some(source) => Ok(Which::Of { issuer_key_id: source.key_id()?, der }),
        None => {
            let values = CertificateValues::of(&der);
            let issuer = values.map_err(|error| files::document(path, &error))?.issuer;
            Err(Fault::Stranger { path: path.into(), issuer, ca: ca.into() })
        }
    }
}

fn which(arguments: &WhichArguments) -> Result<Which, Fault> {
    if let Some(device) = &arguments.device {
        return Ok(Which::OfDevice(device.clone()));
    }
    if let Some(lot) = &arguments.lot {
        return Ok(Which::OfLot(lot.clone()));
    }
    if let Some(path) = &arguments.certificate {
        return Ok(Which::This(files::read_one(path, DocumentKind::Certificate)?));
    }
    let text = arguments.serial.as_deref().unwrap_or_default();
    cert_serial(text)
        .map(Which::Serial)
        .ok_or_else(|| Fault::Usage(format!("{text:?} is no serial number in hexadecimal")))
}
