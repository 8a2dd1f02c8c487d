//! The device's serial number: printed on the label, and programmed into the last page of the flash with the firmware.

use core::ptr;
use core::slice;

/// Where the page is.
const BASE: usize = 0x3_fc00;
/// Longest serial number, in bytes.
const LEN_MAX: usize = 64;

/// The serial number on the label: up to the first erased byte (0xFF). `None` if there is none, or more than a serial
/// number can be.
#[must_use]
pub fn device_serial() -> Option<&'static str> {
    let page = ptr::with_exposed_provenance::<u8>(BASE);
    // SAFETY: flash, always readable; memory.x keeps the program out of this page, and nothing programs it while the
    // program runs.
    let bytes = unsafe { slice::from_raw_parts(page, LEN_MAX + 1) };
    let len = bytes.iter().position(|&byte| byte == 0xff)?;
    let serial = core::str::from_utf8(bytes.get(..len)?).ok()?;
    serial.bytes().all(|byte| byte.is_ascii_graphic()).then_some(serial)
}
