//! The server is proven, the stream is open; what can still go wrong.

use provision_testkit::hostile_server::{Script, Step, alert};
use provision_tls::{RecordFault, StreamError};

use crate::world::{Outcome, WORDS, World};

/// The honest script, with a step right before the server's answer.
fn before_answer(step: Step) -> Script {
    Script::honest().after(Step::AwaitClient, step)
}

#[track_caller]
fn ends(script: Script) -> StreamError {
    let (outcome, seen) = World::new().play(script);
    assert!(seen.authenticated(), "{seen:?}");
    outcome.stream_error()
}

#[track_caller]
fn is_good(script: Script) {
    World::new().play(script).0.assert_good();
}

const TICKET: &[u8] = &[4, 0, 0, 17, 0, 0, 0, 60, 0, 0, 0, 0, 1, 9, 0, 3, 1, 2, 3, 0, 0];

/// An inner plaintext: content, type.
fn handshake(message: &[u8]) -> Step {
    Step::Sealed([message, &[22]].concat())
}

#[test]
fn an_injected_plaintext_close_notify_is_no_end() {
    let script = before_answer(Step::Raw(vec![21, 3, 3, 0, 2, 1, alert::CLOSE_NOTIFY]));
    assert_eq!(ends(script), StreamError::Record(RecordFault::UnexpectedType { content_type: 21 }));
}

#[test]
fn an_injected_plaintext_fatal_alert_is_refused_as_such() {
    let script = before_answer(Step::Raw(vec![21, 3, 3, 0, 2, 2, alert::UNKNOWN_CA]));
    assert_eq!(ends(script), StreamError::Record(RecordFault::UnexpectedType { content_type: 21 }));
}

#[test]
fn an_injected_plaintext_handshake_message() {
    let record = [&[22, 3, 3, 0, 21][..], TICKET].concat();
    assert_eq!(
        ends(before_answer(Step::Raw(record))),
        StreamError::Record(RecordFault::UnexpectedType { content_type: 22 })
    );
}

#[test]
fn an_injected_change_cipher_spec() {
    // It has its place in the handshake only.
    assert_eq!(
        ends(before_answer(Step::Raw(vec![20, 3, 3, 0, 1, 1]))),
        StreamError::Record(RecordFault::UnexpectedType { content_type: 20 })
    );
}

#[test]
fn a_record_of_impossible_length() {
    assert_eq!(
        ends(before_answer(Step::Raw(vec![23, 3, 3, 0, 16]))),
        StreamError::Record(RecordFault::BadLength { content_type: 23, len: 16 })
    );
}

#[test]
fn a_record_changed_on_the_way() {
    let inner = [b"22.5 degrees", &[23][..]].concat();
    assert_eq!(ends(before_answer(Step::Tampered(inner.clone()))), StreamError::CannotDecrypt);

    let (twin, _) = World::new().play(before_answer(Step::Sealed(inner)));
    let heard = [b"22.5 degrees", WORDS].concat();
    assert_eq!(twin, Outcome::Connected { heard, end: Ok(()) });
}

#[test]
fn the_end_without_a_word_is_truncation() {
    assert_eq!(ends(Script::honest().until(Step::Echo)), StreamError::Truncated);
}

#[test]
fn the_end_within_a_record_is_truncation() {
    let cut = Step::Cut(Box::new(Step::Send(vec![7; 100])), 50);
    assert_eq!(ends(before_answer(cut)), StreamError::Truncated);
}

#[test]
fn the_server_says_why_it_gives_up() {
    assert_eq!(
        ends(before_answer(Step::Alert(alert::UNKNOWN_CA))),
        StreamError::Alert { description: alert::UNKNOWN_CA }
    );
}

#[test]
fn an_alert_that_is_none() {
    for inner in [vec![21], vec![2, 21], vec![2, 48, 0, 21]] {
        assert_eq!(
            ends(before_answer(Step::Sealed(inner))),
            StreamError::UnexpectedMessage { content_type: 21 }
        );
    }
}

#[test]
fn tickets_are_passed_over() {
    is_good(before_answer(handshake(TICKET)));
    is_good(before_answer(handshake(&TICKET.repeat(3))));
}

#[test]
fn a_key_update() {
    assert_eq!(ends(before_answer(handshake(&[24, 0, 0, 1, 0]))), StreamError::KeyUpdate);
    let hidden = [TICKET, &[24, 0, 0, 1, 0]].concat();
    assert_eq!(ends(before_answer(handshake(&hidden))), StreamError::KeyUpdate);
}

#[test]
fn messages_of_the_handshake_after_the_handshake() {
    // embedded-tls would panic on each of them.
    let certificate_request = [13, 0, 0, 11, 0, 0, 8, 0, 13, 0, 4, 0, 2, 4, 3];
    let encrypted_extensions = [8, 0, 0, 2, 0, 0];
    let certificate = [11, 0, 0, 4, 0, 0, 0, 0];
    let finished = [&[20, 0, 0, 32][..], &[0; 32]].concat();
    for message in [&certificate_request[..], &encrypted_extensions, &certificate, &finished] {
        assert_eq!(
            ends(before_answer(handshake(message))),
            StreamError::UnexpectedMessage { content_type: 22 }
        );
    }
}

#[test]
fn handshake_messages_that_are_none() {
    for message in [&[][..], &[4], &[4, 0, 0, 5, 1], &TICKET[..TICKET.len() - 1]] {
        assert_eq!(
            ends(before_answer(handshake(message))),
            StreamError::UnexpectedMessage { content_type: 22 }
        );
    }
}

#[test]
fn records_of_types_that_have_no_place() {
    for content_type in [1, 20, 24, 255] {
        assert_eq!(
            ends(before_answer(Step::Sealed(vec![1, content_type]))),
            StreamError::UnexpectedMessage { content_type }
        );
    }
}

#[test]
fn an_encrypted_record_with_nothing_in_it() {
    assert_eq!(
        ends(before_answer(Step::Sealed(vec![]))),
        StreamError::Record(RecordFault::BadLength { content_type: 23, len: 16 })
    );
    assert_eq!(ends(before_answer(Step::Sealed(vec![0; 9]))), StreamError::CannotDecrypt);
}

#[test]
fn padding_is_taken_off() {
    let (outcome, _) =
        World::new().play(before_answer(Step::Sealed(b"so \x17\0\0\0\0\0".to_vec())));
    let heard = [b"so ", WORDS].concat();
    assert_eq!(outcome, Outcome::Connected { heard, end: Ok(()) });
}

#[test]
fn data_that_looks_like_a_type_is_data() {
    let (outcome, _) = World::new().play(before_answer(Step::Send(vec![0, 21, 22, 23, 0, 0, 23])));
    let heard = [&[0, 21, 22, 23, 0, 0, 23], WORDS].concat();
    assert_eq!(outcome, Outcome::Connected { heard, end: Ok(()) });
}

#[test]
fn the_largest_record() {
    let data: Vec<u8> = (0..16_384_u32).map(|place| place as u8).collect();
    let (outcome, _) = World::new().play(before_answer(Step::Send(data.clone())));
    let heard = [&data, WORDS].concat();
    assert_eq!(outcome, Outcome::Connected { heard, end: Ok(()) });
}

#[test]
fn empty_records_are_passed_over_but_not_for_ever() {
    let empty = |count| {
        (0..count)
            .fold(Script::honest(), |script, _| script.after(Step::AwaitClient, Step::Send(vec![])))
    };
    is_good(empty(3));
    assert_eq!(ends(empty(40)), StreamError::Flooded);
}
