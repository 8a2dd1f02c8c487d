//! What is in a CA's directory.

use std::path::{Path, PathBuf};

use crate::authority::{CaCertificate, OpenError};
use crate::crl::retired;
use crate::inspect::CertificateValues;
use crate::issuer::present;
use crate::key_file::{KeyFile, KeyFileError};
use crate::profile::SignedBy;
use crate::token::TokenUri;

/// A CA of a directory.
#[derive(Debug)]
pub struct CaOverview {
    /// What it is for: `device-root`, `device-issuing`, `server-root`; after a rotation
    /// `device-issuing-cross` and `retired/…` too.
    pub role: String,
    /// Its certificate.
    pub certificate: PathBuf,
    /// What that says.
    pub values: CertificateValues,
    /// What kind of key it has.
    pub key_kind: String,
    /// Where its key is.
    pub key: KeyState,
}

/// Whether a CA's key is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyState {
    /// Under a passphrase.
    Encrypted,
    /// In the clear.
    Plaintext,
    /// In a token.
    Token(TokenUri),
    /// Elsewhere.
    Absent,
}

/// Looks at every CA of a directory. No key is opened.
///
/// # Errors
///
/// [`OpenError`] if it is no CA's directory, or if a file in it cannot be read.
pub fn overview(dir: &Path) -> Result<Vec<CaOverview>, OpenError> {
    let ca = present(dir, SignedBy::Device)?;
    let mut all = vec![
        ("device-root".to_owned(), ca.device_root_certificate(), ca.device_root_key()),
        ("device-issuing".to_owned(), ca.device_issuing_certificate(), ca.device_issuing_key()),
        ("server-root".to_owned(), ca.server_root_certificate(), ca.server_root_key()),
    ];
    let cross = ca.device_issuing_cross_certificate();
    if cross.exists() {
        // Another certificate of the issuing CA, and so of the same key.
        all.push(("device-issuing-cross".to_owned(), cross, ca.device_issuing_key()));
    }
    all.extend(retired(&ca));
    all.into_iter()
        .map(|(role, certificate, key)| {
            let read = CaCertificate::open(&certificate)?;
            let values = CertificateValues::of(read.der()).map_err(|error| {
                let fault = crate::authority::CaFault::NotACertificate(error);
                OpenError::Unsuitable { path: certificate.clone(), fault }
            })?;
            let key_kind = crate::algorithm::key_name(read.public_key());
            Ok(CaOverview { role, certificate, values, key_kind, key: key_state(&key)? })
        })
        .collect()
}

fn key_state(path: &Path) -> Result<KeyState, KeyFileError> {
    if !path.exists() {
        return Ok(KeyState::Absent);
    }
    Ok(match KeyFile::read(path)? {
        KeyFile::InToken(uri) => KeyState::Token(uri),
        KeyFile::Sealed(key) if key.is_encrypted() => KeyState::Encrypted,
        KeyFile::Sealed(_) => KeyState::Plaintext,
    })
}
