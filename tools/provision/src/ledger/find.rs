//! `provision ledger list` and `find`.

use core::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use provision_csr::PublicKey;
use provision_issuer::inspect::time_text;
use provision_issuer::{DocumentKind, Reason};
use provision_ledger::{Found, Holder, Lot, Search, State};
use provision_wire::DeviceSerial;
use serde_json::{Value, json};
use sha2_device::{Digest as _, Sha256};

use crate::arguments::{bytes_of_hex, cert_serial};
use crate::cli::LedgerPlace;
use crate::fault::Fault;
use crate::report::{Report, hex};
use crate::{files, system};

const EXAMPLES: &str = "\
Examples:
  provision ledger find --device sensor-0042
  provision ledger find --certificate leaf.crt
  provision ledger find --public-key 04d458f4…
  provision ledger find --lot 2026-W47 --json
  provision ledger find --since 2026-11-01 --until 2026-11-30";

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Devices alone, without the certificates of hosts and people.
    #[arg(long)]
    pub devices: bool,

    #[command(flatten)]
    pub place: LedgerPlace,
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Find {
    #[command(flatten)]
    pub which: Which,

    /// Until this time, with `--since`: a day, which counts, or a time.
    #[arg(long, value_name = "TIME", requires = "since", value_parser = system::until)]
    pub until: Option<u64>,

    #[command(flatten)]
    pub place: LedgerPlace,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// Every certificate of this device.
    #[arg(long, value_name = "SERIAL")]
    pub device: Option<DeviceSerial>,
    /// The certificate of this key: 65 bytes in hexadecimal, 04, x and y.
    #[arg(long, value_name = "HEX")]
    pub public_key: Option<String>,
    /// Certificates of this serial number, in hexadecimal.
    #[arg(long, value_name = "HEX")]
    pub serial: Option<String>,
    /// The certificate of this SHA-256 fingerprint, in hexadecimal.
    #[arg(long, value_name = "HEX")]
    pub sha256: Option<String>,
    /// This certificate.
    #[arg(long, value_name = "FILE")]
    pub certificate: Option<PathBuf>,
    /// Every certificate of this lot.
    #[arg(long, value_name = "LOT")]
    pub lot: Option<Lot>,
    /// What was recorded since this time: 2026-11-01, 2026-11-01T08:00:00Z, seconds since 1970.
    #[arg(long, value_name = "TIME", value_parser = system::since)]
    pub since: Option<u64>,
}

pub(crate) fn list(arguments: &List, report: &mut Report) -> Result<(), Fault> {
    let mut ledger = super::open_to_read_in(&arguments.place)?;
    let (mut shown, mut failed) = (0_u64, None);
    ledger.search(&Search::All, &mut |found| {
        if arguments.devices && matches!(found.holder, Holder::Host { .. }) {
            return ControlFlow::Break(());
        }
        shown += 1;
        go_on(show(&found, report), &mut failed)
    })?;
    if shown == 0 {
        report.note("no certificate is on record yet")?;
    }
    failed.map_or(Ok(()), Err)
}

pub(crate) fn find(arguments: &Find, report: &mut Report) -> Result<(), Fault> {
    let search = search(arguments)?;
    let mut ledger = super::open_to_read_in(&arguments.place)?;
    let (mut shown, mut failed) = (0_u64, None);
    ledger.search(&search, &mut |found| {
        shown += 1;
        go_on(show(&found, report), &mut failed)
    })?;
    match failed {
        Some(fault) => Err(fault),
        None if shown == 0 => Err(Fault::NothingFound { place: ledger.place().to_owned() }),
        None => Ok(()),
    }
}

fn go_on(shown: Result<(), Fault>, failed: &mut Option<Fault>) -> ControlFlow<()> {
    match shown {
        Ok(()) => ControlFlow::Continue(()),
        Err(fault) => {
            *failed = Some(fault);
            ControlFlow::Break(())
        }
    }
}

fn search(arguments: &Find) -> Result<Search, Fault> {
    let Find { which, until, .. } = arguments;
    let wrong = |what: &str| Fault::Usage(format!("that is no {what} in hexadecimal"));
    Ok(match which {
        Which { device: Some(device), .. } => Search::Device(device.clone()),
        Which { lot: Some(lot), .. } => Search::Lot(lot.clone()),
        Which { certificate: Some(path), .. } => {
            let der = files::read_one(path, DocumentKind::Certificate)?;
            Search::Sha256(Sha256::digest(der).into())
        }
        Which { public_key: Some(text), .. } => {
            let key = bytes_of_hex(text).and_then(|bytes| PublicKey::from_sec1_slice(&bytes).ok());
            Search::PublicKey(key.ok_or_else(|| wrong("public key (65 bytes)"))?)
        }
        Which { serial: Some(text), .. } => {
            Search::CertSerial(cert_serial(text).ok_or_else(|| wrong("serial number"))?)
        }
        Which { sha256: Some(text), .. } => {
            let sha256 = bytes_of_hex(text).and_then(|bytes| bytes.try_into().ok());
            Search::Sha256(sha256.ok_or_else(|| wrong("SHA-256 fingerprint (32 bytes)"))?)
        }
        Which { since, .. } => {
            Search::Time { from_s: since.unwrap_or(0), to_s: until.unwrap_or(u64::MAX) }
        }
    })
}

fn show(found: &Found, report: &mut Report) -> Result<(), Fault> {
    let mut event = json!({
        "event": "entry",
        "state": found.state(),
        "cert_serial": found.cert_serial.to_string(),
        "leaf_sha256": hex(&found.sha256),
        "not_after_s": found.not_after_s,
        "issued_at_s": found.issued_at_s,
    });
    let mut text;
    match &found.holder {
        Holder::Device { device, public_key, lot, state, generation } => {
            let enrolled = match state {
                State::Issued => None,
                State::Enrolled { enrolled_at_s, delivery_sha256 } => {
                    Some((*enrolled_at_s, hex(delivery_sha256)))
                }
            };
            text = format!("{device}  {}  {}", found.state(), found.cert_serial);
            if let Some(lot) = lot {
                text.push_str(&format!("  lot {lot}"));
            }
            event["device"] = device.as_str().into();
            event["public_key"] = hex(public_key.as_sec1()).into();
            event["lot"] = lot.as_ref().map_or(Value::Null, |lot| lot.as_str().into());
            event["generation"] = (*generation).into();
            event["enrolled_at_s"] = enrolled.as_ref().map(|(at_s, _)| *at_s).into();
            event["delivery_sha256"] = enrolled.map(|(_, digest)| digest).into();
        }
        Holder::Host { name, profile } => {
            text = format!("{name}  {} ({profile})  {}", found.state(), found.cert_serial);
            event["name"] = name.as_str().into();
            event["profile"] = profile.as_str().into();
        }
    }
    if let Some((since_s, reason)) = found.revoked {
        let reason = Reason::of_code(reason).unwrap_or_default();
        text.push_str(&format!("  since {}: {reason}", time_text(since_s)));
        event["revoked_at_s"] = since_s.into();
        event["reason"] = reason.name().into();
    }
    report.result(&text, &event)
}
