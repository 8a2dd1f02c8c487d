//! Trust anchors, taken from certificates.

use core::fmt;

use pki_types::{CertificateDer, TrustAnchor};

use crate::certificate::Certificate;

/// Checks that a certificate can serve as a trust anchor at all, before it is stored as one: a CA
/// whose key is one this crate can check signatures with.
///
/// That somebody trusts it is the caller's knowledge.
///
/// # Errors
///
/// [`AnchorFault`] says why it never could vouch for anything.
pub fn check_server_anchor(anchor_der: &[u8]) -> Result<(), AnchorFault> {
    parse_on_p256(anchor_der).map(drop)
}

/// Why a certificate is no trust anchor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum AnchorFault {
    /// Not an X.509 certificate in DER.
    Unreadable,
    /// It is no CA (RFC 5280 section 4.2.1.9): a leaf must not vouch for others.
    NotCa,
    /// Its key is not on P-256, so no signature by it can be checked.
    NotP256,
}

/// Reads and checks, without webpki. Its key may be of any kind.
pub(crate) fn parse(der: &[u8]) -> Result<Certificate<'_>, AnchorFault> {
    let certificate = Certificate::parse(der).ok_or(AnchorFault::Unreadable)?;
    if !certificate.is_ca() {
        return Err(AnchorFault::NotCa);
    }
    Ok(certificate)
}

/// As [`parse`], of a key that signatures can be checked with here.
pub(crate) fn parse_on_p256(der: &[u8]) -> Result<Certificate<'_>, AnchorFault> {
    let certificate = parse(der)?;
    if certificate.p256_key().is_none() {
        return Err(AnchorFault::NotP256);
    }
    Ok(certificate)
}

/// Reads and checks, for webpki.
pub(crate) fn check<'a>(der: &'a CertificateDer<'a>) -> Result<TrustAnchor<'a>, AnchorFault> {
    parse_on_p256(der)?;
    webpki::anchor_from_trusted_cert(der).map_err(|_| AnchorFault::Unreadable)
}

impl fmt::Display for AnchorFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "not an X.509 certificate in DER",
            Self::NotCa => "not a CA's certificate",
            Self::NotP256 => "its key is not on P-256",
        })
    }
}

impl core::error::Error for AnchorFault {}
