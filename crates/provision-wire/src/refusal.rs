//! Why a device says no.

use core::fmt;

use crate::Stage;

/// A refusal with its facts. Whatever was refused changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Refusal {
    /// The ask belongs to a session this device has not opened: say `Hello` first.
    UnknownSession,
    /// The frame was whole, its payload was no message.
    Malformed,
    /// An ask this firmware does not know.
    UnknownAsk {
        /// Its kind.
        kind: u32,
    },
    /// No version in common; these are the device's.
    Version {
        /// Oldest.
        min: u32,
        /// Newest.
        max: u32,
    },
    /// Not at this stage.
    WrongStage {
        /// The device's stage.
        stage: Option<Stage>,
    },
    /// There is no CSR to read: ask for one.
    NoCsr,
    /// The piece does not follow what is staged.
    Gap {
        /// Bytes staged so far: go on from here.
        have: u32,
    },
    /// Longer than the device can take.
    TooLong {
        /// Bytes it can take.
        max: u32,
    },
    /// What was staged is not what the digest says.
    WrongDigest {
        /// Bytes staged.
        have: u32,
    },
    /// What was staged is no delivery.
    BadDelivery {
        /// Byte at which it stopped making sense.
        at: u32,
    },
    /// The leaf carries another key.
    WrongKey,
    /// A certificate does not lead up to the delivered anchor.
    ChainBroken {
        /// Which: 0 is the leaf, then its issuers in order; the anchor comes last. 0 too where it
        /// cannot be told.
        certificate: u32,
        /// Why.
        cause: ChainCause,
    },
    /// A server trust anchor cannot be used.
    BadAnchor {
        /// Which, from 0.
        anchor: u32,
    },
    /// The entropy source does not vouch for its output: no key is made.
    NoEntropy,
    /// The delivery is longer than the vault.
    VaultFull {
        /// Bytes it can take.
        max: u32,
    },
    /// The flash refused or did not keep what was written.
    VaultFailed,
    /// What the vault holds was complete once and is damaged now.
    VaultCorrupt,
    /// The key could not sign, or the CSR could not be written.
    KeyFailed,
    /// The device is sealed.
    Sealed,
    /// One this version does not know.
    Other {
        /// Its number.
        code: u32,
    },
}

impl Refusal {
    /// The number that stands for the refusal on the wire.
    #[must_use]
    pub fn code(self) -> u32 {
        self.to_code().0
    }

    pub(crate) fn to_code(self) -> (u32, [Option<u32>; 2]) {
        let one = |fact: u32| [Some(fact), None];
        match self {
            Self::UnknownSession => (1, [None; 2]),
            Self::Malformed => (2, [None; 2]),
            Self::UnknownAsk { kind } => (3, one(kind)),
            Self::Version { min, max } => (4, [Some(min), Some(max)]),
            Self::WrongStage { stage } => (5, [stage.map(Stage::code), None]),
            Self::NoCsr => (6, [None; 2]),
            Self::Gap { have } => (7, one(have)),
            Self::TooLong { max } => (8, one(max)),
            Self::WrongDigest { have } => (9, one(have)),
            Self::BadDelivery { at } => (10, one(at)),
            Self::WrongKey => (11, [None; 2]),
            Self::ChainBroken { certificate, cause } => {
                (12, [Some(certificate), Some(cause.code())])
            }
            Self::BadAnchor { anchor } => (13, one(anchor)),
            Self::NoEntropy => (14, [None; 2]),
            Self::VaultFull { max } => (15, one(max)),
            Self::VaultFailed => (16, [None; 2]),
            Self::VaultCorrupt => (17, [None; 2]),
            Self::KeyFailed => (18, [None; 2]),
            Self::Sealed => (19, [None; 2]),
            Self::Other { code } => (code, [None; 2]),
        }
    }

    /// A missing fact reads as 0: a refusal is still a refusal.
    pub(crate) fn from_code(code: u32, facts: [Option<u32>; 2]) -> Self {
        let [first, second] = facts.map(Option::unwrap_or_default);
        match code {
            1 => Self::UnknownSession,
            2 => Self::Malformed,
            3 => Self::UnknownAsk { kind: first },
            4 => Self::Version { min: first, max: second },
            5 => Self::WrongStage { stage: facts[0].and_then(Stage::from_code) },
            6 => Self::NoCsr,
            7 => Self::Gap { have: first },
            8 => Self::TooLong { max: first },
            9 => Self::WrongDigest { have: first },
            10 => Self::BadDelivery { at: first },
            11 => Self::WrongKey,
            12 => Self::ChainBroken { certificate: first, cause: ChainCause::from_code(second) },
            13 => Self::BadAnchor { anchor: first },
            14 => Self::NoEntropy,
            15 => Self::VaultFull { max: first },
            16 => Self::VaultFailed,
            17 => Self::VaultCorrupt,
            18 => Self::KeyFailed,
            19 => Self::Sealed,
            code => Self::Other { code },
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownSession => f.write_str("it has no such session open"),
            Self::Malformed => f.write_str("it could not read the ask"),
            Self::UnknownAsk { kind } => write!(f, "it does not know asks of kind {kind}"),
            Self::Version { min, max } => {
                write!(f, "it speaks protocol versions {min} to {max} only")
            }
            Self::WrongStage { stage: Some(stage) } => write!(f, "not while it is {stage}"),
            Self::WrongStage { stage: None } => f.write_str("not at its present stage"),
            Self::NoCsr => f.write_str("it has no CSR to read"),
            Self::Gap { have } => write!(f, "the piece does not follow the {have} bytes it has"),
            Self::TooLong { max } => write!(f, "it can take {max} bytes at most"),
            Self::WrongDigest { have } => {
                write!(f, "the {have} bytes it has do not match the digest")
            }
            Self::BadDelivery { at } => write!(f, "the delivery makes no sense at byte {at}"),
            Self::WrongKey => f.write_str("the leaf carries another key than its own"),
            Self::ChainBroken { certificate, cause } => {
                write!(f, "certificate {certificate} of the chain does not hold: {cause}")
            }
            Self::BadAnchor { anchor } => write!(f, "server anchor {anchor} cannot be used"),
            Self::NoEntropy => f.write_str("its entropy source does not vouch for its output"),
            Self::VaultFull { max } => write!(f, "its vault can take {max} bytes at most"),
            Self::VaultFailed => f.write_str("its flash did not keep what was written"),
            Self::VaultCorrupt => f.write_str("what its vault holds is damaged"),
            Self::KeyFailed => f.write_str("its key could not sign"),
            Self::Sealed => f.write_str("it is sealed"),
            Self::Other { code } => write!(f, "for a reason unknown here (number {code})"),
        }
    }
}

/// Why a certificate of a chain does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ChainCause {
    /// Not an X.509 v3 certificate in DER, or one that breaks a rule of it.
    Unreadable,
    /// What follows it is not its issuer, or nothing leads to the anchor.
    BrokenLink,
    /// Its signature is not by its issuer's key.
    BadSignature,
    /// Past its notAfter, by the time delivered.
    Expired,
    /// Before its notBefore, by the time delivered.
    NotYetValid,
    /// Not ECDSA P-256 with SHA-256.
    Algorithm,
    /// Not for TLS client authentication.
    Purpose,
    /// It issued another, and is no CA; or the anchor is none.
    NotCa,
    /// The leaf is a CA.
    LeafIsCa,
    /// More CAs than a pathLen constraint allows.
    PathLen,
    /// Its key usage forbids this.
    KeyUsage,
    /// An extension nobody here understands, marked critical.
    CriticalExtension,
    /// More certificates than are ever looked at, or too many ways to build a path.
    TooMany,
    /// A reason this version does not know.
    Other {
        /// Its number.
        code: u32,
    },
}

impl ChainCause {
    /// The number that stands for the cause on the wire.
    #[must_use]
    pub const fn code(self) -> u32 {
        match self {
            Self::Unreadable => 1,
            Self::BrokenLink => 2,
            Self::BadSignature => 3,
            Self::Expired => 4,
            Self::NotYetValid => 5,
            Self::Algorithm => 6,
            Self::Purpose => 7,
            Self::NotCa => 8,
            Self::LeafIsCa => 9,
            Self::PathLen => 10,
            Self::KeyUsage => 11,
            Self::CriticalExtension => 12,
            Self::TooMany => 13,
            Self::Other { code } => code,
        }
    }

    /// The cause a number on the wire stands for.
    #[must_use]
    pub const fn from_code(code: u32) -> Self {
        match code {
            1 => Self::Unreadable,
            2 => Self::BrokenLink,
            3 => Self::BadSignature,
            4 => Self::Expired,
            5 => Self::NotYetValid,
            6 => Self::Algorithm,
            7 => Self::Purpose,
            8 => Self::NotCa,
            9 => Self::LeafIsCa,
            10 => Self::PathLen,
            11 => Self::KeyUsage,
            12 => Self::CriticalExtension,
            13 => Self::TooMany,
            code => Self::Other { code },
        }
    }
}

impl fmt::Display for ChainCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "not a valid X.509 v3 certificate",
            Self::BrokenLink => "it is not followed by its issuer",
            Self::BadSignature => "its signature is not by its issuer's key",
            Self::Expired => "it has expired",
            Self::NotYetValid => "it is not valid yet",
            Self::Algorithm => "not ECDSA P-256 with SHA-256",
            Self::Purpose => "not for TLS client authentication",
            Self::NotCa => "its issuer is not a CA",
            Self::LeafIsCa => "the leaf is a CA",
            Self::PathLen => "more CAs than a pathLen constraint allows",
            Self::KeyUsage => "key usage forbids this",
            Self::CriticalExtension => "it has an unknown critical extension",
            Self::TooMany => "too many certificates",
            Self::Other { code } => return write!(f, "for a reason unknown here (number {code})"),
        })
    }
}
