//! `provision crl`: the CRLs of every CA of a directory.

mod watch;

use core::str::FromStr;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use provision_issuer::inspect::time_text;
use provision_issuer::{
    CertifyError, CrlEntries, CrlRequest, CrlSource, DocumentKind, KeyProtection, Reason, Revoked,
    find_document, replace_file, to_pem,
};
use provision_ledger::{Certificates as _, SqlLedger};
use serde_json::json;

use crate::cli::CaPlace;
use crate::fault::Fault;
use crate::report::Report;
use crate::{files, ledger, secret, system};

pub(crate) use self::watch::Watch;

const EXAMPLES: &str = "\
Examples:
  provision crl --out /etc/nginx/crl          device-issuing.crl and so on, and all.crl
  provision crl --lifetime 12h --root-lifetime 365d --out crl
  provision crl watch --out /etc/nginx/crl --hook \"nginx -s reload\"

nginx (`ssl_crl`) wants a CRL of every CA in the path in one file: that is all.crl. Past its
nextUpdate a server takes nobody: make new ones in time, or have `provision crl watch` do it.";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Crl {
    #[command(flatten)]
    pub making: Making,

    #[command(subcommand)]
    pub command: Option<CrlCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CrlCommand {
    /// Make new ones ahead of their end and as soon as something is revoked, until it is ended.
    Watch(Watch),
}

#[derive(Debug, Args)]
pub(crate) struct Making {
    #[command(flatten)]
    pub place: CaPlace,

    /// The record of what was revoked [default: ledger.sqlite in the CA's directory].
    #[arg(long, value_name = "FILE", env = "PROVISION_LEDGER")]
    pub ledger: Option<PathBuf>,

    /// Days until the next one comes at the latest [default: 30].
    #[arg(long, value_name = "N", conflicts_with = "lifetime")]
    pub days: Option<u32>,

    /// The same as 30d, 12h, 45m or 90s.
    #[arg(long, value_name = "TIME")]
    pub lifetime: Option<Seconds>,

    /// The same for the device root, whose key belongs in a safe [default: as the others].
    #[arg(long, value_name = "TIME")]
    pub root_lifetime: Option<Seconds>,

    /// Where the CRLs are published, if certificates name it: URL/device-issuing.crl and so on.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,

    /// Directory for the CRLs; made if it is not there. CRLs there are replaced, each at once.
    #[arg(long, value_name = "DIR", default_value = "crl")]
    pub out: PathBuf,
}

/// A span of time in seconds; a whole number with d, h, m or s behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seconds(pub u64);

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("{text:?} is no span of time: 30d, 12h, 45m or 90s");
        let unit = text.chars().next_back().ok_or_else(wrong)?;
        let factor = match unit {
            'd' => 86_400,
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return Err(wrong()),
        };
        let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
        // A hundred years: more is a slip of the finger.
        match number.checked_mul(factor) {
            Some(seconds) if (1..=3_155_760_000).contains(&seconds) => Ok(Self(seconds)),
            _ => Err(wrong()),
        }
    }
}

impl Making {
    fn lifetime_s(&self, source: &CrlSource) -> Result<u64, Fault> {
        let common = match (self.lifetime, self.days) {
            (Some(Seconds(seconds)), _) => seconds,
            (None, days) => u64::from(days.unwrap_or(30)) * 86_400,
        };
        let seconds = match self.root_lifetime {
            Some(Seconds(seconds)) if source.is_device_root() => seconds,
            _ => common,
        };
        if seconds == 0 {
            let why = "a CRL that ends at once would have servers take nobody";
            return Err(Fault::Usage(why.into()));
        }
        Ok(seconds)
    }

    fn open_ledger(&self) -> Result<SqlLedger, Fault> {
        ledger::open(self.ledger.as_ref(), &self.place.ca)
    }

    /// What opens the keys that are there.
    fn protection(&self) -> Result<KeyProtection, Fault> {
        let encrypted = CrlSource::all(&self.place.ca)?
            .iter()
            .map(CrlSource::needs_passphrase)
            .collect::<Result<Vec<_>, _>>()?
            .contains(&true);
        secret::for_opening(&self.place, encrypted)
    }
}

pub(crate) fn run(arguments: &Crl, report: &mut Report) -> Result<(), Fault> {
    if let Some(CrlCommand::Watch(arguments)) = &arguments.command {
        return watch::run(arguments, report);
    }
    let making = &arguments.making;
    let mut ledger = making.open_ledger()?;
    make(making, &mut ledger, &making.protection()?, report)
}

/// Makes them all, and `all.crl` of them; and of those that are there of CAs whose key is not.
fn make(
    making: &Making,
    ledger: &mut SqlLedger,
    protection: &KeyProtection,
    report: &mut Report,
) -> Result<(), Fault> {
    let out = &making.out;
    let now_s = system::now_s()?;
    let sources = CrlSource::every(&making.place.ca)?;
    for source in &sources {
        making.lifetime_s(source)?;
    }
    fs::create_dir_all(out).map_err(|cause| Fault::Write { path: out.clone(), cause })?;
    let mut all = String::new();
    for source in &sources {
        let path = out.join(source.crl_file());
        if !source.has_key() {
            match files::read(&path).ok().and_then(|contents| {
                find_document(&contents, DocumentKind::Crl).ok().map(|found| found.bytes.to_vec())
            }) {
                Some(der) => all.push_str(&to_pem(DocumentKind::Crl, &der)),
                None => report.warning(
                    &format!(
                        "{} has no CRL and its key is not here: nginx with all.crl would take \
                         nobody below it",
                        source.name
                    ),
                    json!({ "ca": source.name }),
                )?,
            }
            continue;
        }
        let next_update_s = now_s.saturating_add(making.lifetime_s(source)?);
        let pem = make_one(making, source, ledger, protection, (now_s, next_update_s), report)?;
        all.push_str(&pem);
    }
    replace_file(&out.join("all.crl"), all.as_bytes()).map_err(Fault::File)
}

/// Makes one; returns it in PEM.
fn make_one(
    making: &Making,
    source: &CrlSource,
    ledger: &mut SqlLedger,
    protection: &KeyProtection,
    (now_s, next_update_s): (u64, u64),
    report: &mut Report,
) -> Result<String, Fault> {
    let mut signer = source.open(protection)?;
    let file = source.crl_file();
    // Durable before it is signed: no two CRLs have one number, whatever happens.
    let (mut entries, mut unwritten) = (CrlEntries::default(), None);
    let number = ledger.begin_crl(signer.key_id(), now_s, next_update_s, &mut |record| {
        let entry = Revoked {
            cert_serial: record.cert_serial.as_bytes().to_vec(),
            at_s: record.revoked_at_s,
            reason: Reason::of_code(record.reason).unwrap_or_default(),
        };
        if let Err(error) = entries.push(&entry) {
            unwritten.get_or_insert(error);
        }
    })?;
    if let Some(error) = unwritten {
        return Err(CertifyError::from(error).into());
    }
    let count = entries.count();
    let url = making.url.as_ref().map(|url| format!("{}/{file}", url.trim_end_matches('/')));
    let request = CrlRequest { number, now_s, next_update_s, url };
    let der = signer.sign_crl(&request, entries)?;
    let pem = to_pem(DocumentKind::Crl, &der);
    let path: &Path = &making.out.join(&file);
    replace_file(path, pem.as_bytes()).map_err(Fault::File)?;
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
    Ok(pem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_of_time() {
        let seconds = |text: &str| text.parse::<Seconds>().map(|Seconds(seconds)| seconds);
        assert_eq!(seconds("90s"), Ok(90));
        assert_eq!(seconds("45m"), Ok(2700));
        assert_eq!(seconds("12h"), Ok(43_200));
        assert_eq!(seconds("30d"), Ok(2_592_000));
        for wrong in ["", "s", "0s", "30", "-1d", "1.5h", "1w", "99999999999d", "3\u{fc}"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }
}
