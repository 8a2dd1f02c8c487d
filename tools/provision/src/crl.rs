//! `provision crl`: the CRLs of every CA of a directory.

mod watch;

use core::str::FromStr;
use std::fs;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use provision_issuer::inspect::time_text;
use provision_issuer::{
    CertifyError, CrlEntries, CrlRequest, CrlSource, DocumentKind, KeyProtection, Reason, Revoked,
    replace_file_by, write_pem,
};
use provision_ledger::{Certificates as _, OpenError as LedgerOpenError, SqlLedger};
use serde_json::{Value, json};

use crate::arguments::Form;
use crate::cli::CaPlace;
use crate::fault::Fault;
use crate::report::Report;
use crate::{files, ledger, secret, system};

pub(crate) use self::watch::Watch;

const EXAMPLES: &str = "\
Examples:
  provision crl --out /etc/nginx/crl          device-issuing.crl and so on, and all.crl
  provision crl --lifetime 12h --root-lifetime 365d --out crl
  provision crl --url http://pki.acme.com --outform der --out /var/www/pki
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

    /// Where the CRLs are published, if every certificate names it: URL/device-issuing.crl and so
    /// on. For a certificate that does not, OpenSSL takes no CRL that does. The root's never does.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,

    /// Directory for the CRLs; made if it is not there. CRLs there are replaced, each at once.
    #[arg(long, value_name = "DIR", default_value = "crl")]
    pub out: PathBuf,

    /// PEM or DER, which RFC 5280 wants at a place that certificates name. all.crl is of several and
    /// always PEM.
    #[arg(long, value_name = "FORM", value_enum, default_value_t = Form::Pem)]
    pub outform: Form,
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

    /// What a CA's CRL says of where it is published. The CA certificates name no such place, and
    /// OpenSSL takes a CRL that names one for those certificates alone that name it too: so the CRL
    /// of the root, which is for CA certificates, names none.
    fn url_of(&self, source: &CrlSource) -> Option<String> {
        let url = self.url.as_ref().filter(|_| !source.is_device_root())?;
        Some(format!("{}/{}", url.trim_end_matches('/'), source.crl_file()))
    }

    fn open_ledger(&self) -> Result<SqlLedger, Fault> {
        let opened = ledger::open(self.ledger.as_ref(), &self.place.ca);
        opened.map_err(|fault| match fault {
            Fault::LedgerOpen(LedgerOpenError::Storage(error)) if error.fault.is_read_only() => {
                Fault::NoCrlNumber(error)
            }
            other => other,
        })
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
    match make(making, &mut ledger, &making.protection()?, report)? {
        None => Ok(()),
        Some(unfit) => Err(unfit),
    }
}

/// Makes them all, and `all.crl` of them; and of those that are there of CAs whose key is not.
/// Returns what is wrong with one of these, which `all.crl` lacks then.
fn make(
    making: &Making,
    ledger: &mut SqlLedger,
    protection: &KeyProtection,
    report: &mut Report,
) -> Result<Option<Fault>, Fault> {
    let mut made = Made::default();
    let written = made.write(making, ledger, protection);
    // Not before every file is there: whoever reads what is said may have gone.
    let told = made.tell(report);
    written?;
    told?;
    Ok(made.unfit)
}

/// What there is to tell of the CRLs that were written.
#[derive(Default)]
struct Made {
    /// For people and for programs.
    results: Vec<(String, Value)>,
    warnings: Vec<(String, Value)>,
    /// What is wrong with a CRL that was there.
    unfit: Option<Fault>,
}

impl Made {
    fn tell(&self, report: &mut Report) -> Result<(), Fault> {
        for (text, event) in &self.results {
            report.result(text, event)?;
        }
        for (text, event) in &self.warnings {
            report.warning(text, event.clone())?;
        }
        Ok(())
    }

    fn write(
        &mut self,
        making: &Making,
        ledger: &mut SqlLedger,
        protection: &KeyProtection,
    ) -> Result<(), Fault> {
        let out = &making.out;
        let now_s = system::now_s()?;
        let sources = CrlSource::every(&making.place.ca)?;
        for source in &sources {
            making.lifetime_s(source)?;
        }
        fs::create_dir_all(out).map_err(|cause| Fault::Write { path: out.clone(), cause })?;
        let mut all = Vec::new();
        for source in &sources {
            if source.has_key() {
                let times = (now_s, now_s.saturating_add(making.lifetime_s(source)?));
                all.push(self.write_one(making, source, ledger, protection, times)?);
            } else if let Some(der) = self.find(source, &out.join(source.crl_file())) {
                all.push(der);
            }
        }
        replace_file_by(&out.join("all.crl"), |file| {
            all.iter().try_for_each(|der| write_pem(DocumentKind::Crl, der, file))
        })
        .map_err(Fault::File)
    }

    /// The CRL that is there of a CA whose key is not.
    fn find(&mut self, source: &CrlSource, path: &Path) -> Option<Vec<u8>> {
        if !path.exists() {
            let name = &source.name;
            let text = format!(
                "{name} has no CRL and its key is not here: nginx with all.crl would take nobody \
                 below it"
            );
            self.warnings.push((text, json!({ "ca": name })));
            return None;
        }
        match crl_of(source, path) {
            Ok(der) => Some(der),
            Err(fault) => {
                self.unfit = Some(fault);
                None
            }
        }
    }

    /// Makes one; returns it in DER.
    fn write_one(
        &mut self,
        making: &Making,
        source: &CrlSource,
        ledger: &mut SqlLedger,
        protection: &KeyProtection,
        (now_s, next_update_s): (u64, u64),
    ) -> Result<Vec<u8>, Fault> {
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
        let request = CrlRequest { number, now_s, next_update_s, url: making.url_of(source) };
        let der = signer.sign_crl(&request, entries)?;
        let path = making.out.join(&file);
        replace_file_by(&path, |out| match making.outform {
            Form::Pem => write_pem(DocumentKind::Crl, &der, out),
            Form::Der => out.write_all(&der),
        })
        .map_err(Fault::File)?;
        let text = format!(
            "{}: number {number}, {count} revoked, until {} ({})",
            path.display(),
            time_text(next_update_s),
            signer.subject(),
        );
        let event = json!({
            "event": "crl",
            "file": path,
            "issuer": signer.subject(),
            "number": number,
            "revoked": count,
            "next_update_s": next_update_s,
        });
        self.results.push((text, event));
        Ok(der)
    }
}

/// The CRL in a file, which must be this CA's.
fn crl_of(source: &CrlSource, path: &Path) -> Result<Vec<u8>, Fault> {
    let der = files::read_one(path, DocumentKind::Crl)?;
    source.check_crl(&der).map_err(|fault| files::document(path, &fault))?;
    Ok(der)
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
