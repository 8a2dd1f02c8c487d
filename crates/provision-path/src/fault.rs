//! Why a path was refused.

use core::{fmt, time::Duration};

use pki_types::UnixTime;

/// Seconds since 1970-01-01 00:00 UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct UnixSeconds(pub u64);

impl UnixSeconds {
    pub(crate) const fn to_pki(self) -> UnixTime {
        UnixTime::since_unix_epoch(Duration::from_secs(self.0))
    }

    pub(crate) const fn from_pki(time: UnixTime) -> Self {
        Self(time.as_secs())
    }
}

impl fmt::Display for UnixSeconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s since 1970", self.0)
    }
}

/// Why no valid path leads from the leaf to a trust anchor. Certificates are counted from the
/// leaf, which is 0, in the order they were given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum PathFault {
    /// More issuers than are ever looked at.
    TooManyIssuers {
        /// How many came.
        found: usize,
        /// [`ISSUERS_MAX`](crate::ISSUERS_MAX).
        max: usize,
    },
    /// Not an X.509 v3 certificate in DER.
    Unreadable {
        /// Which one.
        certificate: u8,
    },
    /// A critical extension that nobody here understands (RFC 5280 section 4.2).
    UnknownCriticalExtension {
        /// Which certificate has it.
        certificate: u8,
    },
    /// The time is past notAfter.
    Expired {
        /// Which certificate.
        certificate: u8,
        /// The last second it was valid.
        not_after: UnixSeconds,
        /// The time given.
        now: UnixSeconds,
    },
    /// The time is before notBefore: the certificate is from the future, or the clock is wrong.
    NotYetValid {
        /// Which certificate.
        certificate: u8,
        /// The first second it will be valid.
        not_before: UnixSeconds,
        /// The time given.
        now: UnixSeconds,
    },
    /// No certificate given carries the name of the issuer that is needed, up to an anchor.
    UnknownIssuer,
    /// The signature on a certificate is not by the key of its issuer.
    BadSignature {
        /// Which certificate is not what its issuer signed.
        certificate: u8,
    },
    /// A signature on the path is not ECDSA P-256 with SHA-256, or the leaf's key is not on P-256.
    UnsupportedAlgorithm,
    /// The leaf does not name the purpose in extended key usage, or an issuer excludes it.
    WrongPurpose,
    /// The leaf is a CA (RFC 5280 section 4.2.1.9).
    LeafIsCa,
    /// What signed a certificate on the path is not a CA.
    IssuerIsNotCa,
    /// A pathLen constraint allows fewer CAs below it.
    PathLenExceeded,
    /// KeyUsage is present and forbids what the key was used for: digitalSignature in the leaf,
    /// keyCertSign in an issuer (RFC 5280 section 4.2.1.3).
    KeyUsage {
        /// Which certificate.
        certificate: u8,
    },
    /// A name is outside the constraints set by an issuer (RFC 5280 section 4.2.1.10).
    NameConstraint,
    /// Building a path took more attempts or signatures than any honest chain needs.
    TooComplex,
    /// Some other rule of X.509 is broken (a malformed extension, a validity that ends before it
    /// begins, a distrusted key).
    Malformed,
}

impl fmt::Display for PathFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyIssuers { found, max } => {
                write!(f, "{found} issuers, and at most {max} are looked at")
            }
            Self::Unreadable { certificate } => {
                write!(f, "certificate {certificate} is not X.509 v3 in DER")
            }
            Self::UnknownCriticalExtension { certificate } => {
                write!(f, "certificate {certificate} has an unknown critical extension")
            }
            Self::Expired { certificate, not_after, now } => {
                write!(f, "certificate {certificate} expired at {not_after}, and it is {now}")
            }
            Self::NotYetValid { certificate, not_before, now } => {
                write!(f, "certificate {certificate} is valid from {not_before}, and it is {now}")
            }
            Self::UnknownIssuer => f.write_str("no path leads to a trust anchor"),
            Self::BadSignature { certificate } => {
                write!(f, "the signature on certificate {certificate} is not by its issuer's key")
            }
            Self::UnsupportedAlgorithm => f.write_str("not ECDSA P-256 with SHA-256"),
            Self::WrongPurpose => f.write_str("not meant for this purpose (extended key usage)"),
            Self::LeafIsCa => f.write_str("the leaf is a CA"),
            Self::IssuerIsNotCa => f.write_str("an issuer on the path is not a CA"),
            Self::PathLenExceeded => f.write_str("more CAs than a pathLen constraint allows"),
            Self::KeyUsage { certificate } => {
                write!(f, "key usage of certificate {certificate} forbids this use of its key")
            }
            Self::NameConstraint => f.write_str("a name is outside its issuer's constraints"),
            Self::TooComplex => f.write_str("too many ways to build a path"),
            Self::Malformed => f.write_str("a certificate breaks a rule of X.509"),
        }
    }
}

impl core::error::Error for PathFault {}
