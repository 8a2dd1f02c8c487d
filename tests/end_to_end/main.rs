//! Tests that need more than one crate.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod architecture;
mod device_refusals;
#[cfg(unix)]
mod emulated;
#[cfg(unix)]
mod emulated_tls;
mod simulation;
