//! Signatures checked.

use provision_csr::{BadSignature, PublicKey, Signature, VerifyP256};

use crate::curve::Point;

/// Checks signatures in assembler. Accepts high `s`, as ECDSA does and as certificates need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AsmP256;

impl VerifyP256 for AsmP256 {
    fn verify_digest(
        public: &PublicKey,
        sha256: &[u8; 32],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        // Ranges and the point are checked in there.
        if Point::of(public).verifies(sha256, signature.as_raw()) {
            Ok(())
        } else {
            Err(BadSignature)
        }
    }
}
