//! The identity key.

use provision_csr::{
    Entropy, IdentityKey, NoEntropy, PublicKey, SignError, Signature, SoftwareKey, StoredKey,
    nonce, sample_scalar, scrubbed,
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
        scrubbed::<SIGN_STACK_LEN, _>(|| {
            let secret = Zeroizing::new(self.scalar.to_be_bytes());
            nonce(&secret, sha256, |k| {
                self.scalar.sign(sha256, &Scalar::from_be_bytes(k)?).map(Signature::from_raw)
            })
            .ok_or(SignError)
        })
    }
}

impl SoftwareKey for AsmKey {
    fn generate(entropy: &mut impl Entropy) -> Result<Self, NoEntropy> {
        scrubbed::<GENERATE_STACK_LEN, _>(|| {
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

/// Stack that signing takes, in bytes, rounded up: the assembler leaves secrets there.
const SIGN_STACK_LEN: usize = 2_304;

/// Stack that making a key takes, likewise.
const GENERATE_STACK_LEN: usize = 1_952;
