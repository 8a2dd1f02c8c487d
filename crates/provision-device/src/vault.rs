//! The durable store of a device's identity: what any vault promises.

use core::fmt;

use provision_csr::{Entropy, IdentityKey, NoEntropy};
use provision_wire::Stage;

mod flash;

pub use flash::{FlashRangeError, FlashVault};

/// Keeps the device's key and its delivery (leaf, chain, anchors, endpoint: one opaque byte
/// string) across resets, and makes the device's [`Stage`] readable.
///
/// [`FlashVault`] is the one for plain flash. A device with a secure element
/// implements this over both: the key in the element, the delivery where there is room.
///
/// # Contract for power cuts
///
/// Power may be lost at any instant, inside any write or erase, any number of times in a row,
/// and while an earlier cut is being recovered from. Then:
///
/// 1. **Before or after, nothing between.** After power is back, [`stage`](Self::stage),
///    [`key`](Self::key) and [`read_delivery`](Self::read_delivery) all speak of one state: the
///    one before the interrupted call, or the one after it. A key never comes with another key's
///    delivery, a delivery is never half the old and half the new one.
/// 2. **Nothing answered is lost.** Once a call returned `Ok`, every later state contains what it
///    did. So whatever is said on the line after a call returned stays true.
/// 3. **Nothing unanswered is promised.** A call that never returned may have taken effect. The
///    caller asks for the stage, or calls again: every call may be repeated, and none that has
///    taken effect does harm when repeated. What the first call after power-on says stays so.
/// 4. **What was replaced is gone.** When a call returned `Ok`, the secret and the delivery it
///    replaced can no longer be read from the medium. After a cut they may still be there until
///    the first call of this trait after power-on has returned.
/// 5. **Damage has a name.** If the medium lost an answered state (which a power cut alone never
///    does), every call says [`VaultFault::Corrupt`]. A vault never presents damage as
///    [`Stage::Blank`]: the device would make itself a second identity.
///
/// A fault other than a power cut obeys the same rules: after an `Err` the state is the one before
/// or the one after, and the vault says which when asked.
pub trait Vault {
    /// The identity key as this vault gives it out.
    type Key: IdentityKey;

    /// How far the device has come, read off the medium.
    ///
    /// # Errors
    ///
    /// [`VaultFault::Corrupt`], [`VaultFault::Flash`].
    fn stage(&mut self) -> Result<Stage, VaultFault>;

    /// Makes a key, durable on return. An existing key is kept and counts as success: asking twice
    /// must not make two identities.
    ///
    /// # Errors
    ///
    /// [`VaultFault::NoEntropy`], and as [`stage`](Self::stage).
    fn create_key(&mut self, entropy: &mut impl Entropy) -> Result<(), VaultFault>;

    /// The key, if there is one.
    ///
    /// # Errors
    ///
    /// As [`stage`](Self::stage).
    fn key(&mut self) -> Result<Option<Self::Key>, VaultFault>;

    /// Puts `delivery` in the place of the one before it, if any; durable on return.
    ///
    /// # Errors
    ///
    /// [`VaultFault::Full`] if it is longer than [`delivery_len_max`](Self::delivery_len_max),
    /// [`VaultFault::Sealed`] once sealed, [`VaultFault::OutOfOrder`] while there is no key, and as
    /// [`stage`](Self::stage).
    fn store_delivery(&mut self, delivery: &[u8]) -> Result<(), VaultFault>;

    /// The delivery byte for byte, if there is one, in the first bytes of `out`.
    ///
    /// # Errors
    ///
    /// [`VaultFault::BufferTooSmall`], and as [`stage`](Self::stage).
    fn read_delivery<'b>(&mut self, out: &'b mut [u8]) -> Result<Option<&'b [u8]>, VaultFault>;

    /// Makes key and delivery final; durable on return. Sealed stays sealed.
    ///
    /// # Errors
    ///
    /// [`VaultFault::OutOfOrder`] while there is no delivery, and as [`stage`](Self::stage).
    fn seal(&mut self) -> Result<(), VaultFault>;

    /// The longest delivery there is room for, in bytes. Never changes.
    fn delivery_len_max(&self) -> usize;
}

impl<T: Vault + ?Sized> Vault for &mut T {
    type Key = T::Key;

    fn stage(&mut self) -> Result<Stage, VaultFault> {
        (**self).stage()
    }

    fn create_key(&mut self, entropy: &mut impl Entropy) -> Result<(), VaultFault> {
        (**self).create_key(entropy)
    }

    fn key(&mut self) -> Result<Option<Self::Key>, VaultFault> {
        (**self).key()
    }

    fn store_delivery(&mut self, delivery: &[u8]) -> Result<(), VaultFault> {
        (**self).store_delivery(delivery)
    }

    fn read_delivery<'b>(&mut self, out: &'b mut [u8]) -> Result<Option<&'b [u8]>, VaultFault> {
        (**self).read_delivery(out)
    }

    fn seal(&mut self) -> Result<(), VaultFault> {
        (**self).seal()
    }

    fn delivery_len_max(&self) -> usize {
        (**self).delivery_len_max()
    }
}

/// Why a vault did not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum VaultFault {
    /// No key could be made: the entropy source cannot vouch for its output.
    NoEntropy,
    /// The delivery is longer than there is room for.
    Full {
        /// The longest there is room for, in bytes.
        max: usize,
    },
    /// The identity is final.
    Sealed,
    /// A step before this one is missing.
    OutOfOrder {
        /// How far the device has come.
        stage: Stage,
    },
    /// An acknowledged state can no longer be read back: the medium is damaged or was tampered with.
    Corrupt,
    /// The medium refused a read, a write or an erase, or did not keep what was written.
    Flash,
    /// The buffer is shorter than the delivery.
    BufferTooSmall {
        /// Length of the delivery, in bytes.
        needed: usize,
    },
}

impl fmt::Display for VaultFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoEntropy => NoEntropy.fmt(f),
            Self::Full { max } => write!(f, "the vault has room for a delivery of {max} bytes"),
            Self::Sealed => f.write_str("the vault is sealed"),
            Self::OutOfOrder { stage } => write!(f, "not possible while the vault is {stage}"),
            Self::Corrupt => f.write_str("the vault's record is damaged"),
            Self::Flash => f.write_str("the flash refused an operation or did not keep a write"),
            Self::BufferTooSmall { needed } => {
                write!(f, "the delivery needs a buffer of {needed} bytes")
            }
        }
    }
}

impl core::error::Error for VaultFault {}

impl From<NoEntropy> for VaultFault {
    fn from(NoEntropy: NoEntropy) -> Self {
        Self::NoEntropy
    }
}
