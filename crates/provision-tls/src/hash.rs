//! SHA-256 of `provision-csr` where embedded-tls wants a hash: for the transcript, and under HMAC and HKDF for every
//! secret of a session. So there is one SHA-256 in flash, and its states are wiped.

use provision_csr::Sha256;
use sha2_device::digest::core_api::BlockSizeUser;
use sha2_device::digest::typenum::{U32, U64};
use sha2_device::digest::{FixedOutput, HashMarker, Output, OutputSizeUser, Reset, Update};

/// SHA-256. Zeroized when dropped.
#[derive(Clone, Default)]
pub(crate) struct WipedSha256(Sha256);

impl HashMarker for WipedSha256 {}

impl OutputSizeUser for WipedSha256 {
    type OutputSize = U32;
}

impl BlockSizeUser for WipedSha256 {
    type BlockSize = U64;
}

impl Update for WipedSha256 {
    fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }
}

impl FixedOutput for WipedSha256 {
    fn finalize_into(self, out: &mut Output<Self>) {
        *out = self.0.finish().into();
    }
}

impl Reset for WipedSha256 {
    fn reset(&mut self) {
        *self = Self::default();
    }
}
