//! P-256 in portable Rust: runs on every target, needs no assembler and no hardware.

use ecdsa_device::hazmat::{SignPrimitive, VerifyPrimitive};
use p256_device::ecdsa::Signature as P256Signature;
use p256_device::elliptic_curve::PrimeField;
use p256_device::elliptic_curve::point::{AffineCoordinates, DecompressPoint};
use p256_device::elliptic_curve::subtle::{Choice, ConditionallySelectable};
use p256_device::{
    AffinePoint, FieldBytes, FieldElement, NistP256, NonZeroScalar, PublicKey as P256PublicKey,
};
use primeorder_device::PrimeCurveParams;
use sha2_device::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{
    BadSignature, Entropy, IdentityKey, NoEntropy, PublicKey, SignError, Signature, SoftwareKey,
    StoredKey, VerifyP256, modulo_order, sample_scalar, scrubbed,
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
    scalar: NonZeroScalar,
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
        // Not `SigningKey`: it computes the public key anew each time it is made.
        scrubbed::<SIGN_STACK_LEN, _>(|| {
            let (signature, _) = self
                .scalar
                .try_sign_prehashed_rfc6979::<Sha256>(&FieldBytes::from(modulo_order(sha256)), &[])
                .map_err(|_| SignError)?;
            Ok(Signature::from_raw(signature.to_bytes().into()))
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
        let mut bytes: FieldBytes = self.scalar.to_bytes();
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
        // Refuses r or s outside 1..n.
        let signature = P256Signature::from_slice(signature.as_raw()).map_err(|_| BadSignature)?;
        point.verify_prehashed(&FieldBytes::from(*sha256), &signature).map_err(|_| BadSignature)
    }
}

/// Stack that a signature takes on a Cortex-M4, in bytes, rounded up.
const SIGN_STACK_LEN: usize = 4_608;
/// Stack that making a key takes there.
const GENERATE_STACK_LEN: usize = 3_840;

/// The scalar, if it is in 1..n.
fn scalar_from(big_endian: &[u8; 32]) -> Option<NonZeroScalar> {
    Option::from(NonZeroScalar::from_repr(FieldBytes::from(*big_endian)))
}

fn public_of(scalar: &NonZeroScalar) -> Option<PublicKey> {
    let point = *P256PublicKey::from_secret_scalar(scalar).as_affine();
    let (x, y) = (point.x(), y_of(&point.x(), point.y_is_odd())?);

    let mut sec1 = [0; PublicKey::LEN];
    let parts = [0x04].into_iter().chain(x).chain(y);
    sec1.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
    PublicKey::from_sec1(sec1).ok()
}

/// The point, if it is one of the curve.
fn point_of(public: &PublicKey) -> Option<AffinePoint> {
    let [_, coordinates @ ..] = public.as_sec1();
    let (x, y) = (*coordinates.first_chunk::<32>()?, *coordinates.last_chunk::<32>()?);
    let (x, y_is_odd) = (FieldBytes::from(x), Choice::from(y[31] & 1));
    if y_of(&x, y_is_odd)? != y.into() {
        return None;
    }
    AffinePoint::decompress(&x, y_is_odd).into()
}

/// The point's other coordinate: `y² = x³ + ax + b`, and of the two roots one is odd.
///
/// The types of the crate `sec1` would do this, and their one `expect` would bring the texts of all
/// errors of `sec1`, `der` and `const-oid` into a device's flash. A root costs as much as a 50th of
/// a signature.
#[inline(never)]
fn y_of(x: &FieldBytes, y_is_odd: Choice) -> Option<FieldBytes> {
    let x = Option::<FieldElement>::from(FieldElement::from_repr(*x))?;
    let square = x * x * x + NistP256::EQUATION_A * x + NistP256::EQUATION_B;
    let root = Option::<FieldElement>::from(square.sqrt())?;
    let flip = root.is_odd() ^ y_is_odd;
    Some(FieldElement::conditional_select(&root, &-root, flip).to_repr())
}
