//! `provision key …`: private keys made, shown, encrypted and decrypted.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use provision_issuer::{Access, DocumentKind, KeyProtection, PrivateKey, key_to_der, key_to_pem};
use serde_json::json;

use crate::arguments::{Form, KeyPassphrase, NewKey, NewKeyPassphrase, Output};
use crate::fault::Fault;
use crate::report::Report;
use crate::{files, secret};

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a private key.
    #[command(after_help = "Example:\n  provision key make --key-type p256 --out host.key")]
    Make(Make),
    /// Print the public half.
    #[command(after_help = "Example:\n  provision key public host.key")]
    Public(Public),
    /// Write a key again, under a passphrase.
    #[command(after_help = "Example:\n  provision key encrypt host.key --out host.enc.key")]
    Encrypt(Encrypt),
    /// Write a key again, in the clear.
    #[command(after_help = "Example:\n  provision key decrypt host.enc.key --out host.key")]
    Decrypt(Decrypt),
}

#[derive(Debug, Args)]
pub(crate) struct Make {
    #[command(flatten)]
    pub key: NewKey,
    #[command(flatten)]
    pub protection: NewKeyPassphrase,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Public {
    /// The private key; - for standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub passphrase: KeyPassphrase,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Encrypt {
    /// The private key; - for standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub passphrase: KeyPassphrase,
    /// File whose first line is the new passphrase. Without it: the environment variable
    /// PROVISION_NEW_KEY_PASSPHRASE, else a prompt.
    #[arg(long, value_name = "FILE")]
    pub new_passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Decrypt {
    /// The private key; - for standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub passphrase: KeyPassphrase,
    #[command(flatten)]
    pub output: Output,
}

pub(crate) fn run(command: &KeyCommand, report: &mut Report) -> Result<(), Fault> {
    match command {
        KeyCommand::Make(arguments) => {
            let protection = secret::for_new_key(&arguments.protection)?;
            let key = PrivateKey::generate(arguments.key.key_type)?;
            put(&key, &protection, &arguments.output, report)
        }
        KeyCommand::Public(arguments) => {
            let key = secret::read_key(&arguments.file, &arguments.passphrase)?;
            let event = json!({ "kind": key.kind() });
            let der = key.public_key_der();
            files::put(&arguments.output, DocumentKind::PublicKey, &der, event, report)
        }
        KeyCommand::Encrypt(arguments) => {
            let key = secret::read_key(&arguments.file, &arguments.passphrase)?;
            let new = NewKeyPassphrase {
                new_passphrase_file: arguments.new_passphrase_file.clone(),
                insecure_plaintext_key: false,
            };
            put(&key, &secret::for_new_key(&new)?, &arguments.output, report)
        }
        KeyCommand::Decrypt(arguments) => {
            let key = secret::read_key(&arguments.file, &arguments.passphrase)?;
            put(&key, &KeyProtection::InsecurePlaintext, &arguments.output, report)
        }
    }
}

/// Writes a private key: to a new file that its owner alone reads, or to standard output, where it
/// was asked for by name. Never into an event.
pub(crate) fn put(
    key: &PrivateKey,
    protection: &KeyProtection,
    output: &Output,
    report: &mut Report,
) -> Result<(), Fault> {
    let dash = files::is_dash(&output.out);
    if dash && report.is_json() {
        return Err(Fault::Usage("a private key does not go into JSON: name a file, --out".into()));
    }
    match output.outform {
        Form::Pem => {
            let pem = key_to_pem(key, protection)?;
            files::write_new(&output.out, pem.as_bytes(), Access::OwnerOnly)?;
        }
        Form::Der => {
            let der = key_to_der(key, protection)?;
            files::write_new(&output.out, &der, Access::OwnerOnly)?;
        }
    }
    if dash {
        return Ok(());
    }
    let encrypted = matches!(protection, KeyProtection::Encrypted(_));
    let how = if encrypted { "encrypted" } else { "not encrypted" };
    report.result(
        &format!("made {} ({}, {how})", output.out.display(), key.kind()),
        &json!({
            "event": "result",
            "file": output.out,
            "kind": key.kind(),
            "encrypted": encrypted,
        }),
    )
}
