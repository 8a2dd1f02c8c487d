//! Frames in the middle of boot logs, noise, echoes and loss.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use proptest::prelude::*;
use provision_wire::frame::{frame_len_max, payload_len_max};
use provision_wire::{
    Answer, Ask, Deframer, DoesNotFit, Event, Header, Kind, MessageFault, Noise, encode_frame,
};

const HEADER: Header = Header { kind: Kind::Ask, session: 0xdead_beef, sequence: 3 };

fn frame_of(ask: &Ask<'_>) -> Vec<u8> {
    let mut out = vec![0; 2048];
    let len = encode_frame(HEADER, ask, &mut out).unwrap();
    out.truncate(len);
    out
}

/// All frames found, as (header, payload).
fn frames<const N: usize>(bytes: &[u8]) -> Vec<(Header, Vec<u8>)> {
    let mut deframer = Deframer::<N>::new();
    let mut found = Vec::new();
    for &byte in bytes {
        if let Event::Frame(frame) = deframer.push(byte) {
            found.push((frame.header, frame.payload.to_vec()));
        }
    }
    found
}

#[test]
fn a_frame_is_found_behind_a_boot_log() {
    let mut line = b"\r\n*** Booting v1.2 ***\r\n[00:00:00] <inf> main: up\r\n".to_vec();
    line.extend(frame_of(&Ask::Key));
    line.extend(b"[00:00:01] <wrn> sensor: no answer\r\n");
    line.extend(frame_of(&Ask::Seal));
    let found = frames::<600>(&line);
    assert_eq!(found.len(), 2);
    assert_eq!(Ask::decode(&found[0].1), Ok(Ask::Key));
    assert_eq!(Ask::decode(&found[1].1), Ok(Ask::Seal));
}

#[test]
fn log_text_is_handed_out_as_it_came() {
    let mut deframer = Deframer::<600>::new();
    let mut shown = Vec::new();
    for &byte in b"hello, operator\0" {
        if let Event::Noise { noise, bytes } = deframer.push(byte) {
            shown.push((noise, bytes.to_vec()));
        }
    }
    assert_eq!(shown, [(Noise::NoFrame, b"hello, operator".to_vec())]);
}

#[test]
fn a_frame_that_was_hit_is_not_believed() {
    let frame = frame_of(&Ask::Csr { challenge: [7; 32] });
    for at in 0..frame.len() {
        for bit in 0..8 {
            let mut hit = frame.clone();
            hit[at] ^= 1 << bit;
            for (header, payload) in frames::<600>(&hit) {
                // Only a hit on the zeros at the ends can leave a frame whole.
                assert!(
                    (at == 0 || at == frame.len() - 1) && header == HEADER,
                    "bit {bit} of {at}"
                );
                assert_eq!(Ask::decode(&payload), Ok(Ask::Csr { challenge: [7; 32] }));
            }
        }
    }
}

#[test]
fn what_is_too_long_is_passed_over_and_the_next_frame_found() {
    let mut line = frame_of(&Ask::Put { offset: 0, bytes: &[9; 900] });
    line.extend(frame_of(&Ask::Key));
    let found = frames::<200>(&line);
    assert_eq!(found.len(), 1);
    assert_eq!(Ask::decode(&found[0].1), Ok(Ask::Key));

    let mut deframer = Deframer::<200>::new();
    let noises: Vec<_> = line
        .iter()
        .filter_map(|byte| match deframer.push(*byte) {
            Event::Noise { noise, .. } => Some(noise),
            _ => None,
        })
        .collect();
    assert_eq!(noises, [Noise::TooLong]);
}

#[test]
fn the_lengths_that_are_told_are_the_lengths_that_fit() {
    for payload_len in 96..1100 {
        let frame_len = frame_len_max(payload_len);
        assert!(payload_len_max(frame_len) >= payload_len, "{payload_len}");
        assert!(frame_len_max(payload_len_max(frame_len)) <= frame_len, "{payload_len}");
        // Bytes without a zero are what COBS lengthens most.
        let piece = vec![0x55; payload_len - 13];
        let ask = Ask::Put { offset: u32::MAX, bytes: &piece };
        let mut out = vec![0; frame_len];
        assert!(encode_frame(HEADER, &ask, &mut out).is_ok(), "{payload_len}");
    }
    let mut small = [0; 20];
    let ask = Ask::Csr { challenge: [0; 32] };
    assert_eq!(encode_frame(HEADER, &ask, &mut small), Err(DoesNotFit));
    assert_eq!(encode_frame(HEADER, &ask, &mut []), Err(DoesNotFit));
}

#[test]
fn a_message_of_a_later_kind_is_known_as_such() {
    assert_eq!(Ask::decode(&[0x82, 0x18, 99, 0xa0]), Err(MessageFault::UnknownKind { kind: 99 }));
    assert_eq!(Answer::decode(&[0x82, 10, 0xa0]), Err(MessageFault::UnknownKind { kind: 10 }));
}

#[test]
fn what_follows_a_message_makes_it_none() {
    assert!(matches!(Ask::decode(&[0x82, 2, 0xa0, 0]), Err(MessageFault::Malformed { .. })));
    // Keys that repeat or descend.
    assert!(matches!(
        Ask::decode(&[0x82, 4, 0xa2, 1, 0, 1, 0]),
        Err(MessageFault::Malformed { .. })
    ));
}

proptest! {
    #[test]
    fn no_bytes_do_any_harm(line in proptest::collection::vec(any::<u8>(), 0..4000)) {
        for (_, payload) in frames::<300>(&line) {
            let _ = Ask::decode(&payload);
            let _ = Answer::decode(&payload);
        }
        let _ = Ask::decode(&line);
        let _ = Answer::decode(&line);
        let _ = provision_wire::Delivery::decode(&line);
    }

    #[test]
    fn a_frame_comes_through_whatever_stands_around_it(
        before in proptest::collection::vec(any::<u8>(), 0..500),
        after in proptest::collection::vec(any::<u8>(), 0..100),
        bytes in proptest::collection::vec(any::<u8>(), 0..500),
        offset in any::<u32>(),
    ) {
        let ask = Ask::Put { offset, bytes: &bytes };
        let mut line = before;
        line.extend(frame_of(&ask));
        line.extend(after);
        let found = frames::<1100>(&line);
        let is_it = |(header, payload): &(Header, Vec<u8>)| {
            *header == HEADER && Ask::decode(payload) == Ok(ask)
        };
        prop_assert!(found.iter().any(is_it));
    }

    #[test]
    fn mutations_of_messages_are_read_or_refused(
        at in 0_usize..40, byte in any::<u8>(), cut in 0_usize..60,
    ) {
        let mut out = [0; 128];
        let len = provision_wire::Encodable::encode_into(
            &Ask::Put { offset: 77, bytes: &[5; 40] }, &mut out,
        ).unwrap();
        out[at] = byte;
        let _ = Ask::decode(&out[..len.min(cut)]);
        let _ = Ask::decode(&out[..len]);
    }
}
