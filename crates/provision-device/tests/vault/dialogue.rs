//! A device whose power may be lost, with the real `Line`, `Enrollee` and `FlashVault`, and a station
//! that speaks to it in the real messages; what the device has said is durable, and is held against
//! its flash.

use core::fmt::Debug;

use provision_csr::{Entropy, PublicKey, Subject, VerifyP256};
use provision_device::{Enrollee, FlashVault, Line, Stage, Vault, VaultFault};
use provision_testkit::flash::{Cut, PowerCutFlash};
use provision_testkit::toy_p256::{ToyKey, ToyP256};
use provision_wire::{
    Answer, Ask, Deframer, Event, Header, Kind, Refusal, VersionRange, encode_frame, proof_message,
};
use sha2_device::{Digest, Sha256};

use crate::factory::{self, Cloud};
use crate::harness::{State, TestEntropy, observe};
use crate::shared_flash::SharedFlash;

pub(crate) const NAME: &str = "sensor-0001";

const FRAME: usize = 600;
const STAGING: usize = 2048;
/// Room for a delivery of the [`factory`], in bytes of a slot.
const SLOT_LEN: usize = 224 + 1600;

type DeviceVault<const WRITE: usize, const ERASE: usize> =
    FlashVault<SharedFlash<WRITE, ERASE>, ToyKey>;

/// A device on a station's line.
pub(crate) struct Device<const WRITE: usize, const ERASE: usize> {
    pub(crate) flash: SharedFlash<WRITE, ERASE>,
    ram: Ram<WRITE, ERASE>,
    books: Books,
    asks: u32,
}

/// What is known of a device by those who deal with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Books {
    entropy: TestEntropy,
    /// What its answers have promised.
    acknowledged: State,
    /// What the ask that is not answered yet would make of that.
    under_way: Option<Change>,
    /// Deliveries it was ever given, one after the other.
    delivered: Vec<Vec<u8>>,
}

/// What a power cut takes away.
struct Ram<const WRITE: usize, const ERASE: usize> {
    vault: DeviceVault<WRITE, ERASE>,
    line: Line<FRAME>,
    enrollee: Enrollee<'static, ToyP256, STAGING>,
}

/// A change of what is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    NewKey,
    Store(Vec<u8>),
    Seal,
    Wipe,
}

/// Why a run of the dialogue did not come to its end.
#[derive(Debug)]
pub(crate) enum Broken {
    /// The device has no power: no answer.
    NoPower,
    /// A promise was broken.
    Promise(String),
}

fn promise<T>(what: impl Debug) -> Result<T, Broken> {
    Err(Broken::Promise(format!("{what:?}")))
}

impl<const WRITE: usize, const ERASE: usize> Device<WRITE, ERASE> {
    const RANGE: core::ops::Range<u32> = {
        let page = ERASE as u32;
        page..page + 2 * SLOT_LEN.next_multiple_of(ERASE) as u32
    };

    /// Blank, with a page before and one after the vault's that are not the vault's.
    pub(crate) fn blank() -> Self {
        Self::over(PowerCutFlash::new(Self::RANGE.end as usize / ERASE + 1))
    }

    /// A device that was never switched on before, and whose flash holds this.
    pub(crate) fn found_with(flash: PowerCutFlash<WRITE, ERASE>) -> Self {
        Self::over(flash)
    }

    /// The vault's range of the flash.
    pub(crate) fn range() -> core::ops::Range<usize> {
        Self::RANGE.start as usize..Self::RANGE.end as usize
    }

    /// Its two slots.
    pub(crate) fn slots() -> [core::ops::Range<usize>; 2] {
        let core::ops::Range { start, end } = Self::range();
        let middle = start.midpoint(end);
        [start..middle, middle..end]
    }

    /// All of the flash, with a page before the range and one after.
    pub(crate) fn flash_len() -> usize {
        Self::range().end + ERASE
    }

    fn over(flash: PowerCutFlash<WRITE, ERASE>) -> Self {
        let flash = SharedFlash::new(flash);
        Self {
            ram: Ram::over(&flash),
            flash,
            books: Books {
                entropy: TestEntropy::new(),
                acknowledged: State::BLANK,
                under_way: None,
                delivered: Vec::new(),
            },
            asks: 0,
        }
    }

    /// Another device just like it, switched on anew, whose operations count from 0.
    pub(crate) fn duplicate(&self) -> Self {
        let mut flash = self.flash.look().clone();
        flash.forget_journal();
        let flash = SharedFlash::new(flash);
        Self { ram: Ram::over(&flash), flash, books: self.books.clone(), asks: self.asks }
    }

    pub(crate) fn cut_at(&self, cut: Cut) {
        self.flash.touch().cut_at(cut);
    }

    pub(crate) fn is_powered(&self) -> bool {
        self.flash.look().is_powered()
    }

    pub(crate) const fn books(&self) -> &Books {
        &self.books
    }

    pub(crate) fn acknowledged(&self) -> &State {
        &self.books.acknowledged
    }

    /// Power comes back: what the vault says must be what was acknowledged, or that and what was
    /// under way. Takes what it says for acknowledged from here on. `Ok(false)`: it was lost again.
    pub(crate) fn power_on(&mut self) -> Result<bool, String> {
        self.flash.power_on();
        self.ram = Ram::over(&self.flash);
        let found = match observe(&mut self.ram.vault) {
            Ok(found) => found,
            Err(VaultFault::Flash) if !self.is_powered() => return Ok(false),
            Err(VaultFault::Corrupt) if matches!(self.books.under_way, Some(Change::Wipe)) => {
                return Ok(true);
            }
            Err(fault) => return Err(format!("after power-on: {fault}")),
        };
        if found != self.books.acknowledged {
            let after = self.books.under_way.as_ref().map(|change| self.after(change, found.key));
            if after.as_ref() != Some(&found) {
                return Err(format!(
                    "{found:?} is neither before nor after {:?}",
                    self.books.under_way
                ));
            }
            self.books.acknowledged = found;
            if self.books.acknowledged.stage == Stage::Blank {
                return Ok(true);
            }
        }
        // A wipe that was cut is to be asked for again: until then both may be there.
        if !matches!(self.books.under_way, Some(Change::Wipe)) {
            self.books.under_way = None;
            self.check_gone()?;
        }
        Ok(true)
    }

    /// For rework, at the bench. `Ok(false)`: power was lost.
    pub(crate) fn wipe(&mut self) -> Result<bool, String> {
        self.books.under_way = Some(Change::Wipe);
        match self.ram.vault.wipe() {
            Ok(()) => {
                self.acknowledge().map_err(|broken| format!("{broken:?}"))?;
                Ok(true)
            }
            Err(VaultFault::Flash) if !self.is_powered() => Ok(false),
            Err(fault) => Err(format!("while wiping: {fault}")),
        }
    }

    /// One run of the dialogue, from `Hello` to the proof of what is sealed (or left open). Power
    /// lost is `Ok(false)`.
    pub(crate) fn enroll(&mut self, cloud: Cloud, seal: bool) -> Result<bool, String> {
        match self.dialogue(cloud, seal) {
            Ok(()) => Ok(true),
            Err(Broken::NoPower) => Ok(false),
            Err(Broken::Promise(what)) => Err(what),
        }
    }

    /// `Hello`: the stage, or why not.
    pub(crate) fn greet(&mut self) -> Result<Result<Stage, Refusal>, String> {
        let ask = Ask::Hello { versions: VersionRange::OURS };
        let look = |answer: &Answer<'_>| match answer {
            Answer::Hello(hello) => Some(Ok(hello.stage)),
            Answer::Refused(refusal) => Some(Err(*refusal)),
            _ => None,
        };
        self.ask(self.asks, &ask, look).map_err(|broken| format!("{broken:?}"))
    }

    fn dialogue(&mut self, cloud: Cloud, seal: bool) -> Result<(), Broken> {
        // Another session each time.
        let session = self.asks;
        let stage = self.hello(session)?;
        if stage != Stage::Sealed {
            let public = self.key(session)?;
            self.csr(session)?;
            self.deliver(session, &factory::delivery(&public, cloud))?;
            self.prove(session)?;
            if seal {
                self.books.under_way = Some(Change::Seal);
                let sealed = |answer: &Answer<'_>| matches!(answer, Answer::Sealed).then_some(());
                self.ask(session, &Ask::Seal, sealed)?;
                self.acknowledge()?;
            }
        }
        self.prove(session)
    }

    fn hello(&mut self, session: u32) -> Result<Stage, Broken> {
        let stage =
            self.ask(
                session,
                &Ask::Hello { versions: VersionRange::OURS },
                |answer| match answer {
                    Answer::Hello(hello) => Some(hello.stage),
                    _ => None,
                },
            )?;
        if stage == self.books.acknowledged.stage {
            Ok(stage)
        } else {
            promise(("says", stage, &self.books.acknowledged.stage))
        }
    }

    fn key(&mut self, session: u32) -> Result<PublicKey, Broken> {
        let is_new = self.books.acknowledged.stage == Stage::Blank;
        if is_new {
            self.books.under_way = Some(Change::NewKey);
        }
        let public = self.ask(session, &Ask::Key, |answer| match answer {
            Answer::Key { public } => PublicKey::from_sec1(*public).ok(),
            _ => None,
        })?;
        if is_new {
            self.acknowledge()?;
        }
        if self.books.acknowledged.key == Some(public) {
            Ok(public)
        } else {
            promise(("another key", public))
        }
    }

    fn csr(&mut self, session: u32) -> Result<(), Broken> {
        let ask = Ask::Csr { challenge: [7; 32] };
        let (len, sha256) = self.ask(session, &ask, |answer| match answer {
            Answer::Csr { len, csr_sha256 } => Some((*len as usize, *csr_sha256)),
            _ => None,
        })?;
        let mut csr = Vec::new();
        while csr.len() < len {
            let offset = csr.len() as u32;
            let piece = self.ask(session, &Ask::Read { offset }, |answer| match answer {
                Answer::Chunk { bytes, .. } => Some(bytes.to_vec()),
                _ => None,
            })?;
            csr.extend(piece);
        }
        if *Sha256::digest(&csr) == sha256 { Ok(()) } else { promise("another CSR") }
    }

    fn deliver(&mut self, session: u32, delivery: &[u8]) -> Result<(), Broken> {
        for (number, bytes) in delivery.chunks(500).enumerate() {
            let offset = 500 * number as u32;
            self.ask(session, &Ask::Put { offset, bytes }, |answer| match answer {
                Answer::Stored { have } => {
                    (*have as usize == 500 * number + bytes.len()).then_some(())
                }
                _ => None,
            })?;
        }
        let delivery_sha256 = Sha256::digest(delivery).into();
        if self.books.delivered.last().is_none_or(|last| last != delivery) {
            self.books.delivered.push(delivery.to_vec());
        }
        self.books.under_way = Some(Change::Store(delivery.to_vec()));
        let ask = Ask::Commit { delivery_sha256 };
        self.ask(session, &ask, |answer| {
            (*answer == Answer::Committed { delivery_sha256 }).then_some(())
        })?;
        self.acknowledge()
    }

    fn prove(&mut self, session: u32) -> Result<(), Broken> {
        let challenge = [9; 32];
        let proof = self.ask(session, &Ask::Prove { challenge }, |answer| match answer {
            Answer::Proof { signature, leaf_sha256, delivery_sha256 } => {
                Some((*signature, *leaf_sha256, *delivery_sha256))
            }
            _ => None,
        })?;
        let (signature, leaf_sha256, delivery_sha256) = proof;
        let signature = provision_csr::Signature::from_raw(signature);
        let message = proof_message(&challenge, &leaf_sha256, &delivery_sha256);
        let (Some(key), Some(stored)) =
            (&self.books.acknowledged.key, &self.books.acknowledged.delivery)
        else {
            return promise("proves what it does not have");
        };
        let holds =
            ToyP256::verify_digest(key, &Sha256::digest(message).into(), &signature).is_ok();
        if holds && *Sha256::digest(stored) == delivery_sha256 {
            Ok(())
        } else {
            promise("proves something else")
        }
    }

    /// One question, byte by byte; what `look` makes of the answer.
    fn ask<T>(
        &mut self,
        session: u32,
        ask: &Ask<'_>,
        look: impl Fn(&Answer<'_>) -> Option<T>,
    ) -> Result<T, Broken> {
        self.asks += 1;
        let header = Header { kind: Kind::Ask, session, sequence: self.asks as u16 };
        let mut frame = [0; FRAME];
        let len = encode_frame(header, ask, &mut frame).unwrap();

        let Ram { vault, line, enrollee } = &mut self.ram;
        for byte in &frame[..len] {
            let (_, said) = line.hear(*byte, enrollee, vault, &mut self.books.entropy);
            if !self.flash.look().is_powered() {
                // What it was about to say was never sent.
                return Err(Broken::NoPower);
            }
            if let Some(found) = read_answer(said, &look) {
                return found.map_or_else(|| promise(("answered otherwise", ask.name())), Ok);
            }
        }
        promise(("no answer to", ask.name()))
    }

    /// What was under way was answered: it is durable, and what it replaced is gone.
    fn acknowledge(&mut self) -> Result<(), Broken> {
        if let Some(change) = self.books.under_way.take() {
            let key = self.books.entropy.secrets().last().map(ToyKey::public_of);
            self.books.acknowledged = self.after(&change, key);
        }
        self.check_gone().map_err(Broken::Promise)
    }

    fn after(&self, change: &Change, key: Option<PublicKey>) -> State {
        let before = self.books.acknowledged.clone();
        match change {
            Change::NewKey => {
                let known =
                    self.books.entropy.secrets().iter().any(|s| Some(ToyKey::public_of(s)) == key);
                State { stage: Stage::Keyed, key: key.filter(|_| known), delivery: None }
            }
            Change::Store(delivery) => {
                State { stage: Stage::Certified, delivery: Some(delivery.clone()), ..before }
            }
            Change::Seal => State { stage: Stage::Sealed, ..before },
            Change::Wipe => State::BLANK,
        }
    }

    /// Of all secrets the one that counts can be read, once, and nothing that is another delivery's
    /// alone; and outside of the vault's range nothing was written.
    fn check_gone(&self) -> Result<(), String> {
        let flash = self.flash.look();
        // Records keep everything at multiples of 32.
        let readable =
            |unit: &[u8]| flash.bytes().chunks(32).filter(|found| *found == unit).count();

        let State { key, delivery, .. } = &self.books.acknowledged;
        for secret in self.books.entropy.secrets() {
            let expected = usize::from(*key == Some(ToyKey::public_of(&secret)));
            let found = readable(&secret);
            if found != expected {
                return Err(format!("a secret can be read {found} times, not {expected}"));
            }
        }
        let stored = delivery.as_deref().unwrap_or_default();
        for other in self.books.delivered.iter().filter(|other| **other != stored) {
            let own = |unit: &&[u8]| unit.len() == 32 && !stored.chunks(32).any(|s| s == *unit);
            let mut units = other.chunks(32).filter(own).peekable();
            if units.peek().is_none() {
                return Err("the test cannot tell two deliveries apart".to_owned());
            }
            if units.any(|unit| readable(unit) > 0) {
                return Err("a replaced delivery can be read".to_owned());
            }
        }

        let (before, after) = (&flash.bytes()[..ERASE], &flash.bytes()[Self::RANGE.end as usize..]);
        let untouched = |page: &[u8]| page.iter().all(|byte| *byte == 0xff);
        if untouched(before) && untouched(after) {
            Ok(())
        } else {
            Err("wrote outside the range".to_owned())
        }
    }
}

impl<const WRITE: usize, const ERASE: usize> Ram<WRITE, ERASE> {
    fn over(flash: &SharedFlash<WRITE, ERASE>) -> Self {
        let subject = Subject::new(NAME).unwrap();
        Self {
            vault: FlashVault::new(flash.clone(), Device::<WRITE, ERASE>::RANGE).unwrap(),
            line: Line::new(),
            enrollee: Enrollee::new(subject, Line::<FRAME>::LIMITS).unwrap(),
        }
    }
}

/// What `look` makes of the answer in these bytes, if there is one.
fn read_answer<T>(said: &[u8], look: impl Fn(&Answer<'_>) -> T) -> Option<T> {
    let mut deframer = Deframer::<FRAME>::new();
    for byte in said {
        if let Event::Frame(frame) = deframer.push(*byte) {
            return Some(look(&Answer::decode(frame.payload).unwrap()));
        }
    }
    None
}

/// Asks a device that was just switched on for its key; what `look` makes of the answer.
pub(crate) fn ask_for_key<T>(
    vault: &mut impl Vault,
    entropy: &mut impl Entropy,
    look: impl Fn(&Answer<'_>) -> T,
) -> T {
    let subject = Subject::new(NAME).unwrap();
    let mut enrollee = Enrollee::<ToyP256, STAGING>::new(subject, Line::<FRAME>::LIMITS).unwrap();
    let mut line = Line::<FRAME>::new();
    for ask in [Ask::Hello { versions: VersionRange::OURS }, Ask::Key] {
        let header = Header { kind: Kind::Ask, session: 1, sequence: 1 };
        let mut frame = [0; FRAME];
        let len = encode_frame(header, &ask, &mut frame).unwrap();
        for byte in &frame[..len] {
            let (_, said) = line.hear(*byte, &mut enrollee, vault, entropy);
            if ask == Ask::Key
                && let Some(found) = read_answer(said, &look)
            {
                return found;
            }
        }
    }
    panic!("no answer")
}
