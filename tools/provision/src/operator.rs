//! Who works at the station, if that is said: it goes into records, reports and events, and not into
//! the ledger, which keeps what it has for ever.

use core::fmt;
use core::str::FromStr;

/// What an operator goes by: a name, initials, a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Operator(String);

/// A text is no [`Operator`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NoOperator;

/// Longest one, in characters.
const LEN_MAX: usize = 64;

impl fmt::Display for NoOperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "1 to {LEN_MAX} characters are expected, with no space around them and none that controls"
        )
    }
}

impl core::error::Error for NoOperator {}

impl FromStr for Operator {
    type Err = NoOperator;

    fn from_str(text: &str) -> Result<Self, NoOperator> {
        let fits = (1..=LEN_MAX).contains(&text.chars().count())
            && text.trim() == text
            && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.to_owned())) } else { Err(NoOperator) }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operators() {
        for good in ["A. Meier", "4711", "\u{5c71}\u{7530}", &"x".repeat(64)] {
            assert_eq!(
                good.parse::<Operator>().map(|operator| operator.to_string()),
                Ok(good.into())
            );
        }
        for bad in ["", " ", " A", "A ", "A\nB", "A\u{1b}[31m", "A\0", "\u{85}A", &"x".repeat(65)] {
            assert_eq!(bad.parse::<Operator>(), Err(NoOperator), "{bad:?}");
        }
    }
}
