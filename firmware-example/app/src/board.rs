//! What a board brings along.

use core::fmt;
use core::net::Ipv4Addr;
use core::ops::Range;

use embedded_io::{Read, ReadReady, Write};
use embedded_storage::nor_flash::NorFlash;
use provision_csr::{RawEntropy, SoftwareKey, VerifyP256};

/// The types of a board's parts.
pub trait Board {
    /// The serial line to the station.
    ///
    /// `read` waits for a byte, `read_ready` does not. What arrives while the program computes must not be
    /// lost: receive by interrupt or DMA, into room for the largest question.
    type Line: Read + Write + ReadReady;

    /// The flash that has the vault.
    type Flash: NorFlash;

    /// Where the vault is in the flash, in bytes from its beginning: two slots of whole pages, of 4 KiB each or
    /// more.
    const VAULT_RANGE: Range<u32>;

    /// The identity key: `PortableKey`, or one that is faster on this chip.
    type Key: SoftwareKey;

    /// What checks signatures: `PortableP256`, or one that is faster on this chip.
    type P256: VerifyP256 + Sync + 'static;

    /// The chip's generator of random numbers, as raw as it comes: the firmware puts the health tests around it.
    type Entropy: RawEntropy;

    /// Time.
    type Clock: Clock;

    /// Where the log goes; what cannot be written is lost.
    type Log: fmt::Write;

    /// How deep the stack was.
    type Stack: StackGauge;
}

/// A board's parts, taken apart so that each can be borrowed by itself.
pub struct Parts<B: Board> {
    /// The serial number on the label: 1 to 64 bytes of printable ASCII.
    pub device_serial: &'static str,
    /// See [`Board::Line`].
    pub line: B::Line,
    /// See [`Board::Flash`].
    pub flash: B::Flash,
    /// See [`Board::Entropy`].
    pub entropy: B::Entropy,
    /// See [`Board::Clock`].
    pub clock: B::Clock,
    /// See [`Board::Log`].
    pub log: B::Log,
    /// See [`Board::Stack`].
    pub stack: B::Stack,
}

impl<B: Board> fmt::Debug for Parts<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts").field("device_serial", &self.device_serial).finish_non_exhaustive()
    }
}

/// A clock.
pub trait Clock {
    /// Seconds since 1970-01-01 UTC; `None` while the board does not know. The time that was written at
    /// enrollment is then the best guess there is.
    fn unix_seconds(&mut self) -> Option<u64>;

    /// Waits.
    fn sleep_ms(&mut self, duration_ms: u32);
}

/// A TCP/IP network.
pub trait Network {
    /// What goes wrong.
    type Error: fmt::Display;

    /// A connection; closed when dropped.
    type Stream<'a>: Read + Write
    where
        Self: 'a;

    /// Waits until the network is up, and gives the address it has here.
    ///
    /// # Errors
    ///
    /// When it does not come up in reasonable time.
    fn up(&mut self) -> Result<Ipv4Addr, Self::Error>;

    /// Connects to a host, by name if the network can resolve names.
    ///
    /// # Errors
    ///
    /// When there is no connection in reasonable time.
    fn connect(&mut self, host: &str, port: u16) -> Result<Self::Stream<'_>, Self::Error>;
}

/// Tells how much stack was used.
pub trait StackGauge {
    /// The most that was in use at any time since reset, in bytes.
    fn high_water_bytes(&self) -> usize;
}
