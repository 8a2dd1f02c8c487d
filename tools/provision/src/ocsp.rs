//! `provision ocsp …`: a responder's key and certificates, and the responder.

mod http;
mod serve;

use core::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use provision_issuer::inspect::{CertificateValues, time_text};
use provision_issuer::{CrlSource, NewResponder};
use provision_ledger::{Certificates as _, RecordCertificateError};
use serde_json::json;

use crate::cli::{CaPlace, LedgerPlace};
use crate::fault::Fault;
use crate::report::Report;
use crate::{files, ledger, secret, system};

const CERT_EXAMPLES: &str = "\
Examples:
  provision ocsp cert --out ocsp              responder.key, and a certificate from every CA
  provision ocsp cert --out ocsp --days 30    and again, before they end

A CA whose key is not there (device-root.key belongs in a safe) is passed over; what it certified
earlier stays. nginx with `ssl_ocsp on` asks about the issuing CA too, which the root answers for.";

const SERVE_EXAMPLES: &str = "\
Examples:
  provision ocsp serve --listen 127.0.0.1:8888
  openssl ocsp -url http://127.0.0.1:8888 -issuer ca/device-issuing.crt -cert leaf.crt \\
      -CAfile ca/device-ca-bundle.crt

nginx:
  ssl_ocsp on;
  ssl_ocsp_responder http://127.0.0.1:8888;

Answers come from the ledger as it is at that moment. Certificates and key are read again every
minute, so new ones of `provision ocsp cert` need no restart. Ctrl-C or SIGTERM ends it.";

#[derive(Debug, Subcommand)]
pub(crate) enum OcspCommand {
    /// Make the responder's key, if there is none, and have every CA certify it anew.
    Cert(Cert),
    /// Answer whether certificates were revoked, over HTTP (RFC 6960).
    Serve(Serve),
}

#[derive(Debug, Args)]
#[command(after_help = CERT_EXAMPLES)]
pub(crate) struct Cert {
    #[command(flatten)]
    pub place: CaPlace,

    /// The record of what was issued [default: ledger.sqlite in the CA's directory].
    #[arg(long, value_name = "FILE", env = "PROVISION_LEDGER")]
    pub ledger: Option<PathBuf>,

    /// Days the certificates are valid. Nobody asks whether they were revoked themselves: not long.
    #[arg(long, value_name = "N", default_value_t = 90)]
    pub days: u32,

    /// Directory of the responder; made if it is not there. Its key is never overwritten.
    #[arg(long, value_name = "DIR", default_value = "ocsp")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
#[command(after_help = SERVE_EXAMPLES)]
pub(crate) struct Serve {
    /// Directory made by `provision ocsp cert`.
    #[arg(long, value_name = "DIR", default_value = "ocsp")]
    pub responder: PathBuf,

    #[command(flatten)]
    pub place: LedgerPlace,

    /// Address and port to listen on; port 0 takes a free one, and says which.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8888")]
    pub listen: SocketAddr,

    /// Path under which requests by GET come, as in the certificates' URL.
    #[arg(long, value_name = "PATH", default_value = "/")]
    pub path: String,

    /// Minutes an answer holds: whoever keeps it asks again by then.
    #[arg(long, value_name = "N", default_value_t = 60,
          value_parser = clap::value_parser!(u32).range(1..=525_600))]
    pub minutes: u32,

    /// Print a line for each answer.
    #[arg(long)]
    pub log: bool,
}

pub(crate) fn run(command: &OcspCommand, report: &mut Report) -> Result<(), Fault> {
    match command {
        OcspCommand::Cert(arguments) => cert(arguments, report),
        OcspCommand::Serve(arguments) => serve::run(arguments, report),
    }
}

fn cert(arguments: &Cert, report: &mut Report) -> Result<(), Fault> {
    let place = &arguments.place;
    let sources = CrlSource::all(&place.ca)?;
    if sources.is_empty() {
        return Err(Fault::Usage(format!("{} holds no CA's key", place.ca.display())));
    }
    let mut ledger = ledger::open(arguments.ledger.as_ref(), &place.ca)?;
    let encrypted = sources
        .iter()
        .map(CrlSource::needs_passphrase)
        .collect::<Result<Vec<_>, _>>()?
        .contains(&true);
    let protection = secret::for_opening(place, encrypted)?;
    let now_s = system::now_s()?;
    let made = NewResponder::make(&arguments.out, &sources, &protection, arguments.days, now_s)?;
    // A CA's own certificate was made before there was a ledger; asked about it, the root's
    // responder should know it.
    for der in CrlSource::certified(&place.ca)? {
        let values = values(&der)?;
        match ledger.record_certificate(&der, &values.subject, "ca", now_s) {
            // One that cannot be named in a CRL cannot be asked about either.
            Err(RecordCertificateError::Unreadable(_)) => {}
            recorded => recorded?,
        }
    }
    for (_, der) in made.certificates() {
        ledger.record_certificate(der, &values(der)?.subject, "ocsp", now_s)?;
    }
    let written = made.write(&arguments.out)?;
    for (path, (ca, der)) in written.iter().zip(made.certificates()) {
        let values = values(der)?;
        report.result(
            &format!(
                "{}: answers for {ca} until {}",
                path.display(),
                time_text(values.not_after_s)
            ),
            &json!({
                "event": "result",
                "file": path,
                "ca": ca,
                "cert_serial": values.serial,
                "not_after_s": values.not_after_s,
            }),
        )?;
    }
    Ok(())
}

fn values(der: &[u8]) -> Result<CertificateValues, Fault> {
    CertificateValues::of(der).map_err(|error| files::document("certificate".as_ref(), &error))
}
