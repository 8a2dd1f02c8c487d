//! The server's two proofs: missing, wrong, twice, out of order. What [`World::refuses`] also
//! checks each time: the server has seen a ClientHello and nothing else.

use provision_testkit::{
    hostile_server::{Credentials, Script, Step, alert},
    pki,
};
use provision_tls::ConnectError;

use crate::world::{NAME, World};

#[test]
fn no_certificate() {
    let script = Script::honest().without(Step::Certificate).without(Step::CertificateVerify);
    assert_eq!(World::new().refuses(script), ConnectError::NoCertificate);
}

#[test]
fn no_certificate_and_no_request() {
    let script = Script::honest()
        .without(Step::CertificateRequest)
        .without(Step::Certificate)
        .without(Step::CertificateVerify);
    assert_eq!(World::new().refuses(script), ConnectError::NoCertificate);
}

#[test]
fn an_empty_certificate() {
    let script = Script::honest().replacing(Step::Certificate, Step::EmptyCertificate);
    assert_eq!(World::new().refuses(script), ConnectError::NoCertificate);
}

#[test]
fn no_signature() {
    let script = Script::honest().without(Step::CertificateVerify);
    assert_eq!(World::new().refuses(script), ConnectError::NoHandshakeSignature);
}

#[test]
fn no_signature_and_no_request() {
    let script =
        Script::honest().without(Step::CertificateRequest).without(Step::CertificateVerify);
    assert_eq!(World::new().refuses(script), ConnectError::NoHandshakeSignature);
}

#[test]
fn a_signature_over_something_else() {
    let script = Script::honest().replacing(Step::CertificateVerify, Step::WrongCertificateVerify);
    assert_eq!(World::new().refuses(script), ConnectError::WrongHandshakeSignature);
}

#[test]
fn a_signature_by_another_key() {
    // Somebody who copied a certificate, and has not its key.
    let world = World::new();
    let stolen = Credentials {
        key_pkcs8: world.server_root.issue(pki::server(&[NAME])).key_der(),
        ..world.server()
    };
    assert_eq!(world.refuses_server(stolen), ConnectError::WrongHandshakeSignature);
}

#[test]
fn a_signature_of_an_algorithm_that_is_not_offered_for_this_key() {
    let script =
        Script::honest().replacing(Step::CertificateVerify, Step::MislabelledCertificateVerify);
    assert_eq!(World::new().refuses(script), ConnectError::UnsupportedSignature { scheme: 0x0503 });
}

#[test]
fn the_signature_before_the_certificate() {
    let script = Script::honest().moving(Step::CertificateVerify, Step::Certificate);
    assert_eq!(World::new().refuses(script), ConnectError::OutOfOrder);
}

#[test]
fn two_certificates() {
    let script = Script::honest().after(Step::Certificate, Step::Certificate);
    assert_eq!(World::new().refuses(script), ConnectError::OutOfOrder);
}

#[test]
fn two_signatures() {
    let script = Script::honest().after(Step::CertificateVerify, Step::CertificateVerify);
    // Both proofs are in by then, but the handshake goes no further.
    assert_eq!(World::new().refuses(script), ConnectError::OutOfOrder);
}

#[test]
fn another_certificate_right_after_finished() {
    let script = Script::of(vec![
        Step::ServerHello,
        Step::Together(vec![
            Step::EncryptedExtensions,
            Step::CertificateRequest,
            Step::Certificate,
            Step::CertificateVerify,
            Step::Finished,
            Step::Certificate,
        ]),
    ]);
    assert_eq!(World::new().refuses(script), ConnectError::UnreadableHandshake);
}

/// All that is asked for is there and good, but Finished does not cover the proofs. Found by fuzzing.
#[test]
fn the_proofs_behind_finished_in_one_record() {
    for finished in [1, 2] {
        let messages = [Step::EncryptedExtensions]
            .into_iter()
            .chain(core::iter::repeat_n(Step::Finished, finished))
            .chain([Step::Certificate, Step::CertificateVerify]);
        let script = Script::of(vec![
            Step::ServerHello,
            Step::Together(messages.collect()),
            Step::AwaitClient,
        ]);
        assert_eq!(World::new().refuses(script), ConnectError::UnreadableHandshake);
    }
}

#[test]
fn finished_before_the_proofs() {
    // In one record: the client has not answered yet when the proofs come. They are good, and yet
    // too late.
    let script = Script::of(vec![
        Step::ServerHello,
        Step::EncryptedExtensions,
        Step::CertificateRequest,
        Step::Finished,
        Step::Certificate,
    ]);
    assert_eq!(World::new().refuses(script), ConnectError::NoCertificate);
}

#[test]
fn a_finished_that_does_not_fit() {
    let script = Script::honest().replacing(Step::Finished, Step::WrongFinished);
    assert_eq!(World::new().refuses(script), ConnectError::WrongFinished);
}

#[test]
fn an_alert_in_place_of_the_proofs() {
    let script = Script::honest().replacing(Step::Certificate, Step::Alert(alert::UNKNOWN_CA));
    assert_eq!(World::new().refuses(script), ConnectError::Aborted);
}

#[test]
fn data_in_place_of_the_proofs() {
    let script = Script::honest().replacing(Step::Certificate, Step::Send(b"trust me".to_vec()));
    assert_eq!(World::new().refuses(script), ConnectError::Aborted);
}
