//! D2, over the line: whole enrollments whose power is cut at every flash operation, and inside every
//! one, for program units of 1 to 32 bytes and pages of 256 bytes to 8 kB.

use provision_device::Stage;
use provision_testkit::flash::{Cut, Moment, Operation, Torn};

use crate::dialogue::Device;
use crate::factory::Cloud;

/// What a device is taken through.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Journey {
    /// From blank to sealed.
    Enrollment,
    /// From sealed to blank, at the bench, and to sealed again, with a new key.
    ReEnrollment,
    /// From an identity that was left open to the same with another endpoint, sealed.
    EndpointUpdate,
}

impl Journey {
    pub(crate) const ALL: [Self; 3] = [Self::Enrollment, Self::ReEnrollment, Self::EndpointUpdate];

    /// A device before it.
    pub(crate) fn start<const WRITE: usize, const ERASE: usize>(self) -> Device<WRITE, ERASE> {
        let mut device = Device::blank();
        match self {
            Self::Enrollment => {}
            Self::ReEnrollment => assert_eq!(device.enroll(Cloud::Old, true), Ok(true)),
            Self::EndpointUpdate => assert_eq!(device.enroll(Cloud::Old, false), Ok(true)),
        }
        device
    }

    /// Goes on until the end. `Ok(false)`: power was lost.
    pub(crate) fn go<const WRITE: usize, const ERASE: usize>(
        self,
        device: &mut Device<WRITE, ERASE>,
        progress: &mut Progress,
    ) -> Result<bool, String> {
        if matches!(self, Self::ReEnrollment) && !progress.wiped {
            progress.wiped = device.wipe()?;
            if !progress.wiped {
                return Ok(false);
            }
        }
        let cloud = match self {
            Self::Enrollment | Self::ReEnrollment => Cloud::Old,
            Self::EndpointUpdate => Cloud::New,
        };
        device.enroll(cloud, true)
    }

    /// Cuts power once, lets the journey be made again, and looks at where it ends.
    fn survives<const WRITE: usize, const ERASE: usize>(
        self,
        start: &Device<WRITE, ERASE>,
        cut: Cut,
    ) -> Result<(), String> {
        let mut device = start.duplicate();
        let mut progress = Progress::default();
        device.cut_at(cut);
        if self.go(&mut device, &mut progress)? {
            return Err("the cut was never reached".to_owned());
        }
        if !device.power_on()? || !self.go(&mut device, &mut progress)? {
            return Err("power was lost again".to_owned());
        }
        self.check_end(&device)
    }

    pub(crate) fn check_end<const WRITE: usize, const ERASE: usize>(
        self,
        device: &Device<WRITE, ERASE>,
    ) -> Result<(), String> {
        let end = device.acknowledged();
        if end.stage == Stage::Sealed { Ok(()) } else { Err(format!("ended {}", end.stage)) }
    }
}

/// What the people at the bench remember.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) wiped: bool,
}

/// Every operation: before the first, after each, and so many ways inside each.
fn every_cut<const WRITE: usize, const ERASE: usize>(seeds: u64) {
    for journey in Journey::ALL {
        let start = journey.start::<WRITE, ERASE>();
        for operation in 0..operations(journey, &start).len() {
            let inside = (0..seeds)
                .map(|seed| Moment::Inside { seed: seed * 1_000_003 + operation as u64 * 7_919 });
            let before = (operation == 0).then_some(Moment::Before);
            for moment in before.into_iter().chain([Moment::After]).chain(inside) {
                let cut = Cut { operation, moment };
                journey
                    .survives(&start, cut)
                    .unwrap_or_else(|error| panic!("{journey:?} {WRITE}/{ERASE} {cut:?}: {error}"));
            }
        }
    }
}

/// Every program unit of every write and every page of every erase, in each state it may be left in.
fn every_torn_unit<const WRITE: usize, const ERASE: usize>() {
    for journey in Journey::ALL {
        let start = journey.start::<WRITE, ERASE>();
        for (operation, done) in operations(journey, &start).into_iter().enumerate() {
            let units = match done {
                Operation::Erase { from, to } => (to - from) as usize / ERASE,
                Operation::Write { bytes, .. } => bytes.len() / WRITE,
            };
            for at in 0..units {
                for how in Torn::ALL {
                    let cut = Cut { operation, moment: Moment::Torn { at, how } };
                    journey.survives(&start, cut).unwrap_or_else(|error| {
                        panic!("{journey:?} {WRITE}/{ERASE} {cut:?}: {error}")
                    });
                }
            }
        }
    }
}

/// What an undisturbed journey does to the flash.
pub(crate) fn operations<const WRITE: usize, const ERASE: usize>(
    journey: Journey,
    start: &Device<WRITE, ERASE>,
) -> Vec<Operation> {
    let mut device = start.duplicate();
    assert_eq!(journey.go(&mut device, &mut Progress::default()), Ok(true), "{journey:?}");
    journey.check_end(&device).unwrap();
    let flash = device.flash.look();
    assert!(flash.operations() > 40, "{journey:?} writes its deliveries");
    flash.journal().to_vec()
}

fn every_cut_on_all_pages<const WRITE: usize>() {
    every_cut::<WRITE, 256>(2);
    every_cut::<WRITE, 512>(1);
    every_cut::<WRITE, 1024>(1);
    every_cut::<WRITE, 2048>(1);
    every_cut::<WRITE, 4096>(1);
    every_cut::<WRITE, 8192>(1);
}

#[test]
fn every_cut_of_a_journey_is_survived_with_units_of_1_byte() {
    every_cut_on_all_pages::<1>();
}

#[test]
fn every_cut_of_a_journey_is_survived_with_units_of_2_bytes() {
    every_cut::<2, 1024>(1);
}

#[test]
fn every_cut_of_a_journey_is_survived_with_units_of_4_bytes() {
    every_cut_on_all_pages::<4>();
}

#[test]
fn every_cut_of_a_journey_is_survived_with_units_of_8_bytes() {
    every_cut_on_all_pages::<8>();
}

#[test]
fn every_cut_of_a_journey_is_survived_with_units_of_16_bytes() {
    every_cut_on_all_pages::<16>();
}

#[test]
fn every_cut_of_a_journey_is_survived_with_units_of_32_bytes() {
    every_cut::<32, 2048>(1);
}

#[test]
fn every_torn_unit_of_a_journey_is_survived() {
    every_torn_unit::<4, 256>();
    every_torn_unit::<8, 2048>();
    every_torn_unit::<16, 8192>();
}

/// The same byte by byte: `cargo test -p provision-device --test vault -- --ignored torn_byte`.
#[test]
#[ignore = "a quarter of a minute more than CI should take"]
fn every_torn_byte_of_a_journey_is_survived() {
    every_torn_unit::<1, 1024>();
}
