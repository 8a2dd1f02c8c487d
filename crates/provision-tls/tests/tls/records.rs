//! What somebody on the way could put between the records, or make of them, before the server is
//! proven.

use core::time::Duration;
use std::time::Instant;

use embedded_io::ErrorKind;
use provision_testkit::hostile_server::{Script, Step, alert};
use provision_tls::{ConnectError, RecordFault};

use crate::world::{Attempt, Outcome, World};

const CLOSE_NOTIFY_RECORD: [u8; 7] = [21, 3, 3, 0, 2, 1, alert::CLOSE_NOTIFY];
const FATAL_ALERT_RECORD: [u8; 7] = [21, 3, 3, 0, 2, 2, alert::HANDSHAKE_FAILURE];

/// The honest script with a record put in after the ServerHello.
fn injected(record: &[u8]) -> Script {
    Script::honest().after(Step::ServerHello, Step::Raw(record.to_vec()))
}

fn unexpected(content_type: u8) -> ConnectError {
    ConnectError::Record(RecordFault::UnexpectedType { content_type })
}

#[test]
fn a_plaintext_close_notify() {
    assert_eq!(World::new().refuses(injected(&CLOSE_NOTIFY_RECORD)), unexpected(21));
}

#[test]
fn a_plaintext_fatal_alert() {
    assert_eq!(World::new().refuses(injected(&FATAL_ALERT_RECORD)), unexpected(21));
}

#[test]
fn a_plaintext_handshake_message() {
    // EncryptedExtensions, unencrypted.
    let record = [22, 3, 3, 0, 6, 8, 0, 0, 2, 0, 0];
    assert_eq!(World::new().refuses(injected(&record)), unexpected(22));
}

#[test]
fn a_record_of_no_known_type() {
    assert_eq!(World::new().refuses(injected(&[24, 3, 3, 0, 1, 0])), unexpected(24));
}

#[test]
fn a_change_cipher_spec_that_says_something() {
    assert_eq!(World::new().refuses(injected(&[20, 3, 3, 0, 1, 2])), unexpected(20));
    assert_eq!(
        World::new().refuses(injected(&[20, 3, 3, 0, 2, 1, 1])),
        ConnectError::Record(RecordFault::BadLength { content_type: 20, len: 2 })
    );
}

#[test]
fn change_cipher_specs_without_end() {
    let flood = [20, 3, 3, 0, 1, 1].repeat(1_000);
    assert_eq!(World::new().refuses(injected(&flood)), unexpected(20));
}

#[test]
fn records_of_impossible_length() {
    for len in [0_u16, 1, 16, 16_384 + 257, u16::MAX] {
        let [high, low] = len.to_be_bytes();
        let record = [&[23, 3, 3, high, low][..], &vec![0; usize::from(len)]].concat();
        assert_eq!(
            World::new().refuses(injected(&record)),
            ConnectError::Record(RecordFault::BadLength { content_type: 23, len }),
        );
    }
}

#[test]
fn a_record_of_another_version() {
    let record = [&[23, 3, 4, 0, 32][..], &[0; 32]].concat();
    assert_eq!(
        World::new().refuses(injected(&record)),
        ConnectError::Record(RecordFault::BadVersion { version: [3, 4] })
    );
}

#[test]
fn a_record_that_pretends_the_handshake_is_over() {
    // What the filter tells the cipher in these two bytes, nobody else can.
    let record = [&[23, 0xff, 0xff, 0, 32][..], &[0; 32]].concat();
    assert_eq!(
        World::new().refuses(injected(&record)),
        ConnectError::Record(RecordFault::BadVersion { version: [0xff, 0xff] })
    );
}

#[test]
fn a_record_by_somebody_without_the_keys() {
    let record = [&[23, 3, 3, 0, 32][..], &[0x5a; 32]].concat();
    assert_eq!(World::new().refuses(injected(&record)), ConnectError::CannotDecrypt);
}

#[test]
fn a_record_changed_on_the_way() {
    let script = Script::honest()
        .replacing(Step::EncryptedExtensions, Step::Tampered(vec![8, 0, 0, 2, 0, 0, 22]));
    assert_eq!(World::new().refuses(script), ConnectError::CannotDecrypt);
    let twin = Script::honest()
        .replacing(Step::EncryptedExtensions, Step::Handshake(vec![8, 0, 0, 2, 0, 0]));
    World::new().play(twin).0.assert_good();
}

#[test]
fn an_encrypted_record_with_nothing_in_it() {
    // Not even a type: embedded-tls would panic.
    let script = Script::honest().after(Step::ServerHello, Step::Sealed(vec![]));
    assert_eq!(
        World::new().refuses(script),
        ConnectError::Record(RecordFault::BadLength { content_type: 23, len: 16 })
    );
}

#[test]
fn an_encrypted_record_of_padding_only() {
    let script = Script::honest().after(Step::ServerHello, Step::Sealed(vec![0; 40]));
    assert_eq!(World::new().refuses(script), ConnectError::CannotDecrypt);
}

#[test]
fn a_message_split_over_records() {
    let script =
        Script::honest().replacing(Step::Certificate, Step::Split(Box::new(Step::Certificate)));
    assert_eq!(World::new().refuses(script), ConnectError::UnreadableHandshake);
}

#[test]
fn an_alert_instead_of_a_server_hello() {
    // The one thing a server may say in the clear.
    let script = Script::of(vec![Step::Raw(FATAL_ALERT_RECORD.to_vec())]);
    assert_eq!(
        World::new().refuses(script),
        ConnectError::Alert { description: alert::HANDSHAKE_FAILURE }
    );
}

#[test]
fn an_alert_that_is_none() {
    let script = Script::of(vec![Step::Raw(vec![21, 3, 3, 0, 3, 2, 40, 0])]);
    assert_eq!(
        World::new().refuses(script),
        ConnectError::Record(RecordFault::BadLength { content_type: 21, len: 3 })
    );
}

#[test]
fn encrypted_records_before_a_server_hello() {
    let record = [&[23, 3, 3, 0, 32][..], &[0x5a; 32]].concat();
    assert_eq!(World::new().refuses(Script::of(vec![Step::Raw(record)])), unexpected(23));
}

#[test]
fn another_message_instead_of_a_server_hello() {
    let finished = [&[22, 3, 3, 0, 42, 20, 0, 0, 38][..], &[0; 38]].concat();
    assert_eq!(
        World::new().refuses(Script::of(vec![Step::Raw(finished)])),
        ConnectError::Record(RecordFault::NotServerHello)
    );
}

#[test]
fn a_server_hello_that_fills_less_than_its_record() {
    let padded = [&[22, 3, 3, 0, 100, 2, 0, 0, 95][..], &[0; 96]].concat();
    assert_eq!(
        World::new().refuses(Script::of(vec![Step::Raw(padded)])),
        ConnectError::Record(RecordFault::NotServerHello)
    );
}

#[test]
fn a_server_hello_of_zeros() {
    let zeros = [&[22, 3, 3, 0, 100, 2, 0, 0, 96][..], &[0; 96]].concat();
    assert_eq!(
        World::new().refuses(Script::of(vec![Step::Raw(zeros)])),
        ConnectError::UnreadableHandshake
    );
}

#[test]
fn a_server_that_wants_another_hello() {
    // HelloRetryRequest is a ServerHello of this random (RFC 8446 section 4.1.3).
    const RANDOM: [u8; 32] = [
        0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8,
        0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8,
        0x33, 0x9c,
    ];
    let extensions = [0, 43, 0, 2, 3, 4, 0, 51, 0, 2, 0, 24];
    let fixed = [22, 3, 3, 0, 56, 2, 0, 0, 52, 3, 3];
    let record = [&fixed[..], &RANDOM, &[0, 0x13, 0x01, 0, 0, 12], &extensions].concat();
    assert_eq!(
        World::new().refuses(Script::of(vec![Step::Raw(record)])),
        ConnectError::UnreadableHandshake
    );
}

#[test]
fn a_server_of_another_protocol() {
    let script = Script::of(vec![Step::Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())]);
    assert_eq!(World::new().refuses(script), unexpected(b'H'));
}

#[test]
fn the_connection_ends_anywhere() {
    assert_eq!(World::new().refuses(Script::of(vec![Step::HangUp])), ConnectError::Closed);
    for len in [1, 4, 5, 6, 20] {
        let script = Script::of(vec![Step::Cut(Box::new(Step::ServerHello), len)]);
        assert_eq!(World::new().refuses(script), ConnectError::Closed, "after {len} bytes");
    }
    for step in [Step::ServerHello, Step::EncryptedExtensions, Step::Certificate] {
        assert_eq!(
            World::new().refuses(Script::honest().until(step.clone())),
            ConnectError::Closed,
            "after {step:?}"
        );
    }
    let script =
        Script::honest().replacing(Step::Finished, Step::Cut(Box::new(Step::Finished), 20));
    assert_eq!(World::new().refuses(script), ConnectError::Closed);
}

#[test]
fn silence() {
    // How long to wait is the transport's to say.
    let world = World::new();
    let patience = Duration::from_millis(200);
    let attempt = Attempt { patience, ..Attempt::default() };
    let script = Script::of(vec![Step::ServerHello, Step::AwaitClient]);
    let began = Instant::now();
    let (outcome, seen) = world.attempt(&attempt, world.server(), script);
    assert_eq!(outcome, Outcome::NotConnected(ConnectError::Transport(ErrorKind::TimedOut)));
    assert!(began.elapsed() >= patience);
    assert!(seen.nothing_but_client_hello());
}
