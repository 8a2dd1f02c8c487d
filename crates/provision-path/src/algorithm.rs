//! ECDSA P-256 with SHA-256 for webpki, over whatever [`VerifyP256`] the device has.

use core::{
    fmt,
    marker::PhantomData,
    sync::atomic::{AtomicU8, AtomicUsize, Ordering},
};

use pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm, alg_id};
use provision_csr::{PublicKey, Signature, VerifyP256, sha256};

/// Most signatures checked in one validation. An honest path of [`ISSUERS_MAX`](crate::ISSUERS_MAX)
/// issuers needs one more than that; webpki alone would check a hundred, which is half a minute on
/// a small microcontroller.
pub const SIGNATURES_MAX: u8 = 8;

/// The algorithm, and what happened while it was used for one path.
///
/// The atomics are only ever used by one thread: webpki wants the algorithm to be `Sync`. Plain
/// loads and stores, because smaller cores have nothing more.
pub(crate) struct EcdsaP256Sha256<V> {
    left: AtomicU8,
    exhausted: AtomicU8,
    /// Address of the first message whose signature was wrong; zero if none was.
    refused_at: AtomicUsize,
    verifier: PhantomData<fn() -> V>,
}

impl<V: VerifyP256> EcdsaP256Sha256<V> {
    pub(crate) const fn new() -> Self {
        Self {
            left: AtomicU8::new(SIGNATURES_MAX),
            exhausted: AtomicU8::new(0),
            refused_at: AtomicUsize::new(0),
            verifier: PhantomData,
        }
    }

    /// More signatures were asked for than are ever checked.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.exhausted.load(Ordering::Relaxed) != 0
    }

    /// Whether the first wrong signature was over part of `certificate`.
    pub(crate) fn refused(&self, certificate: &[u8]) -> bool {
        let range = certificate.as_ptr_range();
        (range.start as usize..range.end as usize)
            .contains(&self.refused_at.load(Ordering::Relaxed))
    }

    fn check(public_key: &[u8], message: &[u8], signature: &[u8]) -> Option<()> {
        let public = PublicKey::from_sec1_slice(public_key).ok()?;
        let signature = Signature::from_der(signature).ok()?;
        V::verify_digest(&public, &sha256(message), &signature).ok()
    }
}

impl<V: VerifyP256> SignatureVerificationAlgorithm for EcdsaP256Sha256<V> {
    fn verify_signature(
        &self,
        public_key: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), InvalidSignature> {
        let Some(left) = self.left.load(Ordering::Relaxed).checked_sub(1) else {
            self.exhausted.store(1, Ordering::Relaxed);
            return Err(InvalidSignature);
        };
        self.left.store(left, Ordering::Relaxed);

        Self::check(public_key, message, signature).ok_or_else(|| {
            if self.refused_at.load(Ordering::Relaxed) == 0 {
                self.refused_at.store(message.as_ptr() as usize, Ordering::Relaxed);
            }
            InvalidSignature
        })
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_P256
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        alg_id::ECDSA_SHA256
    }
}

impl<V> fmt::Debug for EcdsaP256Sha256<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EcdsaP256Sha256")
    }
}
