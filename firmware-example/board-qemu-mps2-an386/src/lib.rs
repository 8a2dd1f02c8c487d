//! QEMU's `mps2-an386`: a Cortex-M4 with five serial ports, Ethernet, and no NOR flash, no random number
//! generator and no clock. What the board lacks the emulator lends:
//!
//! | part | is | on a real board |
//! |---|---|---|
//! | [`uart`] 0 | the log | the same |
//! | [`uart`] 1 | the line that enrolls | the same |
//! | [`lan9118`] | Ethernet controller, polled | the same |
//! | [`flash`] | PSRAM that QEMU backs with a host file, under the rules of NOR | internal or SPI flash |
//! | [`entropy`] | **the emulator's host**, by semihosting: no example for a product | a TRNG, with its health tests |
//! | [`clock`] | SysTick; the date from the host, by semihosting | an RTC, or none |
//! | [`counter`] | instructions executed, for measuring | a cycle counter |
//! | [`device_serial`](board_qemu_common::device_serial) | the device's serial number, by semihosting | a label in flash or fuses |
//!
//! All the `unsafe` of this board is in this crate, [`interrupts`], [`flash`] (a mapped memory) and [`stack`] (paint), and
//! in [`board_qemu_common`]. Each use says why it is sound.
#![no_std]

pub mod board;
pub mod clock;
pub mod counter;
pub mod entropy;
pub mod fault;
pub mod flash;
pub mod interrupts;
pub mod lan9118;
pub mod stack;
pub mod uart;

/// The processor's and the peripherals' clock.
pub const SYSTEM_CLOCK_HZ: u32 = 25_000_000;
