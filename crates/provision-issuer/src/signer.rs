//! The private key of a CA, wherever it lives.

use core::error::Error as StdError;
use core::fmt;

use thiserror::Error;

use crate::algorithm::{KeyType, SignatureAlgorithm};
use crate::private_key::{KeyFault, PrivateKey};

/// A CA's private key: in a file here, elsewhere in a PKCS#11 token or behind a network service.
///
/// # Contract
///
/// A signature must verify under [`public_key`](Self::public_key), which never changes. Whoever
/// asks checks every signature before letting it out, so a fault is caught, not published; unless
/// the signer [says](Self::is_proven) that it needs no more of that.
pub trait CaSigner {
    /// The public half: a SubjectPublicKeyInfo in DER (RFC 5280 section 4.1).
    fn public_key(&self) -> Vec<u8>;

    /// How it signs.
    fn algorithm(&self) -> SignatureAlgorithm;

    /// Signs `message`, which it hashes first as [`algorithm`](Self::algorithm) says. Returns what
    /// belongs in a certificate's BIT STRING: of ECDSA the two numbers in DER (RFC 3279 section
    /// 2.2.3), of RSA the number. May take seconds.
    ///
    /// # Errors
    ///
    /// [`SignerFault`] with what the token or service said. The same message may be given again.
    fn sign(&mut self, message: &[u8]) -> Result<Vec<u8>, SignerFault>;

    /// Whether its signatures need no more checking. Never, for a key that is elsewhere: a token or
    /// a service may take another key at any time.
    fn is_proven(&self) -> bool {
        false
    }

    /// Told when a signature of it was checked and verified.
    fn proven(&mut self) {}
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
///
/// Its first signature is checked, and then no more: key and library are the same in the next call,
/// and checking takes longer than signing. So do OpenSSL and others, who check none.
pub struct SoftwareSigner {
    key: PrivateKey,
    proven: bool,
}

impl SoftwareSigner {
    /// Makes a new key from the operating system's random numbers.
    pub(crate) fn generate(kind: KeyType) -> Result<Self, KeyFault> {
        PrivateKey::generate(kind).map(Self::new)
    }

    /// Takes a key.
    #[must_use]
    pub const fn new(key: PrivateKey) -> Self {
        Self { key, proven: false }
    }

    /// To be written to a file, and for nothing else.
    pub(crate) const fn key(&self) -> &PrivateKey {
        &self.key
    }
}

impl CaSigner for SoftwareSigner {
    fn public_key(&self) -> Vec<u8> {
        self.key.public_key_der()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.key.algorithm()
    }

    fn sign(&mut self, message: &[u8]) -> Result<Vec<u8>, SignerFault> {
        self.key.sign(message)
    }

    fn is_proven(&self) -> bool {
        self.proven
    }

    fn proven(&mut self) {
        self.proven = true;
    }
}

impl fmt::Debug for SoftwareSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SoftwareSigner").field(&self.key).finish()
    }
}
