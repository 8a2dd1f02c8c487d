//! A key and a certificate for a server, a service or a person, in files.

use std::fs;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::algorithm::KeyType;
use crate::authority::to_pem;
use crate::certificate::parse;
use crate::files::{self, Access, FileError};
use crate::issuer::{FileIssuer, IssueError};
use crate::key_file::{self, WriteKeyError};
use crate::name::NameText;
use crate::passphrase::KeyProtection;
use crate::private_key::{KeyFault, PrivateKey};
use crate::profile::{NameTemplate, Profile};
use crate::request::ProvenKey;
use crate::server_name::ServerName;
use crate::template::Variables;
use crate::validity::Validity;

/// A key made here and its certificate, not in files yet: for a ledger to record first.
#[derive(Debug)]
pub struct HostIdentity {
    /// The private key.
    pub key: PrivateKey,
    /// Its certificate, DER.
    pub certificate: Vec<u8>,
    /// The CAs above it but for the anchor, the one that signed it first, in DER.
    pub issuers: Vec<Vec<u8>>,
    /// The self-signed certificate above all.
    pub anchor: Vec<u8>,
    /// Until when it is valid, in seconds since 1970-01-01 UTC.
    pub not_after_s: u64,
}

impl HostIdentity {
    /// Makes a key and has it certified.
    ///
    /// # Errors
    ///
    /// [`HostError`]; nothing was made then.
    pub fn new(
        issuer: &mut FileIssuer,
        key: KeyType,
        profile: &Profile,
        values: &Variables,
        now_s: u64,
    ) -> Result<Self, HostError> {
        // Before a key is made: RSA takes seconds.
        profile.check(values).map_err(IssueError::from)?;
        let key = PrivateKey::generate(key)?;
        let issuer = issuer.inner();
        let certificate = issuer.issue_to_host(&ProvenKey::from(&key), profile, values, now_s)?;
        let not_after_s = parse(&certificate)
            .map(|parsed| Validity::of(parsed.tbs_certificate()).not_after_s)
            .map_err(|error| IssueError::Certify(error.into()))?;
        let (issuers, anchor) = (issuer.issuers().to_vec(), issuer.anchor().to_vec());
        Ok(Self { key, certificate, issuers, anchor, not_after_s })
    }

    /// Writes `NAME.crt` and `NAME.key` into `dir`, which is made if it is not there. Files that
    /// are there are left alone.
    ///
    /// A server's key is best in the clear, readable by its owner only: a server must come up
    /// again when nobody is there to type a passphrase. It is no CA's key, and worth no more than
    /// its server.
    ///
    /// # Errors
    ///
    /// [`HostError`]; neither file is left behind then.
    pub fn write(
        &self,
        dir: &Path,
        name: &str,
        form: CertificateForm,
        protection: &KeyProtection,
    ) -> Result<HostFiles, HostError> {
        let files = HostFiles::vacant(dir, name)?;
        match files::create_directory(dir) {
            Err(error) if !error.already_exists() => return Err(error.into()),
            _ => {}
        }
        let bytes = match form {
            CertificateForm::Pem => to_pem(&self.certificate)
                .map_err(|error| IssueError::Certify(error.into()))?
                .into_bytes(),
            CertificateForm::Der => self.certificate.clone(),
        };
        key_file::write(&files.key, &self.key, protection)?;
        let certificate = files::create(&files.certificate, &bytes, Access::EverybodyReads);
        if let Err(error) = certificate {
            // Written just now by this call; without its certificate it is of no use.
            let _ = fs::remove_file(&files.key);
            return Err(error.into());
        }
        files::sync_directory(dir)?;
        Ok(files)
    }
}

/// How a certificate is written. Its key is always PEM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateForm {
    /// Text with BEGIN and END.
    Pem,
    /// Bytes.
    Der,
}

/// Where a key and its certificate are, or will be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFiles {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key, PEM.
    pub key: PathBuf,
}

impl HostFiles {
    /// The two names, if nothing has them yet. [`HostIdentity::write`] asks again; this is for
    /// asking before anything is signed.
    ///
    /// # Errors
    ///
    /// [`HostError::AlreadyExists`].
    pub fn vacant(dir: &Path, name: &str) -> Result<Self, HostError> {
        let files = Self {
            certificate: dir.join(format!("{name}.crt")),
            key: dir.join(format!("{name}.key")),
        };
        for path in [&files.certificate, &files.key] {
            if fs::symlink_metadata(path).is_ok() {
                return Err(HostError::AlreadyExists { path: path.clone() });
            }
        }
        Ok(files)
    }
}

impl Profile {
    /// The same profile for a host of these names. The first, if it is no longer than a common
    /// name may be, is `{common_name}` too, which is for people only: clients look at the
    /// alternative names. If it is longer, there is no common name.
    ///
    /// # Errors
    ///
    /// [`HostError::NoName`] if there are none: no client could accept such a certificate.
    pub fn for_server(mut self, names: &[ServerName]) -> Result<(Self, Variables), HostError> {
        let first = names.first().ok_or(HostError::NoName)?.to_string();
        self.names.extend(names.iter().map(|name| match name {
            ServerName::Dns(name) => NameTemplate::Dns(name.to_string()),
            ServerName::Ip(address) => NameTemplate::Ip(address.to_string()),
        }));
        if first.chars().count() > NameText::CHARS_MAX {
            self.subject = self.subject.without("CN");
        }
        Ok((self, Variables::default().with("common_name", first)))
    }
}

/// A host was not certified.
#[derive(Debug, Error)]
pub enum HostError {
    /// A file that would be written is there already. It was not touched.
    #[error("{} exists already", path.display())]
    AlreadyExists {
        /// The file.
        path: PathBuf,
    },
    /// No name was asked for; no client could accept such a certificate.
    #[error("a server's certificate needs at least one DNS name or IP address")]
    NoName,
    /// No key could be made.
    #[error(transparent)]
    Key(#[from] KeyFault),
    /// It was not certified.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The key could not be written.
    #[error(transparent)]
    WriteKey(#[from] WriteKeyError),
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
}
