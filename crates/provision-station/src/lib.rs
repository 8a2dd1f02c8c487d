//! The station's half of the provisioning dialogue: what must be proven before a device counts as
//! enrolled, and the machine that asks for it. Needs an allocator; does no IO, reads no clock,
//! takes no randomness.
//!
//! ```text
//!   driver ──Input──► Enrollment ──Output──► driver          (port, CA, ledger, screen are its)
//!                         │
//!                      Exchange   one question, its answer, all the patience
//!                         │
//!                      evidence   Csr → ProvenCsr → ApprovedCsr → Chain → Enrolled
//! ```
//!
//! The CA and the ledger are outputs and inputs, not callbacks: an HSM may take seconds, and a
//! test plays both.
//!
//! What it deliberately does not do: hold a CA's key (`provision-issuer`), remember devices
//! (`provision-ledger`), or open a port (`tools/provision`).
#![no_std]

extern crate alloc;

pub mod enrollment;
pub mod evidence;
pub mod exchange;

pub use enrollment::{Enrollment, EnrollmentFault, Input, Output, Plan};
