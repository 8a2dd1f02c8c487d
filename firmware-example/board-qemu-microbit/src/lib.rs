//! QEMU's `microbit`: an nRF51822, which is a Cortex-M0 with 256 KiB of flash and **16 KiB of RAM**, one serial port, a
//! random number generator, and no network. Enrollment alone runs here.
//!
//! Register names and behaviour are those of the *nRF51 Series Reference Manual*, version 3.0.1. What the emulator lends
//! or leaves out:
//!
//! | part | is | on a real board |
//! |---|---|---|
//! | [`uart`] | the chip's UART: the line | the same, and pins to be chosen |
//! | [`flash`] | the chip's flash controller, 8 pages; QEMU forgets it at its end, so the harness saves it | kept by itself; the processor stands still while it works |
//! | [`entropy`] | the chip's generator, **fed by the emulator's host** | noise of the chip |
//! | [`clock`] | TIMER0 | the same, with the crystal oscillator started first |
//! | [`label`] | the last page of the flash, programmed from outside | the same, or the customer words of UICR |
//! | log ([`SemihostingLog`](board_qemu_common::log::SemihostingLog)) | **the emulator's console** | RTT through the debug probe, or none |
//!
//! The label would be in UICR, if QEMU's could be written from outside and outlived a reset.
//!
//! `unsafe` is in [`interrupts`], [`flash`] and [`label`] (memory-mapped flash), [`stack`] (reading paint), and where a
//! register is named.
#![no_std]

pub mod board;
pub mod clock;
pub mod entropy;
pub mod fault;
pub mod flash;
pub mod interrupts;
pub mod label;
pub mod stack;
pub mod uart;
