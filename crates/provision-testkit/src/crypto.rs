//! Which P-256 a simulated factory uses: the real one, or the [toy](crate::toy) one.

use provision_csr::{PortableKey, PortableP256, SoftwareKey, VerifyP256};

/// The cryptography of a simulated device and of the station it meets.
pub trait Crypto: 'static {
    /// The device's identity key.
    type Key: SoftwareKey;
    /// Checks its signatures, and those of certificates.
    type Verify: VerifyP256 + 'static;
    /// Pages of flash for two copies of key and delivery, [`PAGE_LEN`] bytes each.
    const PAGES: usize;
}

/// Bytes in a page of a simulated device's flash.
pub const PAGE_LEN: usize = 512;

/// P-256 as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Real;

impl Crypto for Real {
    type Key = PortableKey;
    type Verify = PortableP256;
    const PAGES: usize = 16;
}
