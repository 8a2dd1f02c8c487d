//! Certificates: how one is put together and signed, and how one is read.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{ID_AD_CA_ISSUERS, ID_AD_OCSP, ID_KP_CLIENT_AUTH};
use const_oid::db::rfc5912::ID_EC_PUBLIC_KEY;
use const_oid::db::rfc5912::SECP_256_R_1;
use const_oid::db::rfc6960::ID_PKIX_OCSP_NOCHECK;
use der::asn1::{Any, BitStringRef, Ia5String, Null, OctetString, Uint};
use der::{AnyRef, Decode as _, Encode as _, Reader as _, SliceReader};
use provision_csr::PublicKey;
use sha2::{Digest as _, Sha256};
use spki::SubjectPublicKeyInfoOwned;
use thiserror::Error;
use x509_cert::certificate::{CertificateInner, Raw, TbsCertificateInner};
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName};
use x509_cert::ext::pkix::{
    AccessDescription, AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints,
    CrlDistributionPoints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName,
    SubjectKeyIdentifier,
};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;

use der::flagset::FlagSet;

use crate::algorithm::{self, SignatureFault, public_key_of};
use crate::random::{RandomError, random_cert_serial};
use crate::signer::{CaSigner, SignerFault};
use crate::validity::Validity;

/// A certificate of whatever origin. Serial numbers that RFC 5280 forbids occur, and are read.
pub(crate) type AnyCertificate = CertificateInner<Raw>;
/// What is signed of it.
pub(crate) type AnyTbs = TbsCertificateInner<Raw>;

/// What a certificate is to say of its subject.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) subject: Name,
    pub(crate) public_key: SubjectPublicKeyInfoOwned,
    pub(crate) validity: Validity,
    pub(crate) contents: Contents,
}

/// What a certificate is for: every extension but the two key identifiers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Contents {
    /// For a CA: how many CAs may stand below it, before a leaf.
    pub(crate) ca: Option<u8>,
    pub(crate) key_usage: FlagSet<KeyUsages>,
    pub(crate) extended_key_usage: Vec<ObjectIdentifier>,
    pub(crate) names: Vec<GeneralName>,
    /// URLs of CRLs.
    pub(crate) crl: Vec<String>,
    /// URLs of OCSP responders.
    pub(crate) ocsp: Vec<String>,
    /// URLs of the issuer's certificate.
    pub(crate) ca_issuers: Vec<String>,
    /// For an OCSP responder: nobody need ask whether this one was revoked (RFC 6960 section
    /// 4.2.2.2.1).
    pub(crate) ocsp_no_check: bool,
}

impl Contents {
    /// Certifies device issuing CAs.
    pub(crate) fn device_root() -> Self {
        Self::ca(1)
    }

    /// Certifies devices, and no CA below itself. Its clientAuth makes anything it signs useless
    /// for a server: validators ask the purpose of every CA below the anchor.
    pub(crate) fn device_issuing() -> Self {
        Self { extended_key_usage: vec![ID_KP_CLIENT_AUTH], ..Self::ca(0) }
    }

    /// Certifies servers, and no CA below itself.
    pub(crate) fn server_root() -> Self {
        Self::ca(0)
    }

    fn ca(path_len: u8) -> Self {
        let key_usage = KeyUsages::KeyCertSign | KeyUsages::CRLSign;
        Self { ca: Some(path_len), key_usage, ..Self::default() }
    }

    /// RFC 5280 section 4.2. In the order in which OpenSSL's own documentation lists them; the
    /// order has no meaning.
    fn extensions(
        &self,
        subject: &Name,
        subject_key: &SubjectPublicKeyInfoOwned,
        issuer: &IssuerIdentity,
    ) -> der::Result<Vec<Extension>> {
        let constraints = BasicConstraints { ca: self.ca.is_some(), path_len_constraint: self.ca };
        let mut all = vec![
            constraints.to_extension(subject, &[])?,
            KeyUsage(self.key_usage).to_extension(subject, &[])?,
        ];
        if !self.extended_key_usage.is_empty() {
            let purposes = ExtendedKeyUsage(self.extended_key_usage.clone());
            all.push(purposes.to_extension(subject, &[])?);
        }
        if !self.names.is_empty() {
            // Critical if the subject is empty (RFC 5280 section 4.2.1.6); the type knows that.
            all.push(SubjectAltName(self.names.clone()).to_extension(subject, &[])?);
        }
        all.push(SubjectKeyIdentifier(key_id(subject_key)?).to_extension(subject, &[])?);
        all.push(issuer.authority_key.clone());
        if !self.crl.is_empty() {
            let points: der::Result<Vec<_>> = self.crl.iter().map(|url| point(url)).collect();
            all.push(CrlDistributionPoints(points?).to_extension(subject, &[])?);
        }
        let access = self.access()?;
        if !access.is_empty() {
            all.push(AuthorityInfoAccessSyntax(access).to_extension(subject, &[])?);
        }
        if self.ocsp_no_check {
            let extn_value = OctetString::new(Null.to_der()?)?;
            all.push(Extension { extn_id: ID_PKIX_OCSP_NOCHECK, critical: false, extn_value });
        }
        Ok(all)
    }

    fn access(&self) -> der::Result<Vec<AccessDescription>> {
        let ocsp = self.ocsp.iter().map(|url| (ID_AD_OCSP, url));
        let issuers = self.ca_issuers.iter().map(|url| (ID_AD_CA_ISSUERS, url));
        ocsp.chain(issuers)
            .map(|(access_method, url)| {
                Ok(AccessDescription { access_method, access_location: uri(url)? })
            })
            .collect()
    }
}

/// Who signs, as the certificate names it.
#[derive(Debug, Clone)]
pub(crate) struct IssuerIdentity {
    pub(crate) name: Name,
    pub(crate) key_id: OctetString,
    /// `name` in DER: the same in every certificate.
    pub(crate) name_der: Vec<u8>,
    /// So is the extension by which certificates name its key.
    pub(crate) authority_key: Extension,
}

impl IssuerIdentity {
    pub(crate) fn new(name: Name, key_id: OctetString) -> der::Result<Self> {
        let authority_key = AuthorityKeyIdentifier {
            key_identifier: Some(key_id.clone()),
            ..AuthorityKeyIdentifier::default()
        };
        let authority_key = authority_key.to_extension(&name, &[])?;
        Ok(Self { name_der: name.to_der()?, name, key_id, authority_key })
    }
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
    /// What was to be said cannot be written in DER.
    #[error("the certificate could not be encoded: {0}")]
    Encoding(#[from] der::Error),
}

/// Signs `statement` in the name of `issuer`, and checks the signature. Returns DER.
pub(crate) fn certify(
    statement: &Statement,
    issuer: &IssuerIdentity,
    signer: &mut impl CaSigner,
) -> Result<Vec<u8>, CertifyError> {
    let extensions =
        statement.contents.extensions(&statement.subject, &statement.public_key, issuer)?;
    let algorithm = signer.algorithm().identifier().to_der()?;
    let mut tbs = Vec::with_capacity(1024);
    tbs.extend(VERSION_3);
    Uint::new(&random_cert_serial()?)?.encode_to_vec(&mut tbs)?;
    tbs.extend(&algorithm);
    tbs.extend(&issuer.name_der);
    statement.validity.to_x509()?.encode_to_vec(&mut tbs)?;
    statement.subject.encode_to_vec(&mut tbs)?;
    statement.public_key.encode_to_vec(&mut tbs)?;
    let extensions = extensions.to_der()?;
    push_header(&mut tbs, EXPLICIT_3, extensions.len());
    tbs.extend(extensions);
    sign_whole(tbs, &algorithm, signer)
}

/// Puts together what certificates and CRLs are: the part that is signed, the algorithm, the
/// signature. `tbs` is the first without its header.
pub(crate) fn sign_whole(
    tbs: Vec<u8>,
    algorithm: &[u8],
    signer: &mut impl CaSigner,
) -> Result<Vec<u8>, CertifyError> {
    let mut whole = Vec::with_capacity(tbs.len() + 8);
    push_header(&mut whole, SEQUENCE, tbs.len());
    whole.extend(&tbs);
    drop(tbs);
    let signature = sign_checked(signer, &whole)?;
    let signature = BitStringRef::from_bytes(&signature)?.to_der()?;
    let len = whole.len() + algorithm.len() + signature.len();
    let mut signed = Vec::with_capacity(len + 8);
    push_header(&mut signed, SEQUENCE, len);
    signed.extend(&whole);
    signed.extend(algorithm);
    signed.extend(signature);
    Ok(signed)
}

/// The header of an element in DER, for what is written piece by piece.
pub(crate) fn push_header(out: &mut Vec<u8>, tag: u8, len: usize) {
    out.push(tag);
    match len {
        0..=0x7f => out.push(len as u8),
        _ => {
            let bytes = len.to_be_bytes();
            let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
            out.push(0x80 | (bytes.len() - zeros) as u8);
            out.extend(&bytes[zeros..]);
        }
    }
}

/// Signs, and lets nothing out that does not verify, as far as the signer is not proven.
pub(crate) fn sign_checked(
    signer: &mut impl CaSigner,
    message: &[u8],
) -> Result<Vec<u8>, CertifyError> {
    let signature = signer.sign(message)?;
    if signer.is_proven() {
        return Ok(signature);
    }
    let key = SubjectPublicKeyInfoOwned::from_der(&signer.public_key())?;
    algorithm::verify(&key, &signer.algorithm().identifier(), message, &signature)
        .map_err(|_| CertifyError::BadSignature)?;
    signer.proven();
    Ok(signature)
}

/// The subject key identifier of a key: the leftmost 160 bits of the SHA-256 of the BIT STRING's
/// contents (RFC 7093 section 2, method 1; the older method takes SHA-1).
pub(crate) fn key_id(key: &SubjectPublicKeyInfoOwned) -> der::Result<OctetString> {
    let digest = Sha256::digest(key.subject_public_key.raw_bytes());
    OctetString::new(&digest[..20])
}

/// The key of a device as certificates carry it.
pub(crate) fn device_key(key: &PublicKey) -> der::Result<SubjectPublicKeyInfoOwned> {
    public_key_of(ID_EC_PUBLIC_KEY, Any::from(SECP_256_R_1), key.as_sec1())
}

/// Reads one certificate, DER.
pub(crate) fn parse(der: &[u8]) -> der::Result<AnyCertificate> {
    AnyCertificate::from_der(der)
}

/// The bytes that a certificate's, CSR's or CRL's signature is over: the first element in its
/// SEQUENCE, as it stands there.
pub(crate) fn signed_bytes(der: &[u8]) -> der::Result<&[u8]> {
    let outer = AnyRef::from_der(der)?;
    let mut reader = SliceReader::new(outer.value())?;
    reader.tlv_bytes()
}

/// Whether a certificate carries a signature by this key.
pub(crate) fn check_signature(
    der: &[u8],
    certificate: &AnyCertificate,
    key: &SubjectPublicKeyInfoOwned,
) -> Result<(), SignatureFault> {
    let signed = signed_bytes(der).map_err(|_| SignatureFault::DoesNotVerify)?;
    let signature = certificate.signature().as_bytes().ok_or(SignatureFault::DoesNotVerify)?;
    // The algorithm stands in both parts; only the inner one is signed (RFC 5280 section 4.1.1.2).
    if certificate.signature_algorithm() != certificate.tbs_certificate().signature() {
        return Err(SignatureFault::DoesNotVerify);
    }
    algorithm::verify(key, certificate.signature_algorithm(), signed, signature)
}

pub(crate) fn uri(url: &str) -> der::Result<GeneralName> {
    Ok(GeneralName::UniformResourceIdentifier(Ia5String::new(url)?))
}

fn point(url: &str) -> der::Result<DistributionPoint> {
    Ok(DistributionPoint {
        distribution_point: Some(DistributionPointName::FullName(vec![uri(url)?])),
        reasons: None,
        crl_issuer: None,
    })
}

pub(crate) const SEQUENCE: u8 = 0x30;
/// `[3] EXPLICIT`
const EXPLICIT_3: u8 = 0xa3;
/// `[0] EXPLICIT INTEGER 2`
const VERSION_3: [u8; 5] = [0xa0, 3, 2, 1, 2];
