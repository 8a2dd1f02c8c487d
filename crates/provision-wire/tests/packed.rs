//! Packed pieces held against the crate lz4_flex, which reads the same format.

use lz4_flex::block::{compress_with_dict, decompress_into_with_dict};
use proptest::prelude::*;
use provision_wire::packed::{DICTIONARY, unpack};

const ROOM: usize = 400;

/// What this crate makes of a block behind `staged`: all that is staged then.
fn ours(block: &[u8], staged: &[u8]) -> Option<Vec<u8>> {
    let mut room = [0; ROOM];
    room[..staged.len()].copy_from_slice(staged);
    let unpacked = unpack(block, &mut room, staged.len());
    assert_eq!(&room[..staged.len()], staged, "what was staged before stays");
    unpacked.map(|end| room[..end].to_vec())
}

/// The same by lz4_flex.
fn theirs(block: &[u8], staged: &[u8]) -> Option<Vec<u8>> {
    let known = [&DICTIONARY, staged].concat();
    let mut room = [0; ROOM];
    let len = decompress_into_with_dict(block, &mut room[staged.len()..], &known).ok()?;
    Some([staged, &room[staged.len()..][..len]].concat())
}

/// Bytes that repeat each other, and the dictionary.
fn repetitive(len: core::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        proptest::collection::vec(any::<u8>(), 1..20),
        (0..DICTIONARY.len(), 1_usize..40).prop_map(|(from, len)| DICTIONARY[from..]
            .iter()
            .copied()
            .take(len)
            .collect()),
        (any::<u8>(), 1_usize..60).prop_map(|(byte, times)| vec![byte; times]),
    ];
    let end = len.end;
    proptest::collection::vec(part, len).prop_map(move |parts| {
        let mut bytes = parts.concat();
        bytes.truncate(end);
        bytes
    })
}

proptest! {
    #[test]
    fn what_lz4_flex_packs_is_unpacked(staged in repetitive(0..150), piece in repetitive(1..250)) {
        let block = compress_with_dict(&piece, &[&DICTIONARY, &staged[..]].concat());
        let all = [staged.clone(), piece].concat();
        prop_assert_eq!(ours(&block, &staged), Some(all));
    }

    /// Blocks that were hit, and anything else: what both take, both take for the same.
    #[test]
    fn what_both_take_means_the_same(
        staged in repetitive(0..150),
        piece in repetitive(1..250),
        hits in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        noise in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut hit = compress_with_dict(&piece, &[&DICTIONARY, &staged[..]].concat());
        for (at, byte) in hits {
            *at.get_mut(&mut hit) = byte;
        }
        for block in [hit, noise] {
            if let (Some(ours), Some(theirs)) = (ours(&block, &staged), theirs(&block, &staged)) {
                prop_assert_eq!(ours, theirs);
            }
        }
    }
}

#[test]
fn a_block_of_every_kind_by_hand() {
    // Three bytes as they are; four from five back; two as they are.
    let block = [0x30, b'a', b'b', b'c', 0x05, 0x00, 0x20, b'y', b'z'];
    assert_eq!(ours(&block, b"12345"), Some(b"12345abc45abyz".to_vec()));
    // A copy that overlaps itself, and lengths that go on: 15 + 255 + 0 + 4.
    let block = [0x1f, b'x', 0x01, 0x00, 0xff, 0x00, 0x00];
    assert_eq!(ours(&block, b""), Some(vec![b'x'; 275]));
    // From the dictionary, up to its end and beyond.
    let block = [0x02, 0x02, 0x00, 0x00];
    let [.., last_but_one, last] = DICTIONARY;
    let twice = [last_but_one, last, last_but_one, last, last_but_one, last];
    assert_eq!(ours(&block, b""), Some(twice.to_vec()));
    // Its first byte, and one before it.
    let [low, high] = (DICTIONARY.len() as u16).to_le_bytes();
    assert_eq!(ours(&[0x00, low, high, 0x00], b""), Some(DICTIONARY[..4].to_vec()));
    assert_eq!(ours(&[0x00, low + 1, high, 0x00], b""), None);
    assert_eq!(ours(&[0x00], b"12"), Some(b"12".to_vec()));
}

#[test]
fn what_is_no_block_is_refused() {
    for block in [
        &[][..],
        &[0x10],
        &[0xf0, 0xff],
        &[0x30, b'a'],
        // A distance of nothing, of half a number, and one that ends in nothing.
        &[0x00, 0x00, 0x00, 0x00],
        &[0x10, b'a', 0x01],
        &[0x10, b'a', 0x01, 0x00],
        &[0x1f, b'a', 0x01, 0x00, 0xff],
        &[0x00, 0xff, 0xff, 0x00],
    ] {
        assert_eq!(ours(block, b"12345"), None, "{block:02x?}");
    }
    // More than there is room for: as it is, and by copying.
    let mut room = [0; 4];
    assert_eq!(unpack(&[0x50, 1, 2, 3, 4, 5], &mut room, 0), None);
    assert_eq!(unpack(&[0x10, 1, 0x01, 0x00, 0x00], &mut room, 0), None);
    assert_eq!(unpack(&[0x00], &mut room, 5), Some(5), "nothing fits anywhere");
    let mut long = vec![0x1f, 1, 1, 0];
    long.extend([0xff; 5000]);
    assert_eq!(unpack(&long, &mut room, 0), None);
}

/// Pieces on the wire depend on it.
#[test]
fn the_dictionary_stays_as_it_is() {
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&DICTIONARY);
    assert_eq!((DICTIONARY.len(), crc), (157, 0x62ab_35d9));
}
