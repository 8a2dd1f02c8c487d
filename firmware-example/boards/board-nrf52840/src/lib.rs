//! Nordic's nRF52840, wired as on the nRF52840-DK: the debugger on the board shows the line as a serial port.
//!
//! | part | is |
//! |---|---|
//! | line | UARTE0, received by DMA |
//! | [`flash_map`] | the last two pages of the internal flash are the vault |
//! | [`entropy`] | the chip's random number generator, with bias correction |
//! | log | RTT |
//!
//! Wiring, flashing and what was not tried: `docs/boards/nrf52840.md`.
#![no_std]

pub mod board;
pub mod entropy;
pub mod flash_map;
