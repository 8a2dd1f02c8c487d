//! Espressif's ESP32-C3, wired as on the ESP32-C3-DevKitM-1: its USB socket is the line.
//!
//! | part | is |
//! |---|---|
//! | [`line`](mod@line) | UART0, received by interrupt |
//! | [`flash_map`] | a partition of its own in the flash chip is the vault |
//! | [`entropy`] | the chip's random number generator, fed by its analog-digital converter |
//! | log | RTT |
//!
//! Wiring, flashing and what was not tried: `docs/boards/esp32c3.md`.
#![no_std]

pub mod board;
pub mod clock;
pub mod entropy;
pub mod flash_map;
pub mod line;
pub mod panic;
pub mod stack;
