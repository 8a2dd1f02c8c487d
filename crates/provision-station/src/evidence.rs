//! Evidence as values: each step's check returns the only value the next step accepts.
//!
//! ```text
//!   bytes ─parse→ Csr ─prove_possession(challenge)→ ProvenCsr ─Policy::decide(standing)→ ApprovedCsr
//!         ─Issuer→ Chain ─(delivered; confirm(proof))→ Enrolled ─Ledger→ recorded
//! ```
//!
//! So signing a CSR nobody proved, or recording a device that proved nothing, does not compile.

mod chain;
mod csr;
mod policy;
mod proof;
mod text;

pub use chain::{CertSerial, Chain, ChainFault};
pub use csr::{Csr, CsrFault, PossessionFault, ProvenCsr};
pub use policy::{ApprovedCsr, Decision, LiveCertificate, Policy, PolicyFault, Standing};
pub use proof::{Enrolled, ProofFault, StoredProof};
