//! What emulated boards have in common, whatever their processor.
//!
//! | module | holds |
//! |---|---|
//! | [`register`] | one register of a device |
//! | [`ring`] | bytes on their way from an interrupt to the program |
//! | [`line`](mod@line) | the line over a port that fills such a ring |
//! | [`stack`] | how much of a painted stack was never used |
//! | [`nor`] | the rules of NOR flash, and what breaking them is called |
//! | [`semihosting`] | calls to the emulator: for it alone, never for a product |
//! | [`log`] | the log, by semihosting: for boards whose only serial port is the line |
//! | [`device_serial`] | the device's serial number, off the emulator's command line |
#![no_std]

pub mod device_serial;
pub mod line;
pub mod log;
pub mod nor;
pub mod register;
pub mod ring;
pub mod semihosting;
pub mod stack;
