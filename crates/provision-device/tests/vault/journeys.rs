//! D2, over the line: whole enrollments whose power is cut at every flash operation, and inside every
//! one, for program units of 1 to 32 bytes and pages of 256 bytes to 8 kB.

use provision_device::Stage;
use provision_testkit::flash::{Content, Cut, FlashFault, Moment, Operation, PowerCutFlash, Torn};

use crate::dialogue::{Books, Device};
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

    /// A device whose power went just before this operation.
    fn up_to<const WRITE: usize, const ERASE: usize>(
        self,
        start: &Device<WRITE, ERASE>,
        operation: usize,
    ) -> (Device<WRITE, ERASE>, Progress) {
        let mut device = start.duplicate();
        let mut progress = Progress::default();
        device.cut_at(Cut { operation, moment: Moment::Before });
        assert_eq!(self.go(&mut device, &mut progress), Ok(false), "operation {operation}");
        (device.duplicate(), progress)
    }

    /// Interrupts a device in its next operation, and lets the journey be made again; unless another
    /// one has done so from the very same state, as `ended` tells.
    fn goes_on<const WRITE: usize, const ERASE: usize>(
        self,
        before: &Device<WRITE, ERASE>,
        mut progress: Progress,
        ended: &mut Vec<LeftBehind>,
        interrupt: impl FnOnce(&mut PowerCutFlash<WRITE, ERASE>) -> Result<(), FlashFault>,
    ) -> Result<(), String> {
        let mut device = before.duplicate();
        if interrupt(&mut device.flash.touch()) != Err(FlashFault::PowerCut) {
            return Err("the cut was never reached".to_owned());
        }
        device.flash.touch().forget_journal();
        if !device.power_on()? {
            return Err("power was lost again".to_owned());
        }
        if ended.iter().any(|ended| ended.is_where(&device, progress)) {
            return Ok(());
        }
        let left = LeftBehind::by(&device, progress);
        if !self.go(&mut device, &mut progress)? {
            return Err("power was lost again".to_owned());
        }
        self.check_end(&device)?;
        ended.push(left);
        Ok(())
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    pub(crate) wiped: bool,
}

/// All that decides how a journey goes on once power is back, but for the number of the next session.
struct LeftBehind {
    flash: Content,
    /// What the vault did when it was mounted: what it remembers follows from that and the flash.
    mended: Vec<Operation>,
    books: Books,
    progress: Progress,
}

impl LeftBehind {
    fn by<const WRITE: usize, const ERASE: usize>(
        device: &Device<WRITE, ERASE>,
        progress: Progress,
    ) -> Self {
        let flash = device.flash.look();
        let (content, mended) = (flash.content().clone(), flash.journal().to_vec());
        Self { flash: content, mended, books: device.books().clone(), progress }
    }

    fn is_where<const WRITE: usize, const ERASE: usize>(
        &self,
        device: &Device<WRITE, ERASE>,
        progress: Progress,
    ) -> bool {
        let flash = device.flash.look();
        self.progress == progress
            && self.mended == flash.journal()
            && self.books == *device.books()
            && self.flash == *flash.content()
    }
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
/// How many cuts that were.
///
/// Whatever comes to one operation comes to it in the same way, which is gone once; then the operation
/// itself is torn in each way. Many cuts leave the same behind once the vault has mended it, and what
/// follows is the same too: the journey goes on from each state that is left, once.
fn every_torn_unit<const WRITE: usize, const ERASE: usize>() -> usize {
    let mut cuts = 0;
    for journey in Journey::ALL {
        let start = journey.start::<WRITE, ERASE>();
        let mut ended: Vec<LeftBehind> = Vec::new();
        for (number, operation) in operations(journey, &start).into_iter().enumerate() {
            let (before, progress) = journey.up_to(&start, number);
            for at in 0..units::<WRITE, ERASE>(&operation) {
                for how in Torn::ALL {
                    let survived = journey.goes_on(&before, progress, &mut ended, |flash| {
                        flash.interrupt(&operation, at, how)
                    });
                    survived.unwrap_or_else(|error| {
                        panic!("{journey:?} {WRITE}/{ERASE} {number} {at} {how:?}: {error}")
                    });
                    cuts += 1;
                }
            }
        }
    }
    cuts
}

/// How much of an operation can be torn.
fn units<const WRITE: usize, const ERASE: usize>(operation: &Operation) -> usize {
    match operation {
        Operation::Erase { from, to } => (to - from) as usize / ERASE,
        Operation::Write { bytes, .. } => bytes.len() / WRITE,
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
    every_torn_unit::<1, 256>();
    every_torn_unit::<4, 1024>();
    every_torn_unit::<8, 2048>();
    every_torn_unit::<16, 8192>();
}

/// `cargo xtask flash --long`
mod on_every_geometry {
    use super::every_torn_unit;

    fn on_all_pages<const WRITE: usize>() {
        on::<WRITE, 256>();
        on::<WRITE, 512>();
        on::<WRITE, 1024>();
        on::<WRITE, 2048>();
        on::<WRITE, 4096>();
        on::<WRITE, 8192>();
    }

    #[expect(clippy::print_stdout, reason = "what the command is run for")]
    fn on<const WRITE: usize, const ERASE: usize>() {
        let cuts = every_torn_unit::<WRITE, ERASE>();
        println!("units of {WRITE:2}, pages of {ERASE:4}: {cuts:6} cuts survived");
    }

    #[test]
    #[ignore = "half a minute of a processor, more than CI must see each time: cargo xtask flash --long"]
    fn every_torn_unit_of_1_byte_is_survived() {
        on_all_pages::<1>();
    }

    #[test]
    #[ignore = "more than CI must see each time: cargo xtask flash --long"]
    fn every_torn_unit_of_4_bytes_is_survived() {
        on_all_pages::<4>();
    }

    #[test]
    #[ignore = "more than CI must see each time: cargo xtask flash --long"]
    fn every_torn_unit_of_8_bytes_is_survived() {
        on_all_pages::<8>();
    }

    #[test]
    #[ignore = "more than CI must see each time: cargo xtask flash --long"]
    fn every_torn_unit_of_16_bytes_is_survived() {
        on_all_pages::<16>();
    }
}
