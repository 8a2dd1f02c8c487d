//! Who is given a certificate: what was proven, held against what the ledger knows.

use alloc::vec::Vec;
use core::fmt;

use provision_csr::PublicKey;
use provision_wire::DeviceSerial;

use super::{Chain, ChainFault, ProvenCsr};

/// What the ledger knows of a device and a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Neither was seen before.
    Unknown,
    /// This device has a live certificate for this key.
    Live(LiveCertificate),
    /// This device has a live certificate, for another key.
    OtherKey {
        /// The key the ledger has.
        known: PublicKey,
    },
    /// Another device has this key.
    KeyElsewhere {
        /// That device.
        device: DeviceSerial,
    },
}

/// A certificate in force, as the ledger has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveCertificate {
    /// Leaf, issuers and anchor as they were issued.
    pub chain: Chain,
    /// Digest of what the device proved to have stored; `None` as long as it has proven nothing.
    pub delivery_sha256: Option<[u8; 32]>,
}

/// What the operator wants of this run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Policy {
    /// The device that must be in the fixture; any, if `None`.
    pub expected_device: Option<DeviceSerial>,
}

impl Policy {
    /// Checks the device's name before any key is touched.
    ///
    /// # Errors
    ///
    /// [`PolicyFault::OtherDevice`].
    pub fn admit(&self, device: &DeviceSerial) -> Result<(), PolicyFault> {
        match &self.expected_device {
            Some(expected) if expected != device => {
                Err(PolicyFault::OtherDevice { expected: expected.clone(), found: device.clone() })
            }
            _ => Ok(()),
        }
    }

    /// Decides on a proven CSR of the device that called itself `device` and announced
    /// `announced` as its key.
    ///
    /// # Errors
    ///
    /// [`PolicyFault`]: nothing may be signed.
    pub fn decide(
        &self,
        csr: ProvenCsr,
        device: &DeviceSerial,
        announced: &PublicKey,
        standing: Standing,
    ) -> Result<Decision, PolicyFault> {
        self.admit(device)?;
        if csr.device() != device {
            return Err(PolicyFault::OtherDevice {
                expected: device.clone(),
                found: csr.device().clone(),
            });
        }
        if csr.public_key() != announced {
            return Err(PolicyFault::KeySwapped);
        }
        match standing {
            Standing::Unknown => Ok(Decision::Issue(ApprovedCsr {
                device: device.clone(),
                public_key: *csr.public_key(),
            })),
            Standing::Live(live) => Ok(Decision::DeliverAgain(live)),
            Standing::OtherKey { .. } => {
                Err(PolicyFault::KnownWithOtherKey { device: device.clone() })
            }
            Standing::KeyElsewhere { device: other } => Err(PolicyFault::KeyElsewhere { other }),
        }
    }
}

/// What is to be done for a proven CSR.
#[derive(Debug)]
pub enum Decision {
    /// A first certificate.
    Issue(ApprovedCsr),
    /// The one it has already: same key, same certificate.
    DeliverAgain(LiveCertificate),
}

/// A request an issuer may sign. Made by [`Policy::decide`] alone.
///
/// It says who and which key; validity and extensions are the issuer's profile's.
#[derive(Debug)]
pub struct ApprovedCsr {
    device: DeviceSerial,
    public_key: PublicKey,
}

impl ApprovedCsr {
    /// Whom the certificate is to be for.
    #[must_use]
    pub const fn device(&self) -> &DeviceSerial {
        &self.device
    }

    /// The key it is to carry.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// Takes what an issuer made of this request.
    ///
    /// # Errors
    ///
    /// [`ChainFault`] if the leaf is not for this device and this key.
    pub fn certified(
        &self,
        leaf: Vec<u8>,
        issuers: Vec<Vec<u8>>,
        anchor: Vec<u8>,
    ) -> Result<Chain, ChainFault> {
        let chain = Chain::from_der(leaf, issuers, anchor)?;
        if chain.device() != &self.device {
            return Err(ChainFault::OtherDevice {
                expected: self.device.clone(),
                found: chain.device().clone(),
            });
        }
        if chain.public_key() != &self.public_key {
            return Err(ChainFault::OtherKey);
        }
        Ok(chain)
    }
}

/// Why nothing is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PolicyFault {
    /// Another device than the one that should be there.
    OtherDevice {
        /// The one that should be there.
        expected: DeviceSerial,
        /// The one that is.
        found: DeviceSerial,
    },
    /// The key in the CSR is not the one the device announced.
    KeySwapped,
    /// The device is known, with another key.
    KnownWithOtherKey {
        /// The device.
        device: DeviceSerial,
    },
    /// Another device has the same key: a clone, or a broken random generator. The line must stop.
    KeyElsewhere {
        /// The other device.
        other: DeviceSerial,
    },
    /// A sealed device whose certificate the ledger knows, and of which no proof was ever recorded.
    /// A station seals after the proof is on record, so it was not a station of this ledger.
    SealedUnproven {
        /// The device.
        device: DeviceSerial,
    },
    /// A sealed device of which the ledger knows nothing.
    SealedElsewhere {
        /// The device.
        device: DeviceSerial,
    },
}

impl fmt::Display for PolicyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherDevice { expected, found } => {
                write!(f, "expected device {expected}, found {found}")
            }
            Self::KeySwapped => f.write_str("the CSR is for another key than the device announced"),
            Self::KnownWithOtherKey { device } => {
                write!(f, "device {device} has a certificate already, for another key")
            }
            Self::KeyElsewhere { other } => {
                write!(f, "device {other} has the same key: stop the line")
            }
            Self::SealedUnproven { device } => {
                write!(
                    f,
                    "device {device} is sealed, and this ledger has no proof of what it stores"
                )
            }
            Self::SealedElsewhere { device } => {
                write!(f, "device {device} is sealed, and this ledger does not know it")
            }
        }
    }
}

impl core::error::Error for PolicyFault {}
