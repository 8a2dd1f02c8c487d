//! Runs a firmware image on an emulated board, with the world around it that a device has: serial line, log,
//! flash that outlives it, and a network that reaches one host and nothing else.
//!
//! ```text
//!    test ──── Machine ──start──► Emulator ──┬── line_port()   /dev/pts/N: the second serial port
//!                                            ├── log()         the first serial port, line by line
//!                                            ├── kill()        power is cut, now
//!                                            └── shutdown(), wait_exit()
//! ```
//!
//! Any firmware can be tested with it that keeps to the board's two conventions: the first serial port is
//! the log, the second the line.
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
//! - The flash file is mapped, not written: what the firmware stored is in it at any moment, however the emulator
//!   ended. Not so if the *host's* power is cut.
//! - Time, files and the command line reach the firmware by semihosting, which is switched on. So the firmware can
//!   read every file that the test can: run your own images only.

mod emulator;
mod error;
mod flash_file;
mod log;
mod machine;
mod monitor;
mod network;

#[cfg(test)]
mod tests;

pub use emulator::Emulator;
pub use error::QemuError;
pub use flash_file::{FLASH_LEN, create_erased_flash};
pub use log::Log;
pub use machine::Machine;
pub use network::Network;
