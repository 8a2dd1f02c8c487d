//! The device: from reset to its work.

use core::fmt::Write;

use board_qemu_common::device_serial::{DEVICE_SERIAL_LEN_MAX, on_command_line};
use board_qemu_mps2_an386::board::{Key, Mps2An386, P256};
use board_qemu_mps2_an386::clock::BoardClock;
use board_qemu_mps2_an386::entropy::HostEntropy;
use board_qemu_mps2_an386::flash::EmulatedFlash;
use board_qemu_mps2_an386::stack::PaintedStack;
use board_qemu_mps2_an386::uart::{self, Log};
use embassy_futures::select::select;
use heapless::String;
use provision_csr::{Subject, TestedEntropy};
use provision_device::{Enrollee, FlashVault, Line, Served, Stage, Vault};
use provision_firmware_app::{
    Board, Clock, DELIVERY_LEN_MAX, FRAME_LEN_MAX, LineMemory, StackGauge, StartError,
};
use provision_wire::DeviceSerial;
use static_cell::StaticCell;

use crate::line::AsyncLine;
use crate::online::Network;

/// What the device is made of, taken into use.
pub(crate) struct Parts {
    pub(crate) line: uart::Line,
    pub(crate) flash: EmulatedFlash,
    pub(crate) entropy: HostEntropy,
    pub(crate) log: Log,
}

/// All the device does: enrolls if it must, connects, and serves its line.
#[embassy_executor::task]
pub(crate) async fn run(parts: Parts) {
    let mut device = match Device::start(parts) {
        Ok(device) => device,
        Err(error) => panic!("{error}"),
    };
    device.enroll().await;
    match Network::bring_up(&mut device.entropy) {
        Ok(Network { stack, mut runner }) => {
            // The network has its turn whenever this waits.
            select(runner.run(), device.go_online(stack)).await;
        }
        Err(cause) => {
            let _ = writeln!(device.log, "online: {cause}");
        }
    }
    let _ = writeln!(device.log, "line ready");
    loop {
        device.serve_byte().await;
    }
}

/// The device's state.
pub(crate) struct Device {
    pub(crate) device_serial: &'static str,
    pub(crate) vault: FlashVault<EmulatedFlash, Key>,
    pub(crate) entropy: TestedEntropy<HostEntropy>,
    pub(crate) log: Log,
    port: AsyncLine,
    line: &'static mut Line<FRAME_LEN_MAX>,
    enrollee: &'static mut Enrollee<'static, P256, DELIVERY_LEN_MAX>,
    /// As it was read last.
    pub(crate) stage: Option<Stage>,
}

impl Device {
    fn start(parts: Parts) -> Result<Self, StartError> {
        static DEVICE_SERIAL: StaticCell<String<DEVICE_SERIAL_LEN_MAX>> = StaticCell::new();
        static MEMORY: LineMemory<P256> = LineMemory::new();

        let Parts { line: port, flash, entropy, log } = parts;
        let device_serial = DEVICE_SERIAL.init_with(on_command_line).as_str();
        let subject = Subject::new(device_serial).map_err(StartError::Subject)?;
        let serial = DeviceSerial::new(device_serial).map_err(StartError::DeviceSerial)?;
        let (line, enrollee) = MEMORY.take(serial, subject);
        let mut device = Self {
            device_serial,
            vault: FlashVault::new(flash, Mps2An386::VAULT_RANGE).map_err(StartError::Flash)?,
            entropy: TestedEntropy::new(entropy),
            log,
            port: AsyncLine(port),
            line,
            enrollee,
            stage: None,
        };
        let version = env!("CARGO_PKG_VERSION");
        let _ = writeln!(device.log, "boot: embassy firmware {version}, device {device_serial}");
        device.log_stage();
        Ok(device)
    }

    /// Waits for a byte, and answers if it ended a question.
    pub(crate) async fn serve_byte(&mut self) {
        let Self { port, line, enrollee, vault, entropy, log, .. } = self;
        let Ok(served) = line.serve_async(port, enrollee, vault, entropy).await;
        if let Served::Answered { refusal } = served {
            if let Some(refusal) = refusal {
                let _ = writeln!(log, "line: refused, code {}", refusal.code());
            }
            self.log_stage();
        }
    }

    /// The date, or the latest it can have been.
    pub(crate) fn unix_seconds(&self) -> Option<u64> {
        BoardClock::running().unix_seconds()
    }

    pub(crate) fn log_stack(&mut self, after: &str) {
        let bytes = PaintedStack.high_water_bytes();
        let _ = writeln!(self.log, "stack high-water={bytes} bytes after {after}");
    }

    fn log_stage(&mut self) {
        match self.vault.stage() {
            Ok(stage) if self.stage == Some(stage) => {}
            Ok(stage) => {
                self.stage = Some(stage);
                let _ = writeln!(self.log, "stage={stage}");
            }
            Err(fault) => {
                let _ = writeln!(self.log, "vault: {fault}");
            }
        }
    }
}
