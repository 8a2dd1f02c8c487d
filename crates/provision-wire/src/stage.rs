//! How far a device has come.

use core::fmt;

/// Progress of a device, as read off its vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Stage {
    /// No key.
    Blank,
    /// A key, no certificate.
    Keyed,
    /// A key, and a delivery that was checked; may still be replaced.
    Certified,
    /// Nothing on the line changes the identity any more.
    Sealed,
}

impl Stage {
    /// The number that stands for the stage on the wire.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::Blank => 0,
            Self::Keyed => 1,
            Self::Certified => 2,
            Self::Sealed => 3,
        }
    }

    /// The stage a number on the wire stands for.
    #[must_use]
    pub const fn from_code(code: u32) -> Option<Self> {
        match code {
            0 => Some(Self::Blank),
            1 => Some(Self::Keyed),
            2 => Some(Self::Certified),
            3 => Some(Self::Sealed),
            _ => None,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Blank => "blank",
            Self::Keyed => "keyed",
            Self::Certified => "certified",
            Self::Sealed => "sealed",
        })
    }
}
