//! A CA's key where it is: in a file, or in a token.

use std::path::Path;

use spki::SubjectPublicKeyInfoOwned;
use thiserror::Error;

use crate::algorithm::{KeyType, SignatureAlgorithm, key_name};
use crate::files::{self, Access};
use crate::key_file::{self, KeyFile, KeyFileError, KeyFileFault, WriteKeyError};
use crate::passphrase::KeyProtection;
use crate::private_key::{KeyFault, PrivateKey};
use crate::signer::{CaSigner, SignerFault, SoftwareSigner};
use crate::token::{Token, TokenFault, TokenKey, TokenUri};

/// Where the keys of a new CA are made.
#[derive(Debug)]
pub enum KeyStore {
    /// In this process; then they are written to files.
    Files,
    /// In a token, which they never leave; the files say which they are.
    Token(Token),
}

impl KeyStore {
    /// Where another key is.
    pub(crate) fn of(key: &CaKey) -> Self {
        match key {
            CaKey::File(_) => Self::Files,
            CaKey::Token(key) => Self::Token(key.token().clone()),
        }
    }

    /// Where the key of a file is.
    pub(crate) fn of_file(path: &Path, protection: &KeyProtection) -> Result<Self, KeyFileError> {
        Ok(match KeyFile::read(path)? {
            KeyFile::Sealed(_) => Self::Files,
            KeyFile::InToken(uri) => {
                Self::Token(Token::open(&uri, protection).map_err(KeyFileError::of(path))?)
            }
        })
    }

    /// Makes a key. `name` is for people who look into a token.
    pub(crate) fn generate(&self, kind: KeyType, name: &str) -> Result<CaKey, NewKeyError> {
        Ok(match self {
            Self::Files => CaKey::File(SoftwareSigner::generate(kind)?),
            Self::Token(token) => CaKey::Token(token.generate(kind, name)?.into()),
        })
    }
}

/// A CA's key was not made.
#[derive(Debug, Error)]
pub enum NewKeyError {
    /// Not here.
    #[error(transparent)]
    Here(#[from] KeyFault),
    /// Not in the token.
    #[error(transparent)]
    Token(#[from] TokenFault),
}

/// A CA's private key.
#[derive(Debug)]
pub enum CaKey {
    /// In this process's memory.
    File(SoftwareSigner),
    /// In a token.
    Token(Box<TokenKey>),
}

impl CaKey {
    /// Opens the key of a file: the one in it, or the one in a token that it names. A token's PIN is
    /// the passphrase in `protection`.
    pub(crate) fn open(path: &Path, protection: &KeyProtection) -> Result<Self, KeyFileError> {
        match KeyFile::read(path)? {
            KeyFile::Sealed(key) => key_file::open(path, &key, protection).map(Self::from),
            KeyFile::InToken(uri) => Self::in_token(&uri, protection).map_err(KeyFileFault::from),
        }
        .map_err(KeyFileError::of(path))
    }

    /// Writes the file of the key, which must not be there yet.
    pub(crate) fn write(
        &self,
        path: &Path,
        protection: &KeyProtection,
    ) -> Result<(), WriteKeyError> {
        match self {
            Self::File(key) => key_file::write(path, key.key(), protection),
            Self::Token(key) => {
                Ok(files::create(path, format!("{}\n", key.uri()).as_bytes(), Access::OwnerOnly)?)
            }
        }
    }

    /// Files name it now: one in a token stays there.
    pub(crate) fn keep(&self) {
        if let Self::Token(key) = self {
            key.keep();
        }
    }

    pub(crate) fn public_key_info(&self) -> SubjectPublicKeyInfoOwned {
        match self {
            Self::File(key) => key.key().public_key(),
            Self::Token(key) => key.public_key_info().clone(),
        }
    }

    /// What kind it is, in words: `P-256`, `RSA-4096`.
    #[must_use]
    pub fn kind(&self) -> String {
        key_name(&self.public_key_info())
    }

    /// The key that a URI names, which is no secret.
    ///
    /// # Errors
    ///
    /// [`TokenFault`].
    pub fn in_token(uri: &TokenUri, protection: &KeyProtection) -> Result<Self, TokenFault> {
        Ok(Self::Token(TokenKey::open(uri, protection)?.into()))
    }

    fn signer(&self) -> &dyn CaSigner {
        match self {
            Self::File(key) => key,
            Self::Token(key) => &**key,
        }
    }

    fn signer_mut(&mut self) -> &mut dyn CaSigner {
        match self {
            Self::File(key) => key,
            Self::Token(key) => &mut **key,
        }
    }
}

impl From<PrivateKey> for CaKey {
    fn from(key: PrivateKey) -> Self {
        Self::File(SoftwareSigner::new(key))
    }
}

impl CaSigner for CaKey {
    fn public_key(&self) -> Vec<u8> {
        self.signer().public_key()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.signer().algorithm()
    }

    fn sign(&mut self, message: &[u8]) -> Result<Vec<u8>, SignerFault> {
        self.signer_mut().sign(message)
    }

    fn is_proven(&self) -> bool {
        self.signer().is_proven()
    }

    fn proven(&mut self) {
        self.signer_mut().proven();
    }
}
