//! The certification request: read, then proven.

use alloc::vec::Vec;
use core::fmt;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc4519::CN;
use const_oid::db::rfc5912::{ECDSA_WITH_SHA_256, ID_EC_PUBLIC_KEY, SECP_256_R_1};
use der::{Decode, Encode};
use provision_csr::der::{Reader, SEQUENCE};
use provision_csr::{CHALLENGE_LEN, PublicKey, Signature, VerifyP256};
use provision_wire::DeviceSerial;
use sha2_device::{Digest, Sha256};
use x509_cert::name::Name;
use x509_cert::request::CertReq;

use super::text::directory_string;

/// `challengePassword`, PKCS#9 (RFC 2985 section 5.4.1).
const CHALLENGE_PASSWORD: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.7");

/// A PKCS#10 request (RFC 2986) for a P-256 key that could be read. Nothing in it is believed yet.
#[derive(Debug)]
pub struct Csr {
    der: Vec<u8>,
    /// What the signature is over.
    info: Vec<u8>,
    device: DeviceSerial,
    public_key: PublicKey,
    challenge: [u8; CHALLENGE_LEN],
    signature: Signature,
}

impl Csr {
    /// Reads a request in DER.
    ///
    /// # Errors
    ///
    /// [`CsrFault`] names what is missing or of the wrong kind.
    pub fn parse(der: &[u8]) -> Result<Self, CsrFault> {
        let request = CertReq::from_der(der)
            .map_err(|e| CsrFault::NotACsr { at: e.position().map_or(0, u32::from) })?;
        let malformed = |_| CsrFault::NotACsr { at: 0 };
        // DER has one encoding for one value; a request that has another is not DER.
        if request.to_der().map_err(malformed)? != der {
            return Err(CsrFault::NotACsr { at: 0 });
        }
        // So what is signed stands in it as it was encoded: the first element of the request.
        let info = Reader::new(der)
            .expect(SEQUENCE)
            .and_then(|request| Reader::new(request).next())
            .ok_or(CsrFault::NotACsr { at: 0 })?
            .encoded
            .to_vec();

        let key = &request.info.public_key;
        if key.algorithm.oid != ID_EC_PUBLIC_KEY {
            return Err(CsrFault::KeyAlgorithm { found: key.algorithm.oid });
        }
        let curve = key.algorithm.parameters.as_ref().map(|p| p.decode_as::<ObjectIdentifier>());
        match curve {
            Some(Ok(SECP_256_R_1)) => {}
            Some(Ok(found)) => return Err(CsrFault::KeyAlgorithm { found }),
            _ => return Err(CsrFault::KeyAlgorithm { found: ID_EC_PUBLIC_KEY }),
        }
        let public_key = key
            .subject_public_key
            .as_bytes()
            .and_then(|bytes| PublicKey::from_sec1_slice(bytes).ok())
            .ok_or(CsrFault::KeyEncoding)?;

        if request.algorithm.oid != ECDSA_WITH_SHA_256 {
            return Err(CsrFault::SignatureAlgorithm { found: request.algorithm.oid });
        }
        let signature = request
            .signature
            .as_bytes()
            .and_then(|bytes| Signature::from_der(bytes).ok())
            .ok_or(CsrFault::SignatureEncoding)?;

        let device = common_name(&request.info.subject)?;
        let challenge = challenge_of(&request)?;
        Ok(Self { der: der.to_vec(), info, device, public_key, challenge, signature })
    }

    /// The device the request names.
    #[must_use]
    pub const fn device(&self) -> &DeviceSerial {
        &self.device
    }

    /// The key the request is for.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Checks that whoever wrote this holds the key now: the signature is by it, over the
    /// challenge of this session.
    ///
    /// # Errors
    ///
    /// [`PossessionFault`] says which of the two is not so.
    pub fn prove_possession<V: VerifyP256>(
        self,
        challenge: &[u8; CHALLENGE_LEN],
    ) -> Result<ProvenCsr, PossessionFault> {
        if self.challenge != *challenge {
            return Err(PossessionFault::OtherChallenge);
        }
        let digest: [u8; 32] = Sha256::digest(&self.info).into();
        V::verify_digest(&self.public_key, &digest, &self.signature)
            .map_err(|_| PossessionFault::BadSignature)?;
        Ok(ProvenCsr { device: self.device, public_key: self.public_key, der: self.der })
    }
}

/// A request whose writer was shown to hold the key, in this session. Made by
/// [`Csr::prove_possession`] alone.
#[derive(Debug)]
pub struct ProvenCsr {
    device: DeviceSerial,
    public_key: PublicKey,
    der: Vec<u8>,
}

impl ProvenCsr {
    /// The device the request names.
    #[must_use]
    pub const fn device(&self) -> &DeviceSerial {
        &self.device
    }

    /// The key that was proven.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The request itself, DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }
}

fn common_name(subject: &Name) -> Result<DeviceSerial, CsrFault> {
    let mut names = subject.iter().filter(|attribute| attribute.oid == CN);
    let (Some(name), None) = (names.next(), names.next()) else {
        return Err(CsrFault::CommonName);
    };
    let text = directory_string(&name.value).ok_or(CsrFault::CommonName)?;
    DeviceSerial::new(text).map_err(|_| CsrFault::CommonName)
}

fn challenge_of(request: &CertReq) -> Result<[u8; CHALLENGE_LEN], CsrFault> {
    let attribute = request
        .info
        .attributes
        .iter()
        .find(|attribute| attribute.oid == CHALLENGE_PASSWORD)
        .ok_or(CsrFault::NoChallenge)?;
    let (Some(value), 1) = (attribute.values.get(0), attribute.values.len()) else {
        return Err(CsrFault::NoChallenge);
    };
    directory_string(value).and_then(|text| from_hex(text.as_bytes())).ok_or(CsrFault::NoChallenge)
}

fn from_hex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    if text.len() != N * 2 {
        return None;
    }
    let mut bytes = [0; N];
    for (place, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |c: u8| char::from(c).to_digit(16);
        *place = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(bytes)
}

/// Why bytes are no request this station can work with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CsrFault {
    /// Not a PKCS#10 request in DER.
    NotACsr {
        /// Byte at which it stopped being one, 0 if that is not known.
        at: u32,
    },
    /// The key is of another algorithm or curve than P-256.
    KeyAlgorithm {
        /// What it is.
        found: ObjectIdentifier,
    },
    /// The key is no uncompressed point.
    KeyEncoding,
    /// Signed by another algorithm than ECDSA with SHA-256.
    SignatureAlgorithm {
        /// What it is.
        found: ObjectIdentifier,
    },
    /// The signature is no DER ECDSA signature.
    SignatureEncoding,
    /// Not exactly one common name, or one that is no device serial.
    CommonName,
    /// No `challengePassword` of the expected form.
    NoChallenge,
}

impl fmt::Display for CsrFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotACsr { at } => write!(f, "not a PKCS#10 request in DER (at byte {at})"),
            Self::KeyAlgorithm { found } => {
                write!(f, "expected a P-256 key in the CSR, found {}", algorithm_name(*found))
            }
            Self::KeyEncoding => f.write_str("the CSR's key is no uncompressed P-256 point"),
            Self::SignatureAlgorithm { found } => write!(
                f,
                "expected a CSR signed by ECDSA with SHA-256, found {}",
                algorithm_name(*found)
            ),
            Self::SignatureEncoding => f.write_str("the CSR's signature is no ECDSA signature"),
            Self::CommonName => {
                f.write_str("the CSR does not name one device (one common name, a device serial)")
            }
            Self::NoChallenge => f.write_str("the CSR carries no challenge"),
        }
    }
}

/// The names people know for the algorithms they are likely to meet, the OID for others.
fn algorithm_name(oid: ObjectIdentifier) -> alloc::string::String {
    use alloc::string::ToString;
    match const_oid::db::DB.by_oid(&oid) {
        Some(name) => name.to_string(),
        None => oid.to_string(),
    }
}

impl core::error::Error for CsrFault {}

/// Why a request does not show that its writer holds the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PossessionFault {
    /// The challenge is not this session's: an old or foreign request.
    OtherChallenge,
    /// The signature is not by the key in the request.
    BadSignature,
}

impl fmt::Display for PossessionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherChallenge => "the CSR answers another challenge than this session's",
            Self::BadSignature => "the CSR is not signed by the key it carries",
        })
    }
}

impl core::error::Error for PossessionFault {}
