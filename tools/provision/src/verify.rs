//! `provision verify`: is this certificate to be believed, and if not, which one is at fault?

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use provision_issuer::inspect::time_text;
use provision_issuer::verify::{CrlScope, Purpose, VerifyRequest, verify};
use provision_issuer::{DocumentKind, RevocationList, ServerName};
use serde_json::json;

use crate::fault::Fault;
use crate::files;
use crate::report::Report;
use crate::system;

const EXAMPLES: &str = "\
Examples:
  provision verify leaf.crt --trusted ca/device-root.crt --untrusted ca/device-issuing.crt \\
      --purpose client
  provision verify server.crt --trusted ca/server-root.crt --purpose server --name mqtt.acme.com
  provision verify leaf.crt --trusted ca/device-ca-bundle.crt --crl device-issuing.crl";

#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Verify {
    /// The certificate; what else is in the file is as `--untrusted`. - for standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Certificates that are trusted as they are; may be given several times.
    #[arg(long, value_name = "FILE", required = true, visible_alias = "CAfile")]
    pub trusted: Vec<PathBuf>,

    /// Certificates that may stand in between; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub untrusted: Vec<PathBuf>,

    /// What it is to be used for.
    #[arg(long, value_name = "PURPOSE", value_enum, default_value_t = For::Any)]
    pub purpose: For,

    /// Name or address under which the server was reached.
    #[arg(long, value_name = "HOST")]
    pub name: Option<ServerName>,

    /// At that time instead of now: seconds since 1970-01-01 UTC, as for openssl.
    #[arg(long, value_name = "SECONDS")]
    pub attime: Option<u64>,

    /// CRLs; may be given several times. One must then cover the certificate.
    #[arg(long, value_name = "FILE")]
    pub crl: Vec<PathBuf>,

    /// A CRL must cover every CA but the anchor too, as nginx wants it.
    #[arg(long, requires = "crl")]
    pub crl_check_all: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum For {
    /// Nothing in particular.
    Any,
    /// A client of TLS.
    Client,
    /// A server of TLS.
    Server,
}

pub(crate) fn run(arguments: &Verify, report: &mut Report) -> Result<(), Fault> {
    let given = arguments.trusted.iter().chain(&arguments.untrusted).chain(&arguments.crl);
    files::one_dash(given.map(PathBuf::as_path).chain([arguments.file.as_path()]))?;
    let mut own = files::read_all(&arguments.file, DocumentKind::Certificate)?;
    let leaf = own.remove(0);
    let mut untrusted = own;
    untrusted.extend(certificates(&arguments.untrusted)?);
    let mut crls = Vec::new();
    for path in &arguments.crl {
        for der in files::read_all(path, DocumentKind::Crl)? {
            let crl = RevocationList::from_der(der);
            crls.push(crl.map_err(|error| files::document(path, &error))?);
        }
    }
    let request = VerifyRequest {
        leaf,
        untrusted,
        anchors: certificates(&arguments.trusted)?,
        purpose: match arguments.purpose {
            For::Any => Purpose::Any,
            For::Client => Purpose::Client,
            For::Server => Purpose::Server,
        },
        name: arguments.name.clone(),
        at_s: match arguments.attime {
            Some(at_s) => at_s,
            None => system::now_s()?,
        },
        crls: &crls,
        crl_scope: if arguments.crl_check_all { CrlScope::All } else { CrlScope::Leaf },
    };
    let path = verify(&request)?;
    report.result(
        &format!(
            "OK until {}\n  {}",
            time_text(path.not_after_s),
            path.subjects.join("\n  signed by ")
        ),
        &json!({
            "event": "result",
            "ok": true,
            "path": path.subjects,
            "not_after_s": path.not_after_s,
        }),
    )
}

fn certificates(paths: &[PathBuf]) -> Result<Vec<Vec<u8>>, Fault> {
    let mut all = Vec::new();
    for path in paths {
        all.extend(files::read_all(Path::new(path), DocumentKind::Certificate)?);
    }
    Ok(all)
}
