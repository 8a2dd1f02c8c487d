//! Certificates: what goes into each kind of them, and how one is signed.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{ID_KP_CLIENT_AUTH, ID_KP_SERVER_AUTH};
use const_oid::db::rfc5912::{ECDSA_WITH_SHA_256, ID_EC_PUBLIC_KEY, SECP_256_R_1};
use der::asn1::{Any, BitString, OctetString};
use der::{Decode as _, Encode as _};
use p256::ecdsa::signature::hazmat::PrehashVerifier as _;
use p256::ecdsa::signature::{self, Keypair};
use p256::ecdsa::{Signature as P256Signature, VerifyingKey};
use provision_csr::PublicKey;
use sha2::{Digest as _, Sha256};
use spki::{
    AlgorithmIdentifierOwned, DynSignatureAlgorithmIdentifier, SubjectPublicKeyInfoOwned,
    SubjectPublicKeyInfoRef,
};
use thiserror::Error;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, Builder as _, CertificateBuilder};
use x509_cert::certificate::{Certificate, TbsCertificate};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages,
    SubjectAltName, SubjectKeyIdentifier,
};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;

use crate::random::{RandomError, random_cert_serial};
use crate::signer::{CaSigner, SignerFault};
use crate::validity::Validity;

/// What a certificate is to say of its subject.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) subject: Name,
    pub(crate) public_key: PublicKey,
    pub(crate) validity: Validity,
    pub(crate) purpose: Purpose,
}

/// What a certificate is for. Decides every extension.
#[derive(Debug, Clone)]
pub(crate) enum Purpose {
    /// Certifies device issuing CAs.
    DeviceRoot,
    /// Certifies devices, and no CA below itself. Its clientAuth makes anything it signs useless
    /// for a server: validators ask the purpose of every CA below the anchor.
    DeviceIssuing,
    /// Certifies servers, and no CA below itself.
    ServerRoot,
    /// A device: TLS client.
    Device,
    /// A server, under these names.
    Server(Vec<GeneralName>),
}

/// Who signs, as the certificate names it.
#[derive(Debug, Clone)]
pub(crate) struct IssuerIdentity {
    pub(crate) name: Name,
    pub(crate) key_id: OctetString,
}

/// A certificate could not be made.
#[derive(Debug, Error)]
pub enum CertifyError {
    /// The CA's key could not sign.
    #[error(transparent)]
    Signer(#[from] SignerFault),
    /// The CA's key gave a signature that does not verify: it is another key than the one in the
    /// CA's certificate, or the token that holds it is faulty.
    #[error("the CA's key gave a signature that does not verify")]
    BadSignature,
    /// No randomness for the serial number.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The public key to be certified, or the CA's own, is no point of the curve P-256.
    #[error("the public key is not a point of the curve P-256")]
    NotOnCurve,
    /// What was to be said cannot be written in DER.
    #[error("the certificate could not be encoded: {0}")]
    Encoding(builder::Error),
}

impl From<der::Error> for CertifyError {
    fn from(error: der::Error) -> Self {
        Self::Encoding(error.into())
    }
}

impl From<builder::Error> for CertifyError {
    fn from(error: builder::Error) -> Self {
        Self::Encoding(error)
    }
}

/// Signs `statement` in the name of `issuer`, and checks the signature. Returns DER.
pub(crate) fn certify(
    statement: &Statement,
    issuer: &IssuerIdentity,
    signer: &mut impl CaSigner,
) -> Result<Vec<u8>, CertifyError> {
    let signer_key = SignerKey::new(&signer.public_key())?;
    let mut builder = CertificateBuilder::new(
        Contents {
            subject: statement.subject.clone(),
            issuer: issuer.name.clone(),
            extensions: extensions(statement, issuer)?,
        },
        SerialNumber::new(&random_cert_serial()?)?,
        statement.validity.to_x509()?,
        subject_public_key_info(&statement.public_key)?,
    )?;
    let to_sign = builder.finalize(&signer_key)?;
    let sha256: [u8; 32] = Sha256::digest(&to_sign).into();
    let signature = P256Signature::from_slice(signer.sign_digest(&sha256)?.as_raw())
        .map_err(|_| CertifyError::BadSignature)?;
    signer_key.0.verify_prehash(&sha256, &signature).map_err(|_| CertifyError::BadSignature)?;
    let signature = BitString::from_bytes(signature.to_der().as_bytes())?;
    Ok(builder.assemble(signature, &signer_key)?.to_der()?)
}

/// The subject key identifier of a P-256 key: the leftmost 160 bits of the SHA-256 of the point
/// (RFC 7093 section 2, method 1; the older method takes SHA-1).
pub(crate) fn key_id(public_key: &PublicKey) -> der::Result<OctetString> {
    let digest = Sha256::digest(public_key.as_sec1());
    OctetString::new(&digest[..20])
}

/// The public key of a certificate, if it is on P-256.
pub(crate) fn public_key_of(certificate: &TbsCertificate) -> Option<PublicKey> {
    let info = certificate.subject_public_key_info();
    let curve: ObjectIdentifier = info.algorithm.parameters.as_ref()?.decode_as().ok()?;
    if info.algorithm.oid != ID_EC_PUBLIC_KEY || curve != SECP_256_R_1 {
        return None;
    }
    PublicKey::from_sec1_slice(info.subject_public_key.as_bytes()?).ok()
}

/// Whether `certificate` names `issuer` as its issuer and carries a signature by its key.
pub(crate) fn is_signed_by(certificate: &Certificate, issuer: &Certificate) -> bool {
    let tbs = certificate.tbs_certificate();
    let verified = || {
        let key = public_key_of(issuer.tbs_certificate())?;
        let key = VerifyingKey::from_sec1_bytes(key.as_sec1()).ok()?;
        let signature = P256Signature::from_der(certificate.signature().as_bytes()?).ok()?;
        let sha256 = Sha256::digest(tbs.to_der().ok()?);
        key.verify_prehash(&sha256, &signature).ok()
    };
    tbs.issuer() == issuer.tbs_certificate().subject()
        && certificate.signature_algorithm().oid == ECDSA_WITH_SHA_256
        && verified().is_some()
}

/// RFC 5280 section 4.2. In the order in which OpenSSL's own documentation lists them; the order
/// has no meaning.
fn extensions(statement: &Statement, issuer: &IssuerIdentity) -> der::Result<Vec<Extension>> {
    let (ca, path_len_constraint) = match statement.purpose {
        Purpose::DeviceRoot => (true, Some(1)),
        Purpose::DeviceIssuing | Purpose::ServerRoot => (true, Some(0)),
        Purpose::Device | Purpose::Server(_) => (false, None),
    };
    let key_usage = if ca {
        KeyUsages::KeyCertSign | KeyUsages::CRLSign
    } else {
        KeyUsages::DigitalSignature.into()
    };
    let extended_key_usage = match statement.purpose {
        Purpose::DeviceRoot | Purpose::ServerRoot => None,
        Purpose::DeviceIssuing | Purpose::Device => Some(ID_KP_CLIENT_AUTH),
        Purpose::Server(_) => Some(ID_KP_SERVER_AUTH),
    };
    let subject = &statement.subject;
    let mut all = vec![
        BasicConstraints { ca, path_len_constraint }.to_extension(subject, &[])?,
        KeyUsage(key_usage).to_extension(subject, &[])?,
    ];
    if let Some(purpose) = extended_key_usage {
        all.push(ExtendedKeyUsage(vec![purpose]).to_extension(subject, &[])?);
    }
    if let Purpose::Server(names) = &statement.purpose {
        all.push(SubjectAltName(names.clone()).to_extension(subject, &[])?);
    }
    all.push(SubjectKeyIdentifier(key_id(&statement.public_key)?).to_extension(subject, &[])?);
    let authority = AuthorityKeyIdentifier {
        key_identifier: Some(issuer.key_id.clone()),
        ..AuthorityKeyIdentifier::default()
    };
    all.push(authority.to_extension(subject, &[])?);
    Ok(all)
}

fn subject_public_key_info(key: &PublicKey) -> Result<SubjectPublicKeyInfoOwned, CertifyError> {
    VerifyingKey::from_sec1_bytes(key.as_sec1()).map_err(|_| CertifyError::NotOnCurve)?;
    Ok(SubjectPublicKeyInfoOwned {
        algorithm: AlgorithmIdentifierOwned {
            oid: ID_EC_PUBLIC_KEY,
            parameters: Some(Any::from(SECP_256_R_1)),
        },
        subject_public_key: BitString::from_bytes(key.as_sec1())?,
    })
}

/// For the builder, which asks a profile what to write.
struct Contents {
    subject: Name,
    issuer: Name,
    extensions: Vec<Extension>,
}

impl BuilderProfile for Contents {
    fn get_issuer(&self, _: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        _: SubjectPublicKeyInfoRef<'_>,
        _: SubjectPublicKeyInfoRef<'_>,
        _: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        Ok(self.extensions.clone())
    }
}

/// For the builder, which wants to know the algorithm of the signature to come.
struct SignerKey(VerifyingKey);

impl SignerKey {
    fn new(key: &PublicKey) -> Result<Self, CertifyError> {
        VerifyingKey::from_sec1_bytes(key.as_sec1())
            .map(Self)
            .map_err(|_: signature::Error| CertifyError::NotOnCurve)
    }
}

impl Keypair for SignerKey {
    type VerifyingKey = VerifyingKey;

    fn verifying_key(&self) -> VerifyingKey {
        self.0
    }
}

impl DynSignatureAlgorithmIdentifier for SignerKey {
    /// ecdsa-with-SHA256 has no parameters (RFC 5758 section 3.2).
    fn signature_algorithm_identifier(&self) -> spki::Result<AlgorithmIdentifierOwned> {
        Ok(AlgorithmIdentifierOwned { oid: ECDSA_WITH_SHA_256, parameters: None })
    }
}

/// Reads one certificate, DER.
pub(crate) fn parse(der: &[u8]) -> der::Result<Certificate> {
    Certificate::from_der(der)
}
