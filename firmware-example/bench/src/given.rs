//! A secret that is given, where a key would be drawn.

use provision_csr::{Entropy, NoEntropy};

/// Gives this secret, after a first draw that is only compared with: the same backwards.
#[derive(Debug)]
pub struct Given {
    secret: [u8; 32],
    is_first: bool,
}

impl Given {
    /// This secret.
    #[must_use]
    pub const fn new(secret: [u8; 32]) -> Self {
        Self { secret, is_first: true }
    }
}

impl Entropy for Given {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        out.copy_from_slice(&self.secret);
        if core::mem::take(&mut self.is_first) {
            out.reverse();
        }
        Ok(())
    }
}
