//! The tests can fail: a vault that does its operations in another order is caught.
//!
//! The operations of a real step are replayed in the wrong order, with a cut at each, and the same
//! judgement as in `power_cuts` is passed on what comes up.

use provision_testkit::flash::{Cut, Moment, Operation};

use crate::harness::{Device, SCRIPT};

const ERASE: usize = 1024;
type TestDevice = Device<4, ERASE>;

const CREATE_KEY: usize = 0;
const STORE_SECOND: usize = 2;

#[test]
fn the_right_order_passes() {
    for number in 0..SCRIPT.len() {
        assert_eq!(judge(number, |_| ()), Ok(()), "step {number}");
    }
}

#[test]
fn erasing_the_old_record_before_writing_the_new_one_is_caught() {
    let found = judge(STORE_SECOND, |operations| {
        let erase_old = operations.pop().unwrap();
        operations.insert(1, erase_old);
    });
    assert_caught(found, "neither before nor after");
}

#[test]
fn committing_before_the_body_is_caught() {
    let found = judge(CREATE_KEY, |operations| {
        let commit = operations.pop().unwrap();
        operations.insert(1, commit);
    });
    assert_caught(found, "damaged");
}

#[test]
fn leaving_the_old_record_is_caught() {
    let found = judge(STORE_SECOND, |operations| {
        operations.pop();
    });
    assert_caught(found, "secrets can be read");
}

#[test]
fn answering_before_the_write_is_caught() {
    let found = judge(STORE_SECOND, Vec::clear);
    assert_caught(found, "1 copies of a delivery, not 0");
}

/// A slot whose last erase was interrupted may read blank; the flash knows better.
#[test]
fn trusting_a_slot_that_reads_blank_is_caught() {
    let (ready, operations) = recorded(STORE_SECOND);
    let mut read_blank = 0;
    for seed in 0..50 {
        let mut device = ready();
        let mut replay = operations.iter();
        device.flash.cut_at(Cut { operation: 0, moment: Moment::Inside { seed } });
        device.flash.apply(replay.next().unwrap()).unwrap_err();
        device.flash.power_on();

        let write = replay.next().unwrap();
        if device.flash.apply(write).is_err() {
            read_blank += 1;
        }
    }
    assert!(read_blank > 10, "the write went through all but {read_blank} times");
}

/// Takes the operations of one step of the script, lets `plant` change them, and replays them with
/// a cut before and after each.
fn judge(step: usize, plant: impl Fn(&mut Vec<Operation>)) -> Result<(), String> {
    let (ready, mut operations) = recorded(step);
    plant(&mut operations);

    // One more than there are: a cut after the step has answered.
    for done in 0..=operations.len() {
        let mut device = ready();
        for operation in operations.iter().take(done) {
            device.flash.apply(operation).map_err(|fault| fault.to_string())?;
        }
        if done == operations.len() {
            device.acknowledge_next()?;
            device.check_gone()?;
        }
        device.power_on()?;
        device.finish()?;
    }
    Ok(())
}

/// A maker of devices that have done the script up to a step, and the operations of that step.
fn recorded(step: usize) -> (impl Fn() -> TestDevice, Vec<Operation>) {
    let ready = move || {
        let mut device = TestDevice::new();
        for _ in 0..step {
            device.perform_next(1).unwrap();
        }
        device.flash.forget_journal();
        device
    };
    let mut device = ready();
    device.perform_next(1).unwrap();
    let operations = device.flash.journal().to_vec();
    assert!(matches!(operations.first(), Some(Operation::Erase { .. })));

    // What the step drew is drawn in the replay too.
    let entropy = device.entropy;
    let ready = move || {
        let mut device = ready();
        device.entropy = entropy.clone();
        device
    };
    (ready, operations)
}

fn assert_caught(found: Result<(), String>, how: &str) {
    let error = found.expect_err("the planted bug was not caught");
    assert!(error.contains(how), "caught in another way: {error}");
}
