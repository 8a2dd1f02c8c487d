//! The private key of a CA, wherever it lives.

use core::error::Error as StdError;
use core::fmt;

use p256::ecdsa::signature::hazmat::PrehashSigner as _;
use p256::ecdsa::{Signature as P256Signature, SigningKey};
use provision_csr::{PublicKey, Signature};
use thiserror::Error;

use crate::random::{RandomError, random};

/// A CA's private key: in a file here, elsewhere in a PKCS#11 token or behind a network service.
///
/// # Contract
///
/// A signature must verify under [`public_key`](Self::public_key), which never changes. Whoever
/// asks checks every signature before letting it out, so a fault is caught, not published.
pub trait CaSigner {
    /// The public half.
    fn public_key(&self) -> PublicKey;

    /// Signs a SHA-256 digest (ECDSA on P-256, FIPS 186-5 section 6.4.1). May take seconds.
    ///
    /// # Errors
    ///
    /// [`SignerFault`] with what the token or service said. The same digest may be given again.
    fn sign_digest(&mut self, sha256: &[u8; 32]) -> Result<Signature, SignerFault>;
}

/// The CA's key could not sign.
#[derive(Debug, Error)]
#[error("the CA's key could not sign: {0}")]
pub struct SignerFault(#[source] Box<dyn StdError + Send + Sync>);

impl SignerFault {
    /// Wraps what the token or service said.
    pub fn new(cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

/// A private key held in this process's memory; wiped when dropped.
pub struct SoftwareSigner(SigningKey);

impl SoftwareSigner {
    /// Makes a new key from the operating system's random numbers.
    pub(crate) fn generate() -> Result<Self, RandomError> {
        // One draw in 2^32 is no valid scalar (SEC 2: n is just below 2^256).
        loop {
            let mut scalar = zeroize::Zeroizing::new([0; 32]);
            random(scalar.as_mut())?;
            if let Ok(key) = SigningKey::from_slice(scalar.as_ref()) {
                return Ok(Self(key));
            }
        }
    }

    pub(crate) fn from_secret_key(key: &p256::SecretKey) -> Self {
        Self(SigningKey::from(key))
    }

    /// To be written to a file, and for nothing else.
    pub(crate) fn to_secret_key(&self) -> p256::SecretKey {
        p256::SecretKey::from(&self.0)
    }
}

impl CaSigner for SoftwareSigner {
    fn public_key(&self) -> PublicKey {
        let point = self.0.verifying_key().to_sec1_point(false);
        PublicKey::from_sec1_slice(point.as_bytes()).expect("asked for it uncompressed")
    }

    fn sign_digest(&mut self, sha256: &[u8; 32]) -> Result<Signature, SignerFault> {
        let signature: P256Signature = self.0.sign_prehash(sha256).map_err(SignerFault::new)?;
        Ok(Signature::from_raw(signature.to_bytes().into()))
    }
}

impl fmt::Debug for SoftwareSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SoftwareSigner").field(&self.public_key()).finish()
    }
}
