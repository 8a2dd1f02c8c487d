//! ST's STM32H563, wired as on the NUCLEO-H563ZI: the debugger on the board shows the line as a serial port.
//!
//! | part | is |
//! |---|---|
//! | line | USART3, received by interrupt |
//! | [`flash_map`] | the program is in the first bank, the vault at the end of the second |
//! | [`flash`] | embassy-stm32's driver, made to answer where the hardware raises an exception |
//! | [`entropy`] | the chip's random number generator, with its error flags |
//! | log | RTT |
//!
//! Wiring, flashing and what was not tried: `docs/boards/stm32h563.md`.
#![no_std]

pub mod board;
pub mod entropy;
pub mod flash;
pub mod flash_map;
