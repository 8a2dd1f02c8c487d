//! What is to be emulated.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::monitor;
use super::network::escape;
use super::{Emulator, Network, QemuError};

/// A board and what is connected to it. Started as often as wanted; each start is a reset.
#[derive(Debug, Clone)]
pub struct Machine {
    program: OsString,
    firmware: PathBuf,
    flash_file: Option<PathBuf>,
    log_file: Option<PathBuf>,
    network: Network,
    args: Vec<String>,
    counts_instructions: bool,
}

impl Machine {
    /// Arm's MPS2 board with FPGA image AN386: Cortex-M4, 25 MHz, five CMSDK serial ports, LAN9118 Ethernet,
    /// and 16 MB of PSRAM at `0x2100_0000`, which is the flash here.
    #[must_use]
    pub fn mps2_an386() -> Self {
        Self {
            program: "qemu-system-arm".into(),
            firmware: PathBuf::new(),
            flash_file: None,
            log_file: None,
            network: Network::None,
            args: Vec::new(),
            counts_instructions: false,
        }
    }

    /// The image to run: an ELF file, or a plain binary for address 0.
    #[must_use]
    pub fn firmware(mut self, image: impl Into<PathBuf>) -> Self {
        self.firmware = image.into();
        self
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
    pub fn counting_instructions(mut self) -> Self {
        self.counts_instructions = true;
        self
    }

    /// Another QEMU than the `qemu-system-arm` of the search path.
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
        super::flash_file::ensure(&flash)
            .map_err(|source| QemuError::Flash { path: flash.clone(), source })?;
        let nic = self
            .network
            .nic(scratch.path())
            .map_err(|source| QemuError::System { doing: "writing the relay", source })?;
        let arguments = self.arguments(&flash, &nic, &monitor::option(scratch.path()));
        Emulator::start(&self.program, &arguments, self.log_file.as_deref(), scratch)
    }

    fn arguments(&self, flash: &Path, nic: &str, qmp: &str) -> Vec<OsString> {
        let flash = escape(&flash.to_string_lossy());
        let mut semihosting = String::from("enable=on,target=native");
        // By convention the first argument is the program's name.
        for arg in ["firmware"].into_iter().chain(self.args.iter().map(String::as_str)) {
            semihosting.push_str(",arg=");
            semihosting.push_str(&escape(arg));
        }
        let mut arguments: Vec<OsString> = [
            "-cpu",
            "cortex-m4",
            "-object",
            &format!(
                "memory-backend-file,id=flash,size={},mem-path={flash},share=on",
                super::FLASH_LEN
            ),
            "-machine",
            "mps2-an386,memory-backend=flash",
            "-display",
            "none",
            "-monitor",
            "none",
            "-qmp",
            qmp,
            // The log on our pipe. QEMU says there, too, and first, what the line's port is.
            "-chardev",
            "stdio,id=log,signal=off",
            "-serial",
            "chardev:log",
            "-chardev",
            "pty,id=line",
            "-serial",
            "chardev:line",
            "-nic",
            nic,
            "-semihosting-config",
            &semihosting,
        ]
        .map(OsString::from)
        .into();
        if self.counts_instructions {
            arguments.extend(["-icount", "shift=0"].map(OsString::from));
        }
        arguments.push("-kernel".into());
        arguments.push(self.firmware.clone().into());
        arguments
    }
}
