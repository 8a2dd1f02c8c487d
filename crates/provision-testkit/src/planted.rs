//! Bugs put in on purpose, to show that the simulation finds them.

use core::fmt;

use provision_csr::Entropy;
use provision_device::{Stage, Vault, VaultFault};

#[cfg(feature = "factory")]
use crate::simulation::Promise;

/// Which bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bug {
    /// None: the real thing.
    #[default]
    None,
    /// The device answers first, and writes deliveries and the seal with the next question.
    AnswersBeforeWriting,
    /// A repeated `Key` makes a new one.
    NewKeyOnRepeat,
    /// The device stores a delivery, and checks it then.
    StoresBeforeChecking,
    /// A `Put` to a sealed device opens its vault again.
    PutBreaksSeal,
    /// The vault leaves the old record, and believes it after a reset.
    StaleSlotWins,
    /// The flash driver answers once a write is in a cache.
    FlashCachesWrites,
    /// The station uses the same challenges for every run.
    StationRepeatsChallenges,
    /// The station reads signatures and does not check them.
    StationTakesAnySignature,
    /// The station issues without looking in the ledger, as after a restart that forgot it.
    StationIgnoresLedger,
    /// The station locks a device while it works on it; if it dies, the lock stays.
    StationLeavesLock,
    /// The station notes that a proof is recorded, and has it recorded then; after a death it
    /// believes its notes.
    StationBelievesNotes,
    /// The station sends the leaf first and records it afterwards.
    LeafLeavesFirst,
    /// The ledger answers before an entry is on the disk.
    LedgerAnswersBeforeWriting,
    /// The ledger takes one public key for two devices.
    LedgerTakesKeyTwice,
    /// The CA starts again at the same serial number.
    IssuerRepeatsSerials,
    /// The CA makes devices CAs.
    IssuerMakesCas,
}

impl Bug {
    /// All there are.
    pub const ALL: [Self; 16] = [
        Self::AnswersBeforeWriting,
        Self::NewKeyOnRepeat,
        Self::StoresBeforeChecking,
        Self::PutBreaksSeal,
        Self::StaleSlotWins,
        Self::FlashCachesWrites,
        Self::StationRepeatsChallenges,
        Self::StationTakesAnySignature,
        Self::StationIgnoresLedger,
        Self::StationLeavesLock,
        Self::StationBelievesNotes,
        Self::LeafLeavesFirst,
        Self::LedgerAnswersBeforeWriting,
        Self::LedgerTakesKeyTwice,
        Self::IssuerRepeatsSerials,
        Self::IssuerMakesCas,
    ];

    /// For the command line and reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::AnswersBeforeWriting => "answers-before-writing",
            Self::NewKeyOnRepeat => "new-key-on-repeat",
            Self::StoresBeforeChecking => "stores-before-checking",
            Self::PutBreaksSeal => "put-breaks-seal",
            Self::StaleSlotWins => "stale-slot-wins",
            Self::FlashCachesWrites => "flash-caches-writes",
            Self::StationRepeatsChallenges => "station-repeats-challenges",
            Self::StationTakesAnySignature => "station-takes-any-signature",
            Self::StationIgnoresLedger => "station-ignores-ledger",
            Self::StationLeavesLock => "station-leaves-lock",
            Self::StationBelievesNotes => "station-believes-notes",
            Self::LeafLeavesFirst => "leaf-leaves-first",
            Self::LedgerAnswersBeforeWriting => "ledger-answers-before-writing",
            Self::LedgerTakesKeyTwice => "ledger-takes-key-twice",
            Self::IssuerRepeatsSerials => "issuer-repeats-serials",
            Self::IssuerMakesCas => "issuer-makes-cas",
        }
    }

    /// The bug of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::None].into_iter().chain(Self::ALL).find(|bug| bug.name() == name)
    }

    /// Promises it may be seen to break.
    #[cfg(feature = "factory")]
    #[must_use]
    pub const fn breaks(self) -> &'static [Promise] {
        use Promise::{D2, D3, D4, L1, L2, L3, L4, L5, L7};
        match self {
            Self::None => &[],
            Self::AnswersBeforeWriting
            | Self::NewKeyOnRepeat
            | Self::StaleSlotWins
            | Self::FlashCachesWrites => &[D2],
            Self::StoresBeforeChecking => &[D3],
            Self::PutBreaksSeal => &[D4],
            Self::StationRepeatsChallenges => &[L4, L5],
            Self::StationTakesAnySignature => &[L5],
            Self::StationIgnoresLedger => &[L2],
            Self::StationLeavesLock | Self::StationBelievesNotes => &[L7],
            Self::LeafLeavesFirst
            | Self::LedgerAnswersBeforeWriting
            | Self::IssuerRepeatsSerials => &[L1],
            Self::LedgerTakesKeyTwice => &[L3],
            Self::IssuerMakesCas => &[L4],
        }
    }

    /// Whether it is one of the device, for which asks must be overheard.
    pub(crate) const fn listens(self) -> bool {
        matches!(
            self,
            Self::NewKeyOnRepeat
                | Self::StoresBeforeChecking
                | Self::PutBreaksSeal
                | Self::StaleSlotWins
        )
    }
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What was answered and is not written yet.
#[derive(Debug)]
pub(crate) enum Late {
    Delivery(Vec<u8>),
    Seal,
}

/// A vault that may answer before it writes.
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
