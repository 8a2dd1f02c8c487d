//! Pieces of a delivery that refer to bytes the device has already.
//!
//! Certificates of one chain repeat each other: names, algorithms, key identifiers. A packed piece is
//! an [LZ4 block](https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md) whose dictionary is
//! [`DICTIONARY`] and, behind it, what is staged before the piece. Unpacked where it belongs, it needs
//! no other memory, and may come twice.
//!
//! Reading is written by hand, to be small: the crate lz4_flex, with which stations pack, takes
//! kilobytes of flash. That both mean the same, the tests say.

use core::slice::Iter;

/// The number of [`DICTIONARY`]; a device that has it says so in its `Hello`.
pub const DICTIONARY_NUMBER: u32 = 1;

/// What certificates on P-256 have in common, in their order. Bytes on the wire depend on it: it never
/// changes; another one would have another number.
pub const DICTIONARY: [u8; DICTIONARY_LEN] = *b"\
    \x30\x12\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x08\x30\x06\x01\x01\xff\x02\x01\x00\
    \xa0\x03\x02\x01\x02\x02\x14\
    \x30\x0a\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02\
    \x30\x21\x31\x1f\x30\x1d\x06\x03\x55\x04\x03\x0c\
    \x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04\
    \xa3\x75\x30\x73\x30\x0c\x06\x03\x55\x1d\x13\x01\x01\xff\x04\x02\x30\x00\
    \x30\x0e\x06\x03\x55\x1d\x0f\x01\x01\xff\x04\x04\x03\x02\x07\x80\
    \x30\x13\x06\x03\x55\x1d\x25\x04\x0c\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x02\
    \x30\x1d\x06\x03\x55\x1d\x0e\x04\x16\x04\x14\
    \x30\x1f\x06\x03\x55\x1d\x23\x04\x18\x30\x16\x80\x14";

const DICTIONARY_LEN: usize = 157;

/// The shortest copy there is; lengths in a block are without it.
const COPY_MIN: usize = 4;

/// Unpacks `block` into `staged`, from `at` on; what comes before `at` is staged already. Returns where
/// it ends.
///
/// `None` if it is no LZ4 block, refers to what is not there, or has no room: of `staged` only what
/// comes before `at` is what it was then.
#[must_use]
pub fn unpack(block: &[u8], staged: &mut [u8], at: usize) -> Option<usize> {
    let mut block = block.iter();
    let mut end = at;
    loop {
        let token = *block.next()?;
        for _ in 0..length(token >> 4, &mut block)? {
            *staged.get_mut(end)? = *block.next()?;
            end = end.wrapping_add(1);
        }
        // The last sequence has nothing to copy.
        if block.len() == 0 {
            return Some(end);
        }
        let distance = usize::from(u16::from_le_bytes([*block.next()?, *block.next()?]));
        for _ in 0..length(token & 15, &mut block)?.wrapping_add(COPY_MIN) {
            let from = end.wrapping_sub(distance);
            // At a distance of 0 it would be a byte that is not there yet; before the start it is of
            // the dictionary.
            let byte = match staged.get(from) {
                Some(byte) if from < end => *byte,
                _ => *DICTIONARY.get(from.wrapping_add(DICTIONARY_LEN))?,
            };
            *staged.get_mut(end)? = byte;
            end = end.wrapping_add(1);
        }
    }
}

/// A length of fifteen goes on in the bytes that follow, up to one that is not 255.
// Not inlined: it is called twice.
#[inline(never)]
fn length(first: u8, block: &mut Iter<'_, u8>) -> Option<usize> {
    let mut length = usize::from(first);
    if first == 15 {
        loop {
            let more = *block.next()?;
            length = length.wrapping_add(usize::from(more));
            if more != 255 {
                break;
            }
        }
    }
    Some(length)
}
