//! CSRs made elsewhere (PKCS#10, RFC 2986), and keys that are proven to be somebody's.

use der::asn1::{BitString, SetOfVec};
use der::pem::LineEnding;
use der::{Any, Decode as _, Encode as _};
use spki::SubjectPublicKeyInfoOwned;
use thiserror::Error;
use x509_cert::attr::Attribute;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::{Extension, ToExtension as _};
use x509_cert::request::{CertReq, CertReqInfo, ExtensionReq, Version};

use crate::algorithm::{self, SignatureFault, key_name};
use crate::certificate::signed_bytes;
use crate::inspect::name_text;
use crate::private_key::PrivateKey;
use crate::server_name::ServerName;
use crate::signer::SignerFault;
use crate::subject::{Subject, SubjectError};
use crate::template::Variables;

/// A public key whose owner has shown to hold the private one: made here, or signed a CSR with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvenKey(SubjectPublicKeyInfoOwned);

impl ProvenKey {
    pub(crate) const fn as_spki(&self) -> &SubjectPublicKeyInfoOwned {
        &self.0
    }
}

impl From<&PrivateKey> for ProvenKey {
    fn from(key: &PrivateKey) -> Self {
        Self(key.public_key())
    }
}

/// A CSR. What it wishes for can be looked at; what is signed, the profile decides.
#[derive(Debug, Clone)]
pub struct CertificateRequest {
    request: CertReq,
    der: Vec<u8>,
}

impl CertificateRequest {
    /// Reads DER.
    ///
    /// # Errors
    ///
    /// With the position of the byte at which it is no CSR.
    pub fn from_der(der: Vec<u8>) -> Result<Self, der::Error> {
        let request = CertReq::from_der(&der)?;
        Ok(Self { request, der })
    }

    /// Makes one for `key`, that wishes for these names.
    ///
    /// # Errors
    ///
    /// [`RequestError`] if that cannot be written down.
    pub fn make(
        key: &PrivateKey,
        subject: &Subject,
        names: &[ServerName],
    ) -> Result<Self, RequestError> {
        let subject = subject.name(&Variables::default())?;
        let mut attributes = SetOfVec::new();
        if !names.is_empty() {
            let names: der::Result<Vec<GeneralName>> =
                names.iter().map(ServerName::to_general_name).collect();
            let extension = SubjectAltName(names?).to_extension(&subject, &[])?;
            attributes.insert(Attribute::try_from(ExtensionReq(vec![extension]))?)?;
        }
        let info =
            CertReqInfo { version: Version::V1, subject, public_key: key.public_key(), attributes };
        let signature = key.sign(&info.to_der()?)?;
        let request = CertReq {
            info,
            algorithm: key.algorithm().identifier(),
            signature: BitString::from_bytes(&signature)?,
        };
        Ok(Self { der: request.to_der()?, request })
    }

    /// Whether it is signed by the key it carries.
    ///
    /// # Errors
    ///
    /// [`SignatureFault`] if it is not, or if the algorithm is not accepted.
    pub fn prove(&self) -> Result<ProvenKey, SignatureFault> {
        let signed = signed_bytes(&self.der).map_err(|_| SignatureFault::DoesNotVerify)?;
        let CertReq { info, algorithm, signature } = &self.request;
        let signature = signature.as_bytes().ok_or(SignatureFault::DoesNotVerify)?;
        algorithm::verify(&info.public_key, algorithm, signed, signature)?;
        Ok(ProvenKey(info.public_key.clone()))
    }

    /// As it was read or made.
    #[must_use]
    pub fn as_der(&self) -> &[u8] {
        &self.der
    }

    /// In PEM.
    ///
    /// # Panics
    ///
    /// Never: what is in memory is not too long for PEM.
    #[must_use]
    pub fn to_pem(&self) -> String {
        der::pem::encode_string("CERTIFICATE REQUEST", LineEnding::LF, &self.der)
            .expect("it is in memory")
    }

    /// The subject it wishes for, in openssl's slash form.
    #[must_use]
    pub fn subject_text(&self) -> String {
        name_text(&self.request.info.subject)
    }

    /// The common name it wishes for.
    #[must_use]
    pub fn common_name(&self) -> Option<String> {
        let name = self.request.info.subject.common_name().ok().flatten()?;
        Some(name.value().into_owned())
    }

    /// What kind of key it is for, in words.
    #[must_use]
    pub fn key_kind(&self) -> String {
        key_name(&self.request.info.public_key)
    }

    pub(crate) const fn inner(&self) -> &CertReq {
        &self.request
    }

    /// The extensions it wishes for.
    pub(crate) fn extensions(&self) -> Vec<Extension> {
        let attributes = self.request.info.attributes.iter();
        attributes
            .filter(|attribute| attribute.oid == const_oid::db::rfc5912::ID_EXTENSION_REQ)
            .flat_map(|attribute| attribute.values.iter())
            .filter_map(|value: &Any| value.decode_as::<Vec<Extension>>().ok())
            .flatten()
            .collect()
    }

    /// The host names and addresses it wishes for.
    #[must_use]
    pub fn server_names(&self) -> Vec<ServerName> {
        self.extensions()
            .iter()
            .filter(|e| e.extn_id == const_oid::db::rfc5280::ID_CE_SUBJECT_ALT_NAME)
            .filter_map(|e| SubjectAltName::from_der(e.extn_value.as_bytes()).ok())
            .flat_map(|names| names.0)
            .filter_map(|name| ServerName::from_general_name(&name))
            .collect()
    }
}

/// A CSR could not be made.
#[derive(Debug, Error)]
pub enum RequestError {
    /// The subject is not possible.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// It cannot be written in DER.
    #[error("the CSR could not be encoded: {0}")]
    Encoding(#[from] der::Error),
    /// The key could not sign.
    #[error(transparent)]
    Signer(#[from] SignerFault),
}
