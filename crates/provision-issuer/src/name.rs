//! Names in certificates.

use core::fmt;
use core::str::FromStr;

use thiserror::Error;

/// Text in a name: 1 to 64 characters (RFC 5280 appendix A.1, `ub-common-name`,
/// `ub-organization-name` and `ub-organizational-unit-name`), no control characters, no space at
/// either end. Written as UTF8String.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameText(String);

impl NameText {
    /// Most characters.
    pub const CHARS_MAX: usize = 64;

    /// Takes a text.
    ///
    /// # Errors
    ///
    /// [`NameError`] says what is wrong with it. Nothing at all is wrong too: an attribute that is
    /// not wanted is left out, never written empty.
    pub fn new(text: impl Into<String>) -> Result<Self, NameError> {
        let text = text.into();
        Self::check(&text, Self::CHARS_MAX)?;
        Ok(Self(text))
    }

    /// The same rules for an attribute that may be longer or shorter.
    pub(crate) fn check(text: &str, max: usize) -> Result<(), NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        let chars = text.chars().count();
        if chars > max {
            return Err(NameError::TooLong { chars, max });
        }
        if text.chars().any(char::is_control) {
            return Err(NameError::ControlCharacter { text: text.to_owned() });
        }
        if text.trim() != text {
            return Err(NameError::OuterSpace { text: text.to_owned() });
        }
        Ok(())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NameText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for NameText {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

/// A country: two capital letters of ISO 3166-1. Written as PrintableString, as X.520 demands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Country(String);

impl Country {
    /// Takes a code such as `DE`.
    ///
    /// # Errors
    ///
    /// [`NameError::NotACountry`] if it is not two capital letters.
    pub fn new(code: &str) -> Result<Self, NameError> {
        match code.as_bytes() {
            &[a, b] if a.is_ascii_uppercase() && b.is_ascii_uppercase() => {
                Ok(Self(code.to_owned()))
            }
            _ => Err(NameError::NotACountry { text: code.to_owned() }),
        }
    }

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Country {
    type Err = NameError;

    fn from_str(code: &str) -> Result<Self, NameError> {
        Self::new(code)
    }
}

/// Why a text cannot stand in a certificate's name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// There is nothing there.
    #[error("a name in a certificate cannot be empty")]
    Empty,
    /// Longer than X.520 allows.
    #[error("a name in a certificate has at most {max} characters, this one {chars}")]
    TooLong {
        /// Characters found.
        chars: usize,
        /// Characters allowed.
        max: usize,
    },
    /// A line break or another control character.
    #[error("the name {text:?} contains a control character")]
    ControlCharacter {
        /// The text as given.
        text: String,
    },
    /// A space at the beginning or the end, which comparisons of names may ignore.
    #[error("the name {text:?} begins or ends with a space")]
    OuterSpace {
        /// The text as given.
        text: String,
    },
    /// Not an ISO 3166-1 code.
    #[error("a country is two capital letters such as DE, not {text:?}")]
    NotACountry {
        /// The text as given.
        text: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_that_can_stand_in_a_name_and_texts_that_cannot() {
        assert_eq!(NameText::new("").unwrap_err(), NameError::Empty);
        assert_eq!(
            NameText::new("ü".repeat(65)).unwrap_err(),
            NameError::TooLong { chars: 65, max: 64 }
        );
        assert_eq!(NameText::new("ü".repeat(64)).unwrap().as_str().len(), 128);
        assert_eq!(
            NameText::new("a\nb").unwrap_err(),
            NameError::ControlCharacter { text: "a\nb".into() }
        );
        assert_eq!(NameText::new(" a").unwrap_err(), NameError::OuterSpace { text: " a".into() });
        assert_eq!(NameText::new("Acme, Inc. = #1").unwrap().as_str(), "Acme, Inc. = #1");
    }

    #[test]
    fn countries() {
        assert_eq!(Country::new("DE").unwrap().as_str(), "DE");
        for wrong in ["de", "D", "DEU", "", "D1", "ÄÖ"] {
            assert!(Country::new(wrong).is_err(), "{wrong}");
        }
    }
}
