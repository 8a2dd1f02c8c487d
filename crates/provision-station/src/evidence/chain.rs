//! A leaf with its issuers and anchor.

use alloc::vec::Vec;
use core::fmt;

use const_oid::db::rfc4519::CN;
use der::Decode;
use provision_csr::PublicKey;
use provision_wire::DeviceSerial;
use sha2_device::{Digest, Sha256};
use x509_cert::certificate::Certificate;

use super::text::directory_string;

/// Serial number of a certificate, as in RFC 5280 section 4.1.2.2: positive, at most 20 bytes,
/// big-endian, without the leading zero DER may need. Printed as upper-case hex, like openssl.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CertSerial(Vec<u8>);

impl CertSerial {
    /// Takes the bytes of the INTEGER.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let start = bytes.iter().position(|b| *b != 0).unwrap_or(bytes.len());
        Self(bytes[start..].to_vec())
    }

    /// Big-endian, without leading zeros.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for CertSerial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

/// A device's certificate with what it hangs from, all in DER.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain {
    leaf: Vec<u8>,
    issuers: Vec<Vec<u8>>,
    anchor: Vec<u8>,
    device: DeviceSerial,
    public_key: PublicKey,
    cert_serial: CertSerial,
    not_after: u64,
}

impl Chain {
    /// Takes a chain as a ledger kept it. One fresh from an issuer comes from
    /// [`ApprovedCsr::certified`](super::ApprovedCsr::certified).
    ///
    /// # Errors
    ///
    /// [`ChainFault`] if the leaf cannot be read as a device's certificate.
    pub fn from_der(
        leaf: Vec<u8>,
        issuers: Vec<Vec<u8>>,
        anchor: Vec<u8>,
    ) -> Result<Self, ChainFault> {
        let certificate = Certificate::from_der(&leaf).map_err(|_| ChainFault::NotACertificate)?;
        let tbs = certificate.tbs_certificate();
        let public_key = tbs
            .subject_public_key_info()
            .subject_public_key
            .as_bytes()
            .and_then(|bytes| PublicKey::from_sec1_slice(bytes).ok())
            .ok_or(ChainFault::NotP256)?;
        let name = tbs.subject().iter().find(|attribute| attribute.oid == CN);
        let device = name
            .and_then(|name| directory_string(&name.value))
            .and_then(|text| DeviceSerial::new(text).ok())
            .ok_or(ChainFault::NoDevice)?;
        let cert_serial = CertSerial::new(tbs.serial_number().as_bytes());
        let not_after = tbs.validity().not_after.to_unix_duration().as_secs();
        Ok(Self { leaf, issuers, anchor, device, public_key, cert_serial, not_after })
    }

    /// The device's certificate.
    #[must_use]
    pub fn leaf(&self) -> &[u8] {
        &self.leaf
    }

    /// The CAs between leaf and anchor, the leaf's issuer first.
    #[must_use]
    pub fn issuers(&self) -> &[Vec<u8>] {
        &self.issuers
    }

    /// The device root.
    #[must_use]
    pub fn anchor(&self) -> &[u8] {
        &self.anchor
    }

    /// Whom the leaf is for.
    #[must_use]
    pub const fn device(&self) -> &DeviceSerial {
        &self.device
    }

    /// The key in the leaf.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The leaf's serial number.
    #[must_use]
    pub const fn cert_serial(&self) -> &CertSerial {
        &self.cert_serial
    }

    /// Until when the leaf is valid, in seconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn not_after(&self) -> u64 {
        self.not_after
    }

    /// SHA-256 of the leaf: its fingerprint.
    #[must_use]
    pub fn leaf_sha256(&self) -> [u8; 32] {
        Sha256::digest(&self.leaf).into()
    }
}

/// Why a leaf is not the one wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainFault {
    /// Not an X.509 certificate in DER.
    NotACertificate,
    /// Its key is not on P-256.
    NotP256,
    /// Its subject names no device.
    NoDevice,
    /// It names another device than the one approved.
    OtherDevice {
        /// The one approved.
        expected: DeviceSerial,
        /// The one it names.
        found: DeviceSerial,
    },
    /// It carries another key than the one approved.
    OtherKey,
}

impl fmt::Display for ChainFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotACertificate => f.write_str("the leaf is no X.509 certificate"),
            Self::NotP256 => f.write_str("the leaf's key is not on P-256"),
            Self::NoDevice => f.write_str("the leaf's subject names no device"),
            Self::OtherDevice { expected, found } => {
                write!(f, "expected a leaf for {expected}, the issuer made one for {found}")
            }
            Self::OtherKey => f.write_str("the leaf carries another key than the one approved"),
        }
    }
}

impl core::error::Error for ChainFault {}
