//! Private keys in files: PKCS#8, encrypted under a passphrase (RFC 5958, RFC 8018 PBES2), and
//! what openssl wrote before that.

mod traditional;

use std::path::{Path, PathBuf};

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeDecrypt as _, BlockModeEncrypt as _, KeyIvInit as _};
use der::asn1::OctetString;
use der::pem::{self, LineEnding};
use der::{Decode as _, Encode as _, SecretDocument};
use pkcs5::{EncryptionScheme, pbes2, scrypt};
use pkcs8::{EncryptedPrivateKeyInfoOwned, EncryptedPrivateKeyInfoRef, PrivateKeyInfoRef};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::document;
use crate::files::{self, Access, FileError};
use crate::passphrase::{KeyProtection, Passphrase};
use crate::private_key::{KeyFault, PrivateKey};
use crate::random::{RandomError, random};
use crate::token::{TokenFault, TokenUri};

/// A file with a private key could not be used.
#[derive(Debug, Error)]
#[error("the key file {}: {fault}", path.display())]
pub struct KeyFileError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: KeyFileFault,
}

impl KeyFileError {
    pub(crate) fn of<F: Into<KeyFileFault>>(path: &Path) -> impl FnOnce(F) -> Self {
        |fault| Self { path: path.to_owned(), fault: fault.into() }
    }
}

/// What is wrong with a key file.
#[derive(Debug, Error)]
pub enum KeyFileFault {
    /// It could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// It names a key in a token, which cannot be used.
    #[error(transparent)]
    Token(#[from] TokenFault),
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
    #[error("it is not a PEM file: nothing that is one begins at byte {at} ({why})")]
    NotPem {
        /// Where it should be, in bytes.
        at: usize,
        /// What is wrong.
        why: der::Error,
    },
    /// A line that begins a PEM block is broken. What stands there instead may be the key.
    #[error("its BEGIN line at byte {at} is broken")]
    BeginLine {
        /// Where it begins, in bytes.
        at: usize,
    },
    /// It is PEM of something else.
    #[error("it holds a \"{label}\", not a private key")]
    NotAKey {
        /// The PEM label found.
        label: String,
    },
    /// It is encrypted in a way that is not supported.
    #[error("it is encrypted in a way that cannot be read ({how})")]
    UnsupportedEncryption {
        /// In which way.
        how: String,
    },
    /// It would take very long, or very much memory, to try its passphrase.
    #[error("deriving its key from the passphrase is set to cost too much: {cost}")]
    TooCostly {
        /// What was asked for.
        cost: String,
    },
    /// It is no key that can be used here.
    #[error(transparent)]
    Key(#[from] KeyFault),
}

impl KeyFileFault {
    /// The same of a block that begins so many bytes into the file.
    fn further(self, bytes: usize) -> Self {
        match self {
            Self::NotPem { at, why } => Self::NotPem { at: at + bytes, why },
            other => other,
        }
    }
}

/// A key could not be written in PKCS#8.
#[derive(Debug, Error)]
pub enum WriteKeyError {
    /// The file could not be made.
    #[error(transparent)]
    File(#[from] FileError),
    /// No randomness for salt and initialisation vector.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// It could not be encrypted.
    #[error("the key could not be encrypted: {0}")]
    Encoding(#[from] pkcs8::Error),
}

/// A private key as it lies in a file, not opened yet.
pub struct SealedKey {
    form: Form,
    der: Zeroizing<Vec<u8>>,
}

enum Form {
    Pkcs8,
    EncryptedPkcs8,
    Sec1,
    Pkcs1,
    /// Under a passphrase as OpenSSL did it before PKCS#8 (`DEK-Info`).
    Traditional(traditional::Sealed),
}

impl SealedKey {
    /// Looks for a private key in the contents of a file, PEM or DER. Text before it is passed
    /// over, and so are the curve parameters that `openssl ecparam -genkey` puts first.
    ///
    /// # Errors
    ///
    /// [`KeyFileFault`] if there is none.
    pub fn find(contents: &[u8]) -> Result<Self, KeyFileFault> {
        if contents.first() == Some(&DER_SEQUENCE) {
            return Self::from_der(contents);
        }
        let not_pem = |at, why: pem::Error| KeyFileFault::NotPem { at, why: why.into() };
        let text = core::str::from_utf8(contents)
            .map_err(|error| not_pem(error.valid_up_to(), pem::Error::CharacterEncoding))?;
        let mut other = None;
        let mut at = 0;
        while let Some(start) = text[at..].find(BEGIN) {
            at += start;
            let block = &text[at..];
            let Some(end) = block.find(END).and_then(|end| {
                block[end + END.len()..].find("-----").map(|more| end + END.len() + more + 5)
            }) else {
                return Err(not_pem(at, pem::Error::PostEncapsulationBoundary));
            };
            let block = &block[..end];
            let label = document::label(block).ok_or(KeyFileFault::BeginLine { at })?;
            if label.ends_with("PRIVATE KEY") {
                return Self::from_block(label, block).map_err(|fault| fault.further(at));
            }
            other.get_or_insert_with(|| label.to_owned());
            at += end;
        }
        Err(match other {
            Some(label) => KeyFileFault::NotAKey { label },
            None => not_pem(0, pem::Error::PreEncapsulationBoundary),
        })
    }

    fn from_block(label: &str, block: &str) -> Result<Self, KeyFileFault> {
        let form = match label {
            PLAIN_LABEL => Form::Pkcs8,
            ENCRYPTED_LABEL => Form::EncryptedPkcs8,
            SEC1_LABEL => Form::Sec1,
            PKCS1_LABEL => Form::Pkcs1,
            _ => return Err(KeyFileFault::NotAKey { label: label.to_owned() }),
        };
        if let Some(sealed) = traditional::Sealed::find(block)? {
            return Ok(Self {
                form: Form::Traditional(sealed),
                der: Zeroizing::new(label.as_bytes().to_vec()),
            });
        }
        let (_, document) =
            SecretDocument::from_pem(block).map_err(|why| KeyFileFault::NotPem { at: 0, why })?;
        Ok(Self { form, der: Zeroizing::new(document.as_bytes().to_vec()) })
    }

    /// Which of the four structures it is shows in its first elements.
    fn from_der(der: &[u8]) -> Result<Self, KeyFileFault> {
        let form = if PrivateKeyInfoRef::from_der(der).is_ok() {
            Form::Pkcs8
        } else if EncryptedPrivateKeyInfoRef::from_der(der).is_ok() {
            Form::EncryptedPkcs8
        } else if PrivateKey::from_sec1(der).is_ok() {
            Form::Sec1
        } else if PrivateKey::from_pkcs1(der).is_ok() {
            Form::Pkcs1
        } else {
            let fault = PrivateKeyInfoRef::from_der(der).err();
            return Err(
                KeyFault::NotAKey(fault.unwrap_or_else(|| der::ErrorKind::Failed.into())).into()
            );
        };
        Ok(Self { form, der: Zeroizing::new(der.to_vec()) })
    }

    /// Whether it takes a passphrase to open it.
    #[must_use]
    pub const fn is_encrypted(&self) -> bool {
        matches!(self.form, Form::EncryptedPkcs8 | Form::Traditional(_))
    }

    /// Opens it.
    ///
    /// # Errors
    ///
    /// [`KeyFileFault`]; a passphrase for a key in the clear is an error, and so is the reverse.
    pub fn open(&self, protection: &KeyProtection) -> Result<PrivateKey, KeyFileFault> {
        let passphrase = match (self.is_encrypted(), protection) {
            (true, KeyProtection::InsecurePlaintext) => return Err(KeyFileFault::NeedsPassphrase),
            (false, KeyProtection::Encrypted(_)) => return Err(KeyFileFault::NotEncrypted),
            (_, KeyProtection::Encrypted(passphrase)) => Some(passphrase),
            (false, KeyProtection::InsecurePlaintext) => None,
        };
        match (&self.form, passphrase) {
            (Form::EncryptedPkcs8, Some(passphrase)) => {
                let plain = decrypt(&self.der, passphrase)?;
                Ok(PrivateKey::from_pkcs8(plain.as_bytes())?)
            }
            (Form::Traditional(sealed), Some(passphrase)) => {
                let plain = sealed.open(passphrase)?;
                let key = match self.der.as_slice() {
                    label if label == SEC1_LABEL.as_bytes() => PrivateKey::from_sec1(&plain),
                    _ => PrivateKey::from_pkcs1(&plain),
                };
                // A wrong passphrase leaves a padding that looks right once in 256 times.
                key.map_err(|_| KeyFileFault::WrongPassphrase)
            }
            (Form::Sec1, _) => Ok(PrivateKey::from_sec1(&self.der)?),
            (Form::Pkcs1, _) => Ok(PrivateKey::from_pkcs1(&self.der)?),
            _ => Ok(PrivateKey::from_pkcs8(&self.der)?),
        }
    }
}

/// A key in PEM, as a file is to hold it: PKCS#8.
///
/// # Errors
///
/// [`WriteKeyError`] if it cannot be encrypted.
pub fn key_to_pem(
    key: &PrivateKey,
    protection: &KeyProtection,
) -> Result<Zeroizing<String>, WriteKeyError> {
    let (label, der) = match protection {
        KeyProtection::InsecurePlaintext => (PLAIN_LABEL, key_to_der(key, protection)?),
        KeyProtection::Encrypted(_) => (ENCRYPTED_LABEL, key_to_der(key, protection)?),
    };
    let pem = pem::encode_string(label, LineEnding::LF, &der)
        .map_err(|error| pkcs8::Error::from(der::Error::from(error)))?;
    Ok(Zeroizing::new(pem))
}

/// The same in DER.
///
/// # Errors
///
/// As [`key_to_pem`].
pub fn key_to_der(
    key: &PrivateKey,
    protection: &KeyProtection,
) -> Result<Zeroizing<Vec<u8>>, WriteKeyError> {
    Ok(match protection {
        KeyProtection::InsecurePlaintext => Zeroizing::new(key.as_pkcs8().to_vec()),
        KeyProtection::Encrypted(passphrase) => {
            Zeroizing::new(encrypt(key.as_pkcs8(), passphrase)?.as_bytes().to_vec())
        }
    })
}

/// Writes `key` to a new file that only its owner reads.
pub(crate) fn write(
    path: &Path,
    key: &PrivateKey,
    protection: &KeyProtection,
) -> Result<(), WriteKeyError> {
    let pem = key_to_pem(key, protection)?;
    Ok(files::create(path, pem.as_bytes(), Access::OwnerOnly)?)
}

/// What the file of a CA's key holds.
pub(crate) enum KeyFile {
    /// The key.
    Sealed(SealedKey),
    /// The name of one in a token.
    InToken(TokenUri),
}

impl KeyFile {
    pub(crate) fn read(path: &Path) -> Result<Self, KeyFileError> {
        let read = || -> Result<Self, KeyFileFault> {
            let contents = Zeroizing::new(files::read(path)?);
            Ok(match TokenUri::of_file(&contents) {
                Some(uri) => Self::InToken(uri.map_err(TokenFault::from)?),
                None => Self::Sealed(SealedKey::find(&contents)?),
            })
        };
        read().map_err(KeyFileError::of(path))
    }

    /// Whether it takes a passphrase to use the key, or the PIN of its token.
    pub(crate) fn needs_passphrase(&self) -> bool {
        match self {
            Self::Sealed(key) => key.is_encrypted(),
            Self::InToken(uri) => uri.pin_source().is_none(),
        }
    }
}

/// Reads a key, which must be protected in the way that is asked for.
pub(crate) fn read(path: &Path, protection: &KeyProtection) -> Result<PrivateKey, KeyFileError> {
    let read = || {
        let contents = Zeroizing::new(files::read(path)?);
        open(path, &SealedKey::find(&contents)?, protection)
    };
    read().map_err(KeyFileError::of(path))
}

/// Opens the key that was found in the file at `path`, which must be protected in the way that is asked for.
pub(crate) fn open(
    path: &Path,
    sealed: &SealedKey,
    protection: &KeyProtection,
) -> Result<PrivateKey, KeyFileFault> {
    let key = sealed.open(protection)?;
    if matches!(protection, KeyProtection::InsecurePlaintext)
        && let Some(mode) = files::readable_by_others(path)?
    {
        return Err(KeyFileFault::ReadableByOthers { mode });
    }
    Ok(key)
}

/// Derives what keys are encrypted with under this protection, if that is not done yet, so that
/// they are written at once then: for a thread that does it while others do something else.
///
/// # Errors
///
/// [`WriteKeyError::Random`].
pub fn prepare(protection: &KeyProtection) -> Result<(), WriteKeyError> {
    if let KeyProtection::Encrypted(passphrase) = protection {
        passphrase.scrypt(&passphrase.salt()?, cost());
    }
    Ok(())
}

/// scrypt with N = 2^14, r = 8, p = 5: 16 MiB, which OpenSSL's limit of 32 MiB lets through, and as
/// slow to guess as the more usual N = 2^17, p = 1 (OWASP, Password Storage Cheat Sheet).
fn cost() -> scrypt::Params {
    scrypt::Params::new(14, 8, 5).expect("within the limits of RFC 7914 section 2")
}

/// AES-256-CBC under scrypt.
fn encrypt(plain: &[u8], passphrase: &Passphrase) -> Result<SecretDocument, WriteKeyError> {
    let (salt, mut iv) = (passphrase.salt()?, [0; 16]);
    // Files that share a salt share a key, but never an initialisation vector.
    random(&mut iv)?;
    let parameters = pbes2::Parameters::generate_scrypt_aes256cbc(cost(), &salt, iv)
        .map_err(pkcs8::Error::from)?;
    let key = passphrase.scrypt(&salt, cost());
    let sealed = cbc::Encryptor::<aes::Aes256>::new((&*key).into(), &iv.into())
        .encrypt_padded_vec::<Pkcs7>(plain);
    let info = EncryptedPrivateKeyInfoOwned {
        encryption_algorithm: parameters.into(),
        encrypted_data: OctetString::new(sealed).map_err(pkcs8::Error::from)?,
    };
    let der = info.to_der().map_err(pkcs8::Error::from)?;
    Ok(SecretDocument::try_from(der).map_err(pkcs8::Error::from)?)
}

fn decrypt(sealed: &[u8], passphrase: &Passphrase) -> Result<SecretDocument, KeyFileFault> {
    let info = EncryptedPrivateKeyInfoRef::from_der(sealed).map_err(KeyFault::NotAKey)?;
    check_cost(&info.encryption_algorithm)?;
    let data = info.encrypted_data.as_bytes();
    let plain = match our_own(&info.encryption_algorithm) {
        Some((salt, iv)) => {
            let key = passphrase.scrypt(salt, cost());
            cbc::Decryptor::<aes::Aes256>::new((&*key).into(), &iv.into())
                .decrypt_padded_vec::<Pkcs7>(data)
                .map_err(|_| pkcs5::Error::DecryptFailed)
        }
        None => info.encryption_algorithm.decrypt(passphrase.as_bytes(), data),
    };
    let plain = match plain {
        Ok(plain) => Zeroizing::new(plain),
        Err(pkcs5::Error::DecryptFailed) => return Err(KeyFileFault::WrongPassphrase),
        Err(other) => {
            return Err(KeyFileFault::UnsupportedEncryption { how: other.to_string() });
        }
    };
    // One wrong passphrase in 256 leaves a padding that looks right, and rubbish before it.
    if PrivateKeyInfoRef::try_from(plain.as_slice()).is_err() {
        return Err(KeyFileFault::WrongPassphrase);
    }
    SecretDocument::try_from(plain.as_slice()).map_err(|_| KeyFileFault::WrongPassphrase)
}

/// Salt and initialisation vector of a key as [`encrypt`] writes it: the passphrase may know what
/// opens it from the file before.
fn our_own(scheme: &EncryptionScheme) -> Option<(&[u8], [u8; 16])> {
    let EncryptionScheme::Pbes2(parameters) = scheme else { return None };
    let kdf = parameters.kdf.scrypt()?;
    let ours = pbes2::ScryptParams::from_params_and_salt(cost(), kdf.salt.as_bytes()).ok()?;
    match parameters.encryption {
        pbes2::EncryptionScheme::Aes256Cbc { iv } if *kdf == ours => {
            Some((kdf.salt.as_bytes(), iv))
        }
        _ => None,
    }
}

/// The file says how much work a guess is to be. One from a stranger may ask for hours.
fn check_cost(scheme: &EncryptionScheme) -> Result<(), KeyFileFault> {
    let EncryptionScheme::Pbes2(parameters) = scheme else { return Ok(()) };
    match &parameters.kdf {
        pbes2::Kdf::Pbkdf2(kdf) if kdf.iteration_count > PBKDF2_ROUNDS_MAX => {
            Err(KeyFileFault::TooCostly {
                cost: format!(
                    "{} rounds of PBKDF2 (at most {PBKDF2_ROUNDS_MAX} here)",
                    kdf.iteration_count
                ),
            })
        }
        pbes2::Kdf::Scrypt(kdf) => {
            let bytes =
                kdf.cost_parameter.saturating_mul(u64::from(kdf.block_size)).saturating_mul(128);
            let work = bytes.saturating_mul(u64::from(kdf.parallelization));
            if bytes > SCRYPT_BYTES_MAX || work > SCRYPT_WORK_MAX {
                return Err(KeyFileFault::TooCostly {
                    cost: format!(
                        "{bytes} bytes of scrypt, {} times (at most {SCRYPT_BYTES_MAX} here, \
                         and {SCRYPT_WORK_MAX} with all the times)",
                        kdf.parallelization
                    ),
                });
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// A second of work on a machine of today; OpenSSL writes 2,048, Java 10,000, OWASP asks for
/// 600,000.
const PBKDF2_ROUNDS_MAX: u32 = 2_000_000;
/// OpenSSL's own limit.
const SCRYPT_BYTES_MAX: u64 = 32 << 20;
/// A second of work; what OWASP asks for is 80 to 128 MiB.
const SCRYPT_WORK_MAX: u64 = 256 << 20;

const DER_SEQUENCE: u8 = 0x30;
const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const PLAIN_LABEL: &str = "PRIVATE KEY";
const ENCRYPTED_LABEL: &str = "ENCRYPTED PRIVATE KEY";
const SEC1_LABEL: &str = "EC PRIVATE KEY";
const PKCS1_LABEL: &str = "RSA PRIVATE KEY";
