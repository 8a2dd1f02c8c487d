//! The line over [`embedded_io_async`].

use embedded_io_async::{Read, Write};
use provision_csr::{Entropy, VerifyP256};

use super::{Line, Served};
use crate::{Enrollee, Vault};

impl<const FRAME: usize> Line<FRAME> {
    /// [`serve`](Self::serve), awaited: yields while it waits for a byte and while the port takes
    /// the answer.
    ///
    /// It does **not** yield while it computes or writes flash: making the key, signing and
    /// checking a chain are one call each, of millions of instructions with P-256 in portable
    /// Rust (`cargo xtask bench device` has the figures), and a page erase is tens of
    /// milliseconds on most parts. A task that must not wait so long runs at a higher interrupt
    /// priority, in embassy on an `InterruptExecutor`.
    ///
    /// It may be dropped at any point where it waits, for a timeout say. While it waits for a
    /// byte nothing is lost, if the port's `read` loses nothing. While it sends, the rest of the
    /// answer is lost, as noise on the line loses it: what it said is durable, and the station
    /// asks again.
    ///
    /// # Errors
    ///
    /// The port's own; nothing of the dialogue is lost by calling again.
    pub async fn serve_async<S, P, V, const N: usize>(
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
        if serial.read(&mut byte).await? == 0 {
            return Ok(Served::Listened);
        }
        let [byte] = byte;
        let (served, answer) = self.hear(byte, enrollee, vault, entropy);
        if !answer.is_empty() {
            serial.write_all(answer).await?;
            serial.flush().await?;
        }
        Ok(served)
    }
}
