//! The device's half of the provisioning dialogue: no `std`, no allocator, no IO of its own.
//!
//! ```text
//!   serial line ──► Line ──frame──► Enrollee::handle(frame, vault, entropy) ──Answer──► Line ──►
//!                                        │
//!                                     Vault (two slots of flash, or a secure element)
//! ```
//!
//! The device answers and never asks: it needs no clock, no retries and no memory of what was said
//! before. Its [`Stage`] is read off the vault at each question and kept nowhere else, so power
//! may be cut anywhere; and no answer runs ahead of what is durable.
//!
//! # Example
//!
//! A main loop. The serial port, the flash range and the entropy source are the board's.
//!
//! ```no_run
//! use embedded_io::{Read, Write};
//! use embedded_storage::nor_flash::NorFlash;
//! use provision_csr::{Entropy, PortableKey, PortableP256, Subject};
//! use provision_device::{Enrollee, FlashVault, Line, Served, Stage, Vault, VaultFault};
//!
//! fn provision(
//!     mut serial: impl Read + Write,
//!     flash: impl NorFlash,
//!     entropy: &mut impl Entropy,
//! ) -> Result<(), VaultFault> {
//!     let mut vault = FlashVault::<_, PortableKey>::new(flash, 0..0x4000).expect("whole pages");
//!     let subject = Subject::new("sensor-0001").expect("a short name");
//!     let mut line = Line::<600>::new();
//!     let mut enrollee =
//!         Enrollee::<PortableP256, 3072>::new(subject, Line::<600>::LIMITS).expect("a device serial");
//!     while vault.stage()? != Stage::Sealed {
//!         // The stage is worth reading again after an answer. A firmware serves on a little after
//!         // the seal: the station may not have heard, and ask again.
//!         while !matches!(
//!             line.serve(&mut serial, &mut enrollee, &mut vault, entropy),
//!             Ok(Served::Answered { .. })
//!         ) {}
//!     }
//!     Ok(())
//! }
//! ```
//!
//! What it deliberately does not do: open ports, draw randomness, log, or decide when the line is
//! served. Machines return facts ([`Served`]); the application logs them.
#![no_std]
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod enrollee;
mod line;
mod staging;
mod vault;

pub use enrollee::{Enrollee, Limits};
pub use line::{Line, Served};
pub use provision_wire::Stage;
pub use vault::{FlashRangeError, FlashVault, Vault, VaultFault};
