//! A responder's key and certificates, made and read.
//!
//! `responder.key`, and for each CA a file of its name that holds the responder's certificate and,
//! behind it, the CA's own. So answering needs this directory and the ledger, and nothing of the CA.

use std::fs;
use std::path::{Path, PathBuf};

use const_oid::db::rfc5280::ID_KP_OCSP_SIGNING;
use der::asn1::OctetString;
use thiserror::Error;
use x509_cert::ext::pkix::{ExtendedKeyUsage, KeyUsages};

use super::{OcspResponder, ServedCa};
use crate::algorithm::KeyType;
use crate::authority::{CaCertificate, OpenError, to_pem};
use crate::certificate::{
    AnyCertificate, CertifyError, Contents, Statement, check_signature, parse,
};
use crate::crl::{CrlSigner, CrlSource};
use crate::document::{DocumentKind, documents};
use crate::files::{self, FileError};
use crate::issuer::IssueError;
use crate::issuer::within;
use crate::key_file::{self, KeyFileError, WriteKeyError};
use crate::passphrase::KeyProtection;
use crate::private_key::{KeyFault, PrivateKey};
use crate::signer::SoftwareSigner;
use crate::subject::Subject;
use crate::template::Variables;
use crate::validity::Validity;

/// A responder's key and new certificates, not in files yet: for a ledger to record first.
#[derive(Debug)]
pub struct NewResponder {
    key: PrivateKey,
    key_is_new: bool,
    certificates: Vec<NewCertificate>,
}

#[derive(Debug)]
struct NewCertificate {
    ca: String,
    der: Vec<u8>,
    ca_der: Vec<u8>,
}

impl NewResponder {
    /// Certifies the responder's key in `dir`, made now if there is none, by every CA of
    /// `sources`, for so many days. `now_s` is the time now, in seconds since 1970-01-01 UTC.
    ///
    /// # Errors
    ///
    /// [`ResponderError`]; nothing was written then.
    pub fn make(
        dir: &Path,
        sources: &[CrlSource],
        protection: &KeyProtection,
        days: u32,
        now_s: u64,
    ) -> Result<Self, ResponderError> {
        let path = dir.join(KEY);
        let key_is_new = !path.exists();
        let key = if key_is_new {
            PrivateKey::generate(KeyType::P256)?
        } else {
            key_file::read(&path, &KeyProtection::InsecurePlaintext)?
        };
        let mut certificates = Vec::new();
        for source in sources {
            let mut signer = source.open(protection)?;
            certificates.push(NewCertificate {
                ca: signer.name().to_owned(),
                der: signer.certify_responder(&key, days, now_s)?,
                ca_der: signer.authority.certificate().der().to_vec(),
            });
        }
        Ok(Self { key, key_is_new, certificates })
    }

    /// The new certificates, each with the name of its CA. DER.
    pub fn certificates(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.certificates.iter().map(|made| (made.ca.as_str(), made.der.as_slice()))
    }

    /// Writes them into `dir`, which is made if it is not there. A key that is there stays, and
    /// certificates that are there are replaced, each at once. The key is in the clear, readable by
    /// its owner only: a responder must come up again when nobody is there to type a passphrase.
    ///
    /// # Errors
    ///
    /// [`ResponderError`].
    pub fn write(&self, dir: &Path) -> Result<Vec<PathBuf>, ResponderError> {
        match files::create_directory(dir) {
            Err(error) if !error.already_exists() => return Err(error.into()),
            _ => {}
        }
        if self.key_is_new {
            key_file::write(&dir.join(KEY), &self.key, &KeyProtection::InsecurePlaintext)?;
        }
        let mut written = Vec::new();
        for made in &self.certificates {
            let path = dir.join(format!("{}.crt", made.ca.replace('/', "-")));
            let pem = |der| to_pem(der).map_err(CertifyError::from);
            let text = pem(&made.der).map_err(IssueError::from)?
                + &pem(&made.ca_der).map_err(IssueError::from)?;
            files::replace(&path, text.as_bytes())?;
            written.push(path);
        }
        files::sync_directory(dir)?;
        Ok(written)
    }
}

impl CrlSigner {
    /// RFC 6960 section 4.2.2.2: a certificate for answering, and for nothing else. It says that
    /// nobody need ask whether it was revoked itself, so it should not be good for long.
    fn certify_responder(
        &mut self,
        key: &PrivateKey,
        days: u32,
        now_s: u64,
    ) -> Result<Vec<u8>, ResponderError> {
        let lifetime = crate::profile::Lifetime::Days(days);
        let validity =
            within(self.authority.certificate().validity(), lifetime, BACKDATE_S, now_s)?;
        let name = format!("OCSP responder for {}", self.name());
        let subject = Subject::default()
            .with("CN", name)
            .and_then(|subject| subject.name(&Variables::default()))
            .map_err(|fault| ResponderError::Name(fault.to_string()))?;
        let statement = Statement {
            subject,
            public_key: key.public_key(),
            validity,
            contents: Contents {
                key_usage: KeyUsages::DigitalSignature.into(),
                extended_key_usage: vec![ID_KP_OCSP_SIGNING],
                ocsp_no_check: true,
                ..Contents::default()
            },
        };
        Ok(self.authority.certify(&statement).map_err(IssueError::from)?)
    }
}

impl OcspResponder {
    /// Reads the key and every certificate of a directory.
    ///
    /// # Errors
    ///
    /// [`ResponderError`] names the file and what is wrong with it.
    pub fn open(dir: &Path) -> Result<Self, ResponderError> {
        let key_path = dir.join(KEY);
        if !key_path.exists() {
            return Err(ResponderError::NotAResponder { path: dir.to_owned() });
        }
        let key = key_file::read(&key_path, &KeyProtection::InsecurePlaintext)?;
        let mut paths: Vec<PathBuf> = fs::read_dir(dir)
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
            .map_err(FileError::on("read", dir))?;
        paths.retain(|path| path.extension().is_some_and(|extension| extension == "crt"));
        paths.sort();
        let mut served = Vec::new();
        for path in &paths {
            let unfit = |fault| ResponderError::Unfit { path: path.clone(), fault };
            served.push(read(path, &files::read(path)?, &key).map_err(unfit)?);
        }
        if served.is_empty() {
            return Err(ResponderError::NotAResponder { path: dir.to_owned() });
        }
        // Of two for one CA, as after a rotation, the one that lasts.
        served.sort_by_key(|served| core::cmp::Reverse(served.validity.not_after_s));
        let public = key.public_key();
        let id = aws_lc_rs::digest::digest(
            &aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY,
            public.subject_public_key.raw_bytes(),
        );
        let id = OctetString::new(id.as_ref()).map_err(|error| {
            let fault = ResponderFault::Unreadable(error.to_string());
            ResponderError::Unfit { path: key_path, fault }
        })?;
        Ok(Self { signer: SoftwareSigner::new(key), id, served })
    }
}

fn read(path: &Path, contents: &[u8], key: &PrivateKey) -> Result<ServedCa, ResponderFault> {
    let unreadable = |error: &dyn core::fmt::Display| ResponderFault::Unreadable(error.to_string());
    let mut found = documents(contents)
        .map_err(|error| unreadable(&error))?
        .into_iter()
        .filter(|document| document.kind == DocumentKind::Certificate);
    let (Some(own), Some(ca)) = (found.next(), found.next()) else {
        return Err(ResponderFault::NotTwo);
    };
    let certificate: AnyCertificate = parse(&own.bytes).map_err(|error| unreadable(&error))?;
    let ca = CaCertificate::new(ca.bytes.to_vec()).map_err(|error| unreadable(&error))?;
    let tbs = certificate.tbs_certificate();
    if tbs.subject_public_key_info() != &key.public_key() {
        return Err(ResponderFault::OtherKey);
    }
    if check_signature(&own.bytes, &certificate, ca.public_key()).is_err() {
        return Err(ResponderFault::NotSignedByCa);
    }
    let purposes = tbs.get_extension::<ExtendedKeyUsage>().ok().flatten();
    if !purposes.is_some_and(|(_, purposes)| purposes.0.contains(&ID_KP_OCSP_SIGNING)) {
        return Err(ResponderFault::OtherPurpose);
    }
    let validity = Validity::of(tbs);
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(ServedCa { name, ca, certificate, validity })
}

/// There is no responder, or none was made.
#[derive(Debug, Error)]
pub enum ResponderError {
    /// The directory holds none.
    #[error("{} holds no OCSP responder: no {KEY}, or no certificate", path.display())]
    NotAResponder {
        /// The directory.
        path: PathBuf,
    },
    /// A certificate is not fit for its place.
    #[error("the responder's certificate {}: {fault}", path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        fault: ResponderFault,
    },
    /// A CA could not be opened.
    #[error(transparent)]
    Ca(#[from] OpenError),
    /// The responder's key could not be read.
    #[error(transparent)]
    KeyFile(#[from] KeyFileError),
    /// No key could be made.
    #[error(transparent)]
    Key(#[from] KeyFault),
    /// The key could not be written.
    #[error(transparent)]
    WriteKey(#[from] WriteKeyError),
    /// A file could not be used.
    #[error(transparent)]
    File(#[from] FileError),
    /// A CA did not certify the key.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The responder cannot be named so.
    #[error("the responder cannot be named: {0}")]
    Name(String),
}

/// Why a certificate cannot serve as a responder's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ResponderFault {
    /// The file cannot be made sense of.
    #[error("{0}")]
    Unreadable(String),
    /// Not both are there.
    #[error("it does not hold the responder's certificate and its CA's")]
    NotTwo,
    /// It certifies another key.
    #[error("it is of another key than {KEY}")]
    OtherKey,
    /// The CA behind it did not sign it.
    #[error("the CA in the same file did not sign it")]
    NotSignedByCa,
    /// It is not for answering.
    #[error("it is not for signing OCSP answers (extendedKeyUsage)")]
    OtherPurpose,
}

const KEY: &str = "responder.key";
/// For clients whose clocks run behind.
const BACKDATE_S: u32 = 300;
