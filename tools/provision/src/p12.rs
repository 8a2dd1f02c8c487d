//! `provision p12 …`: PKCS#12 made and opened.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use provision_issuer::pkcs12::{self, Contents, Strength};
use provision_issuer::{
    Access, DocumentKind, KeyProtection, Passphrase, create_file, key_to_pem, to_pem,
};
use serde_json::json;

use crate::arguments::{KeyPassphrase, NewKeyPassphrase};
use crate::fault::Fault;
use crate::report::Report;
use crate::{files, secret};

#[derive(Debug, Subcommand)]
pub(crate) enum P12Command {
    /// Put a key and its certificates into one file under a password.
    #[command(after_help = "Example:\n  provision p12 make --key client.key --certificate \
                            client.crt --chain ca/device-issuing.crt --out alice.p12\n  \
                            curl --cert-type P12 --cert alice.p12:PASSWORD https://…")]
    Make(Make),
    /// Take a file apart.
    #[command(after_help = "Example:\n  provision p12 open alice.p12 --out alice\n  \
                            → alice/alice.key, alice/alice.crt")]
    Open(Open),
}

#[derive(Debug, Args)]
pub(crate) struct Make {
    /// The private key. Without it, a trust store of the certificates is made.
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    #[command(flatten)]
    pub passphrase: KeyPassphrase,
    /// Its certificate; others may follow in the same file.
    #[arg(long, value_name = "FILE", required = true)]
    pub certificate: Vec<PathBuf>,
    /// The CAs above it; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub chain: Vec<PathBuf>,
    /// Under which name it stands there.
    #[arg(long, value_name = "NAME", default_value = "identity")]
    pub name: String,
    /// File whose first line is the password of the new file. Without it: the environment variable
    /// PROVISION_NEW_KEY_PASSPHRASE, else a prompt.
    #[arg(long, value_name = "FILE")]
    pub new_passphrase_file: Option<PathBuf>,
    /// For software from before 2019: triple DES and SHA-1, which protect little.
    #[arg(long)]
    pub legacy: bool,
    /// New file for it.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Open {
    /// The file; - for standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub passphrase: KeyPassphrase,
    #[command(flatten)]
    pub protection: NewKeyPassphrase,
    /// Directory for NAME.key and NAME.crt; made if it is not there.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

pub(crate) fn run(command: &P12Command, report: &mut Report) -> Result<(), Fault> {
    match command {
        P12Command::Make(arguments) => make(arguments, report),
        P12Command::Open(arguments) => open(arguments, report),
    }
}

fn make(arguments: &Make, report: &mut Report) -> Result<(), Fault> {
    if files::is_dash(&arguments.out) && report.is_json() {
        return Err(Fault::Usage("PKCS#12 does not go into JSON: name a file, --out".into()));
    }
    let mut certificates = Vec::new();
    for path in arguments.certificate.iter().chain(&arguments.chain) {
        certificates.extend(files::read_all(path, DocumentKind::Certificate)?);
    }
    let strength = if arguments.legacy { Strength::Legacy } else { Strength::Current };
    let key = match &arguments.key {
        Some(path) => Some(secret::read_key(path, &arguments.passphrase)?),
        None => None,
    };
    let password = new_password(arguments.new_passphrase_file.clone())?;
    let der = match &key {
        Some(key) => pkcs12::make(&arguments.name, key, &certificates, &password, strength)?,
        None => {
            let named: Vec<(String, Vec<u8>)> = certificates
                .into_iter()
                .enumerate()
                .map(|(at, der)| (format!("{}-{}", arguments.name, at + 1), der))
                .collect();
            pkcs12::make_trust_store(&named, &password, strength)?
        }
    };
    files::write_new(&arguments.out, &der, Access::OwnerOnly)?;
    if files::is_dash(&arguments.out) {
        return Ok(());
    }
    report.result(
        &format!("made {}", arguments.out.display()),
        &json!({ "event": "result", "file": arguments.out, "has_key": key.is_some() }),
    )
}

fn new_password(file: Option<PathBuf>) -> Result<Passphrase, Fault> {
    let new = NewKeyPassphrase { new_passphrase_file: file, insecure_plaintext_key: false };
    match secret::for_new_key(&new)? {
        KeyProtection::Encrypted(password) => Ok(password),
        KeyProtection::InsecurePlaintext => Err(no_password(secret::Of::ANewKey)),
    }
}

fn no_password(of: secret::Of) -> Fault {
    Fault::Passphrase { of, what: "PKCS#12 has a password".into() }
}

fn open(arguments: &Open, report: &mut Report) -> Result<(), Fault> {
    let der = files::read_one(&arguments.file, DocumentKind::Pkcs12)?;
    // A password is asked for only if there is one.
    let contents = match pkcs12::open_without_password(&der) {
        Some(contents) => contents,
        None => open_with_password(&arguments.file, &der, &arguments.passphrase)?,
    };
    let protection = if contents.keys.is_empty() {
        KeyProtection::InsecurePlaintext
    } else {
        secret::for_new_key(&arguments.protection)?
    };
    std::fs::create_dir_all(&arguments.out)
        .map_err(|cause| Fault::Read { path: arguments.out.clone(), cause })?;
    let mut written = Vec::new();
    for (name, key, chain) in &contents.keys {
        let stem = file_name(name);
        let path = arguments.out.join(format!("{stem}.key"));
        create_file(&path, key_to_pem(key, &protection)?.as_bytes(), Access::OwnerOnly)
            .map_err(Fault::File)?;
        written.push(path);
        let pem: String = chain.iter().map(|der| to_pem(DocumentKind::Certificate, der)).collect();
        let path = arguments.out.join(format!("{stem}.crt"));
        create_file(&path, pem.as_bytes(), Access::EverybodyReads).map_err(Fault::File)?;
        written.push(path);
    }
    for (name, der) in &contents.certificates {
        let path = arguments.out.join(format!("{}.crt", file_name(name)));
        let pem = to_pem(DocumentKind::Certificate, der);
        create_file(&path, pem.as_bytes(), Access::EverybodyReads).map_err(Fault::File)?;
        written.push(path);
    }
    let names: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
    report.result(
        &format!("made {}", names.join(", ")),
        &json!({ "event": "result", "files": written }),
    )
}

/// What is in PKCS#12 out of this file, by the password that is given or asked for.
pub(crate) fn open_with_password(
    path: &Path,
    der: &[u8],
    passphrase: &KeyPassphrase,
) -> Result<Contents, Fault> {
    match secret::for_key(path, passphrase)? {
        KeyProtection::Encrypted(password) => {
            pkcs12::open(der, &password).map_err(|fault| files::document(path, &fault))
        }
        KeyProtection::InsecurePlaintext => Err(no_password(secret::Of::AKey)),
    }
}

/// A name from a file is a stranger's: it must not lead out of the directory.
pub(crate) fn file_name(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' })
        .take(64)
        .collect();
    if plain.is_empty() { "identity".into() } else { plain }
}
