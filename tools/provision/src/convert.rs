//! `provision convert`: PEM to DER and back.

use std::path::PathBuf;

use clap::Args;
use provision_issuer::{DocumentKind, SealedKey};
use serde_json::json;

use crate::arguments::{KeyPassphrase, Output};
use crate::fault::Fault;
use crate::report::Report;
use crate::{files, key, secret};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  provision convert leaf.crt --outform der --out leaf.der\n  \
                        provision convert leaf.der --out leaf.pem")]
pub(crate) struct Convert {
    /// Certificate, CSR, CRL, key or PKCS#7, PEM or DER; - for standard input.
    #[arg(value_name = "FILE", default_value = "-")]
    pub file: PathBuf,

    #[command(flatten)]
    pub passphrase: KeyPassphrase,

    #[command(flatten)]
    pub output: Output,
}

pub(crate) fn run(arguments: &Convert, report: &mut Report) -> Result<(), Fault> {
    let found = files::read_documents(&arguments.file)?;
    let Some(first) = found.first() else { return Ok(()) };
    // A key that is not first would be written as if it were public; behind a key that is, the rest
    // would be lost.
    let keys = found.iter().filter(|document| document.kind == DocumentKind::PrivateKey).count();
    if keys > 0 && found.len() > 1 {
        return Err(files::document(
            &arguments.file,
            &format!(
                "it holds {} documents, and {keys} of them private keys: a key is converted from a \
                 file of its own",
                found.len()
            ),
        ));
    }
    if first.kind == DocumentKind::PrivateKey {
        let sealed = SealedKey::find(&first.bytes)
            .map_err(|fault| files::document(&arguments.file, &fault))?;
        // One under a passphrase stays so, under the same.
        let protection = if sealed.is_encrypted() {
            secret::for_key(&arguments.file, &arguments.passphrase)?
        } else {
            provision_issuer::KeyProtection::InsecurePlaintext
        };
        let opened =
            sealed.open(&protection).map_err(|fault| files::document(&arguments.file, &fault))?;
        return key::put(&opened, &protection, &arguments.output, report);
    }
    if arguments.output.outform == crate::arguments::Form::Der && found.len() > 1 {
        return Err(files::document(
            &arguments.file,
            &format!("it holds {} documents, and DER holds one", found.len()),
        ));
    }
    if first.kind == DocumentKind::Pkcs12 {
        return Err(files::document(
            &arguments.file,
            &"PKCS#12 is opened with `provision p12 open`",
        ));
    }
    let documents: Vec<_> =
        found.iter().map(|found| (found.kind, found.bytes.as_slice())).collect();
    let event = json!({ "kind": first.kind.to_string(), "documents": found.len() });
    files::put_all(&arguments.output, &first.kind.to_string(), &documents, event, report)
}
