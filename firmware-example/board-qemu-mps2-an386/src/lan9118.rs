//! The board's Ethernet controller: a [`smoltcp::phy::Device`], polled, with an interrupt for who would rather be
//! told.
//!
//! Registers and the order of things: *LAN9118 High-Performance Single-Chip 10/100 Ethernet Controller*,
//! Microchip DS00002266, chapters 3 and 5.

use core::fmt;

use smoltcp::phy::{self, DeviceCapabilities, Medium};
use smoltcp::time::Instant;
use smoltcp::wire::EthernetAddress;

use board_qemu_common::register::Register;

/// Longest frame without its checksum, in bytes.
const FRAME_LEN_MAX: usize = 1514;
/// The controller appends the frame check sequence to what it received.
const CHECKSUM_LEN: usize = 4;

/// The controller, with room for one frame in each direction.
pub struct Lan9118 {
    registers: Registers,
    received: [u8; FRAME_LEN_MAX],
    sent: [u8; FRAME_LEN_MAX],
}

/// The controller did not come up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lan9118Error {
    /// Something else answers at its address: the byte-test register held this.
    NotThere {
        /// What was read; expected `0x8765_4321`.
        byte_test: u32,
    },
    /// It did not come out of its reset.
    NotReady,
}

impl fmt::Display for Lan9118Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotThere { byte_test } => {
                write!(
                    f,
                    "no LAN9118: byte test read {byte_test:#010x}, expected {BYTE_TEST:#010x}"
                )
            }
            Self::NotReady => f.write_str("the LAN9118 did not come out of reset"),
        }
    }
}

impl Lan9118 {
    /// The controller, not yet brought up. `const`, so that its buffers can live in a static.
    #[must_use]
    pub const fn new() -> Self {
        Self { registers: Registers::BOARD, received: [0; FRAME_LEN_MAX], sent: [0; FRAME_LEN_MAX] }
    }

    /// Resets the controller, switches both directions on, and reads the address it was given.
    ///
    /// # Errors
    ///
    /// [`Lan9118Error`]
    pub fn bring_up(&mut self) -> Result<EthernetAddress, Lan9118Error> {
        let r = &self.registers;
        // The test pattern is there to find the byte order and a bus that works (DS00002266 5.3.9).
        let byte_test = r.byte_test.read();
        if byte_test != BYTE_TEST {
            return Err(Lan9118Error::NotThere { byte_test });
        }
        r.hw_cfg.write(HW_CFG_SOFT_RESET);
        if (0..RESET_POLLS).all(|_| r.hw_cfg.read() & HW_CFG_SOFT_RESET != 0) {
            return Err(Lan9118Error::NotReady);
        }
        // Bit 20 "must be one"; 5 kB of the FIFO memory for sending.
        r.hw_cfg.write(HW_CFG_MUST_BE_ONE | 5 << 16);
        // As the board's interrupt controller wants it; before, the pin is the other way round.
        r.irq_cfg.write(IRQ_CFG_ENABLE | IRQ_CFG_ACTIVE_HIGH | IRQ_CFG_PUSH_PULL);
        r.interrupt_enable.write(0);
        r.rx_cfg.write(0);
        r.tx_cfg.write(TX_CFG_ON);
        // Restart of autonegotiation on the internal transceiver (its register 0).
        r.write_phy(0, 0x1200);
        r.write_mac(MAC_CR, MAC_CR_FULL_DUPLEX | MAC_CR_TX_ENABLE | MAC_CR_RX_ENABLE);

        let [a, b, c, d] = r.read_mac(MAC_ADDRESS_LOW).to_le_bytes();
        let [e, f, _, _] = r.read_mac(MAC_ADDRESS_HIGH).to_le_bytes();
        Ok(EthernetAddress([a, b, c, d, e, f]))
    }

    /// Whether a frame is waiting, good or not.
    #[must_use]
    pub fn has_received(&self) -> bool {
        self.registers.has_received()
    }

    /// Asks for one interrupt, when the next frame arrives; at once, if one did since
    /// [`Lan9118::forget_received`].
    pub fn interrupt_on_receive(&mut self) {
        let r = &self.registers;
        // More than none in the FIFO of statuses (DS00002266 5.3.17).
        r.fifo_interrupt.write(0);
        r.interrupt_enable.write(INTERRUPT_RX_STATUS_LEVEL);
    }

    /// Forgets that frames arrived so far; they are to be looked for now.
    pub fn forget_received(&mut self) {
        self.registers.interrupt_status.write(INTERRUPT_RX_STATUS_LEVEL);
    }

    /// Takes the next good frame out of the FIFO into `received`, and gives its length.
    fn take_frame(&mut self) -> Option<usize> {
        let r = &self.registers;
        while r.has_received() {
            let status = r.rx_status_fifo.read();
            let len_on_wire = ((status >> 16) & 0x3fff) as usize;
            let words = len_on_wire.div_ceil(4);
            let len = len_on_wire.saturating_sub(CHECKSUM_LEN);
            let good = status & RX_STATUS_ERROR == 0 && (1..=FRAME_LEN_MAX).contains(&len);
            // All words must leave the FIFO, wanted or not.
            let mut rest: &mut [u8] = if good { &mut self.received[..len] } else { &mut [] };
            for _ in 0..words {
                let word = r.rx_data_fifo.read().to_le_bytes();
                let (now, later) = rest.split_at_mut(rest.len().min(word.len()));
                now.copy_from_slice(&word[..now.len()]);
                rest = later;
            }
            if good {
                return Some(len);
            }
        }
        None
    }
}

/// The interrupt that [`Lan9118::interrupt_on_receive`] asked for: no more of it comes until the next asking. For a
/// program that handles `ETHERNET`.
pub fn on_interrupt() {
    Registers::BOARD.interrupt_enable.write(0);
}

impl Default for Lan9118 {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Lan9118 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lan9118").finish_non_exhaustive()
    }
}

impl phy::Device for Lan9118 {
    type RxToken<'a> = RxToken<'a>;
    type TxToken<'a> = TxToken<'a>;

    fn receive(&mut self, _now: Instant) -> Option<(RxToken<'_>, TxToken<'_>)> {
        if !self.registers.has_room_to_send() {
            return None;
        }
        let len = self.take_frame()?;
        Some((
            RxToken { frame: &mut self.received[..len] },
            TxToken { registers: self.registers, frame: &mut self.sent },
        ))
    }

    fn transmit(&mut self, _now: Instant) -> Option<TxToken<'_>> {
        let room = self.registers.has_room_to_send();
        room.then_some(TxToken { registers: self.registers, frame: &mut self.sent })
    }

    fn capabilities(&self) -> DeviceCapabilities {
        let mut capabilities = DeviceCapabilities::default();
        capabilities.medium = Medium::Ethernet;
        capabilities.max_transmission_unit = FRAME_LEN_MAX;
        capabilities.max_burst_size = Some(1);
        capabilities
    }
}

/// A frame that was received.
#[derive(Debug)]
pub struct RxToken<'a> {
    frame: &'a mut [u8],
}

impl<'a> RxToken<'a> {
    /// The frame, without its checksum.
    #[must_use]
    pub fn into_frame(self) -> &'a mut [u8] {
        self.frame
    }
}

impl phy::RxToken for RxToken<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, read: F) -> R {
        read(self.frame)
    }
}

/// Leave to send a frame.
#[derive(Debug)]
pub struct TxToken<'a> {
    registers: Registers,
    frame: &'a mut [u8; FRAME_LEN_MAX],
}

impl phy::TxToken for TxToken<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, len: usize, write: F) -> R {
        // smoltcp asks for no more than `capabilities` offers.
        let frame = &mut self.frame[..len];
        let result = write(frame);
        let r = self.registers;
        r.tx_data_fifo.write(TX_COMMAND_FIRST | TX_COMMAND_LAST | len as u32);
        r.tx_data_fifo.write(len as u32);
        for bytes in frame.chunks(4) {
            let mut word = [0; 4];
            word[..bytes.len()].copy_from_slice(bytes);
            r.tx_data_fifo.write(u32::from_le_bytes(word));
        }
        // The status of what was sent is not looked at, but must not fill its FIFO.
        while (r.tx_fifo_info.read() >> 16) & 0xff != 0 {
            let _ = r.tx_status_fifo.read();
        }
        result
    }
}

#[derive(Debug, Clone, Copy)]
struct Registers {
    rx_data_fifo: Register,
    tx_data_fifo: Register,
    rx_status_fifo: Register,
    tx_status_fifo: Register,
    irq_cfg: Register,
    interrupt_status: Register,
    interrupt_enable: Register,
    fifo_interrupt: Register,
    byte_test: Register,
    rx_cfg: Register,
    tx_cfg: Register,
    hw_cfg: Register,
    rx_fifo_info: Register,
    tx_fifo_info: Register,
    mac_command: Register,
    mac_data: Register,
}

impl Registers {
    /// The board's one controller.
    const BOARD: Self = {
        const fn at(offset: usize) -> Register {
            // SAFETY: the controller's registers (Arm AN386, table 3-1; DS00002266, table 5-1). It does no
            // DMA: frames go through the FIFO registers, word by word.
            unsafe { Register::new(0x4020_0000 + offset) }
        }
        Self {
            rx_data_fifo: at(0x00),
            tx_data_fifo: at(0x20),
            rx_status_fifo: at(0x40),
            tx_status_fifo: at(0x48),
            irq_cfg: at(0x54),
            interrupt_status: at(0x58),
            interrupt_enable: at(0x5c),
            fifo_interrupt: at(0x68),
            byte_test: at(0x64),
            rx_cfg: at(0x6c),
            tx_cfg: at(0x70),
            hw_cfg: at(0x74),
            rx_fifo_info: at(0x7c),
            tx_fifo_info: at(0x80),
            mac_command: at(0xa4),
            mac_data: at(0xa8),
        }
    };

    fn has_received(&self) -> bool {
        (self.rx_fifo_info.read() >> 16) & 0xff != 0
    }

    fn has_room_to_send(&self) -> bool {
        // Two command words go in front of a frame.
        (self.tx_fifo_info.read() & 0xffff) as usize >= FRAME_LEN_MAX.next_multiple_of(4) + 8
    }

    /// The MAC's registers are behind two of the controller's (DS00002266 3.12.4.1).
    fn read_mac(&self, index: u32) -> u32 {
        self.wait_for_mac();
        self.mac_command.write(MAC_COMMAND_BUSY | MAC_COMMAND_READ | index);
        self.wait_for_mac();
        self.mac_data.read()
    }

    fn write_mac(&self, index: u32, value: u32) {
        self.wait_for_mac();
        self.mac_data.write(value);
        self.mac_command.write(MAC_COMMAND_BUSY | index);
        self.wait_for_mac();
    }

    fn wait_for_mac(&self) {
        while self.mac_command.read() & MAC_COMMAND_BUSY != 0 {}
    }

    /// The transceiver's registers are behind two of the MAC's (DS00002266 5.4.6).
    fn write_phy(&self, index: u32, value: u32) {
        self.write_mac(MAC_MII_DATA, value);
        self.write_mac(MAC_MII_ACCESS, PHY_ADDRESS << 11 | index << 6 | MII_WRITE | MII_BUSY);
        while self.read_mac(MAC_MII_ACCESS) & MII_BUSY != 0 {}
    }
}

const IRQ_CFG_PUSH_PULL: u32 = 1 << 0;
const IRQ_CFG_ACTIVE_HIGH: u32 = 1 << 4;
const IRQ_CFG_ENABLE: u32 = 1 << 8;
/// More frames in the receive FIFO than asked for.
const INTERRUPT_RX_STATUS_LEVEL: u32 = 1 << 3;
const BYTE_TEST: u32 = 0x8765_4321;
const RESET_POLLS: usize = 1_000_000;
const HW_CFG_SOFT_RESET: u32 = 1 << 0;
const HW_CFG_MUST_BE_ONE: u32 = 1 << 20;
const TX_CFG_ON: u32 = 1 << 1;
const RX_STATUS_ERROR: u32 = 1 << 15;
const TX_COMMAND_FIRST: u32 = 1 << 13;
const TX_COMMAND_LAST: u32 = 1 << 12;
const MAC_COMMAND_BUSY: u32 = 1 << 31;
const MAC_COMMAND_READ: u32 = 1 << 30;
const MAC_CR: u32 = 1;
const MAC_ADDRESS_HIGH: u32 = 2;
const MAC_ADDRESS_LOW: u32 = 3;
const MAC_MII_ACCESS: u32 = 6;
const MAC_MII_DATA: u32 = 7;
const MAC_CR_FULL_DUPLEX: u32 = 1 << 20;
const MAC_CR_TX_ENABLE: u32 = 1 << 3;
const MAC_CR_RX_ENABLE: u32 = 1 << 2;
const PHY_ADDRESS: u32 = 1;
const MII_WRITE: u32 = 1 << 1;
const MII_BUSY: u32 = 1 << 0;
