//! P-256 in portable Rust: runs on every target, needs no assembler and no hardware.
//!
//! Arithmetic in the field and modulo the order is that of the crate `p256`. What is done with it, the curve's group and
//! ECDSA, is here: `p256` 0.13 multiplies the generator as it does any point, which takes three times as long as with a
//! comb, and checks a signature by two multiplications, one after the other, which takes twice as long as both at once.

mod generator;
mod point;
mod signature;

use p256_device::{FieldBytes, FieldElement, Scalar};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use self::generator::multiple_of_generator;
use self::point::Affine;
use self::signature::scalar_from;
use crate::{
    BadSignature, Entropy, IdentityKey, NoEntropy, PublicKey, SignError, Signature, SoftwareKey,
    StoredKey, VerifyP256, nonce, sample_scalar, scrubbed,
};

/// An identity key in this chip's memory, on the crate `p256`.
///
/// Signatures are deterministic (RFC 6979 with SHA-256), so signing needs no randomness and a
/// worn-out entropy source cannot leak the key through a repeated nonce.
///
/// The private scalar is zeroized when the key is dropped. There is no way to print or copy it:
///
/// ```compile_fail,E0277
/// fn print(key: &provision_csr::PortableKey) -> String {
///     format!("{key:?}")
/// }
/// ```
///
/// ```compile_fail,E0277
/// fn print(key: &provision_csr::PortableKey) -> String {
///     format!("{key}")
/// }
/// ```
///
/// ```compile_fail,E0308
/// fn copy(key: &provision_csr::PortableKey) -> provision_csr::PortableKey {
///     key.clone()
/// }
/// ```
pub struct PortableKey {
    /// Not zero.
    scalar: Scalar,
    /// Kept, because computing it from the scalar costs as much as making a key.
    public: PublicKey,
}

impl Drop for PortableKey {
    fn drop(&mut self) {
        self.scalar.zeroize();
    }
}

impl ZeroizeOnDrop for PortableKey {}

impl IdentityKey for PortableKey {
    fn public_key(&self) -> PublicKey {
        self.public
    }

    fn sign_digest(&self, sha256: &[u8; 32]) -> Result<Signature, SignError> {
        scrubbed::<SIGN_STACK_LEN, _>(|| {
            let secret = Zeroizing::new(self.scalar.to_bytes().into());
            nonce(&secret, sha256, |k| {
                signature::sign(&self.scalar, &scalar_from(k)?, sha256).map(Signature::from_raw)
            })
            .ok_or(SignError)
        })
    }
}

impl SoftwareKey for PortableKey {
    fn generate(entropy: &mut impl Entropy) -> Result<Self, NoEntropy> {
        scrubbed::<GENERATE_STACK_LEN, _>(|| {
            let scalar = sample_scalar(entropy, scalar_from)?;
            let public = public_of(&scalar).ok_or(NoEntropy)?;
            Ok(Self { scalar, public })
        })
    }

    fn from_stored(stored: &StoredKey) -> Result<Self, SignError> {
        let scalar = scalar_from(stored.secret()).ok_or(SignError)?;
        Ok(Self { scalar, public: *stored.public() })
    }

    fn to_stored(&self) -> StoredKey {
        let mut bytes = self.scalar.to_bytes();
        let stored = StoredKey::new(bytes.into(), self.public);
        bytes.zeroize();
        stored
    }
}

/// Checks signatures on the crate `p256`. Accepts high `s`, as ECDSA does and as certificates need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PortableP256;

impl VerifyP256 for PortableP256 {
    fn verify_digest(
        public: &PublicKey,
        sha256: &[u8; 32],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        let point = point_of(public).ok_or(BadSignature)?;
        match signature::verify(&point, sha256, signature.as_raw()) {
            Some(true) => Ok(()),
            _ => Err(BadSignature),
        }
    }
}

/// Stack that a signature takes, in bytes: 2,408 on a Cortex-M4, and some for processors with fewer registers.
const SIGN_STACK_LEN: usize = 2_624;
/// Stack that making a key takes: 2,200.
const GENERATE_STACK_LEN: usize = 2_432;

fn public_of(scalar: &Scalar) -> Option<PublicKey> {
    let Affine { x, y } = multiple_of_generator(scalar).to_affine()?;
    let mut sec1 = [0; PublicKey::LEN];
    let parts = [0x04].into_iter().chain(x.to_bytes()).chain(y.to_bytes());
    sec1.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
    PublicKey::from_sec1(sec1).ok()
}

/// The point, if it is one of the curve.
fn point_of(public: &PublicKey) -> Option<Affine> {
    let [_, coordinates @ ..] = public.as_sec1();
    let element = |bytes: &[u8; 32]| -> Option<FieldElement> {
        FieldElement::from_bytes(&FieldBytes::from(*bytes)).into()
    };
    let x = element(coordinates.first_chunk()?)?;
    let y = element(coordinates.last_chunk()?)?;
    let point = Affine { x, y };
    point.is_on_curve().then_some(point)
}
