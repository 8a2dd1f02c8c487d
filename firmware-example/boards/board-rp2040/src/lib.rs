//! Raspberry Pi's RP2040, wired as a Raspberry Pi Pico with a Debug Probe on GP0 and GP1.
//!
//! | part | is |
//! |---|---|
//! | line | UART0, received by interrupt |
//! | [`flash_map`] | the last two sectors of the flash chip are the vault |
//! | [`entropy`] | **no random number generator**: the jitter of the ring oscillator, which is weaker |
//! | log | RTT |
//!
//! Wiring, flashing and what was not tried: `docs/boards/rp2040.md`.
#![no_std]

pub mod board;
pub mod entropy;
pub mod flash_map;
