//! Records that a server, or anybody on the way, puts into a connection.

use provision_testkit::hostile_server::{Script, Step};

use crate::input::Input;
use crate::tls::{Fault, World};

/// `stage, rhythm of the reads, form`, and then bytes as they are, or `type, length, body` of records.
///
/// # Panics
///
/// If the client connects before both proofs, or a server that was refused saw more than a ClientHello.
pub(crate) fn record_filter<const PLANTED: bool>(data: &[u8]) {
    let mut input = Input::new(data);
    let stage = input.byte().unwrap_or_default() % 4;
    let rhythm = input.bytes().unwrap_or_default();
    let as_records = input.byte().unwrap_or_default() & 1 == 1;
    let injected = Step::Raw(if as_records { records(input) } else { input.rest().to_vec() });

    // What was honest before counts, and what comes after would go on.
    let honest = [
        Step::ServerHello,
        Step::EncryptedExtensions,
        Step::CertificateRequest,
        Step::Certificate,
        Step::CertificateVerify,
        Step::Finished,
        Step::AwaitClient,
        Step::Echo,
    ];
    let injected_at = match stage {
        0 => 0,
        1 => 1,
        2 => 3,
        _ => 7,
    };
    let is_empty = injected == Step::Raw(Vec::new());
    let fault = if PLANTED { Fault::AlertsEarly } else { Fault::None };
    let mut steps = honest.to_vec();
    steps.insert(injected_at, injected.clone());
    let (outcome, seen) = World::get().meet(Script::of(steps), rhythm, fault);

    if stage == 3 || is_empty {
        assert_eq!(outcome, Ok(()), "an honest handshake");
        assert!(seen.authenticated(), "{seen:?}");
    }
    if outcome.is_ok() && stage < 3 && !is_empty {
        // Only the meaningless change_cipher_spec is passed over, and only where it may come.
        let Step::Raw(bytes) = injected else { unreachable!("made above") };
        assert!(
            stage > 0 && bytes.chunks(6).all(|record| record == CHANGE_CIPHER_SPEC),
            "{bytes:02x?}"
        );
    }
}

fn records(mut input: Input<'_>) -> Vec<u8> {
    let mut records = Vec::new();
    while let (Some(content_type), Some(body)) = (input.byte(), input.bytes()) {
        records.extend([content_type, 3, 3]);
        records.extend((body.len() as u16).to_be_bytes());
        records.extend(body);
    }
    records
}

/// RFC 8446 appendix D.4.
const CHANGE_CIPHER_SPEC: [u8; 6] = [20, 3, 3, 0, 1, 1];
