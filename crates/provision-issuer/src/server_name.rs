//! Names under which a server is reached.

use core::fmt;
use core::net::IpAddr;
use core::str::FromStr;

use der::asn1::Ia5String;
use thiserror::Error;
use x509_cert::ext::pkix::name::GeneralName;

/// A DNS name or an IP address in a server's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerName {
    /// A host name, perhaps with a wildcard.
    Dns(DnsName),
    /// An address, IPv4 or IPv6.
    Ip(IpAddr),
}

impl ServerName {
    pub(crate) fn to_general_name(&self) -> der::Result<GeneralName> {
        match self {
            Self::Dns(name) => Ok(GeneralName::DnsName(Ia5String::new(name.as_str())?)),
            Self::Ip(address) => Ok(GeneralName::from(*address)),
        }
    }

    /// Whether this name in a certificate stands for that one: the same, or a wildcard for its
    /// first label (RFC 9525 section 6.3).
    #[must_use]
    pub fn matches(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (Self::Dns(name), Self::Dns(wanted)) => {
                match (name.as_str().strip_prefix("*."), wanted.as_str().split_once('.')) {
                    (Some(parent), Some((_, rest))) => parent == rest,
                    _ => name == wanted,
                }
            }
            _ => self == wanted,
        }
    }

    /// If it is a host name or an address, and a possible one.
    pub(crate) fn from_general_name(name: &GeneralName) -> Option<Self> {
        match name {
            GeneralName::DnsName(name) => DnsName::new(name.as_str()).ok().map(Self::Dns),
            GeneralName::IpAddress(octets) => match octets.as_bytes() {
                &[a, b, c, d] => Some(Self::Ip([a, b, c, d].into())),
                bytes => <[u8; 16]>::try_from(bytes).ok().map(|octets| Self::Ip(octets.into())),
            },
            _ => None,
        }
    }
}

impl FromStr for ServerName {
    type Err = DnsNameError;

    /// An address if it can be one, else a host name.
    fn from_str(text: &str) -> Result<Self, DnsNameError> {
        match text.parse() {
            Ok(address) => Ok(Self::Ip(address)),
            Err(_) => DnsName::new(text).map(Self::Dns),
        }
    }
}

impl fmt::Display for ServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns(name) => name.fmt(f),
            Self::Ip(address) => address.fmt(f),
        }
    }
}

/// A host name of letters, digits and hyphens (RFC 1123 section 2.1), in lower case. The first
/// label may be `*`, if two or more follow: fewer are refused by clients, OpenSSL's among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsName(String);

impl DnsName {
    /// Takes a name.
    ///
    /// # Errors
    ///
    /// [`DnsNameError`] says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, DnsNameError> {
        let fault = |fault| DnsNameError { name: text.to_owned(), fault };
        if text.parse::<IpAddr>().is_ok() {
            return Err(fault(DnsNameFault::IsAnAddress));
        }
        if text.len() > 253 {
            return Err(fault(DnsNameFault::TooLong));
        }
        let labels: Vec<&str> = text.split('.').collect();
        let labels = match labels.as_slice() {
            ["*", rest @ ..] if rest.len() < 2 => return Err(fault(DnsNameFault::WideWildcard)),
            ["*", rest @ ..] => rest,
            all => all,
        };
        for label in labels {
            let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            if label.is_empty() || label.len() > 63 {
                return Err(fault(DnsNameFault::LabelLength));
            }
            if !label.bytes().all(inner) || label.starts_with('-') || label.ends_with('-') {
                return Err(fault(DnsNameFault::Character));
            }
        }
        // 10.0.0 is taken for an address by some, and by no validator for a name.
        if labels.last().is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(fault(DnsNameFault::NumericTop));
        }
        Ok(Self(text.to_ascii_lowercase()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DnsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for DnsName {
    type Err = DnsNameError;

    fn from_str(text: &str) -> Result<Self, DnsNameError> {
        Self::new(text)
    }
}

/// A text is no host name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{name:?} is not a host name: {fault}")]
pub struct DnsNameError {
    /// The text as given.
    pub name: String,
    /// What is wrong with it.
    pub fault: DnsNameFault,
}

/// What is wrong with a host name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DnsNameFault {
    /// It is an IP address, which stands in a certificate as one.
    #[error("it is an IP address")]
    IsAnAddress,
    /// More than 253 characters.
    #[error("it is longer than 253 characters")]
    TooLong,
    /// A part between dots is empty or too long; a dot at the end makes an empty one.
    #[error("each part between dots has 1 to 63 characters")]
    LabelLength,
    /// Other characters, or a hyphen at an end. A wildcard inside counts as such.
    #[error(
        "each part has letters, digits and inner hyphens only (and a * stands alone, in front)"
    )]
    Character,
    /// The last label is a number.
    #[error("its last part is a number")]
    NumericTop,
    /// A wildcard with fewer than two labels after it.
    #[error("a wildcard needs at least two parts after it")]
    WideWildcard,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_taken() {
        let longest = format!("{0}.{0}.{0}.{1}", "a".repeat(63), "b".repeat(61));
        assert_eq!(longest.len(), 253);
        for good in
            ["localhost", "a.example", "*.iot.example", "xn--bcher-kva.example", "1.a", &longest]
        {
            assert_eq!(DnsName::new(good).unwrap().as_str(), good);
        }
        assert_eq!(DnsName::new("MQTT.Example").unwrap().as_str(), "mqtt.example");
    }

    #[test]
    fn names_that_are_refused() {
        let fault = |text: &str| DnsName::new(text).unwrap_err().fault;
        assert_eq!(fault("10.0.0.1"), DnsNameFault::IsAnAddress);
        assert_eq!(fault("::1"), DnsNameFault::IsAnAddress);
        assert_eq!(fault(&format!("{0}.{0}.{0}.{0}", "a".repeat(63))), DnsNameFault::TooLong);
        for text in ["", ".", "a.", ".a", "a..b", &"a".repeat(64)] {
            assert_eq!(fault(text), DnsNameFault::LabelLength, "{text}");
        }
        for text in ["-a", "a-.b", "a_b", "bücher.example", "a b", "a.*.b", "*a.b.c", "a\0.b"] {
            assert_eq!(fault(text), DnsNameFault::Character, "{text}");
        }
        for text in ["10.0.0", "a.1"] {
            assert_eq!(fault(text), DnsNameFault::NumericTop, "{text}");
        }
        for text in ["*", "*.", "*.com"] {
            assert_eq!(fault(text), DnsNameFault::WideWildcard, "{text}");
        }
    }
}
