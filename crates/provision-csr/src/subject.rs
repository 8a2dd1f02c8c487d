//! The name a device asks to be certified under.

use core::fmt;

/// A subject name, given at run time and checked as it is put together.
///
/// ```
/// # use provision_csr::{Subject, SubjectError};
/// # fn main() -> Result<(), SubjectError> {
/// let subject = Subject::new("sensor-0042")?
///     .with_organization("Example Sensors")?
///     .with_country("CH")?
///     .with_serial_number("SN-0042")?;
/// assert_eq!(subject.common_name(), "sensor-0042");
/// # Ok(())
/// # }
/// ```
///
/// Written most general first, one attribute to a relative name: C, O, OU, CN, serialNumber.
/// Country and serial number are `PrintableString`, as X.520 demands; the others `UTF8String`
/// (RFC 5280 section 4.1.2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'a> {
    common_name: &'a str,
    organization: Option<&'a str>,
    organizational_unit: Option<&'a str>,
    country: Option<&'a str>,
    serial_number: Option<&'a str>,
}

impl<'a> Subject<'a> {
    /// A name with a common name alone.
    ///
    /// # Errors
    ///
    /// [`SubjectError`] if it is empty, longer than [`ATTRIBUTE_CHARS_MAX`](Self::ATTRIBUTE_CHARS_MAX)
    /// characters, or holds a control character. The same holds for the methods below.
    pub fn new(common_name: &'a str) -> Result<Self, SubjectError> {
        Ok(Self {
            common_name: checked_utf8(SubjectAttribute::CommonName, common_name)?,
            organization: None,
            organizational_unit: None,
            country: None,
            serial_number: None,
        })
    }

    /// The longest attribute in characters, except for the country (X.520 `ub-common-name`,
    /// `ub-organization-name`, `ub-organizational-unit-name`, `ub-serial-number`).
    pub const ATTRIBUTE_CHARS_MAX: usize = 64;

    /// Adds the organization (O).
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_organization(mut self, organization: &'a str) -> Result<Self, SubjectError> {
        self.organization = Some(checked_utf8(SubjectAttribute::Organization, organization)?);
        Ok(self)
    }

    /// Adds the organizational unit (OU).
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_organizational_unit(mut self, unit: &'a str) -> Result<Self, SubjectError> {
        self.organizational_unit = Some(checked_utf8(SubjectAttribute::OrganizationalUnit, unit)?);
        Ok(self)
    }

    /// Adds the country (C): two upper-case letters of ISO 3166-1.
    ///
    /// # Errors
    ///
    /// [`SubjectError::NotACountry`] if it is anything else.
    pub fn with_country(mut self, country: &'a str) -> Result<Self, SubjectError> {
        if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(SubjectError::NotACountry { chars: country.chars().count() });
        }
        self.country = Some(country);
        Ok(self)
    }

    /// Adds the device's serial number (the name attribute `serialNumber`, 2.5.4.5, which is not
    /// the certificate's serial number).
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new), and [`SubjectError::NotPrintable`] if it holds a character that
    /// `PrintableString` lacks.
    pub fn with_serial_number(mut self, serial_number: &'a str) -> Result<Self, SubjectError> {
        let attribute = SubjectAttribute::SerialNumber;
        check_length(attribute, serial_number)?;
        if let Some(found) = serial_number.chars().find(|found| !is_printable_string(*found)) {
            return Err(SubjectError::NotPrintable { attribute, found });
        }
        self.serial_number = Some(serial_number);
        Ok(self)
    }

    /// CN.
    #[must_use]
    pub const fn common_name(&self) -> &'a str {
        self.common_name
    }

    /// O.
    #[must_use]
    pub const fn organization(&self) -> Option<&'a str> {
        self.organization
    }

    /// OU.
    #[must_use]
    pub const fn organizational_unit(&self) -> Option<&'a str> {
        self.organizational_unit
    }

    /// C.
    #[must_use]
    pub const fn country(&self) -> Option<&'a str> {
        self.country
    }

    /// The name attribute `serialNumber`.
    #[must_use]
    pub const fn serial_number(&self) -> Option<&'a str> {
        self.serial_number
    }
}

/// Which part of a [`Subject`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SubjectAttribute {
    /// CN, 2.5.4.3.
    CommonName,
    /// O, 2.5.4.10.
    Organization,
    /// OU, 2.5.4.11.
    OrganizationalUnit,
    /// C, 2.5.4.6.
    Country,
    /// serialNumber, 2.5.4.5.
    SerialNumber,
}

impl fmt::Display for SubjectAttribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CommonName => "common name",
            Self::Organization => "organization",
            Self::OrganizationalUnit => "organizational unit",
            Self::Country => "country",
            Self::SerialNumber => "serial number",
        })
    }
}

/// Why a text cannot be part of a [`Subject`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum SubjectError {
    /// Empty; leave the attribute out instead.
    Empty {
        /// Which one.
        attribute: SubjectAttribute,
    },
    /// Longer than X.520 allows.
    TooLong {
        /// Which one.
        attribute: SubjectAttribute,
        /// Its length in characters.
        chars: usize,
        /// The longest allowed.
        chars_max: usize,
    },
    /// Holds a control character: a NUL, for one, ends the name for some readers and not for others.
    ControlCharacter {
        /// Which one.
        attribute: SubjectAttribute,
        /// The first such character.
        found: char,
    },
    /// Holds a character outside `PrintableString`.
    NotPrintable {
        /// Which one.
        attribute: SubjectAttribute,
        /// The first such character.
        found: char,
    },
    /// A country that is not two upper-case letters.
    NotACountry {
        /// Its length in characters.
        chars: usize,
    },
}

impl fmt::Display for SubjectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty { attribute } => write!(f, "the {attribute} is empty"),
            Self::TooLong { attribute, chars, chars_max } => {
                write!(f, "the {attribute} has {chars} characters, at most {chars_max} are allowed")
            }
            Self::ControlCharacter { attribute, found } => {
                write!(f, "the {attribute} holds the control character {found:?}")
            }
            Self::NotPrintable { attribute, found } => {
                write!(f, "the {attribute} holds {found:?}, which PrintableString lacks")
            }
            Self::NotACountry { chars } => {
                write!(f, "the country must be two upper-case letters, it has {chars} characters")
            }
        }
    }
}

impl core::error::Error for SubjectError {}

fn checked_utf8(attribute: SubjectAttribute, text: &str) -> Result<&str, SubjectError> {
    check_length(attribute, text)?;
    match text.chars().find(|found| found.is_control()) {
        Some(found) => Err(SubjectError::ControlCharacter { attribute, found }),
        None => Ok(text),
    }
}

fn check_length(attribute: SubjectAttribute, text: &str) -> Result<(), SubjectError> {
    let chars_max = Subject::ATTRIBUTE_CHARS_MAX;
    // Not by `chars().count()`: what makes that fast is a third of a kilobyte.
    let chars = text.bytes().filter(|byte| *byte as i8 >= -0x40).count();
    match chars {
        0 => Err(SubjectError::Empty { attribute }),
        chars if chars > chars_max => Err(SubjectError::TooLong { attribute, chars, chars_max }),
        _ => Ok(()),
    }
}

/// X.680 section 41.4, table 10.
const fn is_printable_string(found: char) -> bool {
    matches!(found,
        'A'..='Z' | 'a'..='z' | '0'..='9'
        | ' ' | '\'' | '(' | ')' | '+' | ',' | '-' | '.' | '/' | ':' | '=' | '?')
}
