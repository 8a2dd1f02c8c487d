//! Signatures without arithmetic, for tests in which a million of them are made and what is tested is
//! something else: what is durable when, what is asked in which order.
//!
//! They have the shape of P-256 and none of its security: whoever knows the public key *could*
//! compute a signature. But the function that does so is private to this module, and asks for the
//! secret; so where nothing else makes one, a signature means what it means elsewhere. Certificates by
//! these keys are made with [`rcgen`](crate::pki::rcgen) as real ones are, or by
//! [`ToyCa`](crate::toy::ToyCa), which is faster.

use provision_csr::{
    BadSignature, Entropy, IdentityKey, NoEntropy, PublicKey, SignError, Signature, SoftwareKey,
    StoredKey, VerifyP256,
};
use rcgen::{PublicKeyData, SignatureAlgorithm, SigningKey};
use sha2_device::{Digest as _, Sha256};

/// A key whose public half is `04 || x || y`, with `x` a hash of the private half and `y` a hash of
/// `x`: so most of what begins with `04` is no key, as on the curve.
pub struct ToyKey {
    secret: [u8; 32],
    public: PublicKey,
}

impl ToyKey {
    /// The key with this private half.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        Self { secret, public: Self::public_of(&secret) }
    }

    /// The public half of the key with this private half.
    #[must_use]
    pub fn public_of(secret: &[u8; 32]) -> PublicKey {
        let mut point = [0x04; PublicKey::LEN];
        let x = hash_32(PUBLIC_X, secret);
        point[1..33].copy_from_slice(&x);
        point[33..].copy_from_slice(&y_of(&x));
        match PublicKey::from_sec1(point) {
            Ok(public) => public,
            Err(fault) => unreachable!("it begins with 04: {fault}"),
        }
    }
}

impl IdentityKey for ToyKey {
    fn public_key(&self) -> PublicKey {
        self.public
    }

    fn sign_digest(&self, sha256: &[u8; 32]) -> Result<Signature, SignError> {
        Ok(signature_of(coordinates(&self.public).0, sha256))
    }
}

impl SoftwareKey for ToyKey {
    fn generate(entropy: &mut impl Entropy) -> Result<Self, NoEntropy> {
        let mut secret = [0; 32];
        entropy.fill(&mut secret)?;
        Ok(Self::new(secret))
    }

    /// Refuses a public half that is another key's, where real ones refuse a scalar out of range.
    fn from_stored(stored: &StoredKey) -> Result<Self, SignError> {
        let key = Self::new(*stored.secret());
        if key.public == *stored.public() { Ok(key) } else { Err(SignError) }
    }

    fn to_stored(&self) -> StoredKey {
        StoredKey::new(self.secret, self.public)
    }
}

impl PublicKeyData for ToyKey {
    fn der_bytes(&self) -> &[u8] {
        self.public.as_sec1()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl SigningKey for ToyKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let digest = Sha256::digest(message).into();
        let signature = signature_of(coordinates(&self.public).0, &digest);
        Ok(signature.to_der().as_bytes().to_vec())
    }
}

/// Checks signatures by [`ToyKey`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ToyP256;

impl VerifyP256 for ToyP256 {
    fn verify_digest(
        public: &PublicKey,
        sha256: &[u8; 32],
        signature: &Signature,
    ) -> Result<(), BadSignature> {
        let (x, y) = coordinates(public);
        let right = *y == y_of(x) && *signature == signature_of(x, sha256);
        if right { Ok(()) } else { Err(BadSignature) }
    }
}

fn coordinates(public: &PublicKey) -> (&[u8; 32], &[u8; 32]) {
    let (Some(x), Some(y)) = (public.as_sec1()[1..].first_chunk(), public.as_sec1().last_chunk())
    else {
        unreachable!("a public key has 65 bytes")
    };
    (x, y)
}

fn y_of(x: &[u8; 32]) -> [u8; 32] {
    hash_32(PUBLIC_Y, x)
}

/// Two numbers of 64 bits, where P-256 has two of 256.
fn signature_of(x: &[u8; 32], sha256: &[u8; 32]) -> Signature {
    let mut raw = [0; 64];
    raw[24..32].copy_from_slice(&absorb(absorb(SIGNATURE_R, x), sha256).to_be_bytes());
    raw[56..].copy_from_slice(&absorb(absorb(SIGNATURE_S, x), sha256).to_be_bytes());
    Signature::from_raw(raw)
}

fn hash_32(domain: u64, bytes: &[u8; 32]) -> [u8; 32] {
    let mut out = [0; 32];
    let mut state = absorb(domain, bytes);
    for word in out.as_chunks_mut::<8>().0 {
        state = mix(state ^ domain, MULTIPLIER);
        *word = state.to_be_bytes();
    }
    out
}

fn absorb(state: u64, bytes: &[u8; 32]) -> u64 {
    let words = bytes.as_chunks().0.iter().map(|word| u64::from_le_bytes(*word));
    words.fold(state, |state, word| mix(state ^ word, MULTIPLIER).wrapping_add(MULTIPLIER))
}

/// Both halves of the product, folded.
fn mix(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (product as u64) ^ ((product >> 64) as u64)
}

/// Odd, and about as many ones as zeros (2^64 divided by the golden ratio).
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
const PUBLIC_X: u64 = 0x243f_6a88_85a3_08d3;
const PUBLIC_Y: u64 = 0x1319_8a2e_0370_7344;
const SIGNATURE_R: u64 = 0xa409_3822_299f_31d0;
const SIGNATURE_S: u64 = 0x082e_fa98_ec4e_6c89;

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: [u8; 32] = *b"a secret of thirty-two bytes....";
    const DIGEST: [u8; 32] = *b"a digest of thirty-two bytes....";

    #[test]
    fn a_signature_holds_for_its_key_and_digest_and_for_no_other() {
        let key = ToyKey::new(SECRET);
        let signature = key.sign_digest(&DIGEST).unwrap();
        assert_eq!(ToyP256::verify_digest(&key.public_key(), &DIGEST, &signature), Ok(()));
        for byte in 0..32 {
            for bit in 0..8 {
                let mut other = DIGEST;
                other[byte] ^= 1 << bit;
                assert!(ToyP256::verify_digest(&key.public_key(), &other, &signature).is_err());
                let mut other = SECRET;
                other[byte] ^= 1 << bit;
                let other = ToyKey::new(other).public_key();
                assert!(ToyP256::verify_digest(&other, &DIGEST, &signature).is_err());
            }
        }
        for byte in 0..64 {
            let mut other = *signature.as_raw();
            other[byte] ^= 1;
            let other = Signature::from_raw(other);
            assert!(ToyP256::verify_digest(&key.public_key(), &DIGEST, &other).is_err());
        }
    }

    #[test]
    fn what_only_looks_like_a_key_is_none() {
        let key = ToyKey::new(SECRET);
        let signature = key.sign_digest(&DIGEST).unwrap();
        let mut sec1 = *key.public_key().as_sec1();
        sec1[64] ^= 1;
        let off_the_curve = PublicKey::from_sec1(sec1).unwrap();
        assert!(ToyP256::verify_digest(&off_the_curve, &DIGEST, &signature).is_err());
    }

    #[test]
    fn a_key_with_anothers_public_half_is_refused() {
        let stored = |public| StoredKey::new(SECRET, public);
        let (one, other) = (ToyKey::new(SECRET), ToyKey::new(DIGEST));
        assert!(ToyKey::from_stored(&stored(one.public_key())).is_ok());
        assert!(ToyKey::from_stored(&stored(other.public_key())).is_err());
    }
}
