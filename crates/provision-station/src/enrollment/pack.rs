//! Pieces of a delivery, packed for the line. See [`provision_wire::packed`].

use alloc::vec::Vec;

use lz4_flex::block::compress_with_dict;
use provision_wire::packed::DICTIONARY;

/// Bytes by which a guess stays below what it should be.
const SPARE: usize = 8;

/// As much as fits into `room` bytes of what comes after the first `have` bytes of a delivery.
/// Nothing if a plain piece holds as much.
pub(super) fn pack(delivery: &[u8], have: usize, room: usize) -> Option<Vec<u8>> {
    let (staged, rest) = delivery.split_at_checked(have)?;
    let known = [&DICTIONARY, staged].concat();
    // Certificates come to somewhat more than half. Each guess is nearer than the one before, and the
    // last not over by a few bytes again and again.
    let mut take = rest.len().min(room.saturating_mul(2));
    while take > room.min(rest.len().saturating_sub(1)) {
        let block = compress_with_dict(&rest[..take], &known);
        if block.len() <= room {
            return (block.len() < take).then_some(block);
        }
        take = (take * room / (block.len() + SPARE)).min(take - 1);
    }
    None
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use provision_wire::packed::unpack;

    use super::*;

    /// Sends all of it in pieces of at most `room` bytes; returns what went over the line.
    fn sent(delivery: &[u8], room: usize) -> usize {
        let mut staged = vec![0; delivery.len()];
        let (mut have, mut sent) = (0, 0);
        while have < delivery.len() {
            if let Some(block) = pack(delivery, have, room) {
                assert!(block.len() <= room);
                have = unpack(&block, &mut staged, have).unwrap();
                sent += block.len();
            } else {
                let plain = &delivery[have..][..room.min(delivery.len() - have)];
                staged[have..][..plain.len()].copy_from_slice(plain);
                have += plain.len();
                sent += plain.len();
            }
        }
        assert_eq!(staged, delivery);
        sent
    }

    #[test]
    fn what_repeats_takes_less() {
        let mut delivery = b"one certificate after the other ".repeat(40);
        delivery.extend(DICTIONARY);
        for room in [64, 80, 500, 4096] {
            assert!(sent(&delivery, room) < delivery.len() / 4);
        }
    }

    #[test]
    fn noise_goes_as_it_is() {
        let mut noise = vec![0; 3000];
        let mut state = 1_u32;
        for byte in &mut noise {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *byte = (state >> 24) as u8;
        }
        for room in [64, 500, 4096] {
            assert_eq!(sent(&noise, room), noise.len());
        }
        assert_eq!(sent(&noise[..1], 64), 1);
    }
}
