//! Journeys, cuts and their number drawn at random.

use provision_testkit::flash::{Cut, Moment};
use provision_testkit::random::Random;

use crate::journeys::{Journey, Progress};

/// How many journeys; `PROVISION_FLASH_JOURNEYS` makes it more.
const JOURNEYS: u64 = 600;

/// Power is lost again and again, during recovery too, and comes back; each time what was
/// acknowledged is still there, and in the end the journey has been made.
#[test]
fn any_journey_ends_whatever_becomes_of_the_power() {
    let journeys = std::env::var("PROVISION_FLASH_JOURNEYS")
        .map_or(JOURNEYS, |number| number.parse().expect("PROVISION_FLASH_JOURNEYS: a number"));
    for seed in 0..journeys {
        let mut random = Random::new(seed);
        let made = match random.below(8) {
            0 => make::<1, 256>(&mut random),
            1 => make::<1, 4096>(&mut random),
            2 => make::<2, 1024>(&mut random),
            3 => make::<4, 256>(&mut random),
            4 => make::<4, 4096>(&mut random),
            5 => make::<8, 2048>(&mut random),
            6 => make::<16, 8192>(&mut random),
            _ => make::<32, 512>(&mut random),
        };
        made.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}

fn make<const WRITE: usize, const ERASE: usize>(random: &mut Random) -> Result<(), String> {
    let journey = Journey::ALL[random.below(Journey::ALL.len() as u64) as usize];
    let mut device = journey.start::<WRITE, ERASE>().duplicate();
    let mut progress = Progress::default();
    // At first often, until it would never end.
    for attempt in 1.. {
        let operation = device.flash.look().operations();
        if attempt < 20 {
            let moment = match random.below(4) {
                0 => Moment::Before,
                1 => Moment::After,
                _ => Moment::Inside { seed: random.bits() },
            };
            let operation = operation + random.below(60) as usize;
            device.cut_at(Cut { operation, moment });
        }
        if device.is_powered() && journey.go(&mut device, &mut progress)? {
            return journey.check_end(&device);
        }
        device.power_on()?;
        if attempt > 60 {
            return Err("it does not end".to_owned());
        }
    }
    unreachable!()
}
