//! Certificates for the servers that devices talk to.

use std::fs;
use std::path::{Path, PathBuf};

use der::asn1::Ia5String;
use thiserror::Error;
use x509_cert::ext::pkix::name::GeneralName;

use crate::authority::{Authority, OpenError, to_pem};
use crate::certificate::{CertifyError, Purpose, Statement};
use crate::directory::CaDirectory;
use crate::files::{self, Access, FileError};
use crate::key_file::{self, WriteKeyError};
use crate::name::{NameText, distinguished_name};
use crate::passphrase::KeyProtection;
use crate::random::RandomError;
use crate::server_name::ServerName;
use crate::signer::{CaSigner as _, SoftwareSigner};
use crate::validity::{Moment, Validity, ValidityError};

/// What a server's certificate is to be.
#[derive(Debug, Clone)]
pub struct ServerRequest {
    /// Under which names and addresses clients reach it. At least one. The first, if it is no
    /// longer than a common name may be, is also the subject, which is for people only: clients
    /// look at subjectAltName.
    pub names: Vec<ServerName>,
    /// How long it is valid, in days. If the server root ends before, nothing is issued.
    pub days: u32,
    /// The time now, in seconds since 1970-01-01 UTC.
    pub now_s: u64,
}

/// A server's certificate and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFiles {
    /// The certificate, PEM. The server root signed it directly, so no chain goes with it.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
    /// Until when it is valid, in seconds since 1970-01-01 UTC.
    pub not_after_s: u64,
}

/// Makes a key, has the server root in `dir` certify it, and writes `server.crt` and `server.key`
/// into `out`, which is made if it is not there. Files that are there are left alone.
///
/// The key is in the clear, readable by its owner only: a server must come up again when nobody is
/// there to type a passphrase. It is no CA's key, and worth no more than its server.
///
/// # Errors
///
/// [`ServerCertificateError`]; neither file is left behind then.
pub fn issue_server_certificate(
    dir: &Path,
    protection: &KeyProtection,
    request: &ServerRequest,
    out: &Path,
) -> Result<ServerFiles, ServerCertificateError> {
    let files = ServerFiles {
        certificate: out.join("server.crt"),
        key: out.join("server.key"),
        not_after_s: 0,
    };
    // Asked again when they are created; here before anything is made, or asked for.
    for path in [&files.certificate, &files.key] {
        if path.exists() {
            return Err(ServerCertificateError::AlreadyExists { path: path.clone() });
        }
    }

    let mut root = open_server_root(dir, protection)?;
    let validity = server_validity(root.certificate().validity(), request)?;
    let key = SoftwareSigner::generate()?;
    let statement = Statement {
        subject: distinguished_name(None, None, None, common_name(&request.names).as_deref())
            .map_err(CertifyError::from)?,
        public_key: key.public_key(),
        validity,
        purpose: Purpose::Server(alternative_names(&request.names)?),
    };
    let certificate = root.certify(&statement)?;
    let certificate = to_pem(&certificate).map_err(CertifyError::from)?;

    match files::create_directory(out) {
        Err(error) if !error.already_exists() => return Err(error.into()),
        _ => {}
    }
    key_file::write(&files.key, &key.to_secret_key(), &KeyProtection::InsecurePlaintext)?;
    if let Err(error) =
        files::create(&files.certificate, certificate.as_bytes(), Access::EverybodyReads)
    {
        // Written just now by this call; without its certificate it is of no use.
        let _ = fs::remove_file(&files.key);
        return Err(error.into());
    }
    files::sync_directory(out)?;
    Ok(ServerFiles { not_after_s: validity.not_after_s, ..files })
}

/// Whether [`issue_server_certificate`] needs a passphrase.
///
/// # Errors
///
/// [`OpenError`] if there is no key to look at.
pub fn server_root_needs_passphrase(dir: &Path) -> Result<bool, OpenError> {
    Ok(key_file::is_encrypted(&present(dir)?.server_root_key())?)
}

/// A server was not certified.
#[derive(Debug, Error)]
pub enum ServerCertificateError {
    /// A file that would be written is there already. It was not touched.
    #[error("{} exists already", path.display())]
    AlreadyExists {
        /// The file.
        path: PathBuf,
    },
    /// No name was asked for; no client could accept such a certificate.
    #[error("a server's certificate needs at least one DNS name or IP address")]
    NoName,
    /// The server root could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// By this machine's clock, the server root has ended, or not begun.
    #[error(
        "the server root is valid from {} to {}, and it is {} now",
        Moment(*.not_before_s), Moment(*.not_after_s), Moment(*.now_s)
    )]
    RootNotValid {
        /// The time now, in seconds since 1970-01-01 UTC.
        now_s: u64,
        /// From when on the server root is valid.
        not_before_s: u64,
        /// Until when the server root is valid.
        not_after_s: u64,
    },
    /// The certificate would end after the server root.
    #[error(
        "the certificate would be valid until {}, but the server root only until {}",
        Moment(*.not_after_s), Moment(*.root_not_after_s)
    )]
    OutlivesRoot {
        /// The end asked for, in seconds since 1970-01-01 UTC.
        not_after_s: u64,
        /// Until when the server root is valid.
        root_not_after_s: u64,
    },
    /// The validity asked for is not possible.
    #[error(transparent)]
    Validity(#[from] ValidityError),
    /// No randomness for the key.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The certificate could not be made.
    #[error(transparent)]
    Certify(#[from] CertifyError),
    /// A file could not be written.
    #[error(transparent)]
    File(FileError),
    /// The key could not be encoded.
    #[error("the server's private key could not be encoded: {0}")]
    KeyEncoding(pkcs8::Error),
}

impl From<FileError> for ServerCertificateError {
    fn from(error: FileError) -> Self {
        if error.already_exists() {
            Self::AlreadyExists { path: error.path }
        } else {
            Self::File(error)
        }
    }
}

impl From<WriteKeyError> for ServerCertificateError {
    fn from(error: WriteKeyError) -> Self {
        match error {
            WriteKeyError::File(error) => error.into(),
            WriteKeyError::Random(error) => Self::Random(error),
            WriteKeyError::Encoding(error) => Self::KeyEncoding(error),
        }
    }
}

fn present(dir: &Path) -> Result<CaDirectory, OpenError> {
    let ca = CaDirectory::at(dir);
    if ca.server_root_certificate().exists() {
        Ok(ca)
    } else {
        Err(OpenError::NotACaDirectory { path: dir.to_owned(), missing: "server-root.crt" })
    }
}

fn open_server_root(
    dir: &Path,
    protection: &KeyProtection,
) -> Result<Authority<SoftwareSigner>, OpenError> {
    let ca = present(dir)?;
    let path = ca.server_root_certificate();
    let root = Authority::open(&path, &ca.server_root_key(), protection)?;
    match root.certificate().check_signed_by(root.certificate()) {
        Ok(()) => Ok(root),
        Err(fault) => Err(OpenError::Unsuitable { path, fault }),
    }
}

fn server_validity(
    root: Validity,
    request: &ServerRequest,
) -> Result<Validity, ServerCertificateError> {
    let now_s = request.now_s;
    if !root.contains(now_s) {
        return Err(ServerCertificateError::RootNotValid {
            now_s,
            not_before_s: root.not_before_s,
            not_after_s: root.not_after_s,
        });
    }
    let mut validity = Validity::days(now_s, BACKDATE_S, request.days)?;
    if validity.not_after_s > root.not_after_s {
        return Err(ServerCertificateError::OutlivesRoot {
            not_after_s: validity.not_after_s,
            root_not_after_s: root.not_after_s,
        });
    }
    validity.not_before_s = validity.not_before_s.max(root.not_before_s);
    Ok(validity)
}

fn common_name(names: &[ServerName]) -> Option<String> {
    let first = names.first()?.to_string();
    (first.len() <= NameText::CHARS_MAX).then_some(first)
}

fn alternative_names(names: &[ServerName]) -> Result<Vec<GeneralName>, ServerCertificateError> {
    if names.is_empty() {
        return Err(ServerCertificateError::NoName);
    }
    let name = |name: &ServerName| match name {
        ServerName::Dns(dns) => Ok(GeneralName::DnsName(Ia5String::new(dns.as_str())?)),
        ServerName::Ip(ip) => Ok(GeneralName::from(*ip)),
    };
    let names: der::Result<Vec<_>> = names.iter().map(name).collect();
    Ok(names.map_err(CertifyError::from)?)
}

/// Valid from five minutes ago, for devices whose clocks run behind this one's.
const BACKDATE_S: u64 = 300;
