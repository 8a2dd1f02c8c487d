//! Random bytes: **the emulator host's**, and no example for a product.
//!
//! The board has no random number generator, so the bytes come from the host's `/dev/urandom` by
//! semihosting. On a real part this module is its TRNG, raw; the health tests are around it, as here.

use provision_csr::{NoEntropy, RawEntropy};

use board_qemu_common::semihosting::HostFile;

/// What the boot log says about the source.
pub const SOURCE: &str = "EMULATED: the emulator host's /dev/urandom by semihosting";

/// The host's random device.
#[derive(Debug)]
pub struct HostEntropy {
    /// `None` if the host would not open it: then every request is refused.
    random_device: Option<HostFile>,
}

impl HostEntropy {
    /// Opens the host's random device.
    #[must_use]
    pub fn open() -> Self {
        Self { random_device: HostFile::open(c"/dev/urandom") }
    }
}

impl RawEntropy for HostEntropy {
    /// The host vouches for it.
    const MIN_ENTROPY_BITS_PER_BYTE: u32 = 8;

    fn fill_raw(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        if out.is_empty() {
            return Ok(());
        }
        let device = self.random_device.as_mut().ok_or(NoEntropy)?;
        if device.read_exact(out) { Ok(()) } else { Err(NoEntropy) }
    }
}
