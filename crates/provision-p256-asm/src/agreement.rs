//! Key agreement, as TLS needs it: one key, for one connection.

use core::fmt;

use provision_csr::PublicKey;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use crate::curve::{Point, Scalar, is_point};

/// An ephemeral key for ECDH on P-256 (SP 800-56A section 5.7.1.2); wiped when dropped. Not for
/// signing: an identity key is an [`AsmKey`](crate::AsmKey).
pub struct AgreementKey {
    scalar: Scalar,
    public: PublicKey,
}

impl ZeroizeOnDrop for AgreementKey {}

impl AgreementKey {
    /// The key of these random bytes, big-endian; `None` if they are not in `1..n`, once in 2^32
    /// times: then draw anew.
    #[must_use]
    pub fn from_random(bytes: &[u8; 32]) -> Option<Self> {
        let scalar = Scalar::from_be_bytes(bytes)?;
        let public = scalar.public_key()?;
        Some(Self { scalar, public })
    }

    /// The half to send.
    #[must_use]
    pub const fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// The secret that both sides come to: the x-coordinate, big-endian.
    ///
    /// # Errors
    ///
    /// [`BadPoint`] if `other` is not on the curve.
    pub fn agree(&self, other: &PublicKey) -> Result<Zeroizing<[u8; 32]>, BadPoint> {
        self.scalar.agree(&Point::of(other)).map(Zeroizing::new).ok_or(BadPoint)
    }

    /// Whether a received key is a point of the curve: for those who must say so before they agree.
    #[must_use]
    pub fn accepts(other: &PublicKey) -> bool {
        is_point(other)
    }
}

/// The other side's key is not a point of the curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadPoint;

impl fmt::Display for BadPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the other side's key is not a point of the curve P-256")
    }
}

impl core::error::Error for BadPoint {}
