//! What the real boards have in common, each part small enough to be read on the way.
//!
//! | module | is | on |
//! |---|---|---|
//! | [`serial_number`] | the chip's unique number as a device serial | all |
//! | [`log`] | the log, over the debug probe (RTT) | all |
//! | [`line`](mod@line) | an asynchronous serial driver, used by waiting | Cortex-M |
//! | [`clock`] | the processor's SysTick, for waiting; no date | Cortex-M |
//! | [`stack`] | how deep the stack was | Cortex-M |
//! | [`panic`](mod@panic) | panics and faults: logged, then a reset | Cortex-M |
//!
//! What is missing for the ESP32-C3 is in its own crate.
#![no_std]

pub mod serial_number;

#[cfg(target_os = "none")]
pub mod log;

#[cfg(all(target_arch = "arm", target_os = "none"))]
pub mod clock;
#[cfg(all(target_arch = "arm", target_os = "none"))]
pub mod line;
#[cfg(all(target_arch = "arm", target_os = "none"))]
pub mod panic;
#[cfg(all(target_arch = "arm", target_os = "none"))]
pub mod stack;
