//! The passphrase of a CA, and whether its keys have one.

use core::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

use pkcs5::scrypt::{self, scrypt};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::random::{RandomError, random};

/// How the private keys of a CA are kept on disk.
#[derive(Debug)]
pub enum KeyProtection {
    /// PKCS#8 encrypted under a passphrase.
    Encrypted(Passphrase),
    /// In the clear. Only for a CA that certifies nothing of value; whoever offers this to a user
    /// names it so that it cannot be chosen by mistake.
    InsecurePlaintext,
}

/// A passphrase. Wiped when dropped; `Debug` does not show it and nothing prints it.
///
/// The keys of a CA are written under one passphrase at one time. They share a salt, so that the key
/// that encrypts them, which takes a quarter of a second, is derived once. A salt is there so that a
/// guess counts for one passphrase alone; here there is only one, and who guesses it has all of the
/// files, whatever their salts.
pub struct Passphrase {
    text: Zeroizing<String>,
    /// Of what is written under it.
    salt: OnceLock<[u8; Self::SALT_LEN]>,
    /// The key that was derived last, for the next file with the same salt.
    last: Mutex<Option<Derived>>,
}

struct Derived {
    salt: Vec<u8>,
    cost: scrypt::Params,
    key: DerivedKey,
}

/// Of AES-256.
pub(crate) type DerivedKey = Zeroizing<[u8; 32]>;

impl Passphrase {
    /// As the PIN of a token.
    pub(crate) fn as_pin(&self) -> &str {
        &self.text
    }

    /// The longest passphrase, in bytes: what OpenSSL's tools read (`PEM_BUFSIZE`).
    pub const LEN_MAX: usize = 1024;

    /// Takes a passphrase, and the buffer it is in.
    ///
    /// # Errors
    ///
    /// [`PassphraseError`] if nobody could type it again.
    pub fn new(text: String) -> Result<Self, PassphraseError> {
        let text = Zeroizing::new(text);
        if text.is_empty() {
            return Err(PassphraseError::Empty);
        }
        if text.len() > Self::LEN_MAX {
            return Err(PassphraseError::TooLong { len: text.len(), max: Self::LEN_MAX });
        }
        if text.chars().any(char::is_control) {
            return Err(PassphraseError::ControlCharacter);
        }
        Ok(Self { text, salt: OnceLock::new(), last: Mutex::new(None) })
    }

    pub(crate) const SALT_LEN: usize = 16;

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.text.as_bytes()
    }

    /// The salt for what is written under it.
    pub(crate) fn salt(&self) -> Result<[u8; Self::SALT_LEN], RandomError> {
        let mut salt = [0; Self::SALT_LEN];
        random(&mut salt)?;
        Ok(*self.salt.get_or_init(|| salt))
    }

    /// The key that scrypt makes of it (RFC 7914). Several threads that want the same wait for one.
    pub(crate) fn scrypt(&self, salt: &[u8], cost: scrypt::Params) -> DerivedKey {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some(known) if known.salt == salt && known.cost == cost => known.key.clone(),
            _ => {
                let mut key = DerivedKey::default();
                scrypt(self.as_bytes(), salt, &cost, &mut *key).expect("32 bytes are not too many");
                *last = Some(Derived { salt: salt.to_vec(), cost, key: key.clone() });
                key
            }
        }
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(..)")
    }
}

/// Why a text is no [`Passphrase`]. Says nothing of the text but its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum PassphraseError {
    /// There is nothing there.
    #[error("the passphrase is empty")]
    Empty,
    /// OpenSSL's tools could not read the key again.
    #[error("the passphrase has {len} bytes; at most {max} are allowed")]
    TooLong {
        /// Bytes found.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// A line break or another control character, most likely left over from a file.
    #[error("the passphrase contains a line break or another control character")]
    ControlCharacter,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_never_shown() {
        let passphrase = Passphrase::new("open sesame".into()).unwrap();
        assert_eq!(format!("{passphrase:?}"), "Passphrase(..)");
        let protection = KeyProtection::Encrypted(passphrase);
        assert_eq!(format!("{protection:?}"), "Encrypted(Passphrase(..))");
    }

    #[test]
    fn what_cannot_be_typed_again_is_refused() {
        let refused = |text: &str| Passphrase::new(text.into()).err();
        assert_eq!(refused(""), Some(PassphraseError::Empty));
        assert_eq!(refused("secret\n"), Some(PassphraseError::ControlCharacter));
        assert_eq!(
            refused(&"x".repeat(1025)),
            Some(PassphraseError::TooLong { len: 1025, max: 1024 })
        );
        assert_eq!(refused(&"x".repeat(1024)), None);
        assert_eq!(refused("Grüße, 世界"), None);
    }
}
