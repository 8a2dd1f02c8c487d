//! A simulated device: the real `Line`, `Enrollee` and `FlashVault` over flash in memory.

use core::convert::Infallible;
use std::collections::VecDeque;

use embedded_io::{ErrorType, Read, Write};
use embedded_storage::nor_flash::NorFlash;
use provision_csr::{
    Entropy, IdentityKey, NoEntropy, PortableKey, PortableP256, PublicKey, Subject,
};
use provision_device::{Enrollee, FlashVault, Line, Served, Stage, Vault, VaultFault};
use provision_wire::{Answer, Ask, Deframer, DeviceSerial, Event};

use crate::flash::{Cut, Moment, PowerCutFlash};
use crate::planted::{Bug, Late, Planted};
use crate::random::Random;

/// Program unit and page of the simulated part, in bytes.
const WRITE: usize = 4;
const PAGE: usize = 1024;
const PAGES: usize = 8;
/// Longest frame and delivery it takes, in bytes.
const FRAME: usize = 600;
const DELIVERY: usize = 3072;

/// A device with flash that survives, and RAM that does not.
pub struct SimulatedDevice {
    name: &'static str,
    flash: PowerCutFlash<WRITE, PAGE>,
    entropy: SeededEntropy,
    ram: Ram,
    bug: Bug,
    acknowledged: Acknowledged,
    /// Times it was switched on again.
    pub reboots: u32,
}

/// What a power cut takes away.
struct Ram {
    line: Line<FRAME>,
    enrollee: Enrollee<'static, PortableP256, DELIVERY>,
    late: Option<Late>,
    /// Listens along for [`Bug::NewKeyOnRepeat`].
    overheard: Deframer<FRAME>,
}

/// What its answers have promised so far.
#[derive(Debug, Clone, Default)]
struct Acknowledged {
    key: Option<PublicKey>,
    /// It announced two keys.
    key_changed: bool,
    stage: Option<Stage>,
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// An acknowledged stage is gone.
    StageLost {
        /// What an answer had promised.
        acknowledged: Stage,
        /// What the vault says.
        found: Stage,
    },
    /// The key is another one than was announced.
    KeyChanged,
    /// The vault cannot be read.
    Vault(VaultFault),
}

impl SimulatedDevice {
    /// A blank device.
    #[must_use]
    pub fn new(serial: &DeviceSerial, seed: u64, bug: Bug) -> Self {
        // The name lives as long as the firmware does.
        let name: &'static str = Box::leak(serial.as_str().to_owned().into_boxed_str());
        Self {
            name,
            flash: PowerCutFlash::new(PAGES),
            entropy: SeededEntropy(Random::new(seed)),
            ram: Ram::of(name),
            bug,
            acknowledged: Acknowledged::default(),
            reboots: 0,
        }
    }

    /// Plans a power cut, so many flash operations from now.
    pub fn cut_power_in(&mut self, operations: usize, moment: Moment) {
        let operation = self.flash.operations() + operations;
        self.flash.cut_at(Cut { operation, moment });
    }

    /// Whether a power cut has come.
    #[must_use]
    pub fn is_powered(&self) -> bool {
        self.flash.is_powered()
    }

    /// Takes the power away now, and gives it back: RAM is lost.
    pub fn reboot(&mut self) {
        self.flash.power_on();
        self.ram = Ram::of(self.name);
        self.reboots += 1;
    }

    /// Takes bytes off the line; returns what it answers. Nothing, while it is without power.
    pub fn receive(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut serial = Pipe { input: bytes.iter().copied().collect(), output: Vec::new() };
        let Ram { line, enrollee, late, overheard } = &mut self.ram;
        while self.flash.is_powered()
            && let Some(&next) = serial.input.front()
        {
            let mut vault = vault(&mut self.flash);
            if self.bug == Bug::NewKeyOnRepeat && is_key_ask(overheard.push(next)) {
                // Fails only if the power does, which is looked at below.
                let _ = forget_key(&mut vault);
            }
            let mut vault = Planted::new(self.bug, late, vault);
            let before = serial.output.len();
            let served = line.serve(&mut serial, enrollee, &mut vault, &mut self.entropy);
            let powered = self.flash.is_powered();
            if !powered {
                // What it was about to say was never sent.
                serial.output.truncate(before);
            }
            if powered && matches!(served, Ok(Served::Answered { refusal: None })) {
                self.acknowledged.take(&serial.output[before..]);
            }
        }
        serial.output
    }

    /// Holds what the vault says against what was acknowledged (D2).
    ///
    /// # Errors
    ///
    /// [`Broken`] names the promise.
    pub fn check(&mut self) -> Result<(), Broken> {
        let mut vault = vault(&mut self.flash);
        let found = vault.stage().map_err(Broken::Vault)?;
        let key = vault.key().map_err(Broken::Vault)?;
        if let Some(acknowledged) = self.acknowledged.stage
            && found < acknowledged
        {
            return Err(Broken::StageLost { acknowledged, found });
        }
        let found = key.map(|key| key.public_key());
        let lost = self.acknowledged.key.is_some_and(|acknowledged| found != Some(acknowledged));
        if lost || self.acknowledged.key_changed {
            return Err(Broken::KeyChanged);
        }
        Ok(())
    }

    /// The vault, as the firmware would open it.
    pub fn vault(&mut self) -> FlashVault<&mut PowerCutFlash<WRITE, PAGE>, PortableKey> {
        vault(&mut self.flash)
    }
}

fn vault(
    flash: &mut PowerCutFlash<WRITE, PAGE>,
) -> FlashVault<&mut PowerCutFlash<WRITE, PAGE>, PortableKey> {
    match FlashVault::new(flash, 0..(PAGES * PAGE) as u32) {
        Ok(vault) => vault,
        Err(fault) => unreachable!("two slots of whole pages: {fault}"),
    }
}

fn is_key_ask(event: Event<'_>) -> bool {
    matches!(event, Event::Frame(frame) if Ask::decode(frame.payload) == Ok(Ask::Key))
}

fn forget_key<F: NorFlash>(vault: &mut FlashVault<F, PortableKey>) -> Result<(), VaultFault> {
    if vault.stage()? == Stage::Keyed {
        vault.wipe()?;
    }
    Ok(())
}

impl Ram {
    fn of(name: &'static str) -> Self {
        let subject = match Subject::new(name) {
            Ok(subject) => subject,
            Err(fault) => unreachable!("a device serial is a common name: {fault}"),
        };
        let enrollee = match Enrollee::new(subject, Line::<FRAME>::LIMITS) {
            Ok(enrollee) => enrollee,
            Err(fault) => unreachable!("it was a device serial before: {fault}"),
        };
        Self { line: Line::new(), enrollee, late: None, overheard: Deframer::new() }
    }
}

impl Acknowledged {
    fn take(&mut self, answer: &[u8]) {
        let mut deframer = Deframer::<FRAME>::new();
        for &byte in answer {
            let Event::Frame(frame) = deframer.push(byte) else { continue };
            match Answer::decode(frame.payload) {
                Ok(Answer::Key { public }) => {
                    let key = PublicKey::from_sec1(public).ok();
                    self.key_changed |= self.key.is_some() && self.key != key;
                    self.key = key;
                }
                Ok(Answer::Committed { .. }) => self.stage = self.stage.max(Some(Stage::Certified)),
                Ok(Answer::Sealed) => self.stage = Some(Stage::Sealed),
                _ => {}
            }
        }
    }
}

/// A serial port whose other end is this program.
struct Pipe {
    input: VecDeque<u8>,
    output: Vec<u8>,
}

impl ErrorType for Pipe {
    type Error = Infallible;
}

impl Read for Pipe {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize, Infallible> {
        let mut count = 0;
        for place in buf {
            let Some(byte) = self.input.pop_front() else { break };
            *place = byte;
            count += 1;
        }
        Ok(count)
    }
}

impl Write for Pipe {
    fn write(&mut self, buf: &[u8]) -> Result<usize, Infallible> {
        self.output.extend_from_slice(buf);
        Ok(buf.len())
    }

    fn flush(&mut self) -> Result<(), Infallible> {
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
