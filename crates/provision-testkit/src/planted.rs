//! Bugs put into a device on purpose, to show that the simulation finds them.

use provision_csr::Entropy;
use provision_device::{Stage, Vault, VaultFault};

/// Which bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// None: the real thing.
    None,
    /// Deliveries and the seal are answered first and written with the next question.
    AnswersBeforeWriting,
    /// A repeated `Key` makes a new one.
    NewKeyOnRepeat,
}

/// What was answered and is not written yet.
pub(crate) enum Late {
    Delivery(Vec<u8>),
    Seal,
}

/// A vault with a bug in it.
pub(crate) struct Planted<'a, V> {
    bug: Bug,
    late: &'a mut Option<Late>,
    vault: V,
}

impl<'a, V: Vault> Planted<'a, V> {
    pub(crate) fn new(bug: Bug, late: &'a mut Option<Late>, vault: V) -> Self {
        Self { bug, late, vault }
    }

    fn catch_up(&mut self) -> Result<(), VaultFault> {
        match self.late.take() {
            None => Ok(()),
            Some(Late::Delivery(delivery)) => self.vault.store_delivery(&delivery),
            Some(Late::Seal) => self.vault.seal(),
        }
    }
}

impl<V: Vault> Vault for Planted<'_, V> {
    type Key = V::Key;

    fn stage(&mut self) -> Result<Stage, VaultFault> {
        self.catch_up()?;
        self.vault.stage()
    }

    fn create_key(&mut self, entropy: &mut impl Entropy) -> Result<(), VaultFault> {
        self.vault.create_key(entropy)
    }

    fn key(&mut self) -> Result<Option<Self::Key>, VaultFault> {
        self.vault.key()
    }

    fn store_delivery(&mut self, delivery: &[u8]) -> Result<(), VaultFault> {
        if self.bug == Bug::AnswersBeforeWriting {
            *self.late = Some(Late::Delivery(delivery.to_vec()));
            return Ok(());
        }
        self.vault.store_delivery(delivery)
    }

    fn read_delivery<'b>(&mut self, out: &'b mut [u8]) -> Result<Option<&'b [u8]>, VaultFault> {
        self.vault.read_delivery(out)
    }

    fn seal(&mut self) -> Result<(), VaultFault> {
        if self.bug == Bug::AnswersBeforeWriting {
            *self.late = Some(Late::Seal);
            return Ok(());
        }
        self.vault.seal()
    }

    fn delivery_len_max(&self) -> usize {
        self.vault.delivery_len_max()
    }
}
