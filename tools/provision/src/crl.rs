//! `provision crl`: the CRLs of every CA of a directory.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use provision_issuer::inspect::time_text;
use provision_issuer::{CrlRequest, CrlSource, DocumentKind, Reason, Revoked, to_pem};
use provision_ledger::{Certificates as _, SqliteLedger};
use serde_json::json;

use crate::cli::CaPlace;
use crate::fault::Fault;
use crate::report::Report;
use crate::{ledger, secret, system};

const EXAMPLES: &str = "\
Examples:
  provision crl --out /etc/nginx/crl          device-issuing.crl and so on, and all.crl
  provision crl --days 7 --out crl

nginx (`ssl_crl`) wants a CRL of every CA in the path in one file: that is all.crl. Past its
nextUpdate a server takes nobody: make new ones in time.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Crl {
    #[command(flatten)]
    pub place: CaPlace,

    /// The record of what was revoked [default: ledger.sqlite in the CA's directory].
    #[arg(long, value_name = "FILE", env = "PROVISION_LEDGER")]
    pub ledger: Option<PathBuf>,

    /// Days until the next one comes at the latest.
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub days: u32,

    /// Where the CRLs are published, if certificates name it: URL/device-issuing.crl and so on.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,

    /// Directory for the CRLs; made if it is not there. CRLs there are replaced, each at once.
    #[arg(long, value_name = "DIR", default_value = "crl")]
    pub out: PathBuf,
}

pub(crate) fn run(arguments: &Crl, report: &mut Report) -> Result<(), Fault> {
    make(arguments, report).map(|_| ())
}

/// Makes them all; returns when the first of them ends.
pub(crate) fn make(arguments: &Crl, report: &mut Report) -> Result<u64, Fault> {
    if arguments.days == 0 {
        return Err(Fault::Usage("a CRL that ends at once would have servers take nobody".into()));
    }
    let place = &arguments.place;
    let mut ledger = SqliteLedger::open(&ledger::path(arguments.ledger.as_ref(), &place.ca))?;
    let now_s = system::now_s()?;
    let next_update_s = now_s.saturating_add(u64::from(arguments.days) * 86_400);
    let write_fault = |path: &Path| {
        let path = path.to_owned();
        move |cause| Fault::Write { path, cause }
    };
    fs::create_dir_all(&arguments.out).map_err(write_fault(&arguments.out))?;
    let mut all = String::new();
    let sources = CrlSource::all(&place.ca)?;
    let encrypted = sources
        .iter()
        .map(CrlSource::needs_passphrase)
        .collect::<Result<Vec<_>, _>>()?
        .contains(&true);
    let protection = secret::for_opening(place, encrypted)?;
    for source in sources {
        let mut signer = source.open(&protection)?;
        let file = format!("{}.crl", signer.name().replace('/', "-"));
        // Durable before it is signed: no two CRLs have one number, whatever happens.
        let (number, revoked) = ledger.begin_crl(signer.key_id(), now_s, next_update_s)?;
        let count = revoked.len();
        let request = CrlRequest {
            number,
            now_s,
            next_update_s,
            url: arguments.url.as_ref().map(|url| format!("{}/{file}", url.trim_end_matches('/'))),
        };
        let entries = revoked.into_iter().map(|record| Revoked {
            cert_serial: record.cert_serial.as_bytes().to_vec(),
            at_s: record.revoked_at_s,
            reason: Reason::of_code(record.reason).unwrap_or_default(),
        });
        let der = signer.sign_crl(&request, entries)?;
        let pem = to_pem(DocumentKind::Crl, &der);
        let path = arguments.out.join(&file);
        replace(&path, pem.as_bytes()).map_err(write_fault(&path))?;
        all.push_str(&pem);
        report.result(
            &format!(
                "{}: number {number}, {count} revoked, until {} ({})",
                path.display(),
                time_text(next_update_s),
                signer.subject(),
            ),
            &json!({
                "event": "crl",
                "file": path,
                "issuer": signer.subject(),
                "number": number,
                "revoked": count,
                "next_update_s": next_update_s,
            }),
        )?;
    }
    let path = arguments.out.join("all.crl");
    replace(&path, all.as_bytes()).map_err(write_fault(&path))?;
    Ok(next_update_s)
}

/// A server that reads it meanwhile finds the old one or the new one, never half of one.
fn replace(path: &Path, contents: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let beside = path.with_extension("crl.new");
    let mut file = fs::File::create(&beside)?;
    file.write_all(contents)?;
    file.sync_all()?;
    fs::rename(&beside, path)
}
