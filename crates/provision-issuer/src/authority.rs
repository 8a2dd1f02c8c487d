//! A CA that can sign: its certificate, and its key.

use std::path::{Path, PathBuf};

use der::pem::{LineEnding, PemLabel as _};
use provision_csr::PublicKey;
use thiserror::Error;
use x509_cert::certificate::Certificate;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, SubjectKeyIdentifier};

use crate::certificate::{
    CertifyError, IssuerIdentity, Statement, certify, is_signed_by, parse, public_key_of,
};
use crate::files::{self, FileError};
use crate::key_file::{self, KeyFileError};
use crate::passphrase::KeyProtection;
use crate::signer::{CaSigner, SoftwareSigner};
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
        if signer.public_key() != certificate.public_key {
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
}

impl Authority<SoftwareSigner> {
    /// Reads certificate and key from files.
    pub(crate) fn open(
        certificate: &Path,
        key: &Path,
        protection: &KeyProtection,
    ) -> Result<Self, OpenError> {
        let ca = CaCertificate::open(certificate)?;
        let signer = SoftwareSigner::from_secret_key(&key_file::read(key, protection)?);
        Self::new(ca, signer)
            .map_err(|fault| OpenError::Unsuitable { path: certificate.to_owned(), fault })
    }
}

/// A certificate that was found fit for a CA.
#[derive(Debug, Clone)]
pub(crate) struct CaCertificate {
    certificate: Certificate,
    der: Vec<u8>,
    identity: IssuerIdentity,
    public_key: PublicKey,
}

impl CaCertificate {
    /// Reads DER.
    pub(crate) fn new(der: Vec<u8>) -> Result<Self, CaFault> {
        let certificate = parse(&der).map_err(CaFault::NotACertificate)?;
        let tbs = certificate.tbs_certificate();
        let public_key = public_key_of(tbs).ok_or(CaFault::NotP256)?;
        let constraints = tbs.get_extension::<BasicConstraints>().ok().flatten();
        if !constraints.is_some_and(|(_, constraints)| constraints.ca) {
            return Err(CaFault::NotACa);
        }
        let usage = tbs.get_extension::<KeyUsage>().ok().flatten();
        if !usage.is_some_and(|(_, usage)| usage.key_cert_sign()) {
            return Err(CaFault::MayNotSign);
        }
        let key_id: Option<(bool, SubjectKeyIdentifier)> = tbs.get_extension().ok().flatten();
        let Some((_, SubjectKeyIdentifier(key_id))) = key_id else {
            return Err(CaFault::NoKeyIdentifier);
        };
        let identity = IssuerIdentity { name: tbs.subject().clone(), key_id };
        Ok(Self { certificate, der, identity, public_key })
    }

    /// Reads a PEM file with one certificate.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let pem = files::read(path)?;
        let unsuitable = |fault| OpenError::Unsuitable { path: path.to_owned(), fault };
        let (label, der) = der::pem::decode_vec(pem.trim_ascii_start())
            .map_err(|error| unsuitable(CaFault::NotACertificate(error.into())))?;
        if label != Certificate::PEM_LABEL {
            return Err(unsuitable(CaFault::NotThatPem { label: label.to_owned() }));
        }
        Self::new(der).map_err(unsuitable)
    }

    pub(crate) fn check_signed_by(&self, issuer: &Self) -> Result<(), CaFault> {
        if is_signed_by(&self.certificate, &issuer.certificate) {
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
    /// It is PEM of something else.
    #[error("it holds a \"{label}\", not a certificate")]
    NotThatPem {
        /// The PEM label found.
        label: String,
    },
    /// Its key is of another kind.
    #[error("its key is not a P-256 key")]
    NotP256,
    /// Its basicConstraints do not say that it is a CA.
    #[error("it is not a CA's")]
    NotACa,
    /// Its keyUsage does not allow to sign certificates.
    #[error("it may not sign certificates")]
    MayNotSign,
    /// It has no subject key identifier to refer to.
    #[error("it has no subject key identifier")]
    NoKeyIdentifier,
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
