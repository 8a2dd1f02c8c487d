//! Names of tokens and of keys in them: PKCS#11 URIs (RFC 7512).

use core::fmt;
use core::str::{self, FromStr};
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use thiserror::Error;

/// A token, or a key in one: `pkcs11:token=factory?module-path=/usr/lib/softhsm/libsofthsm2.so`.
///
/// Of what the RFC has, it is understood what says which token (`token`, `serial`, `manufacturer`,
/// `model`) and which key (`object`, `id`); by which library it is spoken to (`module-path`, which
/// must be there), and in which file its PIN is (`pin-source`). The PIN itself does not belong in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenUri {
    /// Text by which the token is known.
    pub(super) token: [Option<String>; TOKEN_ATTRIBUTES.len()],
    /// CKA_LABEL of the key.
    pub(super) object: Option<String>,
    /// CKA_ID of the key.
    pub(super) id: Option<Vec<u8>>,
    module: PathBuf,
    pin_source: Option<PathBuf>,
}

/// What the RFC calls what a token says of itself (CK_TOKEN_INFO), in the order of
/// [`TokenUri::token`].
pub(super) const TOKEN_ATTRIBUTES: [&str; 4] = ["token", "manufacturer", "model", "serial"];

impl TokenUri {
    /// Whether a text is meant to be one.
    #[must_use]
    pub fn is_one(text: &str) -> bool {
        text.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME))
    }

    /// The one in the file of a key that is in a token; `None` if there is something else.
    pub(crate) fn of_file(contents: &[u8]) -> Option<Result<Self, TokenUriError>> {
        let text = str::from_utf8(contents).ok()?.trim();
        Self::is_one(text).then(|| text.parse())
    }

    /// The library that speaks to the token.
    #[must_use]
    pub fn module(&self) -> &Path {
        &self.module
    }

    /// The file with the token's PIN.
    #[must_use]
    pub fn pin_source(&self) -> Option<&Path> {
        self.pin_source.as_deref()
    }

    /// A key in this token.
    pub(super) fn key(&self, object: &str, id: &[u8]) -> Self {
        Self { object: Some(object.to_owned()), id: Some(id.to_vec()), ..self.clone() }
    }

    /// The token alone.
    pub(super) fn of_token(&self) -> Self {
        Self { object: None, id: None, ..self.clone() }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), TokenUriError> {
        let wrong = |why| TokenUriError::Value { name: name.to_owned(), why };
        let bytes = percent_decode_str(value).collect::<Vec<u8>>();
        if name == "id" {
            self.id = Some(bytes);
            return Ok(());
        }
        let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8"))?;
        if let Some(at) = TOKEN_ATTRIBUTES.iter().position(|known| *known == name) {
            self.token[at] = Some(text);
            return Ok(());
        }
        match (name, text.as_str()) {
            ("object", _) => self.object = Some(text),
            ("type", "private") => {}
            ("type", _) => return Err(wrong("a CA's key is a private one")),
            ("module-path", _) => self.module = text.into(),
            ("pin-source", _) => {
                let path = text.strip_prefix("file:").unwrap_or(&text);
                // A URL of a file may name its machine, or not (RFC 8089).
                let path = Path::new(path.strip_prefix("//").unwrap_or(path));
                if !path.is_absolute() {
                    return Err(wrong("it must be a file by its whole path"));
                }
                self.pin_source = Some(path.to_owned());
            }
            ("pin-value", _) => return Err(TokenUriError::PinValue),
            _ => return Err(TokenUriError::Unknown { name: name.to_owned() }),
        }
        Ok(())
    }
}

impl FromStr for TokenUri {
    type Err = TokenUriError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !Self::is_one(text) {
            return Err(TokenUriError::Scheme);
        }
        let (path, query) =
            text[SCHEME.len()..].split_once('?').unwrap_or((&text[SCHEME.len()..], ""));
        let mut uri = Self {
            token: [const { None }; TOKEN_ATTRIBUTES.len()],
            object: None,
            id: None,
            module: PathBuf::new(),
            pin_source: None,
        };
        if path.contains('&') || query.contains(';') {
            return Err(TokenUriError::Separator);
        }
        for attribute in path.split(';').chain(query.split('&')).filter(|part| !part.is_empty()) {
            let (name, value) = attribute.split_once('=').ok_or(TokenUriError::NoValue)?;
            uri.set(name, value)?;
        }
        if !uri.module.is_absolute() {
            return Err(TokenUriError::NoModule);
        }
        Ok(uri)
    }
}

impl fmt::Display for TokenUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = TOKEN_ATTRIBUTES.iter().zip(&self.token);
        let mut attributes: Vec<String> = named
            .filter_map(|(name, value)| {
                Some(format!("{name}={}", encoded(value.as_ref()?.as_bytes())))
            })
            .collect();
        attributes.extend(
            self.object.as_ref().map(|text| format!("object={}", encoded(text.as_bytes()))),
        );
        if let Some(id) = &self.id {
            // Each byte, as the RFC wants it of what is no text (section 2.3).
            let id: String = id.iter().map(|byte| format!("%{byte:02X}")).collect();
            attributes.push(format!("id={id}"));
            attributes.push("type=private".into());
        }
        let module = encoded(self.module.as_os_str().as_encoded_bytes());
        write!(f, "{SCHEME}{}?module-path={module}", attributes.join(";"))?;
        if let Some(path) = &self.pin_source {
            write!(f, "&pin-source=file:{}", encoded(path.as_os_str().as_encoded_bytes()))?;
        }
        Ok(())
    }
}

fn encoded(bytes: &[u8]) -> percent_encoding::PercentEncode<'_> {
    percent_encode(bytes, RESERVED)
}

const SCHEME: &str = "pkcs11:";
/// What is written as it is stands for itself in both parts of the URI (RFC 7512 section 2.3).
const RESERVED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// A text is no [`TokenUri`]. Values are not shown: one may be a PIN.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TokenUriError {
    /// It begins with something else.
    #[error("it is no PKCS#11 URI, which begins with \"pkcs11:\"")]
    Scheme,
    /// An attribute that is not understood: leaving it out could mean another key.
    #[error("the PKCS#11 URI has {name:?}, which is not known here")]
    Unknown {
        /// Its name.
        name: String,
    },
    /// A part that is no attribute. It is not shown, for it may be a PIN.
    #[error("a part of the PKCS#11 URI is no NAME=VALUE")]
    NoValue,
    /// Parts are separated in the way of the other half of the URI.
    #[error(
        "parts of a PKCS#11 URI are separated by \";\" before the \"?\", and by \"&\" behind it"
    )]
    Separator,
    /// A value that cannot be.
    #[error("{name} in the PKCS#11 URI: {why}")]
    Value {
        /// Whose value.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The PIN stands in it, where everybody sees it.
    #[error("the PKCS#11 URI has the PIN in it (pin-value), which others can read there")]
    PinValue,
    /// It does not say how to speak to the token.
    #[error(
        "the PKCS#11 URI does not say which library speaks to the token (module-path, a whole path)"
    )]
    NoModule,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for text in [
            "pkcs11:?module-path=/m.so",
            "pkcs11:token=a%20b;serial=12%3B;object=Acme%20CA;id=%01%FF;type=private?module-path=/usr/lib/m.so&pin-source=file:/run/pin",
            "pkcs11:token=%C3%BC;manufacturer=x;model=y?module-path=/m.so",
        ] {
            assert_eq!(text.parse::<TokenUri>().unwrap().to_string(), text);
        }
        // As p11tool and others write it.
        let others: TokenUri =
            "PKCS11:id=%0a;type=private;token=t?pin-source=/run/pin&module-path=/m.so"
                .parse()
                .unwrap();
        assert_eq!(
            others.to_string(),
            "pkcs11:token=t;id=%0A;type=private?module-path=/m.so&pin-source=file:/run/pin"
        );
        let url: TokenUri = "pkcs11:?module-path=/m.so&pin-source=file:///run/pin".parse().unwrap();
        assert_eq!(url.pin_source(), Some(Path::new("/run/pin")));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        let refused = |text: &str| text.parse::<TokenUri>().unwrap_err();
        let unknown = |name: &str| TokenUriError::Unknown { name: name.into() };
        assert_eq!(refused("token=x"), TokenUriError::Scheme);
        assert_eq!(refused(""), TokenUriError::Scheme);
        assert_eq!(refused("pkcs11:token=x"), TokenUriError::NoModule);
        assert_eq!(refused("pkcs11:?module-path=m.so"), TokenUriError::NoModule);
        assert_eq!(refused("pkcs11:slot-id=1?module-path=/m"), unknown("slot-id"));
        assert_eq!(refused("pkcs11:?module-path=/m&pin-value:1234"), TokenUriError::NoValue);
        let mixed = refused("pkcs11:token=x?module-path=/m;pin-value=1234");
        assert_eq!(mixed, TokenUriError::Separator);
        assert_eq!(refused("pkcs11:token=x&id=%01?module-path=/m"), TokenUriError::Separator);
        let pin = refused("pkcs11:token=x?module-path=/m&pin-value=1234");
        assert_eq!(pin, TokenUriError::PinValue);
        assert!(!pin.to_string().contains("1234"));
        for wrong in ["type=cert?", "token=%ff?", "?pin-source=|cat&", "?pin-source=pin&"] {
            let error = refused(&format!("pkcs11:{wrong}module-path=/m"));
            assert!(matches!(error, TokenUriError::Value { .. }), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_key_file_holds_one_or_something_else() {
        let of = |text: &str| TokenUri::of_file(text.as_bytes());
        assert!(of("-----BEGIN PRIVATE KEY-----").is_none());
        assert!(of("").is_none());
        assert!(TokenUri::of_file(&[0x30, 0xff]).is_none());
        assert!(matches!(of("pkcs11:x\n"), Some(Err(_))));
        assert!(matches!(of("pkcs11:token=x?module-path=/m\n"), Some(Ok(_))));
    }
}
