//! The boards, as QEMU has to be told of them.

/// What all devices of one kind have in common.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Board {
    /// QEMU for its processor.
    pub(super) program: &'static str,
    /// The package of Debian and Ubuntu that has the program.
    pub(super) package: &'static str,
    /// The machine, and what belongs to it.
    pub(super) machine: &'static [&'static str],
    pub(super) image: Image,
    pub(super) flash: Flash,
    pub(super) log: LogPort,
    pub(super) label: Label,
    pub(super) nic: Nic,
}

/// How the firmware gets into the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Image {
    /// `-kernel`
    Kernel,
    /// The loader device: what `-kernel` would start is not the firmware.
    Loader,
}

/// How QEMU plays the flash, and how the flash file comes into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flash {
    /// RAM that *is* the file: `-machine memory-backend=flash`.
    Mapped { len: u64 },
    /// A flash chip on the bus, which writes the file when the firmware writes the chip.
    Chip { unit: u8, len: u64 },
    /// Flash inside the processor's chip, which QEMU knows no file for: loaded from the file at the start, saved to it
    /// when the board is stopped to be killed. Of the flash, the file is this part.
    Saved { address: u64, len: u64 },
}

impl Flash {
    /// Length of the flash file, in bytes.
    pub(super) const fn len(self) -> u64 {
        match self {
            Self::Mapped { len } | Self::Chip { len, .. } | Self::Saved { len, .. } => len,
        }
    }
}

/// Where the firmware logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogPort {
    /// On the first serial port; the line is the second.
    FirstSerial,
    /// By semihosting; the line is the only serial port.
    Semihosting,
}

/// Where the firmware finds its serial number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    /// `device-serial=…` on its command line.
    Argument,
    /// In a page of flash that is programmed with the firmware and otherwise erased.
    Page { address: u64, len: usize },
}

/// Where the network is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nic {
    /// To the controller on the board, of this model.
    OnBoard(&'static str),
    /// To a device that is put on its bus.
    Device(&'static str),
    /// To nothing.
    None,
}

impl Board {
    pub(super) const MPS2_AN386: Self = Self {
        program: "qemu-system-arm",
        package: "qemu-system-arm",
        machine: &["-cpu", "cortex-m4", "-machine", "mps2-an386,memory-backend=flash"],
        image: Image::Kernel,
        flash: Flash::Mapped { len: 16 << 20 },
        log: LogPort::FirstSerial,
        label: Label::Argument,
        nic: Nic::OnBoard("lan9118"),
    };

    pub(super) const MICROBIT: Self = Self {
        program: "qemu-system-arm",
        package: "qemu-system-arm",
        machine: &["-machine", "microbit"],
        image: Image::Kernel,
        flash: Flash::Saved { address: 0x3_dc00, len: 8 << 10 },
        log: LogPort::Semihosting,
        label: Label::Page { address: 0x3_fc00, len: 1 << 10 },
        nic: Nic::None,
    };

    pub(super) const RISCV32_VIRT: Self = Self {
        program: "qemu-system-riscv32",
        package: "qemu-system-misc",
        machine: &[
            "-cpu",
            "rv32",
            "-machine",
            "virt",
            "-m",
            "64M",
            "-bios",
            "none",
            // Virtio as it has been since version 1.0; QEMU's default here is the draft before.
            "-global",
            "virtio-mmio.force-legacy=false",
            "-device",
            "virtio-rng-device",
        ],
        image: Image::Loader,
        flash: Flash::Chip { unit: 1, len: 32 << 20 },
        log: LogPort::Semihosting,
        label: Label::Argument,
        nic: Nic::Device("virtio-net-device"),
    };
}
