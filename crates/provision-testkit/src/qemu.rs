//! Runs a firmware image on an emulated board, with the world around it that a device has: serial line, log,
//! flash that outlives it, and a network that reaches one host and nothing else.
//!
//! ```text
//!    test ──── Machine ──start──► Emulator ──┬── line_port()   /dev/pts/N: the line
//!                                            ├── log()         what the firmware logs, line by line
//!                                            ├── kill()        power is cut, now
//!                                            └── shutdown(), wait_exit()
//! ```
//!
//! Any firmware can be tested with it that keeps to its board's conventions:
//!
//! | | [`mps2_an386`](Machine::mps2_an386) | [`microbit`](Machine::microbit) | [`riscv32_virt`](Machine::riscv32_virt) |
//! |---|---|---|---|
//! | line | second serial port | the serial port | the serial port |
//! | log | first serial port | semihosting | semihosting |
//! | flash | RAM that is the flash file | 8 pages, saved when the board is stopped | flash chip that writes the flash file |
//! | serial number | semihosting | the page behind | semihosting |
//! | network | LAN9118 | none | virtio |
//!
//! # Example
//!
//! Power is cut in the middle of something, and the device is looked at again:
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use provision_testkit::qemu::{Machine, Network};
//!
//! # fn main() -> Result<(), provision_testkit::qemu::QemuError> {
//! let server = "127.0.0.1:8472".parse().expect("an address");
//! let machine = Machine::mps2_an386()
//!     .firmware("target/thumbv7em-none-eabihf/release/my-firmware")
//!     .flash_file("/tmp/device-1.flash") // erased flash if there is no such file yet
//!     .network(Network::restricted_to("10.0.2.100:8883".parse().expect("an address"), server))
//!     .arg("device-serial=SN-0001"); // what the firmware reads by semihosting
//!
//! let mut device = machine.start()?;
//! device.log().wait_for_line("line ready", Duration::from_secs(5))?;
//! // … talk to device.line_port() as to any serial port …
//! device.kill()?;
//!
//! let device = machine.start()?; // same flash, and the line has a port anew
//! let line = device.log().wait_for_line("http status=", Duration::from_secs(30))?;
//! assert!(line.ends_with("200"));
//! # Ok(())
//! # }
//! ```
//!
//! # What to know
//!
//! - The line is a pseudo-terminal, and QEMU looks only once a second whether someone opened it. What the firmware
//!   sent before is lost, and the first answer can be a second late: the host speaks first, and repeats.
//! - While nobody reads the line, QEMU throws away what the firmware sends; while the firmware does not
//!   read, QEMU holds back what the host sends. No byte is lost otherwise.
//! - What the firmware stored is in the flash file at any moment, however the emulator ended: the file is mapped, or
//!   written at each operation. Not so if the *host's* power is cut; and the micro:bit's is saved by
//!   [`kill`](Emulator::kill) and [`shutdown`](Emulator::shutdown) alone.
//! - Time, files and the command line reach the firmware by semihosting, which is switched on. So the firmware can
//!   read every file that the test can: run your own images only.

mod board;
mod bus;
mod emulator;
mod error;
mod flash_file;
mod image;
mod log;
mod machine;
mod memory;
mod monitor;
mod network;

#[cfg(test)]
mod tests;

pub use emulator::Emulator;
pub use error::QemuError;
pub use flash_file::create_erased_flash;
pub use image::Image;
pub use log::Log;
pub use machine::Machine;
pub use memory::Region;
pub use network::Network;
