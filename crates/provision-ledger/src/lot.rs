//! What a batch of devices is called.

use core::fmt;
use core::str::FromStr;

use thiserror::Error;

/// The name of a lot: devices that were made together, and may have to be revoked together. 1 to 64
/// characters that can be seen, as its operator calls it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lot(String);

impl Lot {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Lot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for Lot {
    type Err = LotError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Nobody sees a space at its end, and it would be another lot.
        let seen = text.trim() == text && !text.chars().any(char::is_control);
        if seen && (1..=64).contains(&text.chars().count()) {
            return Ok(Self(text.to_owned()));
        }
        Err(LotError { text: text.to_owned() })
    }
}

/// A text names no [`Lot`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is no lot: 1 to 64 characters, without spaces at the ends")]
pub struct LotError {
    /// The text as given.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["7", "2026-W47/3", "Los 12 \u{fc}", &"x".repeat(64)] {
            assert_eq!(good.parse::<Lot>().unwrap().as_str(), good);
        }
        for bad in ["", " ", "a ", " a", "a\nb", "a\0", &"x".repeat(65)] {
            assert!(bad.parse::<Lot>().is_err(), "{bad:?}");
        }
    }
}
