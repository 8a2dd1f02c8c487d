//! The line over [`embedded_io`].

use embedded_io::{Read, Write};
use provision_csr::{Entropy, VerifyP256};

use super::{Line, Served};
use crate::{Enrollee, Vault};

impl<const FRAME: usize> Line<FRAME> {
    /// Waits for one byte and answers if it ended an ask.
    ///
    /// Reads byte by byte: what follows an ask is left in the port until the ask is answered.
    ///
    /// # Errors
    ///
    /// The port's own; nothing of the dialogue is lost by calling again.
    pub fn serve<S, P, V, const N: usize>(
        &mut self,
        serial: &mut S,
        enrollee: &mut Enrollee<'_, P, N>,
        vault: &mut V,
        entropy: &mut impl Entropy,
    ) -> Result<Served, S::Error>
    where
        S: Read + Write,
        P: VerifyP256 + 'static,
        V: Vault,
    {
        let mut byte = [0];
        if serial.read(&mut byte)? == 0 {
            return Ok(Served::Listened);
        }
        let [byte] = byte;
        let (served, answer) = self.hear(byte, enrollee, vault, entropy);
        if !answer.is_empty() {
            serial.write_all(answer)?;
            serial.flush()?;
        }
        Ok(served)
    }
}
