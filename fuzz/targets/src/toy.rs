//! Cryptography that is none, where it is not what is tested.

use provision_csr::{BadSignature, Entropy, NoEntropy, PublicKey, Signature, VerifyP256};
use sha2_device::{Digest as _, Sha256};

/// Believes every signature: so that certificates with a changed byte get past it, to what comes after.
#[derive(Debug, Clone, Copy)]
pub(crate) enum BelievesAll {}

impl VerifyP256 for BelievesAll {
    fn verify_digest(_: &PublicKey, _: &[u8; 32], _: &Signature) -> Result<(), BadSignature> {
        Ok(())
    }
}

/// Bytes that never repeat, and come again in the next run; or none.
#[derive(Debug, Clone, Default)]
pub(crate) struct ToyEntropy {
    drawn: u64,
    pub(crate) refuses: bool,
}

impl Entropy for ToyEntropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        if self.refuses {
            return Err(NoEntropy);
        }
        for piece in out.chunks_mut(32) {
            self.drawn += 1;
            piece.copy_from_slice(&Sha256::digest(self.drawn.to_be_bytes())[..piece.len()]);
        }
        Ok(())
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
