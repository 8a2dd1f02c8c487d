//! P-256 identity keys and PKCS#10 certification requests (CSRs), for devices: no `std`, no allocator.
//!
//! ```text
//!   Entropy ──► IdentityKey ──► write_csr(subject, key, challenge) ──► CsrDer
//!                    │
//!                    └──► Signature ◄── VerifyP256 (same trait on device and station)
//! ```
//!
//! The types here are this project's own: no type of a cryptography crate stands in a public
//! signature, so an assembler implementation or a secure element can take the place of the
//! portable one ([`PortableKey`], [`PortableP256`]) without anybody noticing.
//!
//! # Example
//!
//! ```
//! use provision_csr::{
//!     CSR_LEN_MAX, Entropy, IdentityKey, NoEntropy, PortableKey, SoftwareKey, Subject, write_csr,
//! };
//!
//! fn request<'b>(
//!     entropy: &mut impl Entropy,
//!     challenge: &[u8; 32],
//!     out: &'b mut [u8; CSR_LEN_MAX],
//! ) -> Result<&'b [u8], Box<dyn core::error::Error>> {
//!     let key = PortableKey::generate(entropy)?;
//!     let subject = Subject::new("sensor-0042")?.with_organization("Example Sensors")?;
//!     Ok(write_csr(&subject, &key, challenge, out)?.as_bytes())
//! }
//! # struct Hash(u8);
//! # impl Entropy for Hash {
//! #     fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
//! #         for byte in out {
//! #             self.0 = self.0.wrapping_mul(5).wrapping_add(31);
//! #             *byte = self.0;
//! #         }
//! #         Ok(())
//! #     }
//! # }
//! # let mut out = [0; CSR_LEN_MAX];
//! # assert_eq!(request(&mut Hash(1), &[7; 32], &mut out)?[0], 0x30);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! What it deliberately does not do: parse certificates (see `provision-path`), keep keys (see the
//! vault in `provision-device`), or know where randomness comes from ([`Entropy`] is the user's).
#![no_std]
#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod csr;
pub mod der;
mod entropy;
mod key;
mod nonce;
mod order;
#[cfg(feature = "portable")]
mod portable;
mod sample;
mod scrub;
mod sha256;
mod subject;

pub use csr::{CHALLENGE_LEN, CSR_LEN_MAX, CsrDer, CsrError, write_csr};
pub use entropy::{Entropy, NoEntropy, RawEntropy, TestedEntropy};
pub use key::{
    BadSignature, DerSignature, IdentityKey, NotDerSignature, NotUncompressed, PublicKey,
    SignError, Signature, SoftwareKey, StoredKey, VerifyP256,
};
pub use nonce::nonce;
#[cfg(feature = "portable")]
pub use portable::{PortableKey, PortableP256};
pub use sample::sample_scalar;
pub use scrub::scrubbed;
pub use sha256::{Sha256, sha256};
pub use subject::{Subject, SubjectAttribute, SubjectError};
