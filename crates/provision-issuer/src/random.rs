//! Randomness from the operating system.

use core::cell::RefCell;

use thiserror::Error;

/// The operating system gave no random numbers.
#[derive(Debug, Error)]
#[error("the operating system gives no random numbers: {0}")]
pub struct RandomError(#[from] getrandom::Error);

/// Fills the whole of `out`.
pub(crate) fn random(out: &mut [u8]) -> Result<(), RandomError> {
    Ok(getrandom::fill(out)?)
}

/// A serial number for a certificate: positive, and 20 octets when encoded, which is the most RFC
/// 5280 section 4.1.2.2 allows. 158 random bits and more, so no two are alike and none can be
/// foreseen.
pub(crate) fn random_cert_serial() -> Result<[u8; SERIAL_LEN], RandomError> {
    DRAWN.with_borrow_mut(|drawn| {
        loop {
            let Some(mut serial) = drawn.pop() else {
                // One call to the system for many: each takes half a hundredth of what a whole
                // certificate takes. They are no secrets, so nothing is lost by having them ready.
                let mut block = [0; SERIAL_LEN * SERIALS_IN_A_BLOCK];
                random(&mut block)?;
                drawn.extend_from_slice(block.as_chunks().0);
                continue;
            };
            // The top bit would make it negative, or 21 octets long.
            serial[0] &= 0x7f;
            // A leading zero would be dropped from the encoding.
            if serial[0] != 0 {
                return Ok(serial);
            }
        }
    })
}

const SERIAL_LEN: usize = 20;
const SERIALS_IN_A_BLOCK: usize = 32;

thread_local! {
    /// Drawn, and not used yet.
    static DRAWN: RefCell<Vec<[u8; SERIAL_LEN]>> = const { RefCell::new(Vec::new()) };
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ten_thousand_cert_serials_are_unique_positive_and_twenty_octets() {
        let serials: HashSet<_> = (0..10_000).map(|_| random_cert_serial().unwrap()).collect();
        assert_eq!(serials.len(), 10_000);
        for serial in &serials {
            assert!((0x01..=0x7f).contains(&serial[0]), "{serial:02x?}");
        }
        // All 127 first octets turn up: none is masked away by mistake (each is missed with
        // probability e^-78).
        let first: HashSet<u8> = serials.iter().map(|serial| serial[0]).collect();
        assert_eq!(first.len(), 127);
    }
}
