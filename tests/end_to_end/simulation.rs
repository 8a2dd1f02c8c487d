//! Seeded enrollments over bad lines, cut flash and dying stations, with an intruder at the cable:
//! every device ends sealed, with exactly one certificate, and no promise is broken on the way.
//!
//! Here with real P-256, the real CA and the real ledger, and a look at the simulation itself. The
//! great numbers are `cargo xtask simulate`'s.

use provision_issuer::{Lifetime, Profile};
use provision_ledger::{Ledger as _, SqliteLedger, State};
use provision_testkit::ca::ca;
use provision_testkit::crypto::Real;
use provision_testkit::faulty_line::LineFaults;
use provision_testkit::planted::Bug;
use provision_testkit::simulation::{
    Campaign, DEVICES_PER_SHIFT, Factory, Faults, Lent, Promise, Tally, Toys, Trace, Violation,
    toy_shift,
};

/// Long before the simulation's clock.
const MADE_S: u64 = 1_700_000_000;

/// Shifts of real factories, with the faults that are asked for.
fn real_shifts(seeds: core::ops::Range<u64>, faults: impl Fn(u64) -> Faults) -> Tally {
    let (mut issuer, anchor) = ca(MADE_S).unwrap();
    let mut sum = Tally::default();
    for seed in seeds {
        let ledger = SqliteLedger::open_in_memory().unwrap();
        let profile = Profile::new(Lifetime::UntilIssuerEnds);
        let mut factory =
            Factory::<Real, _, _>::new(Lent(&mut issuer), ledger, anchor.clone(), profile);
        match factory.shift(seed, DEVICES_PER_SHIFT, faults(seed), Bug::None, &mut ()) {
            Ok(tally) => sum.add(&tally),
            Err(violation) => panic!("seed {seed}: {violation}"),
        }
        let entries = factory.ledger().entries().unwrap();
        // A clone whose key was another one after all is a device like others.
        assert!(entries.len() as u64 >= DEVICES_PER_SHIFT, "one certificate for each device");
        assert!(entries.iter().all(|entry| matches!(entry.state, State::Enrolled { .. })));
    }
    sum
}

#[test]
fn five_hundred_real_devices() {
    let tally = real_shifts(0..63, Faults::of_seed);
    assert_eq!(tally.enrollments, 504);
    // It really was bad.
    let Tally { power_cuts, station_deaths, line_hits, intrusions, replays, .. } = tally;
    for (count, least) in
        [(power_cuts, 50), (station_deaths, 50), (line_hits, 400), (intrusions, 40), (replays, 20)]
    {
        assert!(count > least, "{tally:?}");
    }
}

#[test]
fn without_faults_one_run_is_enough() {
    let tally = real_shifts(0..4, |_| Faults::NONE);
    let Tally { came_again, clones_refused, new_keys_refused, .. } = tally;
    assert_eq!(tally.enrollments, 32);
    assert_eq!(tally.runs, 32 + came_again + clones_refused + new_keys_refused);
    assert_eq!((tally.power_cuts, tally.station_deaths, tally.line_hits), (0, 0, 0));
}

#[test]
fn with_every_fault_all_the_time_devices_are_enrolled_all_the_same() {
    let toys = Toys::new();
    let mut sum = Tally::default();
    for seed in 0..50 {
        let mut factory = toys.factory(seed, Bug::None);
        match factory.shift(seed, DEVICES_PER_SHIFT, Faults::ALL, Bug::None, &mut ()) {
            Ok(tally) => sum.add(&tally),
            Err(violation) => panic!("seed {seed}: {violation}"),
        }
    }
    assert_eq!(sum.enrollments, 400);
    assert!(sum.runs > 1_000 && sum.came_again > 5 && sum.clones_refused > 2, "{sum:?}");
    assert!(sum.new_keys_refused > 2, "{sum:?}");
}

/// The first violation with this bug, and the seed of its shift.
fn found(bug: Bug) -> (u64, Violation) {
    let report = Campaign { seed: 1, enrollments: 5_000, bug }.run(|_| ());
    match report.violation {
        Some((seed, violation)) => (seed, *violation),
        None => panic!("{bug} was not found in 5,000 enrollments"),
    }
}

#[test]
fn every_planted_bug_is_found_and_named_for_what_it_breaks() {
    for bug in Bug::ALL {
        let (seed, violation) = found(bug);
        let expected = bug.breaks();
        assert!(expected.contains(&violation.promise), "{bug}, seed {seed}: {violation}");
    }
}

#[test]
fn every_promise_that_is_checked_has_a_bug_that_breaks_it() {
    let broken: Vec<Promise> = Bug::ALL.iter().flat_map(|bug| bug.breaks()).copied().collect();
    use Promise::{D2, D3, D4, L1, L2, L3, L4, L5, L7};
    for promise in [D2, D3, D4, L1, L2, L3, L4, L5, L7] {
        assert!(broken.contains(&promise), "{promise}");
    }
}

/// What a shift of a toy factory looks like, step by step, and how it ends.
fn traced(seed: u64, bug: Bug) -> (String, [u8; 32], Result<Tally, Violation>) {
    let mut trace = Trace::new(Vec::new());
    let ended = toy_shift(&Toys::new(), seed, DEVICES_PER_SHIFT, bug, &mut trace);
    let digest = trace.sha256();
    (String::from_utf8(trace.into_inner()).unwrap(), digest, ended.map_err(|violation| *violation))
}

#[test]
fn a_violation_is_played_again_byte_for_byte() {
    for bug in [Bug::AnswersBeforeWriting, Bug::StoresBeforeChecking, Bug::LedgerTakesKeyTwice] {
        let (seed, violation) = found(bug);
        let (steps, digest, ended) = traced(seed, bug);
        assert_eq!(ended.as_ref(), Err(&violation), "{bug}: the same, at the same step");
        assert_eq!(traced(seed, bug), (steps.clone(), digest, ended));
        let last = steps.lines().last().unwrap();
        let number: u64 = last.split_whitespace().next().unwrap().parse().unwrap();
        assert_eq!(number, violation.step, "{bug}: the last step shown is the one named: {last}");
    }
    assert_ne!(traced(1, Bug::None).1, traced(2, Bug::None).1);
}

/// Met once in five million enrollments: the zero that ends a repeated `Commit` is lost, so the device
/// answers when the next frame begins, which is an intruder's.
#[test]
fn what_the_station_left_on_the_line_is_not_an_intruders_doing() {
    let played = toy_shift(&Toys::new(), 660_667, DEVICES_PER_SHIFT, Bug::None, &mut ());
    assert_eq!(played.map(|tally| tally.enrollments), Ok(DEVICES_PER_SHIFT));
}

#[test]
fn fewer_devices_are_the_beginning_of_the_same_shift() {
    let toys = Toys::new();
    let traced = |devices| {
        let mut trace = Trace::new(Vec::new());
        let ended = toy_shift(&toys, 7, devices, Bug::None, &mut trace);
        assert_eq!(ended.unwrap().enrollments, devices);
        trace.into_inner()
    };
    assert!(traced(8).starts_with(&traced(3)));
}

#[test]
fn a_dead_line_is_told_from_a_bad_one() {
    let line = LineFaults { lose: 1, ..LineFaults::NONE };
    let faults = Faults { line, ..Faults::NONE };
    // Every write loses something, one in three all of it: now and then one gets through.
    match Toys::new().factory(1, Bug::None).shift(1, 1, faults, Bug::None, &mut ()) {
        Ok(tally) => assert!(tally.runs > 1),
        Err(violation) => assert_eq!(violation.promise, Promise::L7, "{violation}"),
    }
}
