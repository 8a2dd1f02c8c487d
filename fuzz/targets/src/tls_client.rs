//! A server that has the keys of the connection, and does what it likes with them.

use provision_testkit::hostile_server::{Script, Step};

use crate::input::Input;
use crate::tls::{Fault, World};

/// `rhythm of the reads`, and then steps, each a number and what it needs.
///
/// # Panics
///
/// If the client connects to a server that has not given both proofs, or one that was refused saw more than a
/// ClientHello.
pub(crate) fn tls_client<const PLANTED: bool>(data: &[u8]) {
    let mut input = Input::new(data);
    let rhythm = input.bytes().unwrap_or_default();
    let mut steps = Vec::new();
    let mut has_keys = false;
    while steps.len() < STEPS_MAX
        && let Some(step) = step(&mut input)
    {
        has_keys |= step == Step::ServerHello;
        // Before there are keys nothing can be encrypted.
        if has_keys || matches!(step, Step::Raw(_) | Step::ChangeCipherSpec | Step::HangUp) {
            steps.push(step);
        }
    }
    let proves = proves(&steps);
    let fault = if PLANTED { Fault::BelievesAll } else { Fault::None };
    let (outcome, seen) = World::get().meet(Script::of(steps.clone()), rhythm, fault);
    if outcome.is_ok() {
        assert!(proves, "connected without proofs: {steps:?}, {seen:?}");
    }
}

/// `None` at the end of the input.
fn step(input: &mut Input<'_>) -> Option<Step> {
    Some(match input.byte()? % 20 {
        0 => Step::ServerHello,
        1 => Step::ChangeCipherSpec,
        8 => Step::AwaitClient,
        9 => Step::Echo,
        10 => Step::Alert(input.byte()?),
        11 => Step::Send(input.bytes()?.to_vec()),
        12 => Step::Sealed(input.bytes()?.to_vec()),
        13 => Step::Tampered(vec![23; usize::from(input.byte()?)]),
        14 => Step::Raw(input.bytes()?.to_vec()),
        15 => {
            let count = usize::from(input.byte()? % 6);
            Step::Together((0..count).map_while(|_| message(input)).collect())
        }
        16 => Step::Split(Box::new(message(input)?)),
        17 => {
            let (step, at) = place(input)?;
            Step::Mutated(Box::new(step), at, input.byte()?)
        }
        18 => {
            let (step, at) = place(input)?;
            Step::Cut(Box::new(step), at)
        }
        19 => Step::HangUp,
        number => numbered(number, input)?,
    })
}

/// A handshake message.
fn message(input: &mut Input<'_>) -> Option<Step> {
    let number = input.byte()?;
    numbered(number, input)
}

fn numbered(number: u8, input: &mut Input<'_>) -> Option<Step> {
    Some(match number % 10 {
        0 => Step::EmptyCertificate,
        1 => Step::WrongCertificateVerify,
        2 => Step::EncryptedExtensions,
        3 => Step::CertificateRequest,
        4 => Step::Certificate,
        5 => Step::CertificateVerify,
        6 => Step::Finished,
        7 => Step::WrongFinished,
        8 => Step::MislabelledCertificateVerify,
        _ => Step::Handshake(input.bytes()?.to_vec()),
    })
}

/// A message, and one of its bytes.
fn place(input: &mut Input<'_>) -> Option<(Step, usize)> {
    let (step, len) = match input.byte()? % 5 {
        0 => (Step::EncryptedExtensions, HEADER_LEN + 2),
        1 => (Step::CertificateRequest, HEADER_LEN + 11),
        2 => (Step::Certificate, DER_AT + leaf_len() + 2),
        // Of 70 to 72 bytes for most, and seldom less.
        3 => (Step::CertificateVerify, HEADER_LEN + 4 + 64),
        _ => (Step::Finished, HEADER_LEN + 32),
    };
    Some((step, usize::from(input.number()?) % len))
}

/// Whether both proofs are among the steps, in order, and not spoilt.
///
/// The four bytes before a message are not looked at by the client. They are part of what the server signs, so nobody
/// on the way can have changed them.
fn proves(steps: &[Step]) -> bool {
    let mut messages = Vec::new();
    for step in steps {
        match step {
            Step::Together(together) => messages.extend(together),
            step => messages.push(step),
        }
    }
    let mut expected = [Step::Certificate, Step::CertificateVerify, Step::Finished].into_iter();
    let mut next = expected.next();
    for message in messages {
        if next.as_ref().is_some_and(|next| is_good(message, next)) {
            next = expected.next();
        }
    }
    next.is_none()
}

fn is_good(found: &Step, wanted: &Step) -> bool {
    match found {
        Step::Mutated(step, at, mask) => {
            let covered = match **step {
                Step::Certificate => (DER_AT..DER_AT + leaf_len()).contains(at),
                _ => *at >= HEADER_LEN,
            };
            **step == *wanted && (*mask == 0 || !covered)
        }
        found => found == wanted,
    }
}

fn leaf_len() -> usize {
    World::get().credentials.chain[0].len()
}

/// RFC 8446 section 4: type and length.
const HEADER_LEN: usize = 4;
/// RFC 8446 section 4.4.2: context, length of the list, length of the first entry.
const DER_AT: usize = HEADER_LEN + 1 + 3 + 3;
/// Twice what an honest server does.
const STEPS_MAX: usize = 24;
