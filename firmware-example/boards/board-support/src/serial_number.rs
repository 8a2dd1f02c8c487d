//! The device serial, made of the chip's unique number.

use core::fmt::Write;

use heapless::String;
use static_cell::StaticCell;

/// Longest device serial, in bytes (docs/protocol.md).
const LEN_MAX: usize = 64;

/// `nrf52840-` and the number's bytes in hex, most significant first: what is printed on the label, if the maker has
/// no serial numbers of his own.
///
/// # Panics
///
/// If called twice.
pub fn device_serial(chip: &str, number: &[u8]) -> &'static str {
    static DEVICE_SERIAL: StaticCell<String<LEN_MAX>> = StaticCell::new();
    DEVICE_SERIAL.init_with(|| spelled(chip, number))
}

/// As much of it as there is room for: a name that was cut is still a name.
fn spelled(chip: &str, number: &[u8]) -> String<LEN_MAX> {
    let mut serial = String::new();
    let _ = serial.push_str(chip);
    let _ = serial.push('-');
    for byte in number {
        let _ = write!(serial, "{byte:02x}");
    }
    serial
}

#[cfg(test)]
mod tests {
    use super::spelled;

    #[test]
    fn a_number_is_spelled_with_its_leading_zeros() {
        assert_eq!(spelled("nrf52840", &[0x00, 0x0a, 0xff]), "nrf52840-000aff");
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let serial = spelled("chip", &[0x11; 40]);
        assert_eq!(serial.len(), 63, "58 digits and a half-written byte less");
        assert!(serial.starts_with("chip-1111"));
    }

    /// docs/protocol.md, section "Hello".
    #[test]
    fn only_allowed_characters_come_out() {
        let all: [u8; 24] = core::array::from_fn(|at| at as u8 * 11);
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._:-".contains(c);
        assert!(spelled("stm32h563", &all).chars().all(allowed));
    }
}
