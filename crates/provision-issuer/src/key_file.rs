//! Private keys in files: PKCS#8 in PEM, encrypted under a passphrase (RFC 5958, RFC 8018 PBES2).

use std::path::{Path, PathBuf};

use der::asn1::OctetString;
use der::{Decode as _, Encode as _, SecretDocument};
use p256::SecretKey;
use pkcs5::{pbes2, scrypt};
use pkcs8::{EncodePrivateKey as _, EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef};
use pkcs8::{EncryptedPrivateKeyInfoOwned, pkcs5};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::files::{self, Access, FileError};
use crate::passphrase::{KeyProtection, Passphrase};
use crate::random::{RandomError, random};

/// A file with a CA's private key could not be used.
#[derive(Debug, Error)]
#[error("the key file {}: {fault}", path.display())]
pub struct KeyFileError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: KeyFileFault,
}

/// What is wrong with a key file.
#[derive(Debug, Error)]
pub enum KeyFileFault {
    /// It could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The passphrase does not open it (or it was damaged: the two cannot be told apart).
    #[error("the passphrase does not open it")]
    WrongPassphrase,
    /// It is encrypted, and no passphrase was given.
    #[error("it is encrypted and needs its passphrase")]
    NeedsPassphrase,
    /// A passphrase was given, but the key lies there in the clear: it may have been replaced.
    #[error("it is not encrypted, although a passphrase was given for it")]
    NotEncrypted,
    /// It lies there in the clear, and others than its owner may read it.
    #[error("it is not encrypted and others than its owner may read it (mode {mode:04o})")]
    ReadableByOthers {
        /// The permission bits.
        mode: u32,
    },
    /// It is not PEM.
    #[error("it is not a PEM file ({0})")]
    NotPem(der::Error),
    /// It is PEM of something else.
    #[error("it holds a \"{label}\", not a private key in PKCS#8")]
    NotPkcs8 {
        /// The PEM label found.
        label: String,
    },
    /// It is encrypted in a way that is not supported.
    #[error("it is encrypted in a way that cannot be read ({0})")]
    UnsupportedEncryption(pkcs5::Error),
    /// It is PKCS#8, but no P-256 key.
    #[error("it holds no P-256 key ({0})")]
    NotP256(pkcs8::Error),
}

/// A key could not be written in PKCS#8.
#[derive(Debug, Error)]
pub(crate) enum WriteKeyError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Random(#[from] RandomError),
    #[error("the key could not be encrypted: {0}")]
    Encoding(#[from] pkcs8::Error),
}

/// Writes `key` to a new file that only its owner reads.
pub(crate) fn write(
    path: &Path,
    key: &SecretKey,
    protection: &KeyProtection,
) -> Result<(), WriteKeyError> {
    let plain = key.to_pkcs8_der()?;
    let pem = match protection {
        KeyProtection::InsecurePlaintext => {
            plain.to_pem(PLAIN_LABEL, LineEnding::LF).map_err(pkcs8::Error::from)?
        }
        KeyProtection::Encrypted(passphrase) => encrypt(plain.as_bytes(), passphrase)?
            .to_pem(ENCRYPTED_LABEL, LineEnding::LF)
            .map_err(pkcs8::Error::from)?,
    };
    files::create(path, pem.as_bytes(), Access::OwnerOnly)?;
    Ok(())
}

/// Reads a key, which must be protected in the way that is asked for.
pub(crate) fn read(path: &Path, protection: &KeyProtection) -> Result<SecretKey, KeyFileError> {
    read_inner(path, protection).map_err(|fault| KeyFileError { path: path.to_owned(), fault })
}

/// Whether the key in a file is encrypted.
pub(crate) fn is_encrypted(path: &Path) -> Result<bool, KeyFileError> {
    let label = read_pem(path).map(|(label, _)| label);
    let encrypted = label.and_then(|label| match label.as_str() {
        ENCRYPTED_LABEL => Ok(true),
        PLAIN_LABEL => Ok(false),
        _ => Err(KeyFileFault::NotPkcs8 { label }),
    });
    encrypted.map_err(|fault| KeyFileError { path: path.to_owned(), fault })
}

fn read_inner(path: &Path, protection: &KeyProtection) -> Result<SecretKey, KeyFileFault> {
    let (label, document) = read_pem(path)?;
    let plain = match (label.as_str(), protection) {
        (ENCRYPTED_LABEL, KeyProtection::Encrypted(passphrase)) => {
            decrypt(document.as_bytes(), passphrase)?
        }
        (ENCRYPTED_LABEL, KeyProtection::InsecurePlaintext) => {
            return Err(KeyFileFault::NeedsPassphrase);
        }
        (PLAIN_LABEL, KeyProtection::Encrypted(_)) => return Err(KeyFileFault::NotEncrypted),
        (PLAIN_LABEL, KeyProtection::InsecurePlaintext) => {
            if let Some(mode) = files::readable_by_others(path)? {
                return Err(KeyFileFault::ReadableByOthers { mode });
            }
            document
        }
        _ => return Err(KeyFileFault::NotPkcs8 { label }),
    };
    let info = PrivateKeyInfoRef::try_from(plain.as_bytes()).map_err(KeyFileFault::NotP256)?;
    SecretKey::try_from(info).map_err(KeyFileFault::NotP256)
}

fn read_pem(path: &Path) -> Result<(String, SecretDocument), KeyFileFault> {
    let bytes = Zeroizing::new(files::read(path)?);
    let not_pem = |error: der::pem::Error| KeyFileFault::NotPem(error.into());
    let text = core::str::from_utf8(&bytes)
        .map_err(|_| not_pem(der::pem::Error::CharacterEncoding))?
        .trim_ascii_start();
    let (label, document) = SecretDocument::from_pem(text).map_err(KeyFileFault::NotPem)?;
    Ok((label.to_owned(), document))
}

/// AES-256-CBC under scrypt with N = 2^14, r = 8, p = 5: 16 MiB, which OpenSSL's limit of 32 MiB
/// lets through, and as slow to guess as the more usual N = 2^17, p = 1 (OWASP, Password Storage
/// Cheat Sheet).
fn encrypt(plain: &[u8], passphrase: &Passphrase) -> Result<SecretDocument, WriteKeyError> {
    let (mut salt, mut iv) = ([0; 16], [0; 16]);
    random(&mut salt)?;
    random(&mut iv)?;
    let cost = scrypt::Params::new(14, 8, 5).expect("within the limits of RFC 7914 section 2");
    let parameters = pbes2::Parameters::generate_scrypt_aes256cbc(cost, &salt, iv)
        .map_err(pkcs8::Error::from)?;
    let sealed = parameters.encrypt(passphrase.as_bytes(), plain).map_err(pkcs8::Error::from)?;
    let info = EncryptedPrivateKeyInfoOwned {
        encryption_algorithm: parameters.into(),
        encrypted_data: OctetString::new(sealed).map_err(pkcs8::Error::from)?,
    };
    let der = info.to_der().map_err(pkcs8::Error::from)?;
    Ok(SecretDocument::try_from(der).map_err(pkcs8::Error::from)?)
}

fn decrypt(sealed: &[u8], passphrase: &Passphrase) -> Result<SecretDocument, KeyFileFault> {
    let info = EncryptedPrivateKeyInfoRef::from_der(sealed)
        .map_err(|error| KeyFileFault::NotP256(error.into()))?;
    let plain =
        info.encryption_algorithm.decrypt(passphrase.as_bytes(), info.encrypted_data.as_bytes());
    let plain = match plain {
        Ok(plain) => Zeroizing::new(plain),
        Err(pkcs5::Error::DecryptFailed) => return Err(KeyFileFault::WrongPassphrase),
        Err(other) => return Err(KeyFileFault::UnsupportedEncryption(other)),
    };
    // One wrong passphrase in 256 leaves a padding that looks right, and rubbish before it.
    if PrivateKeyInfoRef::try_from(plain.as_slice()).is_err() {
        return Err(KeyFileFault::WrongPassphrase);
    }
    SecretDocument::try_from(plain.as_slice()).map_err(|_| KeyFileFault::WrongPassphrase)
}

const PLAIN_LABEL: &str = "PRIVATE KEY";
const ENCRYPTED_LABEL: &str = "ENCRYPTED PRIVATE KEY";
