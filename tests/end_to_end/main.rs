//! Tests that need more than one crate.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod architecture;
mod constant_time;
mod defmt;
mod device_refusals;
#[cfg(unix)]
mod doctor;
#[cfg(unix)]
mod emulated;
#[cfg(unix)]
mod emulated_embassy;
#[cfg(unix)]
mod emulated_microbit;
#[cfg(unix)]
mod emulated_riscv32;
#[cfg(unix)]
mod emulated_tls;
#[cfg(unix)]
mod firmware_guide;
mod kills;
mod p256_vectors;
#[cfg(unix)]
mod secrets;
mod sha256_vectors;
mod simulation;
