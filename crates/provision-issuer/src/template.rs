//! Texts with variables in braces: `sensor-{device_serial}.example`.

use std::collections::BTreeMap;

use thiserror::Error;

/// Values for the variables in a profile.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    /// Adds a value, in place of an earlier one.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// A text with variables could not be filled in.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// A variable has no value.
    #[error("the profile needs a value for {{{name}}}")]
    NoValue {
        /// Which variable.
        name: String,
    },
    /// A brace is opened and not closed.
    #[error("the text {text:?} opens a brace and does not close it")]
    OpenBrace {
        /// The text.
        text: String,
    },
}

/// Puts values in place of variables. What is put in is not looked into again.
pub(crate) fn fill(text: &str, variables: &Variables) -> Result<String, TemplateError> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, from)) = rest.split_once('{') {
        let (name, after) = from
            .split_once('}')
            .ok_or_else(|| TemplateError::OpenBrace { text: text.to_owned() })?;
        let value =
            variables.get(name).ok_or_else(|| TemplateError::NoValue { name: name.to_owned() })?;
        filled.push_str(before);
        filled.push_str(value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

/// The names of the variables in a text.
pub(crate) fn variables(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|from| from.split_once('}').map(|(name, _)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in_once() {
        let variables = Variables::default().with("a", "{b}").with("b", "2");
        assert_eq!(fill("x{a}y{b}", &variables).unwrap(), "x{b}y2");
        assert_eq!(fill("plain", &variables).unwrap(), "plain");
        assert_eq!(
            fill("{c}", &variables).unwrap_err(),
            TemplateError::NoValue { name: "c".into() }
        );
        assert!(matches!(fill("{a", &variables), Err(TemplateError::OpenBrace { .. })));
        assert_eq!(super::variables("x{a}y{b}").collect::<Vec<_>>(), ["a", "b"]);
    }
}
