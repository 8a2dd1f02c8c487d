//! The device's serial number, given on the emulator's command line as a factory would print a label.

use heapless::String;

use crate::semihosting;

/// The serial number of a device that was not given one.
pub const DEFAULT_DEVICE_SERIAL: &str = "QEMU-0001";

/// Longest serial number taken from the command line, in bytes.
pub const DEVICE_SERIAL_LEN_MAX: usize = 64;

/// Reads `device-serial=…` off the command line (`-semihosting-config arg=device-serial=SN-0042`); without
/// it, [`DEFAULT_DEVICE_SERIAL`].
///
/// What is too long or not ASCII graphic is not cut or mended but not taken at all: a device must not come
/// up under half its name.
#[must_use]
pub fn on_command_line() -> String<DEVICE_SERIAL_LEN_MAX> {
    let mut line = [0; 256];
    given(semihosting::command_line(&mut line).unwrap_or_default())
        .or_else(|| String::try_from(DEFAULT_DEVICE_SERIAL).ok())
        .unwrap_or_default()
}

fn given(line: &[u8]) -> Option<String<DEVICE_SERIAL_LEN_MAX>> {
    let serial = core::str::from_utf8(line)
        .ok()?
        .split_ascii_whitespace()
        .find_map(|argument| argument.strip_prefix("device-serial="))?;
    let printable = !serial.is_empty() && serial.bytes().all(|byte| byte.is_ascii_graphic());
    if printable { String::try_from(serial).ok() } else { None }
}
