//! What a device and a provisioning station say to each other: frames, messages, versions and
//! limits. No `std`, no allocator, no IO; both ends depend on this crate and on nothing of each
//! other.
//!
//! ```text
//!   Ask / Answer      CBOR, integer keys, append-only      docs/protocol.cddl
//!        │
//!     Frame           kind, session, sequence, CRC-32      [`frame`]
//!        │
//!   COBS, 00 at both ends: noise and boot logs between frames are skipped
//! ```
//!
//! The station asks, the device answers, one question is outstanding, and every question may be
//! asked twice. What was delivered is one CBOR document, [`Delivery`], sent in pieces, checked as
//! a whole and stored byte for byte.
//!
//! # Example
//!
//! ```
//! use provision_wire::{Ask, Deframer, Header, Event, Kind, encode_frame};
//!
//! let header = Header { kind: Kind::Ask, session: 7, sequence: 1 };
//! let mut out = [0; 64];
//! let len = encode_frame(header, &Ask::Key, &mut out)?;
//!
//! let mut deframer = Deframer::<64>::new();
//! let mut found = None;
//! // A boot log on the same line does no harm.
//! for &byte in b"boot 1.2 ok\r\n".iter().chain(&out[..len]) {
//!     if let Event::Frame(frame) = deframer.push(byte) {
//!         found = Some((frame.header, Ask::decode(frame.payload) == Ok(Ask::Key)));
//!     }
//! }
//! assert_eq!(found, Some((header, true)));
//! # Ok::<(), provision_wire::DoesNotFit>(())
//! ```
//!
//! What it deliberately does not do: decide anything. Retries and timeouts are the station's,
//! checks are the device's, and the CRC is against noise only: no security rests on it.
#![no_std]
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod answer;
mod ask;
pub mod cbor;
mod delivery;
pub mod frame;
pub mod packed;
mod proof;
mod refusal;
mod serial;
mod stage;

pub use answer::{Answer, Hello};
pub use ask::{Ask, VersionRange};
pub use cbor::{DoesNotFit, Encodable, MessageFault};
pub use delivery::{Delivery, Endpoint, LIST_MAX};
pub use frame::{Deframer, Event, Frame, Header, Kind, Noise, encode_frame};
pub use proof::{proof_message, proof_parts};
pub use refusal::{ChainCause, Refusal};
pub use serial::{DeviceSerial, DeviceSerialFault};
pub use stage::Stage;

/// The newest protocol version this crate speaks.
pub const VERSION: u32 = 1;
/// The oldest protocol version this crate speaks.
pub const VERSION_MIN: u32 = 1;
/// Length of the challenges in `Csr` and `Prove`, in bytes.
pub const CHALLENGE_LEN: usize = 32;
/// The least `ask_len_max` a device may announce, in bytes of payload: every ask but `Put` fits,
/// and `Put` carries at least 64 bytes.
pub const ASK_LEN_MIN: usize = 96;
/// The longest payload of an answer a station must take, in bytes. Devices choose the length of a
/// `Chunk` so that it fits.
pub const ANSWER_LEN_MAX: usize = 1024;
