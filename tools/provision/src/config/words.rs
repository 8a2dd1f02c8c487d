//! Addresses, names and paths as they stand in configurations.

use core::fmt::{self, Display, Write as _};
use core::net::{IpAddr, SocketAddr};
use core::str::FromStr;
use std::path::Path;

use crate::fault::Fault;

/// Where a server listens: a port, on every address or on one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Listen {
    pub(crate) address: Option<IpAddr>,
    pub(crate) port: u16,
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let listen = match text.parse::<SocketAddr>() {
            Ok(address) => Self { address: Some(address.ip()), port: address.port() },
            Err(_) => Self {
                address: None,
                port: text.parse().map_err(|_| "PORT or ADDRESS:PORT is expected".to_owned())?,
            },
        };
        if listen.port == 0 { Err("no server listens on port 0".into()) } else { Ok(listen) }
    }
}

/// `8443`, `127.0.0.1:8443`, `[::1]:8443`.
impl Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            None => write!(f, "{}", self.port),
            Some(address) => write!(f, "{}", SocketAddr::new(address, self.port)),
        }
    }
}

/// Who gets what the server lets through: a name or an address, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upstream {
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl FromStr for Upstream {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "HOST:PORT is expected, such as 127.0.0.1:8080".to_owned();
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let is_host = bare.parse::<IpAddr>().is_ok()
            || provision_issuer::DnsName::new(bare).is_ok_and(|name| !name.as_str().contains('*'));
        if !is_host || port == 0 {
            return Err(wrong());
        }
        Ok(Self { host: bare.to_owned(), port })
    }
}

impl Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.parse::<IpAddr>() {
            Ok(address) => write!(f, "{}", SocketAddr::new(address, self.port)),
            Err(_) => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

/// A path that is the same in every configuration: quoting differs from server to server, and some
/// have none.
pub(crate) fn plain_path(path: &Path) -> Result<&str, Fault> {
    let is_plain = |c: char| !c.is_control() && !c.is_whitespace() && !"\"'\\$#;{}%".contains(c);
    match path.to_str() {
        Some(text) if text.chars().all(is_plain) => Ok(text),
        _ => Err(Fault::Usage(format!(
            "{path:?} cannot stand in a configuration: --at names a directory without spaces, \
             quotes, backslashes and $#;{{}}%"
        ))),
    }
}

/// An URL that is the same in every configuration.
pub(crate) fn plain_url(text: &str) -> Result<String, String> {
    let rest = text.strip_prefix("http://").unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/[]".contains(c);
    if rest.is_empty() || !rest.chars().all(is_plain) {
        return Err("http://HOST[:PORT]/PATH is expected".into());
    }
    Ok(text.to_owned())
}

/// A regular expression for subjects that have this attribute. It is for all of a text in which
/// the subject is written as RFC 2253 has it, and for PCRE as well as for RE2.
///
/// A comma in somebody's name is escaped there, so `O=x\,CN=alice` is not taken for alice.
pub(crate) fn subject_pattern(attribute: &str, value: &str) -> String {
    let value = regex_escaped(&rfc2253_escaped(value));
    format!(r"(?:(?:[^\\]|\\.)*[,+])?{attribute}={value}(?:[,+].*)?")
}

/// An attribute's value as openssl writes it with XN_FLAG_RFC2253.
pub(crate) fn rfc2253_escaped(value: &str) -> String {
    let mut escaped = String::new();
    let last = value.chars().count().saturating_sub(1);
    for (at, c) in value.chars().enumerate() {
        let at_an_end = (at == 0 && (c == '#' || c == ' ')) || (at == last && c == ' ');
        if at_an_end || ",+\"\\<>;".contains(c) {
            escaped.push('\\');
            escaped.push(c);
        } else if c.is_ascii() && !c.is_ascii_control() {
            escaped.push(c);
        } else {
            for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                let _ = write!(escaped, "\\{byte:02X}");
            }
        }
    }
    escaped
}

fn regex_escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if !c.is_ascii_alphanumeric() && !"-_ ,=@:/<>;\"".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// A name that somebody may have, for a configuration that is made of lines.
pub(crate) fn one_line(what: &str, text: &str) -> Result<(), Fault> {
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(Fault::Usage(format!("{text:?} is no {what}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_as_they_stand_in_configurations() {
        for (text, shown) in
            [("443", "443"), ("127.0.0.1:8443", "127.0.0.1:8443"), ("[::1]:8443", "[::1]:8443")]
        {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), shown);
        }
        for text in ["", "0", "65536", "127.0.0.1", "host:1", "1;2", "::1:8443x"] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
        for (text, shown) in [
            ("127.0.0.1:8080", "127.0.0.1:8080"),
            ("[::1]:80", "[::1]:80"),
            ("app.internal:80", "app.internal:80"),
        ] {
            assert_eq!(text.parse::<Upstream>().unwrap().to_string(), shown);
        }
        for text in ["app", "app:0", "a b:1", "a;b:1", "a\n:1", "http://a:1", ":1", "*.a.b:1"] {
            assert!(text.parse::<Upstream>().is_err(), "{text}");
        }
        for path in ["/a b", "/a\"", "/a$b", "/a;b", "/a\nb", "C:\\a"] {
            assert!(plain_path(Path::new(path)).is_err(), "{path}");
        }
        for url in ["https://a/", "http://", "http://a/;", "http://a/$b", "http://a b"] {
            assert!(plain_url(url).is_err(), "{url}");
        }
    }

    #[test]
    fn values_are_escaped_as_openssl_does() {
        for (value, escaped) in [
            ("alice", "alice"),
            ("a,b+c", r"a\,b\+c"),
            (" a ", r"\ a\ "),
            ("#a", r"\#a"),
            ("é", r"\C3\A9"),
            (r#"a"\<>;"#, r#"a\"\\\<\>\;"#),
        ] {
            assert_eq!(rfc2253_escaped(value), escaped);
        }
        assert!(subject_pattern("CN", "a.b").contains(r"CN=a\.b"));
    }
}
