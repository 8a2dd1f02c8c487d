//! A simulated device: the real `Line`, `Enrollee` and `FlashVault` over flash in memory.

use core::convert::Infallible;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
use provision_csr::{Entropy, IdentityKey as _, NoEntropy, PublicKey, Subject};
use provision_device::{Enrollee, FlashVault, Line, Served, Stage, Vault, VaultFault};
use provision_wire::{Answer, Ask, Deframer, DeviceSerial, Event, Hello, encode_frame};
use sha2_device::{Digest as _, Sha256};

use crate::crypto::{Crypto, PAGE_LEN, Real};
use crate::flash::{Cut, Moment, Operation, PowerCutFlash};
use crate::planted::{Bug, Late, Planted};
use crate::random::Random;
use crate::vault_image::read_plain;
use crate::wiretap::{Overheard, kind, overhear};

/// Program unit of the simulated part, in bytes.
const WRITE: usize = 4;
/// Longest frame and delivery it takes, in bytes.
const FRAME: usize = 600;
pub(crate) const DELIVERY_LEN_MAX: usize = 3072;

/// The flash of a [`SimulatedDevice`].
pub type Flash = PowerCutFlash<WRITE, PAGE_LEN>;

/// A device with flash that survives, and RAM that does not.
pub struct SimulatedDevice<C: Crypto = Real> {
    name: &'static str,
    /// Holds the flash. Taken out and put back for what a vault does not do.
    vault: FlashVault<Flash, C::Key>,
    entropy: SeededEntropy,
    ram: Box<Ram<C>>,
    acknowledged: Acknowledged,
    bug: Bug,
    /// Flash as it was before the last acknowledged change, for [`Bug::StaleSlotWins`] and
    /// [`Bug::PutBreaksSeal`]; and before one that is not acknowledged yet.
    before: Vec<u8>,
    before_this: Vec<u8>,
    /// Its firmware does not unpack pieces of a delivery.
    older: bool,
    /// Whether anything happened since [`check`](Self::check) that it looks at.
    unchecked: bool,
    found: Found,
    /// What it said since [`take_said`](Self::take_said).
    said: Vec<Overheard<'static>>,
    /// Times it was switched on again.
    pub reboots: u32,
}

/// What a power cut takes away.
struct Ram<C: Crypto> {
    line: Line<FRAME>,
    enrollee: Enrollee<'static, C::Verify, DELIVERY_LEN_MAX>,
    late: Option<Late>,
    /// Listens along for some bugs.
    overheard: Deframer<FRAME>,
    staged: Vec<u8>,
}

/// What its answers have promised so far.
#[derive(Debug, Clone, Default)]
struct Acknowledged {
    key: Option<PublicKey>,
    /// It announced two keys.
    key_changed: bool,
    stage: Option<Stage>,
    delivery_sha256: Option<[u8; 32]>,
    /// Deliveries that were acknowledged before that one.
    superseded: Vec<[u8; 32]>,
    /// What the vault held when the seal was acknowledged.
    sealed: Option<Found>,
}

/// What a vault holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// How far the device has come.
    pub stage: Stage,
    /// Its public key.
    pub key: Option<PublicKey>,
    /// What was delivered, byte for byte.
    pub delivery: Option<Vec<u8>>,
    /// SHA-256 of that.
    pub delivery_sha256: Option<[u8; 32]>,
}

impl Found {
    pub(crate) const BLANK: Self =
        Self { stage: Stage::Blank, key: None, delivery: None, delivery_sha256: None };
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// An acknowledged stage is gone.
    #[error("{acknowledged} was acknowledged, the vault says {found}")]
    StageLost {
        /// What an answer had promised.
        acknowledged: Stage,
        /// What the vault says.
        found: Stage,
    },
    /// The key is another one than was announced.
    #[error("the key is another one than was announced")]
    KeyChanged,
    /// The delivery is an older one than was acknowledged, or was sealed as another.
    #[error("the delivery is not the one that was acknowledged")]
    DeliveryLost,
    /// What was sealed is not as it was.
    #[error("a sealed identity has changed")]
    SealedChanged,
    /// The vault cannot be read.
    #[error("the vault cannot be read: {0}")]
    Vault(VaultFault),
}

impl SimulatedDevice {
    /// A blank device with real keys.
    #[must_use]
    pub fn new(serial: &DeviceSerial, seed: u64, bug: Bug) -> Self {
        Self::with_crypto(serial, seed, bug)
    }
}

impl<C: Crypto> SimulatedDevice<C> {
    /// A blank device.
    #[must_use]
    pub fn with_crypto(serial: &DeviceSerial, seed: u64, bug: Bug) -> Self {
        let name = kept(serial.as_str());
        let mut flash = Flash::new(C::PAGES);
        if bug != Bug::FlashCachesWrites {
            flash = flash.without_journal();
        }
        Self {
            name,
            vault: vault::<C, _>(flash),
            entropy: SeededEntropy(Random::new(seed)),
            ram: Ram::of(name),
            acknowledged: Acknowledged::default(),
            bug,
            before: Vec::new(),
            before_this: Vec::new(),
            // Who listens along does not unpack either.
            older: bug.listens(),
            unchecked: false,
            found: Found::BLANK,
            said: Vec::new(),
            reboots: 0,
        }
    }

    /// With firmware of before there were packed pieces.
    #[must_use]
    pub const fn with_older_firmware(mut self) -> Self {
        self.older = true;
        self
    }

    /// Plans a power cut, so many flash operations from now.
    pub fn cut_power_in(&mut self, operations: usize, moment: Moment) {
        self.with_flash(|mut flash| {
            flash.forget_journal();
            flash.cut_at(Cut { operation: operations, moment });
            flash
        });
    }

    /// Whether a power cut has come.
    #[must_use]
    pub fn is_powered(&self) -> bool {
        self.vault.flash().is_powered()
    }

    /// Takes the power away now, and gives it back: RAM is lost.
    pub fn reboot(&mut self) {
        let (bug, before) = (self.bug, core::mem::take(&mut self.before));
        self.with_flash(|mut flash| {
            match bug {
                Bug::StaleSlotWins if !before.is_empty() => flash = Flash::with_content(&before),
                Bug::FlashCachesWrites => flash = without_last_write(flash),
                _ => {}
            }
            flash.power_on();
            flash
        });
        if bug == Bug::PutBreaksSeal {
            self.before = before;
        }
        self.ram = Ram::of(self.name);
        self.reboots += 1;
        self.unchecked = true;
    }

    /// Takes bytes off the line; returns what it answers. Nothing, while it is without power.
    pub fn receive(&mut self, bytes: &[u8]) -> Vec<u8> {
        let operations = self.vault.flash().operations();
        let mut output = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            // Who listens along does so byte by byte.
            let (mut now, later) = rest.split_at(if self.bug.listens() { 1 } else { rest.len() });
            if let [byte] = now
                && self.bug.listens()
            {
                self.listen(*byte);
            }
            let Ram { line, enrollee, late, .. } = &mut *self.ram;
            let mut vault = Planted::new(self.bug, late, &mut self.vault);
            let (served, answer) =
                line.hear_some(&mut now, enrollee, &mut vault, &mut self.entropy);
            rest = if now.is_empty() { later } else { now };
            let Served::Answered { refusal } = served else { continue };
            if !self.vault.flash().is_powered() {
                // What it was about to say was never sent.
                break;
            }
            match self.older.then(|| without_dictionary(answer)).flatten() {
                Some(answer) => output.extend(answer),
                None => output.extend_from_slice(answer),
            }
            if refusal.is_none() {
                for answer in overhear(answer) {
                    if self.acknowledged.take(&answer) {
                        self.unchecked = true;
                        if !self.before_this.is_empty() {
                            self.before = core::mem::take(&mut self.before_this);
                        }
                    }
                    if matches!(answer.kind(), kind::CSR | kind::CHUNK | kind::PROOF) {
                        self.said.push(answer.into_owned());
                    }
                }
            }
        }
        self.unchecked |= self.vault.flash().operations() != operations || !self.is_powered();
        output
    }

    /// The CSRs and proofs it answered with since this was last asked.
    pub fn take_said(&mut self) -> Vec<Overheard<'static>> {
        core::mem::take(&mut self.said)
    }

    /// Holds what the vault says against what was acknowledged (D2, D4), if anything happened since
    /// the last time that it could depend on. Whether it did.
    ///
    /// # Errors
    ///
    /// [`Broken`] names the promise.
    pub fn check(&mut self) -> Result<bool, Broken> {
        let unchecked = core::mem::take(&mut self.unchecked);
        if unchecked {
            self.found = self.look().map_err(Broken::Vault)?;
            self.acknowledged.hold_against(&self.found)?;
        }
        Ok(unchecked)
    }

    /// What the vault held at the last [`check`](Self::check).
    #[must_use]
    pub const fn found(&self) -> &Found {
        &self.found
    }

    /// What the vault would say if the device were switched on now. Works on a copy: nothing of
    /// what a mount mends is mended.
    ///
    /// # Errors
    ///
    /// The vault's own.
    pub fn look(&self) -> Result<Found, VaultFault> {
        let flash = self.vault.flash().bytes();
        let mut found = match read_plain(flash) {
            Some(found) => {
                debug_assert_eq!(
                    self.ask_vault().as_ref(),
                    Ok(&found),
                    "two readings of one vault"
                );
                found
            }
            None => self.ask_vault()?,
        };
        found.delivery_sha256 = if found.delivery == self.found.delivery {
            self.found.delivery_sha256
        } else {
            found.delivery.as_ref().map(|delivery| Sha256::digest(delivery).into())
        };
        Ok(found)
    }

    fn ask_vault(&self) -> Result<Found, VaultFault> {
        let mut vault = vault::<C, _>(Image(self.vault.flash().bytes().to_vec()));
        let stage = vault.stage()?;
        let key = vault.key()?.map(|key| key.public_key());
        let delivery = match stage {
            Stage::Blank | Stage::Keyed => None,
            _ => vault.read_delivery(&mut vec![0; C::PAGES * PAGE_LEN / 2])?.map(<[u8]>::to_vec),
        };
        Ok(Found { stage, key, delivery, delivery_sha256: None })
    }

    /// Whether it has said that it is sealed.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.acknowledged.stage == Some(Stage::Sealed)
    }

    /// The vault, as the firmware would open it.
    pub fn vault(&mut self) -> impl Vault<Key = C::Key> {
        &mut self.vault
    }

    /// Does something to the flash that only its power supply could; the vault is mounted anew.
    fn with_flash(&mut self, change: impl FnOnce(Flash) -> Flash) {
        let nothing = vault::<C, _>(Flash::new(C::PAGES));
        let flash = core::mem::replace(&mut self.vault, nothing).into_inner();
        self.vault = vault::<C, _>(change(flash));
    }

    /// For the bugs that need to know what is asked.
    fn listen(&mut self, byte: u8) {
        let Event::Frame(frame) = self.ram.overheard.push(byte) else { return };
        let Ok(ask) = Ask::decode(frame.payload) else { return };
        let Ok(stage) = self.vault.stage() else { return };
        match (self.bug, ask) {
            (Bug::NewKeyOnRepeat, Ask::Key) if stage == Stage::Keyed => {
                // Fails only if the power does, which the caller looks at.
                let _ = self.vault.wipe();
            }
            (Bug::StoresBeforeChecking, Ask::Put { offset, bytes }) => {
                self.ram.staged.truncate(offset as usize);
                self.ram.staged.extend_from_slice(bytes);
            }
            (Bug::StoresBeforeChecking, Ask::Commit { delivery_sha256 })
                if Sha256::digest(&self.ram.staged)[..] == delivery_sha256 =>
            {
                let _ = self.vault.store_delivery(&self.ram.staged);
            }
            (Bug::StaleSlotWins | Bug::PutBreaksSeal, Ask::Commit { .. } | Ask::Seal)
                if stage < Stage::Sealed =>
            {
                self.before_this = self.vault.flash().bytes().to_vec();
            }
            (Bug::PutBreaksSeal, Ask::Put { .. }) if stage == Stage::Sealed => {
                let before = core::mem::take(&mut self.before);
                self.with_flash(|_| Flash::with_content(&before));
                self.unchecked = true;
            }
            _ => {}
        }
    }
}

/// The last write that was answered was in a cache, and the power cut took it along.
fn without_last_write(flash: Flash) -> Flash {
    let [.., Operation::Write { offset, bytes }, _] = flash.journal() else { return flash };
    let lost = *offset as usize..*offset as usize + bytes.len();
    let mut content = flash.bytes().to_vec();
    content[lost].fill(0xff);
    Flash::with_content(&content)
}

/// A `Hello` as older firmware says it; none of other answers.
fn without_dictionary(answer: &[u8]) -> Option<Vec<u8>> {
    let said = overhear(answer).find(|said| said.kind() == kind::HELLO)?;
    let payload = said.payload();
    let Ok(Answer::Hello(hello)) = Answer::decode(&payload) else { return None };
    let hello = Answer::Hello(Hello { dictionary: None, ..hello });
    let mut frame = vec![0; FRAME];
    let len = encode_frame(said.header, &hello, &mut frame).ok()?;
    frame.truncate(len);
    Some(frame)
}

fn vault<C: Crypto, F: NorFlash>(flash: F) -> FlashVault<F, C::Key> {
    match FlashVault::new(flash, 0..(C::PAGES * PAGE_LEN) as u32) {
        Ok(vault) => vault,
        Err(fault) => unreachable!("two slots of whole pages: {fault}"),
    }
}

/// A device's name lives as long as its firmware does. Each is kept once, however many devices
/// bear it one after the other.
fn kept(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(name) = names.get(name) {
        return name;
    }
    let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
    names.insert(name);
    name
}

impl<C: Crypto> Ram<C> {
    fn of(name: &'static str) -> Box<Self> {
        let subject = match Subject::new(name) {
            Ok(subject) => subject,
            Err(fault) => unreachable!("a device serial is a common name: {fault}"),
        };
        let enrollee = match Enrollee::new(subject, Line::<FRAME>::LIMITS) {
            Ok(enrollee) => enrollee,
            Err(fault) => unreachable!("it was a device serial before: {fault}"),
        };
        let (line, overheard) = (Line::new(), Deframer::new());
        Box::new(Self { line, enrollee, late: None, overheard, staged: Vec::new() })
    }
}

impl Acknowledged {
    /// Whether this answer promised anything.
    fn take(&mut self, answer: &Overheard<'_>) -> bool {
        if !matches!(answer.kind(), kind::KEY | kind::COMMITTED | kind::SEALED) {
            return false;
        }
        match Answer::decode(&answer.payload()) {
            Ok(Answer::Key { public }) => {
                let key = PublicKey::from_sec1(public).ok();
                self.key_changed |= self.key.is_some() && self.key != key;
                self.key = key;
            }
            Ok(Answer::Committed { delivery_sha256 }) => {
                self.stage = self.stage.max(Some(Stage::Certified));
                let before = self.delivery_sha256.replace(delivery_sha256);
                self.superseded.extend(before.filter(|before| *before != delivery_sha256));
            }
            Ok(Answer::Sealed) => self.stage = Some(Stage::Sealed),
            _ => return false,
        }
        true
    }

    fn hold_against(&mut self, found: &Found) -> Result<(), Broken> {
        if self.sealed.as_ref().is_some_and(|sealed| sealed != found) {
            return Err(Broken::SealedChanged);
        }
        if let Some(acknowledged) = self.stage
            && found.stage < acknowledged
        {
            return Err(Broken::StageLost { acknowledged, found: found.stage });
        }
        let lost = self.key.is_some_and(|acknowledged| found.key != Some(acknowledged));
        if lost || self.key_changed {
            return Err(Broken::KeyChanged);
        }
        let delivery_sha256 = found.delivery_sha256;
        if delivery_sha256.is_some_and(|sha256| self.superseded.contains(&sha256)) {
            return Err(Broken::DeliveryLost);
        }
        if self.stage == Some(Stage::Sealed) && self.sealed.is_none() {
            if self.delivery_sha256 != delivery_sha256 {
                return Err(Broken::DeliveryLost);
            }
            self.sealed = Some(found.clone());
        }
        Ok(())
    }
}

/// What is in a flash, without its manners: for reading.
struct Image(Vec<u8>);

impl ErrorType for Image {
    type Error = Infallible;
}

impl ReadNorFlash for Image {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(&self.0[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.0.len()
    }
}

impl NorFlash for Image {
    const WRITE_SIZE: usize = 1;
    const ERASE_SIZE: usize = PAGE_LEN;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), Infallible> {
        self.0[from as usize..to as usize].fill(0xff);
        Ok(())
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), Infallible> {
        self.0[offset as usize..][..bytes.len()].copy_from_slice(bytes);
        Ok(())
    }
}

/// Entropy that comes again for the same seed: for tests, and for nothing else.
#[derive(Debug, Clone)]
pub struct SeededEntropy(pub Random);

impl Entropy for SeededEntropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        out.fill_with(|| self.0.bits() as u8);
        Ok(())
    }
}
