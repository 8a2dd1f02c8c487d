//! `provision label`: what is stuck on a device: its serial, the fingerprint of its certificate, and
//! both as a QR code to claim it by.
//!
//! ```text
//!   claim      what the QR code says
//!   keep       labels that a run makes of devices as they pass
//!   layout     where everything stands, in the printer's dots
//!   png, svg, zpl   the forms it is written in
//! ```
//!
//! There is nothing secret on a label: it says which device this is and does not prove it. Only the
//! device can, by its key.

mod claim;
mod keep;
mod layout;
mod png;
mod svg;
mod zpl;

use core::ops::ControlFlow;
use std::fs;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use provision_issuer::Access;
use provision_ledger::{Found, Holder, Lot, Search, State};
use provision_wire::DeviceSerial;
use serde_json::json;

use crate::cli::LedgerPlace;
use crate::fault::Fault;
use crate::report::{Report, hex};
use crate::{files, ledger};

use claim::ClaimUrl;
use layout::{Dpi, Layout, Size};

pub(crate) use keep::{Labels, LabelsArguments};

const EXAMPLES: &str = "\
Examples:
  provision label --device sensor-0042 --format png --out sensor-0042.png
  provision label --lot 2026-W47 --format zpl --out labels; cat labels/*.zpl > /dev/usb/lp0
  provision label --device sensor-0042 --format svg --claim-url 'https://acme.com/claim/{device}?f={sha256}'

Only a device that has proven what it stores gets a label. docs/reports.md says what is on it.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Label {
    #[command(flatten)]
    pub which: Which,

    /// For what printer or program.
    #[arg(long, value_name = "FORMAT", value_enum)]
    pub format: Format,

    /// New file for the label, - for standard output; with `--lot`, directory for a file of each
    /// device.
    #[arg(long, value_name = "FILE|DIR", default_value = "-")]
    pub out: PathBuf,

    /// What the QR code says: `{device}`, `{sha256}` and `{cert_serial}` stand for the device's own,
    /// encoded for a URL.
    #[arg(long, value_name = "TEMPLATE", default_value = claim::DEFAULT)]
    pub claim_url: ClaimUrl,

    /// Width and height, in millimetres.
    #[arg(long, value_name = "WxH", default_value = "50x25")]
    pub size: Size,

    /// Dots of the printer, an inch.
    #[arg(long, value_name = "DPI", value_enum, default_value_t = Dpi::Dpi203)]
    pub dpi: Dpi,

    #[command(flatten)]
    pub place: LedgerPlace,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Which {
    /// The label of this device.
    #[arg(long, value_name = "SERIAL")]
    pub device: Option<DeviceSerial>,
    /// The labels of all devices of this lot that are enrolled.
    #[arg(long, value_name = "LOT")]
    pub lot: Option<Lot>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Black and white, a pixel for each dot.
    Png,
    /// To scale, for any size of print.
    Svg,
    /// ZPL II, for Zebra's printers and those that speak as they do.
    Zpl,
}

impl Format {
    const fn ending(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Svg => "svg",
            Self::Zpl => "zpl",
        }
    }
}

/// What is on a label.
#[derive(Debug, Clone)]
struct Facts {
    device: String,
    sha256: String,
    cert_serial: String,
    lot: Option<String>,
}

impl Facts {
    /// Of a certificate that a device stores; of others, why there is no label.
    fn of(found: &Found) -> Result<Self, &'static str> {
        let Holder::Device { device, lot, state, .. } = &found.holder else {
            return Err("it is no device");
        };
        if found.revoked.is_some() {
            return Err("its certificate was revoked");
        }
        if *state == State::Issued {
            return Err("it has not proven that it stores its certificate");
        }
        Ok(Self {
            device: device.to_string(),
            sha256: hex(&found.sha256),
            cert_serial: found.cert_serial.to_string(),
            lot: lot.as_ref().map(ToString::to_string),
        })
    }

    /// Of the newest certificate of a device, of all that `search` hands over, oldest first.
    fn newest(
        device: &DeviceSerial,
        search: impl FnOnce(&mut dyn FnMut(Found) -> ControlFlow<()>) -> Result<(), Fault>,
    ) -> Result<Self, Fault> {
        let mut newest = Err("it is not in the ledger");
        search(&mut |found| {
            newest = Self::of(&found);
            ControlFlow::Continue(())
        })?;
        newest.map_err(|why| Fault::NoLabel { device: device.to_string(), why })
    }

    /// The fingerprint for people: its first eight bytes, in fours.
    fn short_sha256(&self) -> String {
        let digits: Vec<char> = self.sha256.chars().take(16).collect();
        digits.chunks(4).map(String::from_iter).collect::<Vec<_>>().join(" ")
    }
}

pub(crate) fn run(arguments: &Label, report: &mut Report) -> Result<(), Fault> {
    let look = Look {
        format: arguments.format,
        claim_url: arguments.claim_url.clone(),
        size: arguments.size,
        dpi: arguments.dpi,
    };
    let mut ledger = ledger::open_to_read_in(&arguments.place)?;
    match &arguments.which {
        Which { device: Some(device), .. } => {
            let facts = Facts::newest(device, |each| {
                Ok(ledger.search(&Search::Device(device.clone()), each)?)
            })?;
            let label = look.draw(&facts)?;
            files::write_new(&arguments.out, &label, Access::EverybodyReads)?;
            if files::is_dash(&arguments.out) {
                return Ok(());
            }
            report.result(
                &format!("made the label {}", arguments.out.display()),
                &json!({
                    "event": "result",
                    "file": arguments.out,
                    "device": facts.device,
                    "leaf_sha256": facts.sha256,
                    "claim": arguments.claim_url.of(&facts),
                }),
            )
        }
        Which { lot, .. } => {
            let lot = lot.clone().ok_or_else(|| Fault::Usage("which lot?".into()))?;
            if files::is_dash(&arguments.out) {
                return Err(Fault::Usage(
                    "the labels of a lot are files in a directory: `--out DIR`".into(),
                ));
            }
            let (mut all, mut left_out) = (Vec::new(), 0_u64);
            ledger.search(&Search::Lot(lot), &mut |one| {
                match Facts::of(&one) {
                    Ok(facts) => all.push(facts),
                    Err(_) => left_out += 1,
                }
                ControlFlow::Continue(())
            })?;
            if all.is_empty() {
                return Err(Fault::NothingFound { place: ledger.place().to_owned() });
            }
            let dir = &arguments.out;
            fs::create_dir_all(dir).map_err(|cause| Fault::Write { path: dir.clone(), cause })?;
            for facts in &all {
                let label = look.draw(facts)?;
                let path = dir.join(look.name_of(facts));
                files::write_new(&path, &label, Access::EverybodyReads)?;
            }
            let count = all.len();
            report.result(
                &format!("labels made in {}: {count}; left out: {left_out}", dir.display()),
                &json!({
                    "event": "result",
                    "directory": dir,
                    "labels": count,
                    "left_out": left_out,
                }),
            )
        }
    }
}

/// What labels look like.
#[derive(Debug)]
struct Look {
    format: Format,
    claim_url: ClaimUrl,
    size: Size,
    dpi: Dpi,
}

impl Look {
    /// The file's, in a directory of labels.
    fn name_of(&self, facts: &Facts) -> String {
        format!("{}.{}", files::name_of(&facts.device), self.format.ending())
    }

    fn draw(&self, facts: &Facts) -> Result<Vec<u8>, Fault> {
        let claim = self.claim_url.of(facts);
        let layout = Layout::new(facts, &claim, self.size, self.dpi)?;
        Ok(match self.format {
            Format::Png => png::write(&layout, self.dpi)?,
            Format::Svg => svg::write(&layout, self.size).into_bytes(),
            Format::Zpl => zpl::write(&layout, &claim).into_bytes(),
        })
    }
}
