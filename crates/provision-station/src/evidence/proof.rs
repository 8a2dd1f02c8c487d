//! The last word of a device: what it stores, signed by the key of the leaf it stores.

use core::fmt;

use provision_csr::{Signature, VerifyP256};
use provision_wire::{CHALLENGE_LEN, DeviceSerial, proof_message};
use sha2_device::{Digest, Sha256};

use super::{CertSerial, Chain};

/// A proof as it came off the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredProof {
    /// By the key of the stored leaf, over [`proof_message`].
    pub signature: Signature,
    /// SHA-256 of the stored leaf, says the device.
    pub leaf_sha256: [u8; 32],
    /// SHA-256 of the stored delivery, says the device.
    pub delivery_sha256: [u8; 32],
}

impl Chain {
    /// Checks that the device holds the key of this chain's leaf now, and stores that leaf.
    /// `delivery_sha256` is what was sent; `None` takes what the device says it stores.
    ///
    /// # Errors
    ///
    /// [`ProofFault`] says what does not match.
    pub fn confirm<V: VerifyP256>(
        &self,
        challenge: &[u8; CHALLENGE_LEN],
        proof: &StoredProof,
        delivery_sha256: Option<&[u8; 32]>,
    ) -> Result<Enrolled, ProofFault> {
        if proof.leaf_sha256 != self.leaf_sha256() {
            return Err(ProofFault::OtherLeaf);
        }
        if delivery_sha256.is_some_and(|sent| *sent != proof.delivery_sha256) {
            return Err(ProofFault::OtherDelivery);
        }
        let message = proof_message(challenge, &proof.leaf_sha256, &proof.delivery_sha256);
        let digest: [u8; 32] = Sha256::digest(message).into();
        V::verify_digest(self.public_key(), &digest, &proof.signature)
            .map_err(|_| ProofFault::BadSignature)?;
        Ok(Enrolled {
            device: self.device().clone(),
            cert_serial: self.cert_serial().clone(),
            leaf_sha256: proof.leaf_sha256,
            delivery_sha256: proof.delivery_sha256,
        })
    }
}

/// A device that has proven the stored identity. Made by [`Chain::confirm`] alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolled {
    device: DeviceSerial,
    cert_serial: CertSerial,
    leaf_sha256: [u8; 32],
    delivery_sha256: [u8; 32],
}

impl Enrolled {
    /// Which device.
    #[must_use]
    pub const fn device(&self) -> &DeviceSerial {
        &self.device
    }

    /// Serial number of its certificate.
    #[must_use]
    pub const fn cert_serial(&self) -> &CertSerial {
        &self.cert_serial
    }

    /// SHA-256 of the leaf it stores.
    #[must_use]
    pub const fn leaf_sha256(&self) -> &[u8; 32] {
        &self.leaf_sha256
    }

    /// SHA-256 of the delivery it stores.
    #[must_use]
    pub const fn delivery_sha256(&self) -> &[u8; 32] {
        &self.delivery_sha256
    }
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProofFault {
    /// The device stores another leaf.
    OtherLeaf,
    /// The device stores another delivery than it was sent.
    OtherDelivery,
    /// The signature is not by the leaf's key over this challenge.
    BadSignature,
}

impl fmt::Display for ProofFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OtherLeaf => "the device stores another certificate than it was issued",
            Self::OtherDelivery => "the device stores something else than it was sent",
            Self::BadSignature => {
                "the proof is not signed by the key of the certificate over this challenge"
            }
        })
    }
}

impl core::error::Error for ProofFault {}
