//! A CA that can sign: its certificate, and its key.

use std::path::{Path, PathBuf};

use der::Encode as _;
use der::pem::{LineEnding, PemLabel as _};
use spki::SubjectPublicKeyInfoOwned;
use thiserror::Error;
use x509_cert::certificate::{Certificate, Version};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, SubjectKeyIdentifier};

use crate::ca_key::CaKey;
use crate::certificate::{
    AnyCertificate, CertifyError, IssuerIdentity, Statement, certify, check_signature, key_id,
    parse,
};
use crate::document::{Document, DocumentKind, documents};
use crate::files::{self, FileError};
use crate::key_file::KeyFileError;
use crate::passphrase::KeyProtection;
use crate::signer::CaSigner;
use crate::validity::Validity;

/// A CA's certificate, together with what signs for it.
#[derive(Debug)]
pub(crate) struct Authority<S> {
    certificate: CaCertificate,
    signer: S,
}

impl<S: CaSigner> Authority<S> {
    /// Puts the two together, if they belong together.
    pub(crate) fn new(certificate: CaCertificate, signer: S) -> Result<Self, CaFault> {
        let certified = certificate.public_key().to_der().map_err(CaFault::NotACertificate)?;
        if signer.public_key() != certified {
            return Err(CaFault::OtherKey);
        }
        Ok(Self { certificate, signer })
    }

    pub(crate) const fn certificate(&self) -> &CaCertificate {
        &self.certificate
    }

    /// Signs a certificate. Returns DER.
    pub(crate) fn certify(&mut self, statement: &Statement) -> Result<Vec<u8>, CertifyError> {
        certify(statement, &self.certificate.identity, &mut self.signer)
    }

    /// What signs; for what is not made from a statement.
    pub(crate) const fn signer(&mut self) -> &mut S {
        &mut self.signer
    }
}

impl Authority<CaKey> {
    pub(crate) const fn key(&self) -> &CaKey {
        &self.signer
    }

    /// Reads certificate and key from files.
    pub(crate) fn open(
        certificate: &Path,
        key: &Path,
        protection: &KeyProtection,
    ) -> Result<Self, OpenError> {
        let ca = CaCertificate::open(certificate)?;
        Self::new(ca, CaKey::open(key, protection)?)
            .map_err(|fault| OpenError::Unsuitable { path: certificate.to_owned(), fault })
    }
}

/// A certificate that was found fit for a CA.
#[derive(Debug, Clone)]
pub(crate) struct CaCertificate {
    certificate: AnyCertificate,
    der: Vec<u8>,
    identity: IssuerIdentity,
}

impl CaCertificate {
    /// Reads DER.
    pub(crate) fn new(der: Vec<u8>) -> Result<Self, CaFault> {
        let certificate = parse(&der).map_err(CaFault::NotACertificate)?;
        let tbs = certificate.tbs_certificate();
        if tbs.version() != Version::V3 {
            return Err(CaFault::NotVersion3);
        }
        let constraints = tbs.get_extension::<BasicConstraints>().ok().flatten();
        if !constraints.is_some_and(|(_, constraints)| constraints.ca) {
            return Err(CaFault::NotACa);
        }
        // Without the extension a key may be used for anything (RFC 5280 section 4.2.1.3); what
        // `openssl req -x509` makes has none.
        let usage = tbs.get_extension::<KeyUsage>().map_err(CaFault::NotACertificate)?;
        if usage.is_some_and(|(_, usage)| !usage.key_cert_sign()) {
            return Err(CaFault::MayNotSign);
        }
        let given: Option<(bool, SubjectKeyIdentifier)> = tbs.get_extension().ok().flatten();
        let key_id = match given {
            Some((_, SubjectKeyIdentifier(key_id))) => key_id,
            // What it signs needs one all the same; a validator compares only where both have it.
            None => key_id(tbs.subject_public_key_info()).map_err(CaFault::NotACertificate)?,
        };
        let identity =
            IssuerIdentity::new(tbs.subject().clone(), key_id).map_err(CaFault::NotACertificate)?;
        Ok(Self { certificate, der, identity })
    }

    pub(crate) fn public_key(&self) -> &SubjectPublicKeyInfoOwned {
        self.certificate.tbs_certificate().subject_public_key_info()
    }

    pub(crate) const fn identity(&self) -> &IssuerIdentity {
        &self.identity
    }

    pub(crate) const fn certificate(&self) -> &AnyCertificate {
        &self.certificate
    }

    /// Whether nobody but itself vouches for it.
    pub(crate) fn is_self_signed(&self) -> bool {
        self.check_signed_by(self).is_ok()
    }

    /// Reads the first certificate of a file.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        Ok(Self::open_all(path)?.swap_remove(0))
    }

    /// Reads every certificate of a file; there is at least one.
    pub(crate) fn open_all(path: &Path) -> Result<Vec<Self>, OpenError> {
        let contents = files::read(path)?;
        let unsuitable = |fault| OpenError::Unsuitable { path: path.to_owned(), fault };
        let found = documents(&contents)
            .map_err(|error| unsuitable(CaFault::Unreadable(error.to_string())))?;
        let read = |document: Document| match document.kind {
            DocumentKind::Certificate => Self::new(document.bytes.to_vec()).map_err(unsuitable),
            kind => Err(unsuitable(CaFault::Other { kind })),
        };
        found.into_iter().map(read).collect()
    }

    pub(crate) fn check_signed_by(&self, issuer: &Self) -> Result<(), CaFault> {
        let named = self.certificate.tbs_certificate().issuer() == &issuer.identity.name;
        if named && check_signature(&self.der, &self.certificate, issuer.public_key()).is_ok() {
            Ok(())
        } else {
            Err(CaFault::NotSignedBy { issuer: issuer.identity.name.to_string() })
        }
    }

    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    pub(crate) fn validity(&self) -> Validity {
        Validity::of(self.certificate.tbs_certificate())
    }
}

/// A CA could not be opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The directory holds no CA.
    #[error("{} is not a CA directory: it has no {missing}", path.display())]
    NotACaDirectory {
        /// The directory.
        path: PathBuf,
        /// What should be in it.
        missing: &'static str,
    },
    /// A rotation was cut off midway.
    #[error("the rotation of the CA in {} was interrupted", path.display())]
    RotationInterrupted {
        /// The directory.
        path: PathBuf,
    },
    /// A certificate could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The private key could not be used.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// A certificate is not fit for its place.
    #[error("the CA certificate {}: {fault}", path.display())]
    Unsuitable {
        /// The certificate.
        path: PathBuf,
        /// What is wrong with it.
        fault: CaFault,
    },
}

/// Why a certificate cannot serve as this CA's.
#[derive(Debug, Error)]
pub enum CaFault {
    /// It is no certificate.
    #[error("it is not a certificate ({0})")]
    NotACertificate(der::Error),
    /// The file cannot be made sense of.
    #[error("{0}")]
    Unreadable(String),
    /// The file holds something else.
    #[error("it holds a {kind}, not a certificate")]
    Other {
        /// What it holds.
        kind: DocumentKind,
    },
    /// It is of a version of X.509 that cannot say whose certificate it is.
    #[error("it is of X.509 version 1 or 2, which cannot say that it is a CA's")]
    NotVersion3,
    /// Its basicConstraints do not say that it is a CA.
    #[error("it is not a CA's")]
    NotACa,
    /// Its keyUsage does not allow to sign certificates.
    #[error("it may not sign certificates")]
    MayNotSign,
    /// The private key is not the one it certifies.
    #[error("the private key is not the one it certifies")]
    OtherKey,
    /// It was not signed by the CA above it.
    #[error("it was not signed by {issuer}")]
    NotSignedBy {
        /// The subject of the CA above.
        issuer: String,
    },
}

/// A certificate in PEM.
pub(crate) fn to_pem(der: &[u8]) -> der::Result<String> {
    Ok(der::pem::encode_string(Certificate::PEM_LABEL, LineEnding::LF, der)?)
}
