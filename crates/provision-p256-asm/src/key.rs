//! The identity key.

use provision_csr::{
    Entropy, IdentityKey, NoEntropy, Nonces, PublicKey, SignError, Signature, SoftwareKey,
    StoredKey, sample_scalar, scrubbed,
};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::curve::Scalar;

/// An identity key in this chip's memory, whose arithmetic is assembler.
///
/// Signatures are deterministic (RFC 6979 with SHA-256), and the same, byte by byte, as those of
/// the portable key. The scalar is wiped when the key is dropped; like that key it can neither be
/// printed nor copied.
pub struct AsmKey {
    scalar: Scalar,
    public: PublicKey,
}

impl ZeroizeOnDrop for AsmKey {}

impl IdentityKey for AsmKey {
    fn public_key(&self) -> PublicKey {
        self.public
    }

    fn sign_digest(&self, sha256: &[u8; 32]) -> Result<Signature, SignError> {
        scrubbed::<STACK_LEN, _>(|| {
            let secret = Zeroizing::new(self.scalar.to_be_bytes());
            let mut nonces = Nonces::new(&secret, sha256);
            for _ in 0..Nonces::CANDIDATES_MAX {
                if let Some(k) = Scalar::from_be_bytes(&nonces.candidate())
                    && let Some(signature) = self.scalar.sign(sha256, &k)
                {
                    return Ok(Signature::from_raw(signature));
                }
            }
            Err(SignError)
        })
    }
}

impl SoftwareKey for AsmKey {
    fn generate(entropy: &mut impl Entropy) -> Result<Self, NoEntropy> {
        scrubbed::<STACK_LEN, _>(|| {
            sample_scalar(entropy, |candidate| {
                let scalar = Scalar::from_be_bytes(candidate)?;
                let public = scalar.public_key()?;
                Some(Self { scalar, public })
            })
        })
    }

    fn from_stored(stored: &StoredKey) -> Result<Self, SignError> {
        let scalar = Scalar::from_be_bytes(stored.secret()).ok_or(SignError)?;
        Ok(Self { scalar, public: *stored.public() })
    }

    fn to_stored(&self) -> StoredKey {
        let mut bytes = self.scalar.to_be_bytes();
        let stored = StoredKey::new(bytes, self.public);
        bytes.zeroize();
        stored
    }
}

/// Stack that making a key takes, and signing, in bytes, rounded up: the assembler leaves secrets there.
const STACK_LEN: usize = 2_688;
