//! P-256 in assembler for Cortex-M4, M7 and M33 (Armv7E-M, and Armv8-M Mainline with the DSP
//! extension), behind the traits of `provision-csr`: [`AsmKey`] where portable firmware has
//! `PortableKey`, [`AsmP256`] where it has `PortableP256`. Key and CSR take a tenth of the
//! instructions, a handshake a sixth to a seventh; `docs/benchmarks.md` has the figures and their
//! commands.
//!
//! The arithmetic is Emil Lenngren's P256-Cortex-M4, as the crate `p256-cortex-m4-sys` packages it:
//! C and assembler, so a build needs `arm-none-eabi-gcc`. What is written here is the part
//! around it: ranges, byte order and wiping. Whoever uses this crate hashes by
//! `provision-sha256-asm` too, RFC 6979's numbers among others.
//!
//! # What was read in the assembler's sources
//!
//! **Ranges.** Verification refuses `r` and `s` outside `1..n`, coordinates outside `0..p`, and
//! points off the curve. Making a public key refuses scalars outside `1..n`. Agreement checks
//! the other's point, and *not* its own scalar: here no scalar gets there that did not make
//! a public key before ([`AgreementKey`]).
//!
//! **Constant time.** Scalar multiplication, the inversion modulo `n` (a fixed number of
//! division steps) and everything else that handles a secret has no branch that depends on it.
//! Table look-ups depend on secrets by *address*: constant time on these parts as long as the
//! memory behind has no data cache, which Cortex-M4 and M33 have not; **on a Cortex-M7 with
//! its data cache on for the stack's memory, they are not constant time**. Verification is not
//! constant time and handles nothing secret.
//!
//! **Wiping.** The assembler leaves intermediate values on the stack: the stack it used is
//! overwritten after each operation with the identity key (`provision_csr::scrubbed`), and what
//! holds secrets in Rust is wiped when dropped.
//!
//! On any other target this crate is empty, so that a workspace with it can be checked anywhere.
#![no_std]

#[cfg(has_umaal)]
mod agreement;
#[cfg(has_umaal)]
mod curve;
#[cfg(has_umaal)]
mod key;
#[cfg(has_umaal)]
mod verify;

#[cfg(has_umaal)]
pub use agreement::{AgreementKey, BadPoint};
#[cfg(has_umaal)]
pub use key::AsmKey;
#[cfg(has_umaal)]
pub use verify::AsmP256;
