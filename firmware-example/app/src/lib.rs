//! What the example firmware does, on any board: without an identity it serves enrollment on its line, and
//! with one it connects to its cloud.
//!
//! ```text
//!             reset
//!               │
//!      stage off the vault ──── not sealed ───► serve the line until sealed
//!               │ sealed                         and quiet for a while
//!               ▼                                         │
//!      network up ─► TLS ─► GET / ─► log the status ◄─────┘
//!               │
//!      serve the line: only Hello and Prove are answered now
//! ```
//!
//! A board implements the traits of [`board`] and calls [`Firmware`]:
//!
//! ```no_run
//! use provision_csr::PortableP256;
//! use provision_firmware_app::{
//!     Board, Firmware, LineMemory, Network, OnlineMemory, Parts, StartError,
//! };
//!
//! fn run<B: Board<P256 = PortableP256>>(
//!     parts: Parts<B>,
//!     network: &mut impl Network,
//!     memory: &mut OnlineMemory,
//! ) -> Result<(), StartError> {
//!     static LINE_MEMORY: LineMemory<PortableP256> = LineMemory::new();
//!
//!     let mut firmware = Firmware::start(parts, &LINE_MEMORY)?;
//!     firmware.enroll();
//!     firmware.go_online(network, memory);
//!     firmware.serve()
//! }
//! ```
//!
//! All memory is the caller's or the stack's, and known at compile time. `unsafe` is the board's business, not
//! ours.
#![no_std]

pub mod board;
mod firmware;
pub mod http;
mod online;

pub use board::{Board, Clock, Network, Parts, StackGauge};
pub use firmware::{DELIVERY_LEN_MAX, FRAME_LEN_MAX, Firmware, LineMemory, StartError};
pub use online::{OnlineMemory, TLS_READ_LEN, TLS_WRITE_LEN};
