//! Groups of arguments that more than one command has.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use provision_issuer::{KeyType, ServerName, Subject};
use provision_station::evidence::CertSerial;

use crate::cli::CaPlace;
use crate::fault::Fault;

/// Where a result goes.
#[derive(Debug, Args)]
pub(crate) struct Output {
    /// New file for the result; - for standard output.
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub out: PathBuf,

    /// PEM or DER.
    #[arg(long, value_name = "FORM", value_enum, default_value_t = Form::Pem)]
    pub outform: Form,
}

/// How a result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// Text with BEGIN and END.
    Pem,
    /// Bytes.
    Der,
}

/// What opens a private key that is read.
#[derive(Debug, Args)]
pub(crate) struct KeyPassphrase {
    /// File whose first line is the passphrase of the key. Without it: the environment variable
    /// PROVISION_KEY_PASSPHRASE, else a prompt.
    #[arg(long, value_name = "FILE")]
    pub key_passphrase_file: Option<PathBuf>,
}

/// How a private key that is written is kept.
#[derive(Debug, Args)]
pub(crate) struct NewKeyPassphrase {
    /// File whose first line is the passphrase to encrypt the new key with. Without it: the
    /// environment variable PROVISION_NEW_KEY_PASSPHRASE, else a prompt.
    #[arg(long, value_name = "FILE")]
    pub new_passphrase_file: Option<PathBuf>,

    /// Write the key unencrypted.
    #[arg(long, conflicts_with = "new_passphrase_file")]
    pub insecure_plaintext_key: bool,
}

/// The CA that signs, and the ledger that remembers.
#[derive(Debug, Args)]
pub(crate) struct Signing {
    #[command(flatten)]
    pub place: CaPlace,

    /// The record of what was issued [default: ledger.sqlite in the CA's directory].
    #[arg(long, value_name = "FILE", env = "PROVISION_LEDGER")]
    pub ledger: Option<PathBuf>,

    /// Days the certificate is valid [default: as the profile says].
    #[arg(long, value_name = "N")]
    pub days: Option<u32>,

    /// Value for a variable of the profile; may be given several times.
    #[arg(long, value_name = "NAME=VALUE")]
    pub set: Vec<String>,

    /// Subject, as for `openssl req -subj` [default: as the profile says].
    #[arg(long, value_name = "/C=…/CN=…")]
    pub subject: Option<Subject>,
}

/// The values given with `--set`.
pub(crate) fn values(set: &[String]) -> Result<Vec<(String, String)>, Fault> {
    let value = |text: &String| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Fault::Usage(format!("`--set {text}`: NAME=VALUE is expected"))),
    };
    set.iter().map(value).collect()
}

/// Bytes in hexadecimal, with colons or without.
pub(crate) fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    if !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return None;
    }
    let digits = if digits.len() % 2 == 1 { format!("0{digits}") } else { digits };
    let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// The serial number of a certificate, in hexadecimal as anybody shows it: in front there may be 0x, or the zeros of
/// its encoding.
pub(crate) fn cert_serial(text: &str) -> Option<CertSerial> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let bytes = bytes_of_hex(digits)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let bytes = &bytes[zeros..];
    (1..=20).contains(&bytes.len()).then(|| CertSerial::new(bytes))
}

/// Names under which a server is reached.
#[derive(Debug, Args)]
pub(crate) struct HostNames {
    /// DNS name; may be given several times, and begin with `*.`.
    #[arg(long, value_name = "NAME")]
    pub dns: Vec<String>,

    /// IP address; may be given several times.
    #[arg(long, value_name = "ADDRESS")]
    pub ip: Vec<core::net::IpAddr>,
}

impl HostNames {
    pub(crate) fn names(&self) -> Result<Vec<ServerName>, Fault> {
        let dns = self.dns.iter().map(|name| {
            provision_issuer::DnsName::new(name)
                .map(ServerName::Dns)
                .map_err(|fault| Fault::Usage(fault.to_string()))
        });
        dns.chain(self.ip.iter().map(|address| Ok(ServerName::Ip(*address)))).collect()
    }
}

/// What kind of key is made.
#[derive(Debug, Args)]
pub(crate) struct NewKey {
    /// Kind of the key: p256, p384, rsa2048, rsa3072 or rsa4096.
    #[arg(long, value_name = "KIND", default_value_t = KeyType::P256)]
    pub key_type: KeyType,
}
