//! The key that a station signs the head of a ledger with.

use core::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _,
    UnparsedPublicKey,
};
use der::pem::LineEnding;
use der::zeroize::Zeroizing;
use provision_csr::PublicKey;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use crate::new_file;

/// A P-256 key of this station. What it signs says nothing about devices: it says that this
/// station wrote the ledger up to here.
pub struct StationKey {
    pair: EcdsaKeyPair,
    public_key: PublicKey,
}

impl StationKey {
    /// Makes a new key.
    ///
    /// # Errors
    ///
    /// [`StationKeyError::NotMade`].
    pub fn generate() -> Result<Self, StationKeyError> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)
            .map_err(|_| StationKeyError::NotMade)?;
        Self::of(pair)
    }

    /// The key in a file, which is made if there is none: PKCS#8 in PEM, unencrypted, readable by
    /// its owner only.
    ///
    /// # Errors
    ///
    /// [`StationKeyError`] if the file cannot be read or made, or if others may read it.
    pub fn open_or_create(path: &Path) -> Result<Self, StationKeyError> {
        match Self::open(path) {
            Err(StationKeyError::File { source, .. })
                if source.kind() == io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)
            .map_err(|_| StationKeyError::NotMade)?;
        let pkcs8 = pair.to_pkcs8v1().map_err(|_| StationKeyError::NotMade)?;
        let pem = der::pem::encode_string(LABEL, LineEnding::LF, pkcs8.as_ref());
        let pem = Zeroizing::new(pem.map_err(|_| StationKeyError::NotMade)?);
        match new_file::create_secret(path, pem.as_bytes()) {
            Ok(()) => Self::of(pair),
            // Another program was faster: one station, one key.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Self::open(path),
            Err(error) => Err(failed("make", path)(error)),
        }
    }

    /// The key in a file.
    ///
    /// # Errors
    ///
    /// [`StationKeyError`] if the file cannot be read, or if others may read it.
    pub fn open(path: &Path) -> Result<Self, StationKeyError> {
        let metadata = fs::metadata(path).map_err(failed("read", path))?;
        #[cfg(unix)]
        if std::os::unix::fs::PermissionsExt::mode(&metadata.permissions()) & 0o077 != 0 {
            return Err(StationKeyError::Open { path: path.to_owned() });
        }
        let wrong = || StationKeyError::NoKey { path: path.to_owned() };
        if metadata.len() > 4096 {
            return Err(wrong());
        }
        let pem = Zeroizing::new(fs::read(path).map_err(failed("read", path))?);
        let (label, der) = der::pem::decode_vec(&pem).map_err(|_| wrong())?;
        let der = Zeroizing::new(der);
        if label != LABEL {
            return Err(wrong());
        }
        EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, &der)
            .map_err(|_| wrong())
            .and_then(Self::of)
    }

    fn of(pair: EcdsaKeyPair) -> Result<Self, StationKeyError> {
        let public_key = PublicKey::from_sec1_slice(pair.public_key().as_ref())
            .map_err(|_| StationKeyError::NotMade)?;
        Ok(Self { pair, public_key })
    }

    /// The public half.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Signs a message (ECDSA with SHA-256): DER, as openssl writes it.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, StationKeyError> {
        let signature = self.pair.sign(&SystemRandom::new(), message);
        Ok(signature.map_err(|_| StationKeyError::NotMade)?.as_ref().to_vec())
    }
}

impl fmt::Debug for StationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StationKey").field("public_key", &self.public_key).finish_non_exhaustive()
    }
}

pub(crate) fn verifies(public_key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, public_key.as_sec1())
        .verify(message, signature)
        .is_ok()
}

/// What people compare: SHA-256 of the public key as a SubjectPublicKeyInfo in DER, as
/// `openssl pkey -pubout -outform DER | sha256sum` has it.
#[must_use]
pub fn station_fingerprint(public_key: &PublicKey) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(SPKI_P256);
    hash.update(public_key.as_sec1());
    hash.finalize().into()
}

/// A public key as `-----BEGIN PUBLIC KEY-----`.
#[must_use]
pub fn public_key_pem(public_key: &PublicKey) -> String {
    let spki = [&SPKI_P256[..], public_key.as_sec1()].concat();
    der::pem::encode_string("PUBLIC KEY", LineEnding::LF, &spki).unwrap_or_default()
}

/// A key to sign the ledger with cannot be had.
#[derive(Debug, Error)]
pub enum StationKeyError {
    /// The file cannot be read or made.
    #[error("cannot {action} the station's key {}: {source}", path.display())]
    File {
        /// What was tried: a verb.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Whoever can read the key can sign a ledger that was tampered with.
    #[error("others may read the station's key {}", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
    },
    /// The file holds something else.
    #[error("{} holds no P-256 key (PKCS#8 in PEM, unencrypted)", path.display())]
    NoKey {
        /// Which file.
        path: PathBuf,
    },
    /// The system gives no random numbers.
    #[error("no key for this station could be made or used")]
    NotMade,
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StationKeyError {
    move |source| StationKeyError::File { action, path: path.to_owned(), source }
}

const LABEL: &str = "PRIVATE KEY";

/// What stands before the point in a SubjectPublicKeyInfo (RFC 5480): id-ecPublicKey, prime256v1.
const SPKI_P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
