//! Key agreement.

use elliptic_curve::rand_core::CryptoRngCore;
use provision_p256_asm::AgreementKey;
use zeroize::Zeroizing;

use crate::PublicKey;

/// A key for one connection.
pub struct EphemeralSecret(AgreementKey);

impl EphemeralSecret {
    /// Draws until there is a key, which a working source needs twice once in 2^32 times. Who calls
    /// must not hand in one that never gives a valid scalar.
    pub fn random(rng: &mut impl CryptoRngCore) -> Self {
        loop {
            let mut bytes = Zeroizing::new([0; 32]);
            rng.fill_bytes(&mut *bytes);
            if let Some(key) = AgreementKey::from_random(&bytes) {
                return Self(key);
            }
        }
    }

    /// The half to send.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey(*self.0.public_key())
    }

    /// The secret that both sides come to.
    #[must_use]
    pub fn diffie_hellman(&self, other: &PublicKey) -> SharedSecret {
        // A `PublicKey` is on the curve, which is all that is refused; and zeros, if it ever were
        // not so, end the handshake, since the server came to something else.
        SharedSecret(self.0.agree(&other.0).unwrap_or_default())
    }
}

/// An agreed secret; wiped when dropped.
pub struct SharedSecret(Zeroizing<[u8; 32]>);

impl SharedSecret {
    /// The x-coordinate, big-endian.
    #[must_use]
    pub fn raw_secret_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}
