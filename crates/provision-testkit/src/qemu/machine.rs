//! What is to be emulated.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::board::{Board, Flash, Image, Label, LogPort};
use super::flash_file::{self, Saved};
use super::network::escape;
use super::{Emulator, Network, QemuError};
use super::{bus, monitor};

/// A board and what is connected to it. Started as often as wanted; each start is a reset.
#[derive(Debug, Clone)]
pub struct Machine {
    board: &'static Board,
    program: OsString,
    firmware: PathBuf,
    device_serial: Option<String>,
    flash_file: Option<PathBuf>,
    log_file: Option<PathBuf>,
    network: Network,
    args: Vec<String>,
    /// Nanoseconds that an instruction takes, as a power of two; `None` for the host's time.
    instruction_ns_log2: Option<u8>,
}

impl Machine {
    /// Arm's MPS2 board with FPGA image AN386: Cortex-M4, 25 MHz, five CMSDK serial ports, LAN9118 Ethernet,
    /// and 16 MB of PSRAM at `0x2100_0000`, which is the flash here.
    #[must_use]
    pub fn mps2_an386() -> Self {
        Self::of(&Board::MPS2_AN386)
    }

    /// The BBC micro:bit: nRF51822, a Cortex-M0 with 16 KB of RAM and 256 KB of flash. Its one serial port is the line;
    /// the firmware logs by semihosting. There is no network.
    ///
    /// Of the flash, the 8 KiB at `0x3_dc00` are kept; the page behind them is the label. QEMU forgets both when it
    /// ends: [`Emulator::kill`] and [`Emulator::shutdown`] save the flash to its file, and nothing else does.
    #[must_use]
    pub fn microbit() -> Self {
        Self::of(&Board::MICROBIT)
    }

    /// QEMU's own RISC-V board, with 32 bits: one serial port, which is the line; two flash chips, of which the second
    /// is the flash here (32 MB at `0x2200_0000`, in sectors of 256 KiB); a clock with the date; and on its virtio bus
    /// a random number generator and, with a network, a network card. The firmware is in RAM, and logs by semihosting.
    #[must_use]
    pub fn riscv32_virt() -> Self {
        Self::of(&Board::RISCV32_VIRT)
    }

    fn of(board: &'static Board) -> Self {
        Self {
            board,
            program: board.program.into(),
            firmware: PathBuf::new(),
            device_serial: None,
            flash_file: None,
            log_file: None,
            network: Network::None,
            args: Vec::new(),
            instruction_ns_log2: None,
        }
    }

    /// The image to run: an ELF file, or a plain binary for address 0.
    #[must_use]
    pub fn firmware(mut self, image: impl Into<PathBuf>) -> Self {
        self.firmware = image.into();
        self
    }

    /// The serial number of this device, put where the firmware of this board looks for it: the argument
    /// `device-serial=…`, or a page of flash.
    #[must_use]
    pub fn device_serial(mut self, serial: impl Into<String>) -> Self {
        self.device_serial = Some(serial.into());
        self
    }

    /// Length of this board's flash file, in bytes.
    #[must_use]
    pub fn flash_len(&self) -> u64 {
        self.board.flash.len()
    }

    /// The file that is the flash; made (erased) at the start if there is none. Without one, each start has a
    /// fresh flash.
    #[must_use]
    pub fn flash_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.flash_file = Some(path.into());
        self
    }

    /// A file that the log is copied to, line by line. Written anew at each start.
    #[must_use]
    pub fn log_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.log_file = Some(path.into());
        self
    }

    /// What the Ethernet port is connected to. [`Network::None`] if not said.
    #[must_use]
    pub fn network(mut self, network: Network) -> Self {
        self.network = network;
        self
    }

    /// One more argument of the firmware, which reads them by semihosting (SYS_GET_CMDLINE), separated by
    /// spaces.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// More arguments, as [`Machine::arg`].
    #[must_use]
    pub fn args(mut self, args: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Lets the board's time be what it computed: an instruction takes a nanosecond, and a program without input
    /// counts the same each run. Instructions are not cycles.
    #[must_use]
    pub fn counting_instructions(self) -> Self {
        self.at_instruction_ns(0)
    }

    /// The same with 2^`log2` nanoseconds for an instruction: 5 is a part of 31 million instructions a second. A program
    /// is late by its own doing then, and not because this machine has other things to do. While the program sleeps,
    /// time passes as it does for the host, or slower.
    #[must_use]
    pub fn at_instruction_ns(mut self, log2: u8) -> Self {
        self.instruction_ns_log2 = Some(log2);
        self
    }

    /// Another QEMU than the board's of the search path.
    #[must_use]
    pub fn program(mut self, program: impl Into<OsString>) -> Self {
        self.program = program.into();
        self
    }

    /// Resets the board. Returns when the line has its port; the firmware runs then.
    ///
    /// # Errors
    ///
    /// [`QemuError`]
    pub fn start(&self) -> Result<Emulator, QemuError> {
        if !self.firmware.is_file() {
            return Err(QemuError::NoFirmware { path: self.firmware.clone() });
        }
        let scratch = tempfile::Builder::new().prefix("emulator-").tempdir().map_err(|source| {
            QemuError::System { doing: "making a temporary directory", source }
        })?;
        let flash = match &self.flash_file {
            Some(path) => path.clone(),
            None => scratch.path().join("flash"),
        };
        flash_file::ensure(&flash, self.board.flash.len())
            .map_err(|source| QemuError::Flash { path: flash.clone(), source })?;
        let nic = self.network.arguments(self.board.nic, scratch.path())?;
        let label = self
            .write_label(scratch.path())
            .map_err(|source| QemuError::System { doing: "writing the label", source })?;
        let sockets = [monitor::option(scratch.path()), bus::option(scratch.path())];

        let mut arguments = self.arguments(&flash, &sockets);
        arguments.extend(nic);
        arguments.extend(label);
        let saved = match self.board.flash {
            Flash::Saved { address, len } => Some(Saved { file: flash, address, len }),
            Flash::Mapped { .. } | Flash::Chip { .. } => None,
        };
        let program = (&*self.program, self.board.package);
        Emulator::start(program, &arguments, self.log_file.as_deref(), saved, scratch)
    }

    fn arguments(&self, flash: &Path, [qmp, qtest]: &[String; 2]) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = self.board.machine.iter().map(OsString::from).collect();
        let mut add = |words: &[&str]| arguments.extend(words.iter().map(OsString::from));

        add(&["-display", "none", "-monitor", "none", "-qmp", qmp]);
        add(&["-qtest", qtest, "-qtest-log", "none"]);
        // The log on our pipe. QEMU says there, too, and first, what the line's port is.
        add(&["-chardev", "stdio,id=log,signal=off", "-chardev", "pty,id=line"]);
        let mut semihosting = String::from("enable=on,target=native");
        match self.board.log {
            LogPort::FirstSerial => add(&["-serial", "chardev:log"]),
            LogPort::Semihosting => semihosting.push_str(",chardev=log"),
        }
        add(&["-serial", "chardev:line"]);
        // By convention the first argument is the program's name.
        let words = ["firmware"].into_iter().chain(self.args.iter().map(String::as_str));
        for word in words.map(str::to_owned).chain(self.label_argument()) {
            semihosting.push_str(",arg=");
            semihosting.push_str(&escape(&word));
        }
        add(&["-semihosting-config", &semihosting]);

        let file = escape(&flash.to_string_lossy());
        match self.board.flash {
            Flash::Mapped { len } => {
                let memory = "memory-backend-file,id=flash,share=on";
                add(&["-object", &format!("{memory},size={len},mem-path={file}")]);
            }
            Flash::Chip { unit, .. } => {
                add(&["-drive", &format!("if=pflash,unit={unit},format=raw,file={file}")]);
            }
            Flash::Saved { address, .. } => {
                add(&["-device", &format!("loader,addr={address:#x},force-raw=on,file={file}")]);
            }
        }
        if let Some(log2) = self.instruction_ns_log2 {
            add(&["-icount", &format!("shift={log2}")]);
        }
        let firmware = self.firmware.to_string_lossy();
        match self.board.image {
            Image::Kernel => add(&["-kernel", &firmware]),
            Image::Loader => add(&["-device", &format!("loader,file={}", escape(&firmware))]),
        }
        arguments
    }

    fn label_argument(&self) -> Option<String> {
        let serial = self.device_serial.as_ref().filter(|_| self.board.label == Label::Argument)?;
        Some(format!("device-serial={serial}"))
    }

    /// Programs the page with the serial number, where the board has one.
    fn write_label(&self, scratch: &Path) -> io::Result<Vec<OsString>> {
        let (Label::Page { address, len }, Some(serial)) = (self.board.label, &self.device_serial)
        else {
            return Ok(Vec::new());
        };
        let mut page = serial.clone().into_bytes();
        if page.len() >= len {
            return Err(io::Error::other(format!("a serial number of {} bytes", page.len())));
        }
        page.resize(len, 0xff);
        let path = scratch.join("label");
        fs::write(&path, page)?;
        let file = escape(&path.to_string_lossy());
        let loader = format!("loader,addr={address:#x},force-raw=on,file={file}");
        Ok(vec!["-device".into(), loader.into()])
    }
}
