//! The log of a board whose only serial port is the line: written to the emulator's console.
//!
//! The line could carry the log too, since a station passes over what is no frame. But then a test could not tell one
//! from the other, and a log that is longer than the port's buffer would hold up the dialogue. A real board of this
//! kind logs into RAM for the debug probe (RTT), or not at all.

use core::ffi::CStr;
use core::fmt;

use crate::semihosting;

/// Bytes that are handed over at once, the terminating zero among them.
const PIECE_LEN: usize = 32;

/// The emulator's console. All values are one and the same log.
#[derive(Debug, Clone, Copy, Default)]
pub struct SemihostingLog;

impl fmt::Write for SemihostingLog {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.as_bytes().chunks(PIECE_LEN - 1) {
            let mut piece = [0; PIECE_LEN];
            piece.iter_mut().zip(part).for_each(|(to, from)| *to = *from);
            // Behind a zero in the text nothing of this piece is shown.
            semihosting::write(CStr::from_bytes_until_nul(&piece).map_err(|_| fmt::Error)?);
        }
        Ok(())
    }
}
