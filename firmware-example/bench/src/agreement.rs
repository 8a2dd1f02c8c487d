//! Key agreement with a key that is given, for test vectors; embedded-tls draws its own.

use provision_csr::PublicKey;

/// The shared secret; `None` if `public` is not a point of the curve, or `secret` is not in `1..n`.
#[cfg(feature = "asm")]
#[must_use]
pub fn agree(secret: &[u8; 32], public: &PublicKey) -> Option<[u8; 32]> {
    let key = provision_p256_asm::AgreementKey::from_random(secret)?;
    key.agree(public).ok().map(|shared| *shared)
}

/// The shared secret; `None` if `public` is not a point of the curve, or `secret` is not in `1..n`.
#[cfg(not(feature = "asm"))]
#[must_use]
pub fn agree(secret: &[u8; 32], public: &PublicKey) -> Option<[u8; 32]> {
    let secret = p256::SecretKey::from_slice(secret).ok()?;
    let public = p256::PublicKey::from_sec1_bytes(public.as_sec1()).ok()?;
    let shared = p256::ecdh::diffie_hellman(secret.to_nonzero_scalar(), public.as_affine());
    Some((*shared.raw_secret_bytes()).into())
}
