//! `provision fullchain`: a certificate and its issuers in the order in which servers send them.

use std::path::PathBuf;

use clap::Args;
use provision_issuer::DocumentKind;
use provision_issuer::inspect::CertificateValues;
use provision_issuer::verify::{VerifyRequest, verify};
use serde_json::json;

use crate::arguments::{Form, Output};
use crate::fault::Fault;
use crate::report::Report;
use crate::{files, system};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  provision fullchain leaf.crt issuing.crt root.crt \
                        --out fullchain.pem")]
pub(crate) struct Fullchain {
    /// The certificate, and the others it needs, in any order after it.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// Put the root at the end too; those who trust it have it.
    #[arg(long)]
    pub with_root: bool,

    #[command(flatten)]
    pub output: Output,
}

pub(crate) fn run(arguments: &Fullchain, report: &mut Report) -> Result<(), Fault> {
    files::one_dash(arguments.files.iter().map(PathBuf::as_path))?;
    let mut all = Vec::new();
    for path in &arguments.files {
        all.extend(files::read_all(path, DocumentKind::Certificate)?);
    }
    let leaf = all.remove(0);
    // What ends the chain is trusted for this: that the links hold is the question.
    let roots: Vec<Vec<u8>> = all
        .iter()
        .filter(|der| CertificateValues::of(der).is_ok_and(|v| v.subject == v.issuer))
        .cloned()
        .collect();
    let anchors = if roots.is_empty() { all.clone() } else { roots };
    let values = CertificateValues::of(&leaf)
        .map_err(|error| files::document(&arguments.files[0], &error))?;
    let request = VerifyRequest {
        leaf: leaf.clone(),
        untrusted: all.clone(),
        anchors,
        purpose: provision_issuer::verify::Purpose::Any,
        name: None,
        at_s: system::now_s()?.clamp(values.not_before_s, values.not_after_s),
        crls: &[],
        crl_scope: provision_issuer::verify::CrlScope::Leaf,
    };
    let path = verify(&request)?;
    let mut chain = path.certificates;
    if chain.len() > 1 && !arguments.with_root {
        let last_is_root = chain
            .last()
            .and_then(|der| CertificateValues::of(der).ok())
            .is_some_and(|values| values.subject == values.issuer);
        if last_is_root {
            chain.pop();
        }
    }
    if arguments.output.outform == Form::Der && chain.len() > 1 {
        return Err(files::document(
            &arguments.files[0],
            &format!("its chain has {} certificates, and DER holds one", chain.len()),
        ));
    }
    let documents: Vec<_> =
        chain.iter().map(|der| (DocumentKind::Certificate, der.as_slice())).collect();
    let event = json!({ "certificates": chain.len(), "path": path.subjects });
    files::put_all(&arguments.output, "chain", &documents, event, report)
}
