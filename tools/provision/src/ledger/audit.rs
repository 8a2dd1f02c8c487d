//! `provision ledger verify` and `head`.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use provision_csr::PublicKey;
use provision_issuer::Access;
use provision_issuer::inspect::time_text;
use provision_ledger::{Expected, SignedHead, station_fingerprint};
use serde_json::{Value, json};

use crate::arguments::bytes_of_hex;
use crate::cli::LedgerPlace;
use crate::fault::Fault;
use crate::files;
use crate::report::{Report, hex};

const EXAMPLES: &str = "\
Examples:
  provision ledger head --out 2026-11-22.head      keep this where nobody at the line can write
  provision ledger verify --head 2026-11-22.head   is all of it still there, as it was?
  provision ledger verify --station 3f9c…          and did nobody else sign?";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Verify {
    /// A head that was exported earlier: the ledger must go on from there.
    #[arg(long, value_name = "FILE")]
    pub head: Option<PathBuf>,

    /// Fingerprint of a station that may have signed, as `verify` shows it; may be given several
    /// times [default: any].
    #[arg(long, value_name = "HEX")]
    pub station: Vec<String>,

    #[command(flatten)]
    pub place: LedgerPlace,
}

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Head {
    /// New file for the head; - for standard output.
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub out: PathBuf,

    #[command(flatten)]
    pub place: LedgerPlace,
}

pub(crate) fn verify(arguments: &Verify, report: &mut Report) -> Result<(), Fault> {
    let mut ledger = super::open_to_read_in(&arguments.place)?;
    let head = arguments.head.as_deref().map(read).transpose()?;
    let audit = ledger.audit(&Expected { head, stations: Vec::new() })?;
    for station in &audit.stations {
        let fingerprint = hex(&station_fingerprint(&station.public_key));
        let given = &arguments.station;
        if !given.is_empty() && !given.iter().any(|one| one.eq_ignore_ascii_case(&fingerprint)) {
            return Err(Fault::ForeignStation { fingerprint });
        }
        report.result(
            &format!(
                "station {fingerprint} signed {} times, first {}",
                station.heads,
                time_text(station.since_s)
            ),
            &json!({
                "event": "station",
                "station_sha256": fingerprint,
                "signatures": station.heads,
                "since_s": station.since_s,
            }),
        )?;
    }
    let at_s = audit.head.as_ref().map(|head| head.at_s);
    let last = at_s.map_or_else(String::new, |at_s| format!(", the last of {}", time_text(at_s)));
    report.result(
        &format!(
            "{}: nothing was changed; {} links, {} signatures{last}",
            ledger.place(),
            audit.links,
            audit.heads
        ),
        &json!({
            "event": "result",
            "ledger": ledger.place(),
            "links": audit.links,
            "signatures": audit.heads,
            "signed_at_s": at_s,
            "head_sha256": audit.head.as_ref().map(|head| hex(&head.hash)),
        }),
    )
}

pub(crate) fn head(arguments: &Head, report: &mut Report) -> Result<(), Fault> {
    let mut ledger = super::open_to_read_in(&arguments.place)?;
    let place = ledger.place().to_owned();
    let head = ledger.signed_head()?.ok_or(Fault::NothingFound { place })?;
    let text = format!("{:#}\n", to_json(&head));
    if files::is_dash(&arguments.out) {
        return files::write_new(&arguments.out, text.as_bytes(), Access::EverybodyReads);
    }
    files::write_new(&arguments.out, text.as_bytes(), Access::EverybodyReads)?;
    report.result(
        &format!("wrote the head after {} links to {}", head.links, arguments.out.display()),
        &json!({ "event": "result", "file": arguments.out, "links": head.links }),
    )
}

fn to_json(head: &SignedHead) -> Value {
    json!({
        "ledger_head": 1,
        "links": head.links,
        "sha256": hex(&head.hash),
        "signed_at_s": head.at_s,
        "station_public_key": hex(head.station.as_sec1()),
        "station_sha256": hex(&station_fingerprint(&head.station)),
        "signature": STANDARD.encode(&head.signature),
    })
}

fn read(path: &Path) -> Result<SignedHead, Fault> {
    let wrong = || files::document(path, &"it is no head that `provision ledger head` exported");
    let unread = |cause| Fault::Read { path: path.into(), cause };
    let file = File::open(path).map_err(unread)?;
    let mut text = String::new();
    file.take(LEN_MAX).read_to_string(&mut text).map_err(unread)?;
    let json: Value = serde_json::from_str(&text).map_err(|_| wrong())?;
    let text = |name: &str| json[name].as_str().unwrap_or_default();
    let head = || {
        Some(SignedHead {
            links: (json["ledger_head"] == 1).then(|| json["links"].as_u64())??,
            hash: bytes_of_hex(text("sha256"))?.try_into().ok()?,
            at_s: json["signed_at_s"].as_u64()?,
            station: PublicKey::from_sec1_slice(&bytes_of_hex(text("station_public_key"))?).ok()?,
            signature: STANDARD.decode(text("signature")).ok()?,
        })
    };
    head().ok_or_else(wrong)
}

/// A head is much shorter.
const LEN_MAX: u64 = 16 * 1024;
