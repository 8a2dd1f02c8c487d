//! `provision csr`: a CSR for a key that is there.

use std::path::PathBuf;

use clap::Args;
use provision_issuer::{CertificateRequest, DocumentKind, Subject};
use serde_json::json;

use crate::arguments::{HostNames, KeyPassphrase, Output};
use crate::fault::Fault;
use crate::report::Report;
use crate::{files, secret};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  provision csr --key host.key --subject /O=Acme/CN=host \
                        --dns host.acme.com --out host.csr")]
pub(crate) struct Csr {
    /// The private key.
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,

    #[command(flatten)]
    pub passphrase: KeyPassphrase,

    /// The subject, as for `openssl req -subj`.
    #[arg(long, value_name = "/C=…/CN=…")]
    pub subject: Subject,

    #[command(flatten)]
    pub names: HostNames,

    #[command(flatten)]
    pub output: Output,
}

pub(crate) fn run(arguments: &Csr, report: &mut Report) -> Result<(), Fault> {
    let key = secret::read_key(&arguments.key, &arguments.passphrase)?;
    let csr = CertificateRequest::make(&key, &arguments.subject, &arguments.names.names()?)
        .map_err(|fault| Fault::Usage(fault.to_string()))?;
    let event = json!({ "subject": arguments.subject.to_string() });
    files::put(&arguments.output, DocumentKind::Request, csr.as_der(), event, report)
}
