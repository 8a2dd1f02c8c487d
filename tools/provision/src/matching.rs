//! `provision match`: do key, certificate and CSR belong together?

use std::path::PathBuf;

use clap::Args;
use provision_issuer::DocumentKind;
use provision_issuer::inspect::public_key_of;
use serde_json::json;

use crate::arguments::KeyPassphrase;
use crate::fault::Fault;
use crate::report::Report;
use crate::{files, secret};

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  provision match server.key server.crt server.csr")]
pub(crate) struct Match {
    /// Keys, certificates and CSRs; the first of each file counts.
    #[arg(value_name = "FILE", num_args = 2.., required = true)]
    pub files: Vec<PathBuf>,

    #[command(flatten)]
    pub passphrase: KeyPassphrase,
}

pub(crate) fn run(arguments: &Match, report: &mut Report) -> Result<(), Fault> {
    files::one_dash(arguments.files.iter().map(PathBuf::as_path))?;
    let mut keys: Vec<(&PathBuf, DocumentKind, Vec<u8>)> = Vec::new();
    for path in &arguments.files {
        let found = files::read_documents(path)?;
        let Some(document) = found.first() else { continue };
        let key = match document.kind {
            DocumentKind::PrivateKey => {
                let key = secret::open_key(path, &document.bytes, &arguments.passphrase)?;
                Some(key.public_key_der())
            }
            _ => public_key_of(document).map_err(|error| files::document(path, &error))?,
        };
        let none = || files::document(path, &format!("a {} has no public key", document.kind));
        keys.push((path, document.kind, key.ok_or_else(none)?));
    }
    let Some((_, _, first)) = keys.first() else { return Ok(()) };
    if let Some((path, kind, _)) = keys.iter().find(|(_, _, key)| key != first) {
        return Err(Fault::Mismatch {
            first: keys[0].0.clone(),
            other: (*path).clone(),
            kind: kind.to_string(),
        });
    }
    let names: Vec<String> = keys.iter().map(|(path, _, _)| path.display().to_string()).collect();
    report.result(
        &format!("they belong together: {}", names.join(", ")),
        &json!({ "event": "result", "match": true, "files": arguments.files }),
    )
}
