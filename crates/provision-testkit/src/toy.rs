//! A toy factory's CA, and the cryptography that goes with it.
//!
//! ```text
//!   ToyKey ──signs──► Signature ◄──checks── ToyP256         hashes of 64 bits (toy_p256)
//!   ToyCa ──► ToyIssuer: certificates in real DER, signed by a ToyKey
//! ```
//!
//! Everything that reads keys, signatures and certificates is the real thing and cannot tell: keys
//! are 65 bytes that begin with `04`, signatures are two INTEGERs, certificates are X.509.

mod certificate;
mod issuer;

pub use issuer::{ToyCa, ToyIssuer};

use crate::crypto::Crypto;
use crate::toy_p256::{ToyKey, ToyP256};

/// The toy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Toy;

impl Crypto for Toy {
    type Key = ToyKey;
    type Verify = ToyP256;
    const PAGES: usize = 6;
}
