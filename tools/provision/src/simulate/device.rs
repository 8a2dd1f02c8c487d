//! A simulated device: the library as firmware has it, over flash in memory.

use core::fmt;

use embedded_storage::nor_flash::{
    ErrorType, NorFlash, NorFlashError, NorFlashErrorKind, ReadNorFlash,
};
use provision_csr::{Entropy, NoEntropy, PortableKey, PortableP256, Subject};
use provision_device::{Enrollee, FlashVault, Line, Served, Stage, Vault as _};
use provision_wire::{Ask, Deframer, Delivery, DeviceSerial, Event};
use sha2_device::{Digest as _, Sha256};

/// Longest frame and delivery it takes, in bytes.
const FRAME: usize = 600;
const DELIVERY: usize = 3072;
/// Its flash: pages of this length, so many of them.
const PAGE_LEN: usize = 4096;
const PAGES: usize = 4;
/// Program unit, in bytes.
const WRITE: usize = 4;

type Ram<'n> = (Line<FRAME>, Enrollee<'n, PortableP256, DELIVERY>);

/// A device with flash that survives, and RAM that does not.
pub(super) struct Device<'n> {
    serial: DeviceSerial,
    /// Whom its CSR names: itself, unless it is the wrong one.
    subject: &'n str,
    vault: FlashVault<Flash, PortableKey>,
    ram: Ram<'n>,
    listening: Deframer<FRAME>,
    /// Times its power was cut.
    pub(super) power_cuts: u64,
}

impl<'n> Device<'n> {
    /// A blank one, whose CSR will name `subject`.
    pub(super) fn blank(serial: &DeviceSerial, subject: &'n str) -> Self {
        let flash = Flash { bytes: vec![0xff; PAGE_LEN * PAGES], left: None };
        let vault = match FlashVault::new(flash, 0..(PAGE_LEN * PAGES) as u32) {
            Ok(vault) => vault,
            Err(fault) => unreachable!("two slots of whole pages: {fault}"),
        };
        let ram = switched_on(serial, subject);
        Self {
            serial: serial.clone(),
            subject,
            vault,
            ram,
            listening: Deframer::new(),
            power_cuts: 0,
        }
    }

    /// Which it is.
    pub(super) const fn serial(&self) -> &DeviceSerial {
        &self.serial
    }

    /// How far it is. `None` if its flash cannot be read.
    pub(super) fn stage(&mut self) -> Option<Stage> {
        self.vault.stage().ok()
    }

    /// SHA-256 of the certificate it stores, if it stores one.
    pub(super) fn leaf_sha256(&mut self) -> Option<[u8; 32]> {
        let mut buffer = [0; DELIVERY];
        let stored = self.vault.read_delivery(&mut buffer).ok()??;
        let delivery = Delivery::decode(stored).ok()?;
        Some(Sha256::digest(delivery.leaf).into())
    }

    /// The power goes within so many flash operations.
    pub(super) fn cut_power_in(&mut self, operations: u32) {
        self.with_flash(|flash| flash.left = Some(operations));
    }

    /// Takes bytes off the line; returns what it answers. If the power was cut meanwhile, it is on
    /// again when this returns, and the answer is what a boot loader prints.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut said = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let (line, enrollee) = &mut self.ram;
            let (served, answer) =
                line.hear_some(&mut rest, enrollee, &mut self.vault, &mut SystemEntropy);
            if self.vault.flash().left == Some(0) {
                self.power_cuts += 1;
                self.with_flash(|flash| flash.left = None);
                self.ram = switched_on(&self.serial, self.subject);
                return b"\r\n*** Booting simulated firmware ***\r\n".to_vec();
            }
            if let Served::Answered { .. } = served {
                said.extend_from_slice(answer);
            }
        }
        said
    }

    /// The questions that end in these bytes, by name.
    pub(super) fn questions(&mut self, bytes: &[u8]) -> Vec<&'static str> {
        let mut rest = bytes;
        let mut questions = Vec::new();
        while !rest.is_empty() {
            if let Event::Frame(frame) = self.listening.push_some(&mut rest)
                && let Ok(ask) = Ask::decode(frame.payload)
            {
                questions.push(ask.name());
            }
        }
        questions
    }

    /// Flash is reached by taking the vault apart; it is mounted anew, as after a reset.
    fn with_flash(&mut self, change: impl FnOnce(&mut Flash)) {
        let empty = Flash { bytes: vec![0xff; PAGE_LEN * PAGES], left: None };
        let range = 0..(PAGE_LEN * PAGES) as u32;
        let mount = |flash| match FlashVault::new(flash, range.clone()) {
            Ok(vault) => vault,
            Err(fault) => unreachable!("two slots of whole pages: {fault}"),
        };
        let mut flash = core::mem::replace(&mut self.vault, mount(empty)).into_inner();
        change(&mut flash);
        self.vault = mount(flash);
    }
}

fn switched_on<'n>(serial: &DeviceSerial, subject: &'n str) -> Ram<'n> {
    let subject = match Subject::new(subject) {
        Ok(subject) => subject,
        Err(fault) => unreachable!("a device serial is a common name: {fault}"),
    };
    (Line::new(), Enrollee::for_device(serial.clone(), subject, Line::<FRAME>::LIMITS))
}

/// Random numbers of the system: these keys are as good as any of its.
struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        getrandom::fill(out).map_err(|_| NoEntropy)
    }
}

/// NOR flash whose power can go.
struct Flash {
    bytes: Vec<u8>,
    /// Operations until the power goes, if it will. With 0 it is gone.
    left: Option<u32>,
}

impl Flash {
    /// Whether the next operation is done whole.
    fn lasts(&mut self) -> bool {
        match &mut self.left {
            None => true,
            Some(left) => {
                *left = left.saturating_sub(1);
                *left > 0
            }
        }
    }
}

/// The power is gone.
#[derive(Debug)]
struct NoPower;

impl fmt::Display for NoPower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the power is gone")
    }
}

impl core::error::Error for NoPower {}

impl NorFlashError for NoPower {
    fn kind(&self) -> NorFlashErrorKind {
        NorFlashErrorKind::Other
    }
}

impl ErrorType for Flash {
    type Error = NoPower;
}

impl ReadNorFlash for Flash {
    const READ_SIZE: usize = 1;

    fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), NoPower> {
        if self.left == Some(0) {
            return Err(NoPower);
        }
        bytes.copy_from_slice(&self.bytes[offset as usize..][..bytes.len()]);
        Ok(())
    }

    fn capacity(&self) -> usize {
        self.bytes.len()
    }
}

impl NorFlash for Flash {
    const WRITE_SIZE: usize = WRITE;
    const ERASE_SIZE: usize = PAGE_LEN;

    fn erase(&mut self, from: u32, to: u32) -> Result<(), NoPower> {
        let (from, to) = (from as usize, to as usize);
        if self.left == Some(0) {
            return Err(NoPower);
        }
        // Half of it is erased when the power goes.
        let done = if self.lasts() { to } else { from + (to - from) / 2 };
        self.bytes[from..done].fill(0xff);
        if done == to { Ok(()) } else { Err(NoPower) }
    }

    fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), NoPower> {
        if self.left == Some(0) {
            return Err(NoPower);
        }
        let whole = self.lasts();
        let done = if whole { bytes.len() } else { bytes.len() / 2 / WRITE * WRITE };
        for (stored, byte) in self.bytes[offset as usize..].iter_mut().zip(&bytes[..done]) {
            *stored &= byte;
        }
        if whole { Ok(()) } else { Err(NoPower) }
    }
}
