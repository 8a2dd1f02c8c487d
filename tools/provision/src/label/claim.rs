//! What the QR code says.

use core::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::Facts;

/// A URI that names the device and its certificate, and nothing to connect to.
pub(super) const DEFAULT: &str = "provision:{device}?sha256={sha256}";

/// All but the unreserved characters of RFC 3986 section 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A URL with places for what is a device's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClaimUrl(String);

impl ClaimUrl {
    /// The URL of a device.
    pub(super) fn of(&self, facts: &Facts) -> String {
        let encoded = |text: &str| utf8_percent_encode(text, RESERVED).to_string();
        PLACES
            .iter()
            .fold(self.0.clone(), |url, (place, of)| url.replace(place, &encoded(of(facts))))
    }
}

/// What stands for what.
const PLACES: [(&str, Of); 3] = [
    ("{device}", |facts| &facts.device),
    ("{sha256}", |facts| &facts.sha256),
    ("{cert_serial}", |facts| &facts.cert_serial),
];

/// What a device has in such a place.
type Of = fn(&Facts) -> &str;

impl FromStr for ClaimUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = PLACES.iter().fold(text.to_owned(), |rest, (place, _)| rest.replace(place, ""));
        if rest.contains(['{', '}']) {
            return Err("the places are {device}, {sha256} and {cert_serial}".into());
        }
        // RFC 3986 section 2, without the brackets of addresses' literals.
        let is_url = |c: char| c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c);
        let scheme = rest.split_once(':').map(|(scheme, _)| scheme);
        let begins = scheme.is_some_and(|scheme| {
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        });
        if !begins || !rest.chars().all(is_url) {
            return Err("that is no URL, such as https://acme.com/claim/{device}?f={sha256}".into());
        }
        if !text.contains("{device}")
            && !text.contains("{sha256}")
            && !text.contains("{cert_serial}")
        {
            return Err("it would be the same for all devices: put {device} into it".into());
        }
        Ok(Self(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_device_has_a_url_of_its_own() {
        let facts = Facts {
            device: "a:1_x-2.b".into(),
            sha256: "00ff".into(),
            cert_serial: "6C05".into(),
            lot: None,
        };
        let of = |text: &str| text.parse::<ClaimUrl>().map(|url| url.of(&facts));
        assert_eq!(of(DEFAULT).unwrap(), "provision:a%3A1_x-2.b?sha256=00ff");
        let url = of("https://acme.com/c/{cert_serial}/{device}?f={sha256}").unwrap();
        assert_eq!(url, "https://acme.com/c/6C05/a%3A1_x-2.b?f=00ff");
        for wrong in [
            "",
            "{device}",
            "https://acme.com/",
            "https://acme.com/{serial}",
            "https://acme.com/{device",
            "https://acme.com/ {device}",
            "https://acme.com/\n{device}",
            "1a:{device}",
            "https://ä/{device}",
            ":{device}",
            "{device}:{sha256}",
            "https://acme.com/^{device}",
        ] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
