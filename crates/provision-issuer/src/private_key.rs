//! Private keys in memory: made, read, signed with.

use core::fmt;

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _,
    RSA_PKCS1_SHA256, RsaKeyPair,
};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{ID_EC_PUBLIC_KEY, RSA_ENCRYPTION, SECP_256_R_1, SECP_384_R_1};
use der::asn1::{Any, AnyRef, ContextSpecific, Null, OctetStringRef};
use der::{Decode as _, Encode as _, SliceReader, Tag, TagNumber, Tagged as _};
use pkcs8::PrivateKeyInfoRef;
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoOwned};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::algorithm::{KeyType, SignatureAlgorithm, key_name, oid_name, public_key_of};
use crate::signer::SignerFault;

/// A private key on P-256 or P-384, or of RSA with 2048 to 8192 bits. Wiped when dropped; `Debug`
/// shows what kind it is and nothing else.
pub struct PrivateKey {
    /// PKCS#8 (RFC 5958), in the clear.
    pkcs8: Zeroizing<Vec<u8>>,
    pair: Pair,
}

enum Pair {
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Rsa(Box<RsaKeyPair>),
}

impl PrivateKey {
    /// Makes a new key. RSA takes seconds.
    ///
    /// # Errors
    ///
    /// [`KeyFault::NotMade`] if the library cannot, which is to say that there are no random
    /// numbers.
    pub fn generate(kind: KeyType) -> Result<Self, KeyFault> {
        let rsa = |size| {
            let pair = RsaKeyPair::generate(size).map_err(|_| KeyFault::NotMade)?;
            let der = pair.as_der().map_err(|_| KeyFault::NotMade)?;
            let pkcs8 = Zeroizing::new(der.as_ref().to_vec());
            Ok(Self { pkcs8, pair: Pair::Rsa(Box::new(pair)) })
        };
        let ecdsa = |algorithm| {
            let pair = EcdsaKeyPair::generate(algorithm).map_err(|_| KeyFault::NotMade)?;
            let der = pair.to_pkcs8v1().map_err(|_| KeyFault::NotMade)?;
            Ok((Zeroizing::new(der.as_ref().to_vec()), pair))
        };
        match kind {
            KeyType::P256 => ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING)
                .map(|(pkcs8, pair)| Self { pkcs8, pair: Pair::P256(pair) }),
            KeyType::P384 => ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING)
                .map(|(pkcs8, pair)| Self { pkcs8, pair: Pair::P384(pair) }),
            KeyType::Rsa2048 => rsa(KeySize::Rsa2048),
            KeyType::Rsa3072 => rsa(KeySize::Rsa3072),
            KeyType::Rsa4096 => rsa(KeySize::Rsa4096),
        }
    }

    /// Reads PKCS#8 in the clear.
    ///
    /// # Errors
    ///
    /// [`KeyFault`] if it is something else, or a kind of key that cannot be used here.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyFault> {
        let info = PrivateKeyInfoRef::from_der(der)?;
        let pkcs8 = Zeroizing::new(der.to_vec());
        let pair = match info.algorithm.oid {
            RSA_ENCRYPTION => RsaKeyPair::from_pkcs8(der).map(Box::new).map(Pair::Rsa),
            ID_EC_PUBLIC_KEY => match curve_of(info.algorithm)? {
                SECP_256_R_1 => {
                    EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, der)
                        .map(Pair::P256)
                }
                SECP_384_R_1 => {
                    EcdsaKeyPair::from_private_key_der(&ECDSA_P384_SHA384_ASN1_SIGNING, der)
                        .map(Pair::P384)
                }
                curve => return Err(KeyFault::OtherKind { kind: oid_name(&curve) }),
            },
            other => return Err(KeyFault::OtherKind { kind: oid_name(&other) }),
        };
        let pair = pair.map_err(|why| KeyFault::Rejected { why: why.to_string() })?;
        Ok(Self { pkcs8, pair })
    }

    /// Reads a key as openssl wrote it before PKCS#8: `EC PRIVATE KEY` (RFC 5915).
    ///
    /// # Errors
    ///
    /// As [`from_pkcs8`](Self::from_pkcs8).
    pub fn from_sec1(der: &[u8]) -> Result<Self, KeyFault> {
        let key = Sec1Curve::from_der(der)?;
        let curve = key.parameters.ok_or(KeyFault::NoCurve)?;
        let curve = Any::from(curve);
        let algorithm =
            AlgorithmIdentifierRef { oid: ID_EC_PUBLIC_KEY, parameters: Some((&curve).into()) };
        Self::from_parts(algorithm, der)
    }

    /// Reads a key as openssl wrote it before PKCS#8: `RSA PRIVATE KEY` (RFC 8017 appendix A.1.2).
    ///
    /// # Errors
    ///
    /// As [`from_pkcs8`](Self::from_pkcs8).
    pub fn from_pkcs1(der: &[u8]) -> Result<Self, KeyFault> {
        let algorithm =
            AlgorithmIdentifierRef { oid: RSA_ENCRYPTION, parameters: Some(Null.into()) };
        Self::from_parts(algorithm, der)
    }

    fn from_parts(algorithm: AlgorithmIdentifierRef<'_>, key: &[u8]) -> Result<Self, KeyFault> {
        let info = PrivateKeyInfoRef::new(algorithm, OctetStringRef::new(key)?);
        Self::from_pkcs8(&Zeroizing::new(info.to_der()?))
    }

    /// The key in PKCS#8, in the clear: to be encrypted, or written because somebody asked for it
    /// by name.
    pub(crate) fn as_pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The public half, as certificates carry it.
    pub(crate) fn public_key(&self) -> SubjectPublicKeyInfoOwned {
        let (oid, parameters, bytes) = match &self.pair {
            Pair::P256(pair) => {
                (ID_EC_PUBLIC_KEY, Any::from(SECP_256_R_1), pair.public_key().as_ref())
            }
            Pair::P384(pair) => {
                (ID_EC_PUBLIC_KEY, Any::from(SECP_384_R_1), pair.public_key().as_ref())
            }
            Pair::Rsa(pair) => (RSA_ENCRYPTION, Any::from(Null), pair.public_key().as_ref()),
        };
        public_key_of(oid, parameters, bytes).expect("a key is shorter than 256 MB")
    }

    /// The public half in DER: a SubjectPublicKeyInfo (RFC 5280 section 4.1).
    ///
    /// # Panics
    ///
    /// Never: it was made of DER.
    #[must_use]
    pub fn public_key_der(&self) -> Vec<u8> {
        self.public_key().to_der().expect("it was made of DER")
    }

    /// What kind it is, in words: `P-256`, `RSA-4096`.
    #[must_use]
    pub fn kind(&self) -> String {
        key_name(&self.public_key())
    }

    /// How it signs.
    #[must_use]
    pub const fn algorithm(&self) -> SignatureAlgorithm {
        match self.pair {
            Pair::P256(_) => SignatureAlgorithm::EcdsaSha256,
            Pair::P384(_) => SignatureAlgorithm::EcdsaSha384,
            Pair::Rsa(_) => SignatureAlgorithm::RsaSha256,
        }
    }

    /// Signs `message`. Returns what belongs in the BIT STRING.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerFault> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::P256(pair) | Pair::P384(pair) => {
                pair.sign(&random, message).map(|signature| signature.as_ref().to_vec())
            }
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).map(|()| signature)
            }
        }
        .map_err(SignerFault::new)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.kind())
    }
}

/// Why there is no private key.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyFault {
    /// The library could make none.
    #[error("no key could be made: are there no random numbers?")]
    NotMade,
    /// What was read has another structure.
    #[error("it is no private key ({0})")]
    NotAKey(#[from] der::Error),
    /// It is a key of a kind that is not used here.
    #[error("it is a key of {kind}; P-256, P-384 and RSA can be used here")]
    OtherKind {
        /// Which kind.
        kind: String,
    },
    /// It does not say on which curve it is.
    #[error("it does not say on which curve it is")]
    NoCurve,
    /// Its numbers do not fit together, or are too small.
    #[error("its numbers are not a key's ({why})")]
    Rejected {
        /// What the library said.
        why: String,
    },
}

fn curve_of(algorithm: AlgorithmIdentifierRef<'_>) -> Result<ObjectIdentifier, KeyFault> {
    let parameters = algorithm.parameters.ok_or(KeyFault::NoCurve)?;
    parameters.decode_as().map_err(|_| KeyFault::NoCurve)
}

/// `ECPrivateKey` (RFC 5915 section 3), of which the curve matters here.
struct Sec1Curve {
    parameters: Option<ObjectIdentifier>,
}

impl Sec1Curve {
    fn from_der(der: &[u8]) -> der::Result<Self> {
        let outer = AnyRef::from_der(der)?;
        outer.tag().assert_eq(Tag::Sequence)?;
        let mut fields = SliceReader::new(outer.value())?;
        let _version = u8::decode(&mut fields)?;
        let _private_key = <&OctetStringRef>::decode(&mut fields)?;
        let parameters = ContextSpecific::decode_explicit(&mut fields, TagNumber(0))?;
        Ok(Self { parameters: parameters.map(|field| field.value) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_signs_what_its_public_half_verifies() {
        for kind in [KeyType::P256, KeyType::P384, KeyType::Rsa2048] {
            let key = PrivateKey::generate(kind).unwrap();
            let again = PrivateKey::from_pkcs8(key.as_pkcs8()).unwrap();
            assert_eq!(again.public_key(), key.public_key(), "{kind}");
            let signature = key.sign(b"message").unwrap();
            let algorithm = key.algorithm().identifier();
            let verify = |message: &[u8]| {
                crate::algorithm::verify(&key.public_key(), &algorithm, message, &signature)
            };
            assert_eq!(verify(b"message"), Ok(()), "{kind}");
            assert!(verify(b"another").is_err(), "{kind}");
        }
    }

    #[test]
    fn is_never_shown() {
        let key = PrivateKey::generate(KeyType::P256).unwrap();
        assert_eq!(format!("{key:?}"), "PrivateKey(P-256)");
    }
}
