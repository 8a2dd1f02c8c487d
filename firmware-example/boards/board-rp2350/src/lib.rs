//! Raspberry Pi's RP2350, wired as a Raspberry Pi Pico 2 with a Debug Probe on GP0 and GP1; its Arm cores.
//!
//! | part | is |
//! |---|---|
//! | line | UART0, received by interrupt |
//! | [`flash_map`] | the last two sectors of the flash chip are the vault |
//! | [`entropy`] | the chip's TRNG, with its three tests on |
//! | log | RTT |
//!
//! Wiring, flashing and what was not tried: `docs/boards/rp2350.md`.
#![no_std]

pub mod board;
pub mod entropy;
pub mod flash_map;
