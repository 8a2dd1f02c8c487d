//! `provision ca …`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use provision_issuer::{
    CaKey, CaNames, CaRequest, CaValidity, DocumentKind, ImportRequest, KeyProtection, KeyState,
    KeyStore, KeyType, NameText, RotateRequest, ServerRoot, Subject, Token, TokenFault, TokenUri,
    inspect::time_text,
};
use provision_ledger::SqlLedger;
use serde_json::json;

use crate::arguments::KeyPassphrase;
use crate::cli::CaPlace;
use crate::fault::Fault;
use crate::report::Report;
use crate::{files, ledger, secret, system};

#[derive(Debug, Subcommand)]
pub(crate) enum CaCommand {
    /// Make a device root, a device issuing CA and, apart, a server root.
    Init(CaInit),
    /// Take over a CA that was made elsewhere: it then signs devices.
    Import(CaImport),
    /// Show what a CA consists of.
    Show(CaShow),
    /// Put a new issuing CA in the place of the one there; servers trust both for a while.
    Rotate(CaRotate),
}

const INIT_EXAMPLE: &str = "\
Examples:
  provision ca init --name Acme
  provision ca init --subject \"/C=CN/ST=Guangdong/O=Acme/CN=Acme\" --key-type p384 --days 7300
  provision ca init --name Acme --token 'pkcs11:token=factory?module-path=/usr/lib/softhsm/libsofthsm2.so'";

#[derive(Debug, Args)]
#[command(after_help = INIT_EXAMPLE)]
pub(crate) struct CaInit {
    /// Whose CA it is; its certificates are called "NAME Device Root CA" and so on
    /// [default: the CN in --subject, else Factory].
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    #[command(flatten)]
    pub place: CaPlace,

    /// What stands in the CA's subjects before the common name, as for `openssl req -subj`.
    #[arg(long, value_name = "/C=…/O=…", conflicts_with_all = ["organization", "country"])]
    pub subject: Option<Subject>,

    /// Organization in the CA's subjects.
    #[arg(long, value_name = "TEXT")]
    pub organization: Option<String>,

    /// Country in the CA's subjects, two letters.
    #[arg(long, value_name = "CC")]
    pub country: Option<String>,

    /// Kind of the CA's keys: p256, p384, rsa2048, rsa3072 or rsa4096. Devices themselves can
    /// check p256 alone.
    #[arg(long, value_name = "KIND", default_value_t = KeyType::P256)]
    pub key_type: KeyType,

    /// Kind of the server root's key, if it is to be another.
    #[arg(long, value_name = "KIND")]
    pub server_key_type: Option<KeyType>,

    /// Days the roots are valid; the issuing CA lasts five sixths of it [default: 10957, 9131].
    #[arg(long, value_name = "N")]
    pub days: Option<u32>,

    /// No end (99991231235959Z), as IEEE 802.1AR wants it for the profile idevid.
    #[arg(long, conflicts_with = "days")]
    pub no_end: bool,

    /// Make the private keys in a token (an HSM), which they never leave: its PKCS#11 URI
    /// (RFC 7512) with `module-path`. Its PIN is in the file of `pin-source`, or given like a
    /// passphrase.
    #[arg(long, value_name = "PKCS11-URI")]
    pub token: Option<String>,

    /// Keep the CA's private keys unencrypted. For development only.
    #[arg(long, conflicts_with_all = ["passphrase_file", "token"])]
    pub insecure_plaintext_keys: bool,
}

const IMPORT_EXAMPLE: &str = "\
Example:
  openssl genrsa -aes256 -out ca.key 4096
  openssl req -x509 -new -key ca.key -days 3650 -subj /CN=ours -out ca.crt
  provision ca import --certificate ca.crt --key ca.key";

#[derive(Debug, Args)]
#[command(after_help = IMPORT_EXAMPLE)]
pub(crate) struct CaImport {
    /// The CA's certificate; the CAs above it may follow in the same file.
    #[arg(long, value_name = "FILE")]
    pub certificate: PathBuf,

    /// Its private key, encrypted or not, in whatever form openssl wrote it; or the PKCS#11 URI of
    /// a key in a token, which stays there.
    #[arg(long, value_name = "FILE|PKCS11-URI")]
    pub key: PathBuf,

    #[command(flatten)]
    pub key_passphrase: KeyPassphrase,

    /// Certificates above it; may be given several times.
    #[arg(long, value_name = "FILE")]
    pub chain: Vec<PathBuf>,

    /// Let this CA sign servers too, instead of making a root of its own for them.
    #[arg(long)]
    pub for_servers: bool,

    /// Name of the new root for servers: "NAME Server Root CA".
    #[arg(long, value_name = "NAME", default_value = "Factory", conflicts_with = "for_servers")]
    pub name: String,

    #[command(flatten)]
    pub place: CaPlace,

    /// Keep the CA's private keys unencrypted. For development only.
    #[arg(long, conflicts_with = "passphrase_file")]
    pub insecure_plaintext_keys: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  provision ca show --ca ca")]
pub(crate) struct CaShow {
    #[command(flatten)]
    pub place: CaPlace,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  provision ca rotate --days 3650\n  \
                        provision ca rotate --new-root")]
pub(crate) struct CaRotate {
    #[command(flatten)]
    pub place: CaPlace,

    /// Kind of the new CA's key.
    #[arg(long, value_name = "KIND", default_value_t = KeyType::P256)]
    pub key_type: KeyType,

    /// Days the new issuing CA is valid [default: 9131, or as long as its root].
    #[arg(long, value_name = "N")]
    pub days: Option<u32>,

    /// Make a new device root too. The new issuing CA is certified by both roots.
    #[arg(long)]
    pub new_root: bool,

    /// Days the new root is valid.
    #[arg(long, value_name = "N", default_value_t = 10_957, requires = "new_root")]
    pub root_days: u32,
}

pub(crate) fn run(command: &CaCommand, report: &mut Report) -> Result<(), Fault> {
    match command {
        CaCommand::Init(arguments) => init(arguments, report),
        CaCommand::Import(arguments) => import(arguments, report),
        CaCommand::Show(arguments) => show(arguments, report),
        CaCommand::Rotate(arguments) => rotate(arguments, report),
    }
}

fn init(arguments: &CaInit, report: &mut Report) -> Result<(), Fault> {
    let usage = |fault: &dyn core::fmt::Display| Fault::Usage(fault.to_string());
    let subject = match &arguments.subject {
        Some(subject) => subject.clone(),
        None => subject_of(arguments.country.as_deref(), arguments.organization.as_deref())?,
    };
    let name = arguments.name.as_deref().or(subject.get("CN")).unwrap_or("Factory");
    let names = CaNames::of(name).map_err(|fault| usage(&fault))?;
    let mut validity = CaValidity { no_end: arguments.no_end, ..CaValidity::default() };
    if let Some(days) = arguments.days {
        validity.device_root_days = days;
        validity.server_root_days = days;
        validity.device_issuing_days = (days / 6 * 5).max(1);
    }
    let token = arguments.token.as_deref().map(token_uri).transpose()?;
    let (keys, protection) = match &token {
        Some(uri) => {
            let pin = secret::for_token(uri, &arguments.place)?;
            // Nothing is written that a passphrase could be for.
            (KeyStore::Token(Token::open(uri, &pin)?), KeyProtection::InsecurePlaintext)
        }
        None => {
            let plaintext = arguments.insecure_plaintext_keys;
            (KeyStore::Files, protection(plaintext, &arguments.place)?)
        }
    };
    let server_key = arguments.server_key_type.unwrap_or(arguments.key_type);
    let request = CaRequest {
        subject: subject.without("CN"),
        device_keys: arguments.key_type,
        server_key,
        validity,
        keys,
        ..CaRequest::new(names, protection, system::now_s()?)
    };
    let made = provision_issuer::init(&arguments.place.ca, &request)?;
    if [arguments.key_type, server_key].iter().any(|kind| *kind != KeyType::P256) {
        report.note(
            "note: devices can check signatures by P-256 alone; of another CA they refuse the \
             chain, unless they are told by `--unchecked-on-device ca-signatures`",
        )?;
    }
    let encrypted = !arguments.insecure_plaintext_keys;
    tell_made(&made, encrypted, token.as_ref(), report)
}

fn tell_made(
    made: &provision_issuer::CaDirectory,
    encrypted: bool,
    token: Option<&TokenUri>,
    report: &mut Report,
) -> Result<(), Fault> {
    let ledger = ledger::path(None, made.path());
    SqlLedger::create(&ledger)?;
    let keys =
        token.map_or_else(String::new, |uri| format!("\n  keys            in the token {uri}"));
    let text = format!(
        "made a CA in {}\n  device root     {}\n  device issuing  {}\n  server root     {}\n  \
         for servers     {} (whom they trust for devices)\n  \
         ledger          {}{keys}",
        made.path().display(),
        made.device_root_certificate().display(),
        made.device_issuing_certificate().display(),
        made.server_root_certificate().display(),
        made.device_ca_bundle().display(),
        ledger.display(),
    );
    report.result(
        &text,
        &json!({
            "event": "result",
            "ca": made.path(),
            "device_root": made.device_root_certificate(),
            "device_issuing": made.device_issuing_certificate(),
            "server_root": made.server_root_certificate(),
            "device_ca_bundle": made.device_ca_bundle(),
            "ledger": ledger,
            "keys_encrypted": encrypted,
            "token": token.map(ToString::to_string),
        }),
    )?;
    if !encrypted {
        report.note("warning: the CA's private keys are not encrypted; for development only")?;
    }
    Ok(())
}

fn import(arguments: &CaImport, report: &mut Report) -> Result<(), Fault> {
    let mut given = files::read_all(&arguments.certificate, DocumentKind::Certificate)?;
    let certificate = given.remove(0);
    let mut above = given;
    for path in &arguments.chain {
        above.extend(files::read_all(path, DocumentKind::Certificate)?);
    }
    let named = arguments.key.to_str().filter(|text| TokenUri::is_one(text));
    let token = named.map(token_uri).transpose()?;
    let key = match &token {
        Some(uri) => {
            let pin = secret::for_token_key(uri, &arguments.key_passphrase)?;
            CaKey::in_token(uri, &pin)?
        }
        None => secret::read_key(&arguments.key, &arguments.key_passphrase)?.into(),
    };
    let kind = key.kind();
    let servers = if arguments.for_servers {
        ServerRoot::Imported
    } else {
        let name = format!("{} Server Root CA", arguments.name);
        ServerRoot::New(NameText::new(name).map_err(|fault| Fault::Usage(fault.to_string()))?)
    };
    // Beside a key in a token, that for servers is made there too.
    let plaintext = arguments.insecure_plaintext_keys || token.is_some();
    let protection = protection(plaintext, &arguments.place)?;
    let now_s = system::now_s()?;
    let request = ImportRequest { certificate, above, key, servers, protection, now_s };
    let made = provision_issuer::import(&arguments.place.ca, request).map_err(|fault| {
        let (certificate, key) = (arguments.certificate.clone(), arguments.key.clone());
        Fault::CaImport { certificate, key, fault }
    })?;
    if kind != "P-256" {
        report.note(&format!(
            "note: this CA signs with {kind}, which no device can check; servers can"
        ))?;
    }
    let encrypted = !arguments.insecure_plaintext_keys || token.is_some();
    tell_made(&made, encrypted, token.as_ref(), report)
}

fn show(arguments: &CaShow, report: &mut Report) -> Result<(), Fault> {
    for ca in provision_issuer::overview(&arguments.place.ca)? {
        let (key, token) = match ca.key {
            KeyState::Encrypted => ("encrypted", None),
            KeyState::Plaintext => ("in the clear", None),
            KeyState::Token(uri) => ("in a token", Some(uri.to_string())),
            KeyState::Absent => ("not here", None),
        };
        let named = token.as_ref().map_or_else(String::new, |uri| format!(": {uri}"));
        let values = ca.values;
        report.result(
            &format!(
                "{}\n  subject      {}\n  issuer       {}\n  valid        {} to {}\n  \
                 key          {}, {key}{named}\n  serial       {}\n  fingerprint  {}\n  file         {}",
                ca.role,
                values.subject,
                values.issuer,
                time_text(values.not_before_s),
                time_text(values.not_after_s),
                ca.key_kind,
                values.serial,
                values.fingerprint,
                ca.certificate.display(),
            ),
            &json!({
                "event": "ca",
                "role": ca.role,
                "subject": values.subject,
                "issuer": values.issuer,
                "not_before_s": values.not_before_s,
                "not_after_s": values.not_after_s,
                "key_type": ca.key_kind,
                "key": key,
                "token": token,
                "cert_serial": values.serial,
                "fingerprint_sha256": values.fingerprint,
                "certificate": ca.certificate,
            }),
        )?;
    }
    Ok(())
}

fn rotate(arguments: &CaRotate, report: &mut Report) -> Result<(), Fault> {
    let place = &arguments.place;
    let needs = provision_issuer::FileIssuer::needs_passphrase(&place.ca)?;
    let request = RotateRequest {
        key: arguments.key_type,
        days: arguments.days,
        new_root: arguments.new_root,
        root_days: arguments.root_days,
        protection: secret::for_opening(place, needs)?,
        now_s: system::now_s()?,
    };
    let rotated = provision_issuer::rotate(&place.ca, &request)?;
    let what = if rotated.finished_earlier {
        "finished the rotation that was interrupted"
    } else {
        "a new CA signs devices from now on"
    };
    let cross = rotated.cross.as_ref().map_or_else(String::new, |cross| {
        format!("\n  certified by the old root too  {}", cross.display())
    });
    report.result(
        &format!(
            "{what}\n  it is {}\n  before it: {} (its key still signs its CRL){cross}\n  \
             give every server the new {}: devices of both are taken then",
            rotated.issuing.display(),
            rotated.retired.display(),
            rotated.bundle.display(),
        ),
        &json!({
            "event": "result",
            "device_issuing": rotated.issuing,
            "retired": rotated.retired,
            "cross": rotated.cross,
            "device_ca_bundle": rotated.bundle,
            "finished_earlier": rotated.finished_earlier,
        }),
    )
}

/// Not by clap, which would show what it does not like: there may be a PIN in it.
fn token_uri(text: &str) -> Result<TokenUri, Fault> {
    Ok(text.parse().map_err(TokenFault::from)?)
}

fn protection(plaintext: bool, place: &CaPlace) -> Result<KeyProtection, Fault> {
    if plaintext { Ok(KeyProtection::InsecurePlaintext) } else { secret::for_making(place) }
}

/// A subject of single attributes.
pub(crate) fn subject_of(
    country: Option<&str>,
    organization: Option<&str>,
) -> Result<Subject, Fault> {
    let usage = |fault: &dyn core::fmt::Display| Fault::Usage(fault.to_string());
    let mut subject = Subject::default();
    if let Some(country) = country {
        provision_issuer::Country::new(country).map_err(|fault| usage(&fault))?;
        subject = subject.with("C", country).map_err(|fault| usage(&fault))?;
    }
    if let Some(organization) = organization {
        NameText::new(organization).map_err(|fault| usage(&fault))?;
        subject = subject.with("O", organization).map_err(|fault| usage(&fault))?;
    }
    Ok(subject)
}
