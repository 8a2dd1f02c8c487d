//! The chain a device is about to store.

use core::fmt;

use provision_csr::{PublicKey, Signature, VerifyP256, sha256};

use crate::certificate::{Certificate, KeyUsageBit};
use crate::{AnchorFault, ISSUERS_MAX, PathFault, UnixSeconds, anchor};

/// Checks the chain a device is about to store: the leaf carries the device's key `expected`, each
/// certificate is issued by the next, the last by the anchor, and all of it is valid for TLS client
/// authentication at `now`.
///
/// `issuers` are in order, the leaf's issuer first, without or with the anchor itself at the end.
///
/// There is no path to be found here: the order is given, and what a station sends is refused where
/// it is not plain. So this is done by hand, in a tenth of webpki's flash; an extension that webpki
/// would understand and this does not (name constraints) is refused where it is critical.
///
/// With [`ForeignSignatures::Unchecked`], signatures by keys that are not on P-256 are passed over, and
/// nothing else is.
///
/// # Errors
///
/// [`ChainFault`] names what is wrong and where.
pub fn check_device_chain<V: VerifyP256>(
    leaf_der: &[u8],
    issuers: &[&[u8]],
    anchor_der: &[u8],
    expected: &PublicKey,
    now: UnixSeconds,
    foreign: ForeignSignatures,
) -> Result<(), ChainFault> {
    if issuers.len() > ISSUERS_MAX {
        return Err(PathFault::TooManyIssuers { found: issuers.len(), max: ISSUERS_MAX }.into());
    }
    let leaf = parse(0, leaf_der)?;
    if leaf.p256_key().as_ref() != Some(expected) {
        return Err(ChainFault::WrongKey);
    }
    check_leaf(&leaf)?;
    check_validity(0, &leaf, now)?;
    let parse_anchor = match foreign {
        ForeignSignatures::Refused => anchor::parse_on_p256,
        ForeignSignatures::Unchecked => anchor::parse,
    };
    let anchor = parse_anchor(anchor_der).map_err(ChainFault::Anchor)?;

    // First everything that costs nothing, from the leaf up.
    let mut child = leaf;
    for ((number, above), der) in (0..).zip(1..).zip(issuers) {
        let issuer = parse(above, der)?;
        if child.issuer != issuer.subject {
            return Err(ChainFault::BrokenLink { certificate: number });
        }
        // As many CAs stand below it as issuers came before.
        check_issuer(above, &issuer, number)?;
        check_validity(above, &issuer, now)?;
        child = issuer;
    }
    if child.issuer != anchor.subject {
        return Err(ChainFault::BrokenLink { certificate: issuers.len() as u8 });
    }

    // At most ISSUERS_MAX, and the anchor itself may be the last of them.
    let len = issuers.len() as u8;
    let cas_below = len.saturating_sub(u8::from(issuers.last() == Some(&anchor_der)));
    let above = len.saturating_add(1);
    if anchor.has_unknown_critical_extension() {
        return Err(PathFault::UnknownCriticalExtension { certificate: above }.into());
    }
    check_issuer(above, &anchor, cas_below)?;
    check_validity(above, &anchor, now)?;

    // Then the signatures, from the anchor down: nothing unproven vouches for anything.
    let mut signer = anchor;
    // At most ISSUERS_MAX of them.
    for (certificate, der) in (1..=issuers.len() as u8).rev().zip(issuers.iter().rev()) {
        let issuer = parse(certificate, der)?;
        check_signature::<V>(certificate, &issuer, &signer, foreign)?;
        signer = issuer;
    }
    check_signature::<V>(0, &leaf, &signer, foreign)?;
    Ok(())
}

fn parse(certificate: u8, der: &[u8]) -> Result<Certificate<'_>, PathFault> {
    let parsed = Certificate::parse(der).ok_or(PathFault::Unreadable { certificate })?;
    if parsed.has_unknown_critical_extension() {
        return Err(PathFault::UnknownCriticalExtension { certificate });
    }
    Ok(parsed)
}

fn check_leaf(leaf: &Certificate<'_>) -> Result<(), PathFault> {
    if leaf.is_ca() {
        return Err(PathFault::LeafIsCa);
    }
    if !leaf.is_for_clients() {
        return Err(PathFault::WrongPurpose);
    }
    if !leaf.may(KeyUsageBit::DigitalSignature) {
        return Err(PathFault::KeyUsage { certificate: 0 });
    }
    Ok(())
}

fn check_issuer(certificate: u8, issuer: &Certificate<'_>, cas_below: u8) -> Result<(), PathFault> {
    if !issuer.is_ca() {
        return Err(PathFault::IssuerIsNotCa);
    }
    if issuer.path_len().is_some_and(|path_len| path_len < cas_below) {
        return Err(PathFault::PathLenExceeded);
    }
    if !issuer.may(KeyUsageBit::KeyCertSign) {
        return Err(PathFault::KeyUsage { certificate });
    }
    if issuer.names_its_purpose() && !issuer.is_for_clients() {
        return Err(PathFault::WrongPurpose);
    }
    Ok(())
}

fn check_validity(
    certificate: u8,
    checked: &Certificate<'_>,
    now: UnixSeconds,
) -> Result<(), PathFault> {
    let (not_before, not_after) =
        checked.validity().ok_or(PathFault::Unreadable { certificate })?;
    if now < not_before {
        return Err(PathFault::NotYetValid { certificate, not_before, now });
    }
    if now > not_after {
        return Err(PathFault::Expired { certificate, not_after, now });
    }
    Ok(())
}

fn check_signature<V: VerifyP256>(
    certificate: u8,
    signed: &Certificate<'_>,
    signer: &Certificate<'_>,
    foreign: ForeignSignatures,
) -> Result<(), PathFault> {
    let key = signer.p256_key();
    if foreign == ForeignSignatures::Unchecked && key.is_none() {
        return Ok(());
    }
    let key = key.filter(|_| signed.is_signed_with_ecdsa_sha256());
    let key = key.ok_or(PathFault::UnsupportedAlgorithm)?;
    let bad = PathFault::BadSignature { certificate };
    let signature = Signature::from_der(signed.signature).map_err(|_| bad)?;
    V::verify_digest(&key, &sha256(signed.signed), &signature).map_err(|_| bad)
}

/// What becomes of a chain with signatures by keys that are not on P-256, RSA for example, which this
/// crate cannot check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ForeignSignatures {
    /// It is refused.
    Refused,
    /// They are believed, unchecked: whoever gave the chain has said in so many words that he did
    /// check them.
    Unchecked,
}

/// Why a device's chain was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum ChainFault {
    /// The leaf carries another key than the device's.
    WrongKey,
    /// The trust anchor is none.
    Anchor(AnchorFault),
    /// The certificate that follows, or the anchor, does not bear the name of this one's issuer.
    BrokenLink {
        /// Which certificate is left without its issuer; the leaf is 0.
        certificate: u8,
    },
    /// The path to the anchor is not valid.
    Path(PathFault),
}

impl From<PathFault> for ChainFault {
    fn from(fault: PathFault) -> Self {
        Self::Path(fault)
    }
}

impl fmt::Display for ChainFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongKey => f.write_str("the leaf carries another key than the device's"),
            Self::Anchor(fault) => write!(f, "trust anchor: {fault}"),
            Self::BrokenLink { certificate } => {
                write!(f, "certificate {certificate} is not followed by its issuer")
            }
            Self::Path(fault) => fault.fmt(f),
        }
    }
}

impl core::error::Error for ChainFault {}
