//! The number on a device's label.

use core::fmt;
use core::str::FromStr;

use heapless::String;

/// What tells one device from all others: on its label, and the common name of its certificate.
///
/// One to 64 characters (X.520 ub-common-name), letters and digits of ASCII, and inside also
/// `. _ : -`: what file names, URLs, MQTT client ids and the clouds' registries all take.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceSerial(String<{ Self::LEN_MAX }>);

impl DeviceSerial {
    /// Longest serial, in bytes.
    pub const LEN_MAX: usize = 64;

    /// Takes a serial.
    ///
    /// # Errors
    ///
    /// [`DeviceSerialFault`] says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, DeviceSerialFault> {
        let bytes = text.as_bytes();
        let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
            return Err(DeviceSerialFault::Empty);
        };
        let inner = |b: &u8| b.is_ascii_alphanumeric() || b"._:-".contains(b);
        if let Some(at) = bytes.iter().position(|b| !inner(b)) {
            return Err(DeviceSerialFault::Character { at });
        }
        if !first.is_ascii_alphanumeric() {
            return Err(DeviceSerialFault::Character { at: 0 });
        }
        if !last.is_ascii_alphanumeric() {
            return Err(DeviceSerialFault::Character { at: bytes.len().saturating_sub(1) });
        }
        let text = String::try_from(text)
            .map_err(|_| DeviceSerialFault::TooLong { len: bytes.len(), max: Self::LEN_MAX })?;
        Ok(Self(text))
    }

    /// The serial as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeviceSerial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for DeviceSerial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceSerial({})", self.as_str())
    }
}

#[cfg(feature = "defmt")]
impl defmt::Format for DeviceSerial {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "{=str}", self.as_str());
    }
}

impl FromStr for DeviceSerial {
    type Err = DeviceSerialFault;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::new(text)
    }
}

/// Why a text is no [`DeviceSerial`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum DeviceSerialFault {
    /// There is nothing there.
    Empty,
    /// It is longer than `max` bytes.
    TooLong {
        /// Bytes found.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// The character at this byte is not allowed there.
    Character {
        /// Position, in bytes from the start.
        at: usize,
    },
}

impl fmt::Display for DeviceSerialFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("a device serial cannot be empty"),
            Self::TooLong { len, max } => {
                write!(f, "a device serial has at most {max} characters, this one {len}")
            }
            Self::Character { at } => write!(
                f,
                "a device serial has ASCII letters and digits, and between them . _ : - \
                 (character {} is not)",
                at.saturating_add(1)
            ),
        }
    }
}

impl core::error::Error for DeviceSerialFault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_serial_and_what_is_not() {
        for good in ["A", "sensor-0001", "00:11:22:aa", "a.b_c", &"x".repeat(64)] {
            assert_eq!(DeviceSerial::new(good).map(|s| s.as_str() == good), Ok(true), "{good}");
        }
        let bad = |text: &str| DeviceSerial::new(text).expect_err(text);
        assert_eq!(bad(""), DeviceSerialFault::Empty);
        assert_eq!(bad("-a"), DeviceSerialFault::Character { at: 0 });
        assert_eq!(bad("a-"), DeviceSerialFault::Character { at: 1 });
        assert_eq!(bad("a b"), DeviceSerialFault::Character { at: 1 });
        assert_eq!(bad("ä"), DeviceSerialFault::Character { at: 0 });
        assert_eq!(bad("a/b"), DeviceSerialFault::Character { at: 1 });
        assert_eq!(bad(&"x".repeat(65)), DeviceSerialFault::TooLong { len: 65, max: 64 });
    }

    extern crate std;
    use std::string::ToString;

    #[test]
    fn positions_count_from_one_for_people() {
        assert!(DeviceSerial::new("a b").unwrap_err().to_string().contains("character 2"));
    }
}
