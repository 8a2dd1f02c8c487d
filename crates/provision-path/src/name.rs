//! What a server is called.

use core::fmt;

/// The name a server must prove: a DNS name, or an IP address.
///
/// A certificate must carry it in subjectAltName; the common name is never looked at (RFC 9525
/// section 2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerName<'a> {
    text: &'a str,
    pki: pki_types::ServerName<'a>,
}

impl<'a> ServerName<'a> {
    /// Takes `mqtt.example.com`, `192.0.2.7` or `2001:db8::7`.
    ///
    /// # Errors
    ///
    /// [`NotAServerName`] if it is neither a DNS name (ASCII; internationalized names in their
    /// `xn--` form) nor an address.
    pub fn parse(text: &'a str) -> Result<Self, NotAServerName> {
        // A trailing dot says the same, and SNI must not have it (RFC 6066 section 3).
        let text = text.strip_suffix('.').unwrap_or(text);
        let pki = pki_types::ServerName::try_from(text).map_err(|_| NotAServerName)?;
        Ok(Self { text, pki })
    }

    /// What server name indication carries: the DNS name, and nothing for an address (RFC 6066
    /// section 3).
    #[must_use]
    pub fn indication(&self) -> Option<&'a str> {
        matches!(self.pki, pki_types::ServerName::DnsName(_)).then_some(self.text)
    }

    pub(crate) const fn as_pki(&self) -> &pki_types::ServerName<'a> {
        &self.pki
    }
}

impl fmt::Display for ServerName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

/// The text is neither a DNS name nor an IP address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NotAServerName;

impl fmt::Display for NotAServerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("neither a DNS name nor an IP address")
    }
}

impl core::error::Error for NotAServerName {}
