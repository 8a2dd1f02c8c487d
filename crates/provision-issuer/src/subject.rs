//! Names in openssl's slash form: `/C=CN/O=Acme/CN=sensor-0042`.

use core::fmt;
use core::str::FromStr;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc3280::EMAIL_ADDRESS;
use const_oid::db::rfc4519::{
    COMMON_NAME, COUNTRY_NAME, DC, GIVEN_NAME, LOCALITY_NAME, ORGANIZATION_NAME,
    ORGANIZATIONAL_UNIT_NAME, SERIAL_NUMBER, SN, ST, STREET, TITLE, UID,
};
use der::asn1::{Any, Ia5String, Ia5StringRef, PrintableStringRef, Utf8StringRef};
use thiserror::Error;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::ext::pkix::name::DirectoryString;
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};

use crate::name::{NameError, NameText};
use crate::template::{self, TemplateError, Variables};

/// A subject as `openssl req -subj` takes it: attributes begin with `/`, parts of one attribute
/// set are joined by `+`, and a backslash takes its meaning from the character after it.
///
/// Values may hold variables in braces, such as `{device_serial}`. A profile puts
/// values in their place, so that what is put in cannot add attributes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Subject(Vec<Vec<Attribute>>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Attribute {
    kind: &'static Kind,
    value: String,
}

#[derive(Debug, PartialEq, Eq)]
struct Kind {
    name: &'static str,
    oid: ObjectIdentifier,
    text: Text,
    /// RFC 5280 appendix A.1.
    chars_max: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Text {
    Utf8,
    Printable,
    Ia5,
}

/// Names as openssl writes them.
const KINDS: [Kind; 14] = [
    kind("C", COUNTRY_NAME, Text::Printable, 2),
    kind("ST", ST, Text::Utf8, 128),
    kind("L", LOCALITY_NAME, Text::Utf8, 128),
    kind("O", ORGANIZATION_NAME, Text::Utf8, 64),
    kind("OU", ORGANIZATIONAL_UNIT_NAME, Text::Utf8, 64),
    kind("CN", COMMON_NAME, Text::Utf8, 64),
    kind("serialNumber", SERIAL_NUMBER, Text::Printable, 64),
    kind("emailAddress", EMAIL_ADDRESS, Text::Ia5, 255),
    kind("DC", DC, Text::Ia5, 63),
    kind("UID", UID, Text::Utf8, 256),
    kind("title", TITLE, Text::Utf8, 64),
    kind("GN", GIVEN_NAME, Text::Utf8, 64),
    kind("SN", SN, Text::Utf8, 64),
    kind("street", STREET, Text::Utf8, 128),
];

const fn kind(name: &'static str, oid: ObjectIdentifier, text: Text, chars_max: usize) -> Kind {
    Kind { name, oid, text, chars_max }
}

impl Subject {
    /// Adds an attribute at the end.
    ///
    /// # Errors
    ///
    /// [`SubjectError::UnknownAttribute`] if `name` is none.
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Result<Self, SubjectError> {
        self.0.push(vec![attribute(name, value.into())?]);
        Ok(self)
    }

    /// This one, with another behind it.
    #[must_use]
    pub fn followed_by(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// The first value of an attribute, as it was written.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let of_that = |attribute: &&Attribute| attribute.kind.name.eq_ignore_ascii_case(name);
        self.0.iter().flatten().find(of_that).map(|attribute| attribute.value.as_str())
    }

    /// The same without an attribute.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        for set in &mut self.0 {
            set.retain(|attribute| !attribute.kind.name.eq_ignore_ascii_case(name));
        }
        self.0.retain(|set| !set.is_empty());
        self
    }

    /// Whether it has no attribute.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A name that is in a certificate; nothing if it has attributes that are not known here.
    pub(crate) fn from_name(name: &Name) -> Option<Self> {
        let set = |relative: &RelativeDistinguishedName| {
            relative
                .iter()
                .map(|attribute| {
                    let kind = KINDS.iter().find(|kind| kind.oid == attribute.oid)?;
                    let value = attribute.value.decode_as::<DirectoryString>().ok();
                    let value = value.map(|text| text.value().into_owned()).or_else(|| {
                        attribute.value.decode_as::<Ia5String>().ok().map(|text| text.to_string())
                    })?;
                    Some(Attribute { kind, value })
                })
                .collect::<Option<Vec<_>>>()
        };
        name.iter_rdn().map(set).collect::<Option<Vec<_>>>().map(Self)
    }

    /// The name with every variable replaced, checked for what X.520 allows.
    pub(crate) fn name(&self, variables: &Variables) -> Result<Name, SubjectError> {
        let mut name = RdnSequence::default();
        for set in &self.0 {
            let mut relative = RelativeDistinguishedName::default();
            for attribute in set {
                let value = template::fill(&attribute.value, variables)?;
                relative.insert(attribute.kind.encode(&value)?)?;
            }
            name.push(relative);
        }
        // Hazardous is what was not checked, and all of it was: no name of a certificate comes from
        // here but by `encode`.
        Ok(Name::hazmat_from_rdn_sequence(name))
    }

    /// Every variable that is in it.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flatten().flat_map(|attribute| template::variables(&attribute.value))
    }
}

impl Kind {
    fn encode(&self, value: &str) -> Result<AttributeTypeAndValue, SubjectError> {
        let fault = |fault| SubjectError::Value { attribute: self.name, fault };
        if self.name == "C" {
            crate::name::Country::new(value).map_err(fault)?;
        } else {
            NameText::check(value, self.chars_max).map_err(fault)?;
        }
        let characters =
            |_| SubjectError::Characters { attribute: self.name, value: value.to_owned() };
        let value = match self.text {
            Text::Utf8 => Any::from(Utf8StringRef::new(value).map_err(characters)?),
            Text::Printable => Any::from(PrintableStringRef::new(value).map_err(characters)?),
            Text::Ia5 => Any::from(Ia5StringRef::new(value).map_err(characters)?),
        };
        Ok(AttributeTypeAndValue { oid: self.oid, value })
    }
}

impl FromStr for Subject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() || text == "/" {
            return Ok(Self::default());
        }
        let Some(text) = text.strip_prefix('/') else {
            return Err(SubjectError::NoSlash { text: text.to_owned() });
        };
        let mut sets = vec![Vec::new()];
        let mut name = String::new();
        let mut value: Option<String> = None;
        let mut characters = text.chars();
        loop {
            let character = characters.next();
            match (character, &mut value) {
                (Some('\\'), part) => {
                    let escaped = characters.next().ok_or(SubjectError::LoneBackslash)?;
                    part.as_mut().unwrap_or(&mut name).push(escaped);
                }
                (Some('='), None) => value = Some(String::new()),
                (Some('/' | '+') | None, _) => {
                    let Some(value) = value.take() else {
                        return Err(SubjectError::NoValue { attribute: name });
                    };
                    let last = sets.last_mut().expect("begun with one, and never fewer");
                    last.push(attribute(name.trim(), value)?);
                    name.clear();
                    match character {
                        Some('/') => sets.push(Vec::new()),
                        Some(_) => {}
                        None => return Ok(Self(sets)),
                    }
                }
                (Some(other), Some(value)) => value.push(other),
                (Some(other), None) => name.push(other),
            }
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for set in &self.0 {
            for (at, Attribute { kind, value }) in set.iter().enumerate() {
                write!(f, "{}{}=", if at == 0 { "/" } else { "+" }, kind.name)?;
                for character in value.chars() {
                    if matches!(character, '/' | '+' | '\\') {
                        f.write_str("\\")?;
                    }
                    write!(f, "{character}")?;
                }
            }
        }
        Ok(())
    }
}

/// A text is no [`Subject`], or one that no certificate can have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SubjectError {
    /// It does not begin with a slash.
    #[error("{text:?} is no subject: it begins with a slash, as in \"/C=DE/O=Acme/CN=name\"")]
    NoSlash {
        /// The text as given.
        text: String,
    },
    /// An attribute without `=` and a value.
    #[error(
        "the attribute {attribute:?} in the subject has no value (a slash inside a value is \
         written \\/)"
    )]
    NoValue {
        /// What stands there.
        attribute: String,
    },
    /// Nothing follows a backslash.
    #[error("the subject ends with a backslash, which says how the next character is meant")]
    LoneBackslash,
    /// An attribute nobody knows.
    #[error("{name:?} is no attribute of a subject; known are {}", known())]
    UnknownAttribute {
        /// What stands there.
        name: String,
    },
    /// A value that X.520 does not allow.
    #[error("{attribute} in the subject: {fault}")]
    Value {
        /// Which attribute.
        attribute: &'static str,
        /// What is wrong with it.
        fault: NameError,
    },
    /// A character that this attribute cannot have.
    #[error("{attribute} in the subject cannot hold {value:?}: plain ASCII letters are allowed")]
    Characters {
        /// Which attribute.
        attribute: &'static str,
        /// Its value.
        value: String,
    },
    /// A variable has no value.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// It cannot be written in DER.
    #[error("the subject cannot be encoded: {0}")]
    Encoding(#[from] der::Error),
}

fn attribute(name: &str, value: String) -> Result<Attribute, SubjectError> {
    let kind = KINDS.iter().find(|kind| kind.name.eq_ignore_ascii_case(name));
    // openssl's long names, which some scripts use.
    let long = || {
        let short = match name {
            "countryName" => "C",
            "stateOrProvinceName" => "ST",
            "localityName" => "L",
            "organizationName" => "O",
            "organizationalUnitName" => "OU",
            "commonName" => "CN",
            _ => return None,
        };
        KINDS.iter().find(|kind| kind.name == short)
    };
    let kind = kind
        .or_else(long)
        .ok_or_else(|| SubjectError::UnknownAttribute { name: name.to_owned() })?;
    Ok(Attribute { kind, value })
}

fn known() -> String {
    KINDS.map(|kind| kind.name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for text in [
            "/C=CN/ST=Guangdong/L=Shenzhen/O=Acme/OU=Line 1/CN=ca",
            r"/O=A\/S Acme\+Sons\\Co/CN=x",
            "/CN=a+serialNumber=12",
            "/O=with = inside/CN={device_serial}",
        ] {
            let subject: Subject = text.parse().unwrap();
            assert_eq!(subject.to_string(), text);
        }
        let subject: Subject = "/organizationName=Acme/cn=x".parse().unwrap();
        assert_eq!(subject.to_string(), "/O=Acme/CN=x");
        assert_eq!(subject.get("O"), Some("Acme"));
        assert_eq!(subject.without("CN").to_string(), "/O=Acme");
        assert!("/".parse::<Subject>().unwrap().is_empty());
    }

    #[test]
    fn what_is_no_subject() {
        let fault = |text: &str| text.parse::<Subject>().unwrap_err();
        assert!(matches!(fault("O=Acme"), SubjectError::NoSlash { .. }));
        assert!(matches!(fault("/O"), SubjectError::NoValue { .. }));
        assert!(
            matches!(fault("/O=a/b/CN=c"), SubjectError::NoValue { attribute } if attribute == "b")
        );
        assert!(matches!(fault("/O=a\\"), SubjectError::LoneBackslash));
        assert!(matches!(fault("/X=a"), SubjectError::UnknownAttribute { .. }));
    }

    #[test]
    fn what_no_certificate_can_have() {
        let none = Variables::default();
        let fault = |text: &str| text.parse::<Subject>().unwrap().name(&none).unwrap_err();
        assert!(matches!(fault("/C=DEU"), SubjectError::Value { attribute: "C", .. }));
        assert!(matches!(fault("/CN="), SubjectError::Value { attribute: "CN", .. }));
        assert!(matches!(fault("/serialNumber=ü"), SubjectError::Characters { .. }));
        assert!(matches!(fault("/CN={device_serial}"), SubjectError::Template(_)));
        let long = format!("/CN={}", "x".repeat(65));
        assert!(matches!(fault(&long), SubjectError::Value { attribute: "CN", .. }));
    }

    /// What a variable holds stays in its attribute.
    #[test]
    fn a_variable_adds_no_attribute() {
        let variables = Variables::default().with("device_serial", "a/O=Other+CN=x");
        let subject: Subject = "/O=Acme/CN={device_serial}".parse().unwrap();
        let name = subject.name(&variables).unwrap();
        assert_eq!(name.len(), 2);
        assert_eq!(name.common_name().unwrap().unwrap().value(), "a/O=Other+CN=x");
    }
}
