//! Seeded enrollments over bad lines, cut flash and dying stations: every device ends sealed, with
//! exactly one certificate, and no promise is broken on the way.

use provision_issuer::{Lifetime, Profile};
use provision_ledger::{Ledger as _, SqliteLedger, State};
use provision_testkit::ca::ca;
use provision_testkit::faulty_line::LineFaults;
use provision_testkit::planted::Bug;
use provision_testkit::simulation::{Factory, Faults, Tally, Violation};

/// Long before the simulation's clock.
const MADE_S: u64 = 1_700_000_000;

fn factory() -> Factory {
    let (issuer, anchor) = ca(MADE_S).unwrap();
    let ledger = SqliteLedger::open_in_memory().unwrap();
    Factory::new(issuer, ledger, anchor, Profile::new(Lifetime::UntilIssuerEnds))
}

/// Enrolls every seed; returns what happened on the way.
fn enroll(seeds: core::ops::Range<u64>, faults: Faults) -> Tally {
    let mut factory = factory();
    let mut sum = Tally::default();
    for seed in seeds.clone() {
        match factory.enroll(seed, faults) {
            Ok(tally) => sum.add(&tally),
            Err(violation) => panic!("seed {seed}: {violation}"),
        }
    }
    let entries = factory.ledger().entries().unwrap();
    assert_eq!(entries.len() as u64, seeds.end - seeds.start, "one certificate for each device");
    assert!(entries.iter().all(|entry| matches!(entry.state, State::Enrolled { .. })));
    sum
}

#[test]
fn without_faults_one_run_is_enough() {
    let tally = enroll(0..50, Faults::NONE);
    assert_eq!(tally, Tally { runs: 50, ..Tally::default() });
}

/// 20,000 seeds in four parts, so that a test runner can spread them.
fn part(number: u64) {
    let tally = enroll(number * 5_000..(number + 1) * 5_000, Faults::ALL);
    // It really was bad.
    assert!(tally.power_cuts > 1_000, "{tally:?}");
    assert!(tally.station_deaths > 1_000, "{tally:?}");
    assert!(tally.line_hits > 10_000, "{tally:?}");
    assert!(tally.runs > 7_000, "{tally:?}");
}

#[test]
fn devices_0_to_4999() {
    part(0);
}

#[test]
fn devices_5000_to_9999() {
    part(1);
}

#[test]
fn devices_10000_to_14999() {
    part(2);
}

#[test]
fn devices_15000_to_19999() {
    part(3);
}

/// The first seed at which a planted bug shows.
fn found(bug: Bug) -> (u64, Violation) {
    let mut factory = factory();
    for seed in 0..2_000 {
        if let Err(violation) = factory.enroll(seed, Faults { bug, ..Faults::ALL }) {
            return (seed, violation);
        }
    }
    panic!("{bug:?} was not found in 2,000 enrollments");
}

#[test]
fn answering_before_writing_is_found() {
    let (_, violation) = found(Bug::AnswersBeforeWriting);
    assert!(matches!(violation, Violation::Device(_) | Violation::End(_)), "{violation}");
}

#[test]
fn a_new_key_on_a_repeated_ask_is_found() {
    let (_, violation) = found(Bug::NewKeyOnRepeat);
    assert!(matches!(violation, Violation::Device(_)), "{violation}");
}

#[test]
fn a_dead_line_is_told_from_a_bad_one() {
    let line = LineFaults { lose: 1, ..LineFaults::NONE };
    let faults = Faults { line, ..Faults::NONE };
    // Every write loses something, one in three all of it: now and then one gets through.
    match factory().enroll(1, faults) {
        Ok(tally) => assert!(tally.runs > 1),
        Err(violation) => assert!(matches!(violation, Violation::Stuck { .. }), "{violation}"),
    }
}
