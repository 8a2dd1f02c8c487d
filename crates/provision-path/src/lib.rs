//! Certificates checked, for devices: no `std`, no allocator.
//!
//! ```text
//!   leaf, issuers ──► check_device_chain ──► ()         the chain a device is about to store:
//!                          │                            link by link, in the order given
//!                      VerifyP256                       one P-256 for both
//!                          │
//!                     rustls-webpki                     a path has to be found
//!                          │
//!   certificates  ──► check_server ──► ServerKey        what a TLS server presented
//! ```
//!
//! What anybody on the network may present is judged by rustls-webpki (RFC 5280 section 6: names,
//! signatures, validity, basicConstraints, pathLen, extended key usage, name constraints, unknown
//! critical extensions), with the signature check borrowed from
//! [`VerifyP256`](provision_csr::VerifyP256). A device's own chain comes from its station, so it is
//! read and checked here, in a tenth of the flash, and refused where it is not plain.
//!
//! In both, three things are insisted on that webpki leaves open: the leaf *names* its purpose in an
//! extended key usage extension, key usage is honoured where it is present (RFC 5280 section
//! 4.2.1.3), and no more than [`SIGNATURES_MAX`] signatures are checked however many ways a peer
//! offers to build a path.
//!
//! A refusal is a fact: which certificate, what was expected, what was found. Certificates are
//! counted from the leaf, which is 0.
//!
//! ```
//! use provision_csr::{PortableP256, PublicKey};
//! use provision_path::{
//!     ChainFault, ForeignSignatures, PathFault, UnixSeconds, check_device_chain,
//! };
//!
//! let ours = PublicKey::from_sec1([0x04; 65])?;
//! let refused = check_device_chain::<PortableP256>(
//!     b"no certificate",
//!     &[],
//!     b"",
//!     &ours,
//!     UnixSeconds(0),
//!     ForeignSignatures::Refused,
//! );
//! assert_eq!(refused, Err(ChainFault::Path(PathFault::Unreadable { certificate: 0 })));
//! # Ok::<(), provision_csr::NotUncompressed>(())
//! ```
//!
//! What it deliberately does not do: revocation (a device has no use for a list it cannot fetch),
//! algorithms other than ECDSA P-256 with SHA-256 (see [`ForeignSignatures`]), and clocks ([`UnixSeconds`] is the caller's).
#![no_std]
// Nothing here may panic on what came over a network or a line.
#![deny(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

mod algorithm;
mod anchor;
mod certificate;
mod device_chain;
mod fault;
mod name;
mod path;
mod server;
mod time;

pub use algorithm::SIGNATURES_MAX;
pub use anchor::{AnchorFault, check_server_anchor};
pub use device_chain::{ChainFault, ForeignSignatures, check_device_chain};
pub use fault::{PathFault, UnixSeconds};
pub use name::{NotAServerName, ServerName};
pub use path::ISSUERS_MAX;
pub use server::{ANCHORS_MAX, ServerFault, ServerKey, check_server};
