//! Kinds of keys and signatures: what a CA of ours signs with, and what is understood of others.

use core::fmt;
use core::str::FromStr;

use aws_lc_rs::signature::{self as aws, UnparsedPublicKey, VerificationAlgorithm};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{
    ECDSA_WITH_SHA_256, ECDSA_WITH_SHA_384, ECDSA_WITH_SHA_512, ID_EC_PUBLIC_KEY, ID_RSASSA_PSS,
    ID_SHA_256, ID_SHA_384, ID_SHA_512, RSA_ENCRYPTION, SECP_256_R_1, SECP_384_R_1, SECP_521_R_1,
    SHA_1_WITH_RSA_ENCRYPTION, SHA_256_WITH_RSA_ENCRYPTION, SHA_384_WITH_RSA_ENCRYPTION,
    SHA_512_WITH_RSA_ENCRYPTION,
};
use const_oid::db::rfc8410::ID_ED_25519;
use der::asn1::{Any, AnyRef, BitString, Null};
use der::{Decode as _, Encode as _, Reader as _, SliceReader};
use spki::{AlgorithmIdentifierOwned, AlgorithmIdentifierRef, SubjectPublicKeyInfoOwned};
use thiserror::Error;

/// A kind of key that can be made here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyType {
    /// ECDSA on P-256 with SHA-256: what devices have, and the only kind they can check.
    #[default]
    P256,
    /// ECDSA on P-384 with SHA-384.
    P384,
    /// RSA with a modulus of 2048 bits, PKCS#1 v1.5 with SHA-256.
    Rsa2048,
    /// RSA with a modulus of 3072 bits.
    Rsa3072,
    /// RSA with a modulus of 4096 bits.
    Rsa4096,
}

impl KeyType {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::P256, Self::P384, Self::Rsa2048, Self::Rsa3072, Self::Rsa4096];

    /// As it is written on a command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::P256 => "p256",
            Self::P384 => "p384",
            Self::Rsa2048 => "rsa2048",
            Self::Rsa3072 => "rsa3072",
            Self::Rsa4096 => "rsa4096",
        }
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for KeyType {
    type Err = UnknownKeyType;

    /// Takes its [`name`](Self::name), in whatever case, and the names openssl has for the curves.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "p256" | "p-256" | "prime256v1" | "secp256r1" => Ok(Self::P256),
            "p384" | "p-384" | "secp384r1" => Ok(Self::P384),
            "rsa2048" | "rsa:2048" => Ok(Self::Rsa2048),
            "rsa3072" | "rsa:3072" => Ok(Self::Rsa3072),
            "rsa" | "rsa4096" | "rsa:4096" => Ok(Self::Rsa4096),
            _ => Err(UnknownKeyType { text: text.to_owned() }),
        }
    }
}

/// A text names no [`KeyType`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is no kind of key: p256, p384, rsa2048, rsa3072 or rsa4096")]
pub struct UnknownKeyType {
    /// The text as given.
    pub text: String,
}

/// How a CA signs. Follows from its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// ecdsa-with-SHA256 (RFC 5758 section 3.2), by a key on P-256.
    EcdsaSha256,
    /// ecdsa-with-SHA384, by a key on P-384.
    EcdsaSha384,
    /// sha256WithRSAEncryption (RFC 4055 section 5).
    RsaSha256,
}

impl SignatureAlgorithm {
    /// As certificates name it. ECDSA has no parameters (RFC 5758 section 3.2), RSA has NULL
    /// (RFC 4055 section 5).
    pub(crate) fn identifier(self) -> AlgorithmIdentifierOwned {
        let (oid, parameters) = match self {
            Self::EcdsaSha256 => (ECDSA_WITH_SHA_256, None),
            Self::EcdsaSha384 => (ECDSA_WITH_SHA_384, None),
            Self::RsaSha256 => (SHA_256_WITH_RSA_ENCRYPTION, Some(Null.into())),
        };
        AlgorithmIdentifierOwned { oid, parameters }
    }
}

/// A public key of its parts, as certificates carry it (RFC 5280 section 4.1).
pub(crate) fn public_key_of(
    oid: ObjectIdentifier,
    parameters: Any,
    key: &[u8],
) -> der::Result<SubjectPublicKeyInfoOwned> {
    Ok(SubjectPublicKeyInfoOwned {
        algorithm: AlgorithmIdentifierOwned { oid, parameters: Some(parameters) },
        subject_public_key: BitString::from_bytes(key)?,
    })
}

/// What a public key is, in words: `P-256`, `RSA-4096`.
pub(crate) fn key_name(key: &SubjectPublicKeyInfoOwned) -> String {
    match kind_of(key) {
        Some(KeyKind::P256) => "P-256".into(),
        Some(KeyKind::P384) => "P-384".into(),
        Some(KeyKind::P521) => "P-521".into(),
        Some(KeyKind::Ed25519) => "Ed25519".into(),
        Some(KeyKind::Rsa) => match modulus_bits(key.subject_public_key.raw_bytes()) {
            Some(bits) => format!("RSA-{bits}"),
            None => "RSA".into(),
        },
        None => oid_name(&key.algorithm.oid),
    }
}

/// What a signature algorithm is called, as openssl does; its number if it has no name here.
pub(crate) fn oid_name(oid: &ObjectIdentifier) -> String {
    const_oid::db::DB.by_oid(oid).map_or_else(|| oid.to_string(), str::to_owned)
}

/// Checks a signature by `key` over `message`. `signature` is what stands in the BIT STRING.
///
/// SHA-1 and keys of RSA under 2048 bits are refused by name: nothing they sign proves anything.
pub(crate) fn verify(
    key: &SubjectPublicKeyInfoOwned,
    algorithm: &AlgorithmIdentifierOwned,
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureFault> {
    let unsupported =
        || SignatureFault::Unsupported { algorithm: oid_name(&algorithm.oid), key: key_name(key) };
    let kind = kind_of(key).ok_or_else(unsupported)?;
    let verifier = verifier(kind, algorithm).ok_or_else(unsupported)?;
    let bytes = key.subject_public_key.as_bytes().ok_or_else(unsupported)?;
    if kind == KeyKind::Rsa {
        match modulus_bits(bytes) {
            Some(2048..=8192) => {}
            bits => return Err(SignatureFault::RsaSize { bits: bits.unwrap_or(0) }),
        }
    }
    let verified = match (kind, algorithm.oid, bytes.first()) {
        // The one that a line checks thousands of times. aws-lc inverts the signature's s by an
        // algorithm of many branches, which a processor guesses wrongly whenever s is another.
        (KeyKind::P256, ECDSA_WITH_SHA_256, Some(&UNCOMPRESSED)) => {
            ring::signature::UnparsedPublicKey::new(&ring::signature::ECDSA_P256_SHA256_ASN1, bytes)
                .verify(message, signature)
                .is_ok()
        }
        _ => UnparsedPublicKey::new(verifier, bytes).verify(message, signature).is_ok(),
    };
    if verified { Ok(()) } else { Err(SignatureFault::DoesNotVerify) }
}

/// What a point begins with that has both coordinates (SEC 1 section 2.3.3), the only kind that
/// ring takes.
const UNCOMPRESSED: u8 = 4;

/// Why a signature was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SignatureFault {
    /// It is none by that key over that text.
    #[error("the signature does not verify")]
    DoesNotVerify,
    /// An algorithm that is not understood, too weak, or not one for that kind of key.
    #[error("a signature by {algorithm} with a key of {key} is not accepted here")]
    Unsupported {
        /// The algorithm of the signature.
        algorithm: String,
        /// The kind of key.
        key: String,
    },
    /// A key of RSA that is too short, or absurdly long.
    #[error("an RSA key of {bits} bits is not accepted: 2048 to 8192")]
    RsaSize {
        /// Bits of the modulus; 0 if it could not be read.
        bits: usize,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyKind {
    P256,
    P384,
    P521,
    Rsa,
    Ed25519,
}

fn kind_of(key: &SubjectPublicKeyInfoOwned) -> Option<KeyKind> {
    match key.algorithm.oid {
        ID_EC_PUBLIC_KEY => {
            let curve: ObjectIdentifier = key.algorithm.parameters.as_ref()?.decode_as().ok()?;
            match curve {
                SECP_256_R_1 => Some(KeyKind::P256),
                SECP_384_R_1 => Some(KeyKind::P384),
                SECP_521_R_1 => Some(KeyKind::P521),
                _ => None,
            }
        }
        RSA_ENCRYPTION => Some(KeyKind::Rsa),
        ID_ED_25519 => Some(KeyKind::Ed25519),
        _ => None,
    }
}

fn verifier(
    key: KeyKind,
    algorithm: &AlgorithmIdentifierOwned,
) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match (key, algorithm.oid) {
        (KeyKind::P256, ECDSA_WITH_SHA_256) => &aws::ECDSA_P256_SHA256_ASN1,
        (KeyKind::P256, ECDSA_WITH_SHA_384) => &aws::ECDSA_P256_SHA384_ASN1,
        (KeyKind::P256, ECDSA_WITH_SHA_512) => &aws::ECDSA_P256_SHA512_ASN1,
        (KeyKind::P384, ECDSA_WITH_SHA_256) => &aws::ECDSA_P384_SHA256_ASN1,
        (KeyKind::P384, ECDSA_WITH_SHA_384) => &aws::ECDSA_P384_SHA384_ASN1,
        (KeyKind::P384, ECDSA_WITH_SHA_512) => &aws::ECDSA_P384_SHA512_ASN1,
        (KeyKind::P521, ECDSA_WITH_SHA_256) => &aws::ECDSA_P521_SHA256_ASN1,
        (KeyKind::P521, ECDSA_WITH_SHA_384) => &aws::ECDSA_P521_SHA384_ASN1,
        (KeyKind::P521, ECDSA_WITH_SHA_512) => &aws::ECDSA_P521_SHA512_ASN1,
        (KeyKind::Rsa, SHA_256_WITH_RSA_ENCRYPTION) => &aws::RSA_PKCS1_2048_8192_SHA256,
        (KeyKind::Rsa, SHA_384_WITH_RSA_ENCRYPTION) => &aws::RSA_PKCS1_2048_8192_SHA384,
        (KeyKind::Rsa, SHA_512_WITH_RSA_ENCRYPTION) => &aws::RSA_PKCS1_2048_8192_SHA512,
        (KeyKind::Rsa, ID_RSASSA_PSS) => match pss_hash(algorithm)? {
            ID_SHA_256 => &aws::RSA_PSS_2048_8192_SHA256,
            ID_SHA_384 => &aws::RSA_PSS_2048_8192_SHA384,
            ID_SHA_512 => &aws::RSA_PSS_2048_8192_SHA512,
            _ => return None,
        },
        (KeyKind::Ed25519, ID_ED_25519) => &aws::ED25519,
        (_, SHA_1_WITH_RSA_ENCRYPTION) => return None,
        _ => return None,
    })
}

/// The hash in RSASSA-PSS-params (RFC 4055 section 3.1), which stands in field [0]. Left out, it
/// is SHA-1. The library checks that the salt is as long as the hash.
fn pss_hash(algorithm: &AlgorithmIdentifierOwned) -> Option<ObjectIdentifier> {
    let parameters = algorithm.parameters.as_ref()?.to_der().ok()?;
    let parameters = AnyRef::from_der(&parameters).ok()?;
    let mut fields = SliceReader::new(parameters.value()).ok()?;
    let first = AnyRef::decode(&mut fields).ok()?;
    // [0] EXPLICIT
    if first.to_der().ok()?.first() != Some(&0xa0) {
        return None;
    }
    Some(AlgorithmIdentifierRef::from_der(first.value()).ok()?.oid)
}

/// Bits of the modulus in an RSAPublicKey (RFC 8017 appendix A.1.1).
pub(crate) fn modulus_bits(rsa_public_key: &[u8]) -> Option<usize> {
    let body = AnyRef::from_der(rsa_public_key).ok()?;
    let mut fields = SliceReader::new(body.value()).ok()?;
    let modulus = der::asn1::UintRef::decode(&mut fields).ok()?;
    let bytes = modulus.as_bytes();
    let first = bytes.first()?;
    let _ = fields.position();
    Some(bytes.len() * 8 - first.leading_zeros() as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_keys_by_name() {
        for kind in KeyType::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert_eq!("prime256v1".parse(), Ok(KeyType::P256));
        assert_eq!("RSA".parse(), Ok(KeyType::Rsa4096));
        for wrong in ["", "rsa1024", "p521", "ed25519", "dsa"] {
            assert!(wrong.parse::<KeyType>().is_err(), "{wrong}");
        }
    }
}
