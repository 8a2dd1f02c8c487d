//! What embedded-tls asks the device for: randomness, a certificate, a signature.

use embedded_tls::{
    Certificate, CryptoProvider, CryptoRng, CryptoRngCore, SignatureScheme, TlsError, TlsVerifier,
};
use provision_csr::{DerSignature, Entropy, IdentityKey, NoEntropy, Signature, VerifyP256, sha256};
use rand_core06::{Error as RandError, RngCore};
use signature_device::{Error as SignatureError, SignerMut};

use crate::{
    ClientIdentity, ConnectError,
    cipher::InspectingSuite,
    verifier::ServerVerifier,
    watch::{Stop, Watch},
};

/// Two of the three cannot fail in embedded-tls's eyes. Ours can: then the [`Watch`] is stopped
/// before the stand-in is returned, and the record filter sends nothing that was made of it.
pub(crate) struct Provider<'a, V, K, E> {
    identity: &'a ClientIdentity<'a, K>,
    entropy: &'a mut E,
    verifier: ServerVerifier<'a, V>,
    watch: &'a Watch,
    draws_left: u8,
}

impl<'a, V, K, E> Provider<'a, V, K, E> {
    pub(crate) fn new(
        identity: &'a ClientIdentity<'a, K>,
        entropy: &'a mut E,
        verifier: ServerVerifier<'a, V>,
        watch: &'a Watch,
    ) -> Self {
        Self { identity, entropy, verifier, watch, draws_left: DRAWS_MAX }
    }
}

impl<V: VerifyP256, K: IdentityKey, E: Entropy> CryptoProvider for Provider<'_, V, K, E> {
    type CipherSuite = InspectingSuite;
    type Signature = DerSignature;

    fn rng(&mut self) -> impl CryptoRngCore {
        EntropyRng {
            entropy: &mut *self.entropy,
            watch: self.watch,
            draws_left: &mut self.draws_left,
        }
    }

    fn verifier(&mut self) -> Result<&mut impl TlsVerifier<InspectingSuite>, TlsError> {
        Ok(&mut self.verifier)
    }

    fn client_cert(&mut self) -> Option<Certificate<impl AsRef<[u8]>>> {
        self.watch.is_proven().then_some(Certificate::X509(self.identity.leaf_der))
    }

    fn signer(&mut self) -> Result<(impl SignerMut<Self::Signature>, SignatureScheme), TlsError> {
        if !self.watch.is_proven() {
            return Err(TlsError::InvalidPrivateKey);
        }
        let signer = HandshakeSigner { key: self.identity.key, watch: self.watch };
        Ok((signer, SignatureScheme::EcdsaSecp256r1Sha256))
    }
}

struct HandshakeSigner<'a, K> {
    key: &'a K,
    watch: &'a Watch,
}

impl<K: IdentityKey> SignerMut<DerSignature> for HandshakeSigner<'_, K> {
    fn try_sign(&mut self, message: &[u8]) -> Result<DerSignature, SignatureError> {
        self.key
            .sign_digest(&sha256(message))
            .map(|signature| signature.to_der())
            .map_err(|_| SignatureError::new())
    }

    /// In place of the trait's own, which panics.
    fn sign(&mut self, message: &[u8]) -> DerSignature {
        self.try_sign(message).unwrap_or_else(|_| {
            self.watch.stop(Stop::Connect(ConnectError::CannotSign));
            Signature::from_raw([0; 64]).to_der()
        })
    }
}

struct EntropyRng<'a, E> {
    entropy: &'a mut E,
    watch: &'a Watch,
    draws_left: &'a mut u8,
}

impl<E: Entropy> EntropyRng<'_, E> {
    fn draw(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        *self.draws_left = self.draws_left.checked_sub(1).ok_or(NoEntropy)?;
        self.entropy.fill(out)?;
        if is_plainly_stuck(out) { Err(NoEntropy) } else { Ok(()) }
    }
}

impl<E: Entropy> RngCore for EntropyRng<'_, E> {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        if self.draw(out).is_err() {
            self.watch.stop(Stop::Connect(ConnectError::NoEntropy));
            // Any scalar will do, to end the search for one; zero would not. It is never used:
            // the filter lets no ClientHello made of it pass.
            out.fill(1);
        }
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), RandError> {
        self.fill_bytes(out);
        Ok(())
    }
}

impl<E: Entropy> CryptoRng for EntropyRng<'_, E> {}

/// Sixteen equal bytes do not happen by chance in the life of any device.
fn is_plainly_stuck(bytes: &[u8]) -> bool {
    bytes.len() >= 16 && bytes.windows(2).all(|pair| matches!(pair, [a, b] if a == b))
}

/// A connection takes two draws: its random, and its key. A draw that is no valid key is repeated
/// once in 2^32 times; a source that gives the like again and again would be asked for ever.
const DRAWS_MAX: u8 = 8;
