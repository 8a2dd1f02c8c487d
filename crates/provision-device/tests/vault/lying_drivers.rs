//! The journeys can fail: a driver that answers before the medium has taken the data breaks each of
//! the promises, and is caught at one cut or another.

use provision_testkit::flash::{Cut, Moment};

use crate::dialogue::Device;
use crate::journeys::{Journey, Progress, operations};
use crate::shared_flash::Lie;

/// A page holds a whole slot, so that the driver knows the first word of one.
type TestDevice = Device<4, 2048>;

/// What is found wrong with a driver, at each cut of all journeys.
fn found(lie: Lie) -> Vec<String> {
    let mut found = Vec::new();
    for journey in Journey::ALL {
        let start = journey.start::<4, 2048>();
        for operation in 0..operations(journey, &start).len() {
            let cut = Cut { operation, moment: Moment::Before };
            found.extend(travel(journey, start.duplicate(), lie, cut).err());
        }
    }
    found
}

/// Cut, and made again.
fn travel(journey: Journey, mut device: TestDevice, lie: Lie, cut: Cut) -> Result<(), String> {
    let mut progress = Progress::default();
    device.flash.lie(lie);
    device.cut_at(cut);
    if journey.go(&mut device, &mut progress)? {
        return Ok(());
    }
    device.power_on()?;
    if !journey.go(&mut device, &mut progress)? {
        return Err("power was lost again".to_owned());
    }
    journey.check_end(&device)
}

fn assert_found(lie: Lie, what: &str) {
    let found = found(lie);
    assert!(found.iter().any(|error| error.contains(what)), "{lie:?} was not caught: {found:?}");
}

#[test]
fn an_honest_driver_passes() {
    assert_eq!(found(Lie::Honest), [""; 0]);
}

#[test]
fn answering_before_the_write_is_caught() {
    assert_found(Lie::LateWrites, "is neither before nor after");
}

#[test]
fn leaving_a_replaced_secret_is_caught() {
    assert_found(Lie::LateErases, "a secret can be read 2 times, not 1");
}

#[test]
fn committing_before_the_key_is_written_is_caught() {
    assert_found(Lie::LateFronts, "after power-on: the vault's record is damaged");
}
