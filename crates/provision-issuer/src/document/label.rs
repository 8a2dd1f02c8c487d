//! What a PEM block says it holds.

use super::{BEGIN, DASHES, DocumentKind};

/// The label of a block that starts with `-----BEGIN `, if that line is as it should be: the label ends on its own
/// line, and is short and of capital letters (RFC 7468 section 3).
///
/// Nothing else is a label, and is quoted nowhere: where a dash is missing, the next dashes come after a private key.
pub(crate) fn label(block: &str) -> Option<&str> {
    let line = block.strip_prefix(BEGIN)?.lines().next()?;
    let (label, _) = line.split_once(DASHES)?;
    let is_one = (1..=LABEL_MAX).contains(&label.len()) && label.bytes().all(is_of_label);
    is_one.then_some(label)
}

/// What a block of that label holds, if it is read here.
pub(super) fn kind_of(label: &str) -> Option<DocumentKind> {
    Some(match label {
        "CERTIFICATE" | "X509 CERTIFICATE" => DocumentKind::Certificate,
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => DocumentKind::Request,
        "X509 CRL" => DocumentKind::Crl,
        "PUBLIC KEY" => DocumentKind::PublicKey,
        "PKCS7" | "CMS" => DocumentKind::Pkcs7,
        "PKCS12" => DocumentKind::Pkcs12,
        "DH PARAMETERS" => DocumentKind::DhParameters,
        label if label.ends_with("PRIVATE KEY") => DocumentKind::PrivateKey,
        _ => return None,
    })
}

/// Base64 has small letters too, so that a key is never made of these alone.
const fn is_of_label(byte: u8) -> bool {
    matches!(byte, b'A'..=b'Z' | b'0'..=b'9' | b' ' | b'#' | b'.' | b'-')
}

/// Twice the longest one known.
pub(super) const LABEL_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_ends_on_its_line() {
        for (block, expected) in [
            ("-----BEGIN PRIVATE KEY-----\nMIGH\n-----END", Some("PRIVATE KEY")),
            ("-----BEGIN X509 CRL-----\r\nMIGH", Some("X509 CRL")),
            ("-----BEGIN PKCS #7 SIGNED DATA-----MIGH", Some("PKCS #7 SIGNED DATA")),
            ("-----BEGIN X9.42 DH PARAMETERS-----", Some("X9.42 DH PARAMETERS")),
            ("-----BEGIN PRIVATE KEY----\nMIGH\n-----END PRIVATE KEY-----", None),
            ("-----BEGIN PRIVATE KEY----MIGHAgEA-----", None),
            ("-----BEGIN PRIVATE KEY\rMIGH-----", None),
            ("-----BEGIN -----", None),
            ("-----BEGIN ", None),
            ("----BEGIN PRIVATE KEY-----", None),
        ] {
            assert_eq!(label(block), expected, "{block:?}");
        }
        let of = |len: usize| format!("-----BEGIN {}-----", "A".repeat(len));
        assert_eq!(label(&of(64)).map(str::len), Some(64));
        assert_eq!(label(&of(65)), None);
    }
}
