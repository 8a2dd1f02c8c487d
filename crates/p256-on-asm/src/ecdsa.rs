//! Signatures, for embedded-tls's provider that takes a parsed key.

pub use provision_csr::DerSignature;
use provision_csr::{IdentityKey, PublicKey, SoftwareKey, StoredKey, sha256};
use provision_p256_asm::AsmKey;
pub use signature;
use signature::{Error, Signer};

use crate::SecretKey;

/// A key that signs.
pub struct SigningKey(Option<AsmKey>);

impl From<&SecretKey> for SigningKey {
    fn from(secret: &SecretKey) -> Self {
        // Signing does not need the public half.
        let public = PublicKey::from_sec1([0x04; PublicKey::LEN]).ok();
        let stored = public.map(|public| StoredKey::new(secret.to_bytes().into(), public));
        Self(stored.and_then(|stored| AsmKey::from_stored(&stored).ok()))
    }
}

impl Signer<DerSignature> for SigningKey {
    fn try_sign(&self, message: &[u8]) -> Result<DerSignature, Error> {
        let key = self.0.as_ref().ok_or_else(Error::new)?;
        key.sign_digest(&sha256(message)).map(|signature| signature.to_der()).map_err(|_| Error::new())
    }
}
