//! Stands in for the crate `p256` 0.13 where embedded-tls uses it, and does the work in assembler.
//!
//! embedded-tls fixes its key agreement to `p256::ecdh`. A firmware that has P-256 in assembler would
//! carry a second one for that alone, and wait for it: more than half of a handshake. With
//!
//! ```toml
//! [patch.crates-io]
//! p256 = { path = "…/crates/p256-on-asm" }
//! ```
//!
//! in the manifest of the firmware's workspace, agreement is the assembler's too. Names and
//! signatures are those of `p256`; there are no more of them than embedded-tls 0.19 calls, so whoever
//! needs others finds out when compiling.
//!
//! For Cortex-M4, M7 and M33, as `provision-p256-asm`.
#![no_std]

pub mod ecdh;
pub mod ecdsa;
mod point;

pub use elliptic_curve;
use elliptic_curve::bigint::U256;
use elliptic_curve::consts::U32;
use elliptic_curve::sec1::ValidatePublicKey;
use elliptic_curve::{Curve, FieldBytesEncoding};
pub use point::{EncodedPoint, PublicKey};

/// The curve, as far as its private keys are parsed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct NistP256;

impl Curve for NistP256 {
    type FieldBytesSize = U32;
    type Uint = U256;

    /// SP 800-186 section 3.2.1.3.
    const ORDER: U256 =
        U256::from_be_hex("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551");
}

impl FieldBytesEncoding<NistP256> for U256 {}

// As `p256` without arithmetic: the public half of a parsed key is not compared.
impl ValidatePublicKey for NistP256 {}

/// A private key, as it is parsed.
pub type SecretKey = elliptic_curve::SecretKey<NistP256>;
