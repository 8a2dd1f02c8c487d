//! From reset to sealed: the part of the firmware that needs no network.

use core::fmt::{self, Write};

use embedded_io::ReadReady;
use provision_csr::{Subject, SubjectError, TestedEntropy, VerifyP256};
use provision_device::{Enrollee, FlashRangeError, FlashVault, Line, Served, Stage, Vault};
use provision_wire::{DeviceSerial, DeviceSerialFault, Refusal};
use static_cell::{ConstStaticCell, StaticCell};

use crate::board::{Board, Clock, Parts, StackGauge};

/// Longest frame on the line, in bytes: larger ones mean fewer turns, and twice their length in RAM.
pub const FRAME_LEN_MAX: usize = 600;

/// Longest delivery, in bytes: leaf, issuing CA, device root, server root and the endpoint take 2,000 to 2,500. Under one CA of
/// RSA-4096 it is 2,900.
pub const DELIVERY_LEN_MAX: usize = 3072;

/// After sealing, how long the line must be quiet before anything else is done: the station may not have heard
/// the last answer, and ask again.
/// It repeats a slow question after five seconds.
const QUIET_AFTER_SEAL_MS: u32 = 6_000;

/// How often the line is looked at while it is waited for silence.
const LOOK_EVERY_MS: u32 = 10;

/// The buffers of the line: for a static. `P` is the board's [`P256`](Board::P256).
pub struct LineMemory<P: 'static> {
    line: ConstStaticCell<Line<FRAME_LEN_MAX>>,
    enrollee: StaticCell<Enrollee<'static, P, DELIVERY_LEN_MAX>>,
}

impl<P> LineMemory<P> {
    /// Fresh memory.
    #[must_use]
    pub const fn new() -> Self {
        Self { line: ConstStaticCell::new(Line::new()), enrollee: StaticCell::new() }
    }
}

impl<P: VerifyP256 + 'static> LineMemory<P> {
    /// The line and its enrollee: for a device of this name, which is its subject's common name.
    ///
    /// # Panics
    ///
    /// If it was taken before.
    #[inline]
    #[must_use]
    pub fn take(
        &'static self,
        device: DeviceSerial,
        subject: Subject<'static>,
    ) -> (&'static mut Line<FRAME_LEN_MAX>, &'static mut Enrollee<'static, P, DELIVERY_LEN_MAX>)
    {
        let limits = Line::<FRAME_LEN_MAX>::LIMITS;
        let enrollee = self.enrollee.init_with(|| Enrollee::for_device(device, subject, limits));
        (self.line.take(), enrollee)
    }
}

impl<P> Default for LineMemory<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P> fmt::Debug for LineMemory<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineMemory").finish_non_exhaustive()
    }
}

/// The firmware on its board.
pub struct Firmware<B: Board> {
    pub(crate) device_serial: &'static str,
    pub(crate) vault: FlashVault<B::Flash, B::Key>,
    pub(crate) entropy: TestedEntropy<B::Entropy>,
    pub(crate) clock: B::Clock,
    pub(crate) log: B::Log,
    serial: B::Line,
    stack: B::Stack,
    line: &'static mut Line<FRAME_LEN_MAX>,
    enrollee: &'static mut Enrollee<'static, B::P256, DELIVERY_LEN_MAX>,
    /// As it was read last.
    logged_stage: Option<Stage>,
}

impl<B: Board> fmt::Debug for Firmware<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Firmware")
            .field("device_serial", &self.device_serial)
            .field("stage", &self.logged_stage)
            .finish_non_exhaustive()
    }
}

/// Why the firmware does not start. Each is a mistake in the making of the device, none can come from the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartError {
    /// The device serial is none.
    DeviceSerial(DeviceSerialFault),
    /// The device serial cannot stand in a certificate's name.
    Subject(SubjectError),
    /// The flash does not have the vault's place.
    Flash(FlashRangeError),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // In few words: the errors' own would be a kilobyte of flash, for what is seen at a desk once.
            Self::DeviceSerial(_) | Self::Subject(_) => {
                f.write_str("device serial: not 1 to 64 of A-Z a-z 0-9 . _ : -")
            }
            Self::Flash(_) => f.write_str("vault: its range is not two slots of whole pages"),
        }
    }
}

impl core::error::Error for StartError {}

impl<B: Board> Firmware<B> {
    /// Takes the board into use, and logs who the device is and how far it has come.
    ///
    /// # Errors
    ///
    /// [`StartError`]
    ///
    /// # Panics
    ///
    /// If `memory` was given to a firmware before.
    pub fn start(
        parts: Parts<B>,
        memory: &'static LineMemory<B::P256>,
    ) -> Result<Self, StartError> {
        let Parts { device_serial, line: serial, flash, entropy, clock, log, stack } = parts;
        let subject = Subject::new(device_serial).map_err(StartError::Subject)?;
        let device = DeviceSerial::new(device_serial).map_err(StartError::DeviceSerial)?;
        let (line, enrollee) = memory.take(device, subject);
        let mut firmware = Self {
            device_serial,
            vault: FlashVault::new(flash, B::VAULT_RANGE).map_err(StartError::Flash)?,
            entropy: TestedEntropy::new(entropy),
            clock,
            log,
            serial,
            stack,
            line,
            enrollee,
            logged_stage: None,
        };
        let version = env!("CARGO_PKG_VERSION");
        let _ = writeln!(firmware.log, "boot: example firmware {version}, device {device_serial}");
        firmware.log_stage();
        Ok(firmware)
    }

    /// Serves the line until the device is sealed and the line quiet; returns at once if it was sealed before. A device
    /// that was left open with an identity serves the line only until it is quiet: it has work to do.
    ///
    /// A vault that cannot be read is no reason to give up: the station is told so each time it asks.
    pub fn enroll(&mut self) {
        if self.logged_stage == Some(Stage::Sealed) {
            return;
        }
        let _ = writeln!(self.log, "line ready");
        while self.logged_stage < Some(Stage::Certified) {
            self.serve_byte();
        }
        self.serve_until_quiet(QUIET_AFTER_SEAL_MS);
        self.log_stack("enrollment");
    }

    /// The line, for a board that wants to look at its own.
    pub const fn line(&self) -> &B::Line {
        &self.serial
    }

    /// Serves the line and does nothing else, for good.
    pub fn serve(&mut self) -> ! {
        let _ = writeln!(self.log, "line ready");
        loop {
            self.serve_byte();
        }
    }

    /// Serves the line until nothing came for so long.
    pub(crate) fn serve_until_quiet(&mut self, quiet_ms: u32) {
        let mut was_quiet_ms = 0;
        while was_quiet_ms < quiet_ms {
            if matches!(self.serial.read_ready(), Ok(true)) {
                self.serve_byte();
                was_quiet_ms = 0;
            } else {
                self.clock.sleep_ms(LOOK_EVERY_MS);
                was_quiet_ms += LOOK_EVERY_MS;
            }
        }
    }

    /// Logs how much stack was used since reset.
    pub(crate) fn log_stack(&mut self, after: &str) {
        let bytes = self.stack.high_water_bytes();
        let _ = writeln!(self.log, "stack high-water={bytes} bytes after {after}");
    }

    /// Waits for a byte, and answers if it ended a question.
    fn serve_byte(&mut self) {
        let Self { serial, line, enrollee, vault, entropy, log, .. } = self;
        match line.serve(serial, enrollee, vault, entropy) {
            Ok(Served::Answered { refusal }) => {
                if let Some(refusal) = refusal {
                    // By its number: the station has the words, and here they would be two kilobytes.
                    let _ = writeln!(log, "line: refused, code {}", refusal.code());
                }
                self.log_stage();
            }
            // Noise is nothing new on a line, and the port has told the next read of its error.
            Ok(Served::Listened | Served::Noise) | Err(_) => {}
        }
    }

    /// Reads the stage, which costs the vault a digest, and logs it when it is another than the last time.
    fn log_stage(&mut self) {
        match self.vault.stage() {
            Ok(stage) if self.logged_stage == Some(stage) => {}
            Ok(stage) => {
                self.logged_stage = Some(stage);
                let _ = writeln!(self.log, "stage={stage}");
            }
            Err(fault) => {
                // By the number of the refusal that the station gets to hear.
                let code = Refusal::from(fault).code();
                let _ = writeln!(self.log, "vault: fault, code {code}");
            }
        }
    }
}
