//! Good servers are let in: the twins of everything hostile.

use provision_testkit::{
    hostile_server::{Credentials, Script, Step, alert},
    pki,
};

use crate::world::{Attempt, NAME, WORDS, World};

#[test]
fn both_sides_prove_themselves_and_talk() {
    let world = World::new();
    let (outcome, seen) = world.play(Script::honest());
    outcome.assert_good();
    assert!(seen.authenticated(), "{seen:?}");
    assert_eq!(seen.certificates, [world.device.leaf_der]);
    assert_eq!(seen.application_data, WORDS);
    assert_eq!(seen.server_name.as_deref(), Some(NAME));
    assert_eq!(seen.alerts, [alert::CLOSE_NOTIFY]);
    assert_eq!(seen.undecipherable, 0);
}

#[test]
fn a_server_that_does_not_ask_is_not_told_who_the_device_is() {
    let world = World::new();
    let (outcome, seen) = world.play(Script::honest().without(Step::CertificateRequest));
    outcome.assert_good();
    assert_eq!(seen.finished, Some(true));
    assert!(seen.certificates.is_empty());
}

#[test]
fn without_middlebox_compatibility() {
    let (outcome, _) = World::new().play(Script::honest().without(Step::ChangeCipherSpec));
    outcome.assert_good();
}

#[test]
fn the_whole_flight_in_one_record() {
    let script = Script::of(vec![
        Step::ServerHello,
        Step::Together(vec![
            Step::EncryptedExtensions,
            Step::CertificateRequest,
            Step::Certificate,
            Step::CertificateVerify,
        ]),
        Step::Finished,
        Step::AwaitClient,
        Step::Echo,
        Step::Alert(alert::CLOSE_NOTIFY),
    ]);
    let (outcome, seen) = World::new().play(script);
    outcome.assert_good();
    assert!(seen.authenticated());
}

#[test]
fn a_chain_with_an_issuer_in_between() {
    let world = World::new();
    let issuer = world.server_root.issue(pki::server_issuer("Server Issuer"));
    let server = issuer.issue(pki::server(&[NAME]));
    let (outcome, _) = world.play_as(Credentials::of(&server, &[&issuer]), Script::honest());
    outcome.assert_good();
}

#[test]
fn an_address_is_proven_and_not_indicated() {
    let world = World::new();
    let attempt = Attempt { name: "192.0.2.7", ..Attempt::default() };
    let (outcome, seen) =
        world.attempt(&attempt, world.server_with(pki::server(&["192.0.2.7"])), Script::honest());
    outcome.assert_good();
    assert_eq!(seen.server_name, None);
}

#[test]
fn a_trailing_dot_is_the_same_name() {
    let world = World::new();
    let attempt = Attempt { name: "cloud.example.", ..Attempt::default() };
    let (outcome, seen) = world.attempt(&attempt, world.server(), Script::honest());
    outcome.assert_good();
    assert_eq!(seen.server_name.as_deref(), Some(NAME));
}

#[test]
fn one_of_several_anchors_will_do() {
    let world = World::new();
    let anchors = [world.device_root.der(), world.server_root.der()];
    let attempt = Attempt { anchors: Some(&anchors), ..Attempt::default() };
    let (outcome, _) = world.attempt(&attempt, world.server(), Script::honest());
    outcome.assert_good();
}

#[test]
fn the_protocols_are_asked_for() {
    let world = World::new();
    let attempt = Attempt { alpn: &[b"x-amzn-mqtt-ca"], ..Attempt::default() };
    let (outcome, seen) = world.attempt(&attempt, world.server(), Script::honest());
    outcome.assert_good();
    assert_eq!(seen.alpn, [b"x-amzn-mqtt-ca"]);
}
