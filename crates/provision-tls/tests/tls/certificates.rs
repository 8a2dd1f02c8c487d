//! Certificates that are genuine, and not good for this: each is an honest handshake with other
//! credentials. The server's name, purpose, time and path are checked in `provision-path` in more
//! detail; here it is shown that each of its refusals stops a connection, and is told.

use provision_path::AnchorFault;
use provision_testkit::{
    hostile_server::{Credentials, Script},
    pki::{self, Certified},
};
use provision_tls::{ConnectError, PathFault, ServerFault, UnixSeconds};

use crate::world::{Attempt, NAME, Outcome, World};

fn path(fault: PathFault) -> ConnectError {
    ConnectError::Server(ServerFault::Path(fault))
}

#[test]
fn of_another_ca() {
    let world = World::new();
    let other = Certified::self_signed(pki::root("Another Root"));
    let server = Credentials::of(&other.issue(pki::server(&[NAME])), &[&other]);
    assert_eq!(world.refuses_server(server), path(PathFault::UnknownIssuer));
}

#[test]
fn of_another_ca_by_the_same_name() {
    let world = World::new();
    let other = Certified::self_signed(pki::root("Server Root"));
    let server = Credentials::of(&other.issue(pki::server(&[NAME])), &[&other]);
    assert_eq!(world.refuses_server(server), path(PathFault::BadSignature { certificate: 0 }));
}

#[test]
fn of_its_own() {
    let world = World::new();
    let server = Credentials::of(&Certified::self_signed(pki::server(&[NAME])), &[]);
    assert_eq!(world.refuses_server(server), path(PathFault::UnknownIssuer));
}

#[test]
fn for_another_name() {
    let world = World::new();
    let server = world.server_with(pki::server(&["other.example"]));
    assert_eq!(world.refuses_server(server), ConnectError::Server(ServerFault::WrongName));
}

#[test]
fn with_the_name_in_the_subject_only() {
    let world = World::new();
    let mut params = pki::device(NAME);
    params.extended_key_usages = pki::server(&[]).extended_key_usages;
    let server = world.server_with(params);
    assert_eq!(world.refuses_server(server), ConnectError::Server(ServerFault::WrongName));
}

#[test]
fn expired() {
    let world = World::new();
    let not_after = world.now - 1;
    let server = world.server_with(pki::valid(pki::server(&[NAME]), not_after - 60, not_after));
    assert_eq!(
        world.refuses_server(server),
        path(PathFault::Expired {
            certificate: 0,
            not_after: UnixSeconds(not_after),
            now: UnixSeconds(world.now),
        })
    );
}

#[test]
fn of_an_issuer_that_expired() {
    let world = World::new();
    let not_after = world.now - 1;
    let params = pki::valid(pki::server_issuer("Server Issuer"), not_after - 60, not_after);
    let issuer = world.server_root.issue(params);
    let server = Credentials::of(&issuer.issue(pki::server(&[NAME])), &[&issuer]);
    assert_eq!(
        world.refuses_server(server),
        path(PathFault::Expired {
            certificate: 1,
            not_after: UnixSeconds(not_after),
            now: UnixSeconds(world.now),
        })
    );
}

#[test]
fn not_yet_valid() {
    let world = World::new();
    let not_before = world.now + 60;
    let server = world.server_with(pki::valid(pki::server(&[NAME]), not_before, not_before + 60));
    assert_eq!(
        world.refuses_server(server),
        path(PathFault::NotYetValid {
            certificate: 0,
            not_before: UnixSeconds(not_before),
            now: UnixSeconds(world.now),
        })
    );
}

#[test]
fn for_a_device_whose_clock_is_behind() {
    // The clock is the caller's, and it decides.
    let world = World::new();
    let attempt = Attempt { now: Some(0), ..Attempt::default() };
    let (outcome, seen) = world.attempt(&attempt, world.server(), Script::honest());
    assert!(
        matches!(
            outcome,
            Outcome::NotConnected(ConnectError::Server(ServerFault::Path(
                PathFault::NotYetValid { certificate: 0, now: UnixSeconds(0), .. }
            )))
        ),
        "{outcome:?}"
    );
    assert!(seen.nothing_but_client_hello());
}

#[test]
fn of_a_device_posing_as_a_server() {
    // With the right name, and even if devices trusted their own CA for servers.
    let world = World::new();
    let mut params = pki::server(&[NAME]);
    params.extended_key_usages = pki::device("").extended_key_usages;
    let device = world.device_issuer.issue(params);
    let credentials = Credentials::of(&device, &[&world.device_issuer]);
    assert_eq!(world.refuses_server(credentials.clone()), path(PathFault::WrongPurpose));

    let anchors = [world.device_root.der()];
    let attempt = Attempt { anchors: Some(&anchors), ..Attempt::default() };
    let (outcome, seen) = world.attempt(&attempt, credentials, Script::honest());
    assert_eq!(outcome, Outcome::NotConnected(path(PathFault::WrongPurpose)));
    assert!(seen.nothing_but_client_hello());
}

#[test]
fn issued_by_the_issuer_of_devices() {
    let world = World::new();
    let server = world.device_issuer.issue(pki::server(&[NAME]));
    let anchors = [world.device_root.der()];
    let attempt = Attempt { anchors: Some(&anchors), ..Attempt::default() };
    let (outcome, seen) = world.attempt(
        &attempt,
        Credentials::of(&server, &[&world.device_issuer]),
        Script::honest(),
    );
    assert_eq!(outcome, Outcome::NotConnected(path(PathFault::WrongPurpose)));
    assert!(seen.nothing_but_client_hello());
}

#[test]
fn issued_by_a_server_posing_as_a_ca() {
    // Every server of this CA could otherwise be every other.
    let world = World::new();
    let neighbour = world.server_root.issue(pki::server(&["neighbour.example"]));
    let server = Credentials::of(&neighbour.issue(pki::server(&[NAME])), &[&neighbour]);
    assert_eq!(world.refuses_server(server), path(PathFault::IssuerIsNotCa));
}

#[test]
fn issued_by_a_device_posing_as_a_ca() {
    let world = World::new();
    let device = world.device_issuer.issue(pki::device("SN-0002"));
    let server =
        Credentials::of(&device.issue(pki::server(&[NAME])), &[&device, &world.device_issuer]);
    let anchors = [world.server_root.der(), world.device_root.der()];
    let attempt = Attempt { anchors: Some(&anchors), ..Attempt::default() };
    let (outcome, seen) = world.attempt(&attempt, server, Script::honest());
    assert_eq!(outcome, Outcome::NotConnected(path(PathFault::IssuerIsNotCa)));
    assert!(seen.nothing_but_client_hello());
}

#[test]
fn without_its_issuer() {
    let world = World::new();
    let issuer = world.server_root.issue(pki::server_issuer("Server Issuer"));
    let server = issuer.issue(pki::server(&[NAME]));
    assert_eq!(world.refuses_server(Credentials::of(&server, &[])), path(PathFault::UnknownIssuer));
}

#[test]
fn with_more_issuers_than_anybody_needs() {
    let world = World::new();
    let server = world.server_root.issue(pki::server(&[NAME]));
    let issuers = [&world.server_root; 5];
    assert_eq!(
        world.refuses_server(Credentials::of(&server, &issuers)),
        path(PathFault::TooManyIssuers { found: 5, max: 4 })
    );
}

#[test]
fn that_is_none() {
    let world = World::new();
    let garbage = Credentials { chain: vec![vec![0x30, 0x03, 1, 2, 3]], ..world.server() };
    assert_eq!(world.refuses_server(garbage), path(PathFault::Unreadable { certificate: 0 }));
}

#[test]
fn judged_by_an_anchor_that_is_none() {
    let world = World::new();
    let server = world.server_root.issue(pki::server(&[NAME]));
    let anchors = [server.der()];
    let attempt = Attempt { anchors: Some(&anchors), ..Attempt::default() };
    let (outcome, seen) = world.attempt(&attempt, Credentials::of(&server, &[]), Script::honest());
    assert_eq!(
        outcome,
        Outcome::NotConnected(ConnectError::Server(ServerFault::Anchor {
            anchor: 0,
            fault: AnchorFault::NotCa,
        }))
    );
    assert!(seen.nothing_but_client_hello());
}

#[test]
fn judged_by_no_anchor_at_all() {
    let world = World::new();
    let attempt = Attempt { anchors: Some(&[]), ..Attempt::default() };
    let (outcome, seen) = world.attempt(&attempt, world.server(), Script::honest());
    assert_eq!(outcome, Outcome::NotConnected(path(PathFault::UnknownIssuer)));
    assert!(seen.nothing_but_client_hello());
}
