//! Every byte of the server's flight, changed: no panic, no hang, and nothing for a server that
//! was refused.
//!
//! The messages are changed before they are encrypted, so that they arrive: the server here is the
//! attacker, and has the keys.

use provision_testkit::hostile_server::{Script, Seen, Step};
use provision_tls::ConnectError;

use crate::world::{Outcome, World};

/// One bit low, one bit high.
const MASKS: [u8; 2] = [0x01, 0x80];

/// Plays the honest script with each byte of one message changed in turn, up to `len` of them, and
/// counts those the client was content with.
fn change_each_byte(step: &Step, len: usize) -> usize {
    let world = World::new();
    let mut content = 0;
    for at in 0..len {
        for mask in MASKS {
            let changed = Step::Mutated(Box::new(step.clone()), at, mask);
            let (outcome, seen) = world.play(Script::honest().replacing(step.clone(), changed));
            match outcome {
                Outcome::NotConnected(error) => check_refusal(error, &seen),
                Outcome::Connected { .. } => content += 1,
            }
        }
    }
    content
}

fn check_refusal(error: ConnectError, seen: &Seen) {
    assert!(seen.nothing_but_client_hello(), "{error:?}, and the server saw {seen:?}");
}

#[test]
fn of_the_certificate() {
    // Type, length, context, length of list, length of entry: then the certificate, which is all
    // signed. The bytes after are its extensions.
    let headers = 4 + 1 + 3 + 3;
    let content = change_each_byte(&Step::Certificate, headers + 300);
    // The length in the message's own header is not looked at by embedded-tls; it is part of what
    // the server signs, so no third party can have changed it.
    assert!(content <= 3 * MASKS.len(), "{content} changes passed");
}

#[test]
fn of_the_signature() {
    let headers = 4 + 2 + 2;
    let content = change_each_byte(&Step::CertificateVerify, headers + 70);
    assert!(content <= 3 * MASKS.len(), "{content} changes passed");
}

#[test]
fn of_the_request() {
    change_each_byte(&Step::CertificateRequest, 15);
}

#[test]
fn of_the_extensions() {
    change_each_byte(&Step::EncryptedExtensions, 6);
}

#[test]
fn of_finished() {
    let content = change_each_byte(&Step::Finished, 4 + 32);
    assert!(content <= 3 * MASKS.len(), "{content} changes passed");
}
