//! Why a run did not end with an enrolled device.

use core::fmt;

use provision_wire::{DeviceSerial, Refusal};

use crate::evidence::{CsrFault, PolicyFault, PossessionFault, ProofFault};
use crate::exchange::NoAnswer;

/// Why a run did not end with an enrolled device. Whichever it is, the device and the ledger are
/// as they were or one step further, and the run can be repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EnrollmentFault {
    /// The device does not answer.
    NoAnswer(NoAnswer),
    /// The device said no.
    Refused {
        /// To which question.
        ask: &'static str,
        /// Why.
        refusal: Refusal,
    },
    /// The device answered another question than it was asked.
    Unexpected {
        /// The question.
        ask: &'static str,
        /// The answer.
        answer: &'static str,
    },
    /// The device chose a version it was not offered.
    Version {
        /// Which.
        found: u32,
    },
    /// What the device says of itself cannot be worked with.
    Limits {
        /// What it announces, in bytes.
        ask_len_max: u32,
        /// What it must take at least, in bytes.
        needed: usize,
    },
    /// The CSR is longer than any CSR.
    CsrTooLong {
        /// What the device announces, in bytes.
        len: u32,
        /// What is read at most, in bytes.
        max: u32,
    },
    /// The CSR that was read is not the one the device announced.
    CsrDigest,
    /// The CSR cannot be read.
    Csr(CsrFault),
    /// The CSR does not prove that the device holds the key.
    Possession(PossessionFault),
    /// The policy or the ledger forbid it.
    Policy(PolicyFault),
    /// The delivery does not fit the device.
    DeliveryTooLong {
        /// The delivery, in bytes.
        len: usize,
        /// What the device takes, in bytes.
        max: u32,
    },
    /// The plan cannot be written as a delivery: too many anchors or issuers.
    DeliveryUnfit,
    /// The device confirmed another delivery than it was sent.
    CommittedOther,
    /// What the device stores was not proven.
    Proof(ProofFault),
    /// Another device answers than at the start of the run.
    DeviceChanged {
        /// At the start.
        expected: DeviceSerial,
        /// Now.
        found: DeviceSerial,
    },
    /// The device lost the session again and again.
    Restarts {
        /// How often.
        restarts: u32,
    },
}

impl fmt::Display for EnrollmentFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnswer(no_answer) => no_answer.fmt(f),
            Self::Refused { ask, refusal } => {
                write!(f, "the device refused `{ask}`: {refusal}")
            }
            Self::Unexpected { ask, answer } => {
                write!(f, "asked `{ask}`, the device answered `{answer}`")
            }
            Self::Version { found } => {
                write!(
                    f,
                    "the device answers in protocol version {found}, which it was not offered"
                )
            }
            Self::Limits { ask_len_max, needed } => write!(
                f,
                "the device takes asks of {ask_len_max} bytes, the protocol needs {needed}"
            ),
            Self::CsrTooLong { len, max } => {
                write!(f, "the device announces a CSR of {len} bytes; at most {max} are read")
            }
            Self::CsrDigest => f.write_str("the CSR that was read is not the one announced"),
            Self::Csr(fault) => fault.fmt(f),
            Self::Possession(fault) => fault.fmt(f),
            Self::Policy(fault) => fault.fmt(f),
            Self::DeliveryTooLong { len, max } => {
                write!(f, "the delivery has {len} bytes, the device takes {max}")
            }
            Self::DeliveryUnfit => {
                f.write_str("more issuers or server anchors than a delivery holds")
            }
            Self::CommittedOther => {
                f.write_str("the device confirmed another delivery than it was sent")
            }
            Self::Proof(fault) => fault.fmt(f),
            Self::DeviceChanged { expected, found } => {
                write!(f, "device {expected} was in the fixture, now {found} answers")
            }
            Self::Restarts { restarts } => {
                write!(f, "the device lost the session {restarts} times")
            }
        }
    }
}

impl core::error::Error for EnrollmentFault {}

macro_rules! from_fault {
    ($($fault:ident => $variant:ident),*) => {$(
        impl From<$fault> for EnrollmentFault {
            fn from(fault: $fault) -> Self {
                Self::$variant(fault)
            }
        }
    )*};
}

from_fault!(
    NoAnswer => NoAnswer, CsrFault => Csr, PossessionFault => Possession,
    PolicyFault => Policy, ProofFault => Proof
);
