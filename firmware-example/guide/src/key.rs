//! Step 4: which P-256, and where the key is.

use provision_csr::{
    Entropy, IdentityKey, NoEntropy, PortableKey, PortableP256, PublicKey, SignError, Signature,
    SoftwareKey, StoredKey,
};

/// The identity key: in this chip's flash, in portable Rust. On Cortex-M4, M7 and M33
/// `provision_p256_asm::AsmKey` is the same, many times as fast.
pub type Key = PortableKey;

/// What checks signatures: `PortableP256`, or `provision_p256_asm::AsmP256`.
pub type P256 = PortableP256;

/// What the driver of your secure element does.
pub trait Element {
    /// Makes a key in a slot that is free, and says which.
    fn make_key() -> Option<(u8, [u8; 65])>;
    /// Signs with the key in the slot: `r || s`.
    fn sign(slot: u8, sha256: &[u8; 32]) -> Option<[u8; 64]>;
}

/// A key in a secure element, for `FlashVault` as any other: what the vault keeps of it is the
/// slot, in the place of a secret.
pub struct ElementKey<E> {
    slot: u8,
    public: PublicKey,
    element: core::marker::PhantomData<fn() -> E>,
}

impl<E> ElementKey<E> {
    fn new(slot: u8, public: PublicKey) -> Self {
        Self { slot, public, element: core::marker::PhantomData }
    }
}

impl<E: Element> IdentityKey for ElementKey<E> {
    fn public_key(&self) -> PublicKey {
        self.public
    }

    fn sign_digest(&self, sha256: &[u8; 32]) -> Result<Signature, SignError> {
        E::sign(self.slot, sha256).map(Signature::from_raw).ok_or(SignError)
    }
}

impl<E: Element> SoftwareKey for ElementKey<E> {
    fn generate(_: &mut impl Entropy) -> Result<Self, NoEntropy> {
        let (slot, public) = E::make_key().ok_or(NoEntropy)?;
        let public = PublicKey::from_sec1(public).map_err(|_| NoEntropy)?;
        Ok(Self::new(slot, public))
    }

    fn from_stored(stored: &StoredKey) -> Result<Self, SignError> {
        Ok(Self::new(stored.secret()[0], *stored.public()))
    }

    fn to_stored(&self) -> StoredKey {
        let mut place_of_secret = [0; StoredKey::SECRET_LEN];
        place_of_secret[0] = self.slot;
        StoredKey::new(place_of_secret, self.public)
    }
}
