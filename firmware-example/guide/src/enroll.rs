//! Step 5: enrollment, before anything that needs an identity.

use embedded_io::{Read, ReadReady, Write};
use provision_csr::{Entropy, Subject};
use provision_device::{Enrollee, Line, Served, Stage, Vault, VaultFault};

use crate::key::P256;

/// Longest frame, in bytes: larger ones mean fewer turns, and twice their length in RAM.
pub const FRAME_LEN_MAX: usize = 600;
/// Longest delivery, in bytes: certificates, anchors and endpoint take 2,000 to 2,500.
pub const DELIVERY_LEN_MAX: usize = 3072;

/// The line's memory: for a `static`, not for the stack.
pub struct Memory {
    line: Line<FRAME_LEN_MAX>,
    enrollee: Enrollee<'static, P256, DELIVERY_LEN_MAX>,
}

impl Memory {
    /// For the device with this serial number: 1 to 64 of `A-Z a-z 0-9 . _ : -`.
    pub fn new(device_serial: &'static str) -> Option<Self> {
        let subject = Subject::new(device_serial).ok()?;
        let enrollee = Enrollee::new(subject, Line::<FRAME_LEN_MAX>::LIMITS).ok()?;
        Some(Self { line: Line::new(), enrollee })
    }
}

/// Serves the line until the device is sealed, and then until it was silent for six seconds: the
/// station may not have heard the last answer, and asks again after five. Returns at once if the
/// device was sealed before.
pub fn until_sealed<S: Read + ReadReady + Write>(
    memory: &mut Memory,
    serial: &mut S,
    vault: &mut impl Vault,
    entropy: &mut impl Entropy,
    mut sleep_10_ms: impl FnMut(),
) -> Result<(), VaultFault> {
    let Memory { line, enrollee } = memory;
    let mut stage = vault.stage()?;
    if stage == Stage::Sealed {
        return Ok(());
    }
    let mut silent_ms = 0_u32;
    while stage != Stage::Sealed || silent_ms < 6_000 {
        if !matches!(serial.read_ready(), Ok(true)) {
            sleep_10_ms();
            silent_ms = silent_ms.saturating_add(10);
            continue;
        }
        silent_ms = 0;
        // On a port that fails nothing was heard; the station asks again.
        if let Ok(Served::Answered { .. }) = line.serve(serial, enrollee, vault, entropy) {
            stage = vault.stage()?;
        }
    }
    Ok(())
}
