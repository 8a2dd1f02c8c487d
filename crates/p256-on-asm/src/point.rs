//! Public keys.

use elliptic_curve::Error;
use provision_p256_asm::AgreementKey;

/// A point of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(pub(crate) provision_csr::PublicKey);

impl PublicKey {
    /// Takes an uncompressed SEC1 point, which is all that TLS 1.3 allows (RFC 8446 section
    /// 4.2.8.2).
    ///
    /// # Errors
    ///
    /// If it is none of the curve.
    pub fn from_sec1_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let public = provision_csr::PublicKey::from_sec1_slice(bytes).map_err(|_| Error)?;
        if AgreementKey::accepts(&public) { Ok(Self(public)) } else { Err(Error) }
    }
}

/// The uncompressed SEC1 encoding of a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncodedPoint([u8; 65]);

impl From<&PublicKey> for EncodedPoint {
    fn from(public: &PublicKey) -> Self {
        Self(*public.0.as_sec1())
    }
}

impl AsRef<[u8]> for EncodedPoint {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
