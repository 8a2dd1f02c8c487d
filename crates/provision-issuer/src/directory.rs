//! Where the files of a CA are.

use std::path::{Path, PathBuf};

/// A directory made by [`init`](crate::init).
///
/// | File | Holds | For |
/// |---|---|---|
/// | `device-root.crt`, `.key` | trust anchor of devices' certificates | its key signs nothing any more: take it away from the station |
/// | `device-issuing.crt`, `.key` | CA that signs devices | [`FileIssuer`](crate::FileIssuer) |
/// | `device-ca-bundle.crt` | device root and device issuing CA | a server's trust file: devices send their own certificate only, and OpenSSL builds a path to a self-signed root only |
/// | `server-root.crt`, `.key` | CA that signs servers | profiles that say so; devices get the certificate as their trust anchor |
/// | `device-issuing-cross.crt` | the device issuing CA, certified by the root before | servers that know the earlier root alone |
/// | `retired/` | issuing CAs of earlier, and their keys | the CRLs of what they signed |
///
/// Certificates are PEM. Keys are PKCS#8 in PEM, readable by their owner only; of a key in a
/// [`Token`](crate::Token) there is its URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaDirectory(PathBuf);

impl CaDirectory {
    /// The directory at `path`. Does not look whether anything is there.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Certificate of the device root.
    #[must_use]
    pub fn device_root_certificate(&self) -> PathBuf {
        self.0.join("device-root.crt")
    }

    /// Key of the device root.
    #[must_use]
    pub fn device_root_key(&self) -> PathBuf {
        self.0.join("device-root.key")
    }

    /// Certificate of the device issuing CA.
    #[must_use]
    pub fn device_issuing_certificate(&self) -> PathBuf {
        self.0.join("device-issuing.crt")
    }

    /// Key of the device issuing CA.
    #[must_use]
    pub fn device_issuing_key(&self) -> PathBuf {
        self.0.join("device-issuing.key")
    }

    /// Device root and device issuing CA in one file: what a server is to trust for its clients.
    #[must_use]
    pub fn device_ca_bundle(&self) -> PathBuf {
        self.0.join("device-ca-bundle.crt")
    }

    /// Certificate of the server root: what devices are to trust.
    #[must_use]
    pub fn server_root_certificate(&self) -> PathBuf {
        self.0.join("server-root.crt")
    }

    /// Key of the server root.
    #[must_use]
    pub fn server_root_key(&self) -> PathBuf {
        self.0.join("server-root.key")
    }

    /// After a rotation with a new root: the device issuing CA certified by the old root.
    #[must_use]
    pub fn device_issuing_cross_certificate(&self) -> PathBuf {
        self.0.join("device-issuing-cross.crt")
    }

    /// Issuing CAs that sign no more devices, with their keys: for the CRLs of those they signed.
    #[must_use]
    pub fn retired(&self) -> PathBuf {
        self.0.join("retired")
    }

    /// What a rotation was about to move into place when it was interrupted.
    #[must_use]
    pub fn next(&self) -> PathBuf {
        self.0.join("next")
    }
}
