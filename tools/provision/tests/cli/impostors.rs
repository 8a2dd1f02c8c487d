//! Devices that lie or fail: an exit code that is not 0, a named cause, and no device enrolled.

use provision_testkit::impostor::Trick;
use provision_wire::DeviceSerial;

use crate::station::{Station, device};

/// Runs an impostor; returns how many certificates were issued.
fn check(trick: Trick, code: i32, cause: &str) -> usize {
    let station = Station::new();
    let (port, _device) = device("sensor-0001", trick.clone());
    let ran = station.enroll(&port, &[]);
    assert_eq!(ran.code, code, "{trick:?}: {ran:?}");
    assert!(ran.stderr.contains(cause), "{trick:?}: no `{cause}` in {ran:?}");
    assert!(ran.stderr.contains("\nhint: "), "{trick:?}: {ran:?}");
    assert_eq!(ran.stdout, "", "{trick:?}");
    station.assert_none_enrolled();
    station.entries().len()
}

#[test]
fn a_csr_with_a_broken_self_signature() {
    assert_eq!(check(Trick::BrokenSelfSignature, 12, "not signed by the key it carries"), 0);
}

#[test]
fn a_csr_in_another_devices_name() {
    let other = DeviceSerial::new("SOMEONE-ELSE").unwrap();
    let cause = "expected device sensor-0001, found SOMEONE-ELSE";
    assert_eq!(check(Trick::OtherName(other), 13, cause), 0);
}

#[test]
fn a_csr_for_an_old_challenge() {
    assert_eq!(check(Trick::OldChallenge, 12, "another challenge than this session's"), 0);
}

#[test]
fn a_csr_for_a_p384_key() {
    assert_eq!(check(Trick::P384Key, 17, "expected a P-256 key in the CSR, found secp384r1"), 0);
}

#[test]
fn a_key_swapped_after_it_was_announced() {
    assert_eq!(check(Trick::SwapsKey, 13, "another key than the device announced"), 0);
}

#[test]
fn a_device_that_refuses_every_write() {
    // The certificate was issued, and waits in the ledger for the next run.
    let cause = "refused `put`: its flash did not keep what was written";
    assert_eq!(check(Trick::RefusesWrites, 11, cause), 1);
}

#[test]
fn a_device_that_confirms_what_it_does_not_store() {
    assert_eq!(check(Trick::PretendsToStore, 11, "refused `prove`"), 1);
}

#[test]
fn a_proof_by_another_key() {
    assert_eq!(check(Trick::ForgedProof, 12, "not signed by the key of the certificate"), 1);
}

#[test]
fn a_device_that_answers_rubbish() {
    assert_eq!(check(Trick::Rubbish, 10, "frames that are no answer"), 0);
}

#[test]
fn a_device_that_answers_for_another_session() {
    assert_eq!(check(Trick::OtherSession, 10, "answers for another session"), 0);
}

#[test]
fn a_device_that_never_answers() {
    assert_eq!(check(Trick::SilentFrom("hello"), 10, "no answer to `hello`"), 0);
}

#[test]
fn a_device_that_goes_silent_before_its_csr() {
    assert_eq!(check(Trick::SilentFrom("csr"), 10, "no answer to `csr`"), 0);
}

#[test]
fn a_device_that_goes_silent_during_the_delivery() {
    assert_eq!(check(Trick::SilentFrom("put"), 10, "no answer to `put`"), 1);
}

#[test]
fn a_device_that_goes_silent_before_its_proof() {
    assert_eq!(check(Trick::SilentFrom("prove"), 10, "no answer to `prove`"), 1);
}

#[test]
fn the_same_device_without_a_trick_is_enrolled() {
    let station = Station::new();
    let (port, _device) = device("sensor-0001", Trick::None);
    assert_eq!(station.enroll(&port, &[]).code, 0);
    assert_eq!(station.entries()[0].1, "enrolled");
}
