//! Whole enrollments in memory: simulated devices, a faulty line, the real station, an issuer and
//! a ledger, power cuts at both ends, and somebody with access to the cable.
//!
//! ```text
//!   Factory::shift(seed) ──► 8 devices, one after the other, each until it is enrolled
//!        │
//!       Run ── device ◄── faulty line ◄── station ──► issuer, ledger        one run of the dialogue
//!        │                    ▲
//!        │                 intruder: replays answers, has the cable between runs
//!     Witness: what was really said, stored, issued and recorded, held against the promises
//! ```
//!
//! One seed is one *shift*: a fresh ledger, eight devices and what else may turn up at a station
//! (one that was enrolled before, a clone, one with a new board). With the [toy](crate::toy)
//! cryptography and the [ledger in memory](crate::memory_ledger) everything follows from the seed:
//! the same seed is the same bytes and the same steps. With the real CA (which draws its serial
//! numbers from the system) a seed met again brings the same kind of trouble, not always at the
//! same byte.

mod campaign;
mod factory;
mod intruder;
mod promise;
mod run;
mod watch;
mod witness;

pub use campaign::{Campaign, Report, Toys, toy_shift};
pub use factory::{DEVICES_PER_SHIFT, Factory, Lent, StationLedger};
pub use promise::{Promise, Violation};
pub use watch::{Step, Trace, Watch};

use crate::faulty_line::LineFaults;
use crate::random::Random;

/// What goes wrong.
#[derive(Debug, Clone, Copy)]
pub struct Faults {
    /// On the line, each way.
    pub line: LineFaults,
    /// The device's power is cut at one of its flash operations, in every second run.
    pub power_cuts: bool,
    /// The station dies, once in so many outputs; 0 is never.
    pub station_deaths: u64,
    /// An intruder has the cable, once in so many runs; 0 is never.
    pub intruder: u64,
}

impl Faults {
    /// Everything that can go wrong, all the time.
    pub const ALL: Self =
        Self { line: LineFaults::BAD, power_cuts: true, station_deaths: 40, intruder: 8 };
    /// Nothing.
    pub const NONE: Self =
        Self { line: LineFaults::NONE, power_cuts: false, station_deaths: 0, intruder: 0 };

    /// What goes wrong in the shift of this seed: each kind of trouble in some of them, at some of
    /// them worse, at some not at all. Bugs hide behind each other's faults: where everything goes
    /// wrong all the time, little gets far enough to go wrong late.
    #[must_use]
    pub fn of_seed(seed: u64) -> Self {
        let mut random = Random::new(seed ^ FAULTS);
        let LineFaults { lose, repeat, corrupt, log_text } = LineFaults::BAD;
        let line = match random.below(8) {
            0..4 => LineFaults::NONE,
            // As bad as a cable that is still in use.
            4..7 => LineFaults {
                lose: lose * 10,
                repeat: repeat * 10,
                corrupt: corrupt * 10,
                log_text: log_text * 10,
            },
            _ => LineFaults::BAD,
        };
        Self {
            line,
            power_cuts: random.once_in(2),
            station_deaths: [0, 0, 0, 0, 400, 400, 400, 40][random.below(8) as usize],
            intruder: [0, 0, 20, 5][random.below(4) as usize],
        }
    }

    fn is_none(&self) -> bool {
        self.line == LineFaults::NONE
            && !self.power_cuts
            && self.station_deaths == 0
            && self.intruder == 0
    }
}

/// Sets this sequence of random numbers apart from others of the same seed.
const FAULTS: u64 = 0x6661_756c_7473_0000;

/// What happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Devices that were enrolled.
    pub enrollments: u64,
    /// Runs of the dialogue.
    pub runs: u64,
    /// Things that the station wanted, one after the other.
    pub steps: u64,
    /// Power cuts at the device.
    pub power_cuts: u64,
    /// Deaths of the station.
    pub station_deaths: u64,
    /// Writes to the line that did not arrive as they were sent.
    pub line_hits: u64,
    /// Times an intruder had the line to himself.
    pub intrusions: u64,
    /// Runs in which an intruder answered in the device's place.
    pub replays: u64,
    /// Sealed devices that came again, and proved themselves.
    pub came_again: u64,
    /// Devices refused because another one had their key.
    pub clones_refused: u64,
    /// Known devices refused because their key was new.
    pub new_keys_refused: u64,
}

impl Tally {
    /// Adds another's.
    pub const fn add(&mut self, other: &Self) {
        self.enrollments += other.enrollments;
        self.runs += other.runs;
        self.steps += other.steps;
        self.power_cuts += other.power_cuts;
        self.station_deaths += other.station_deaths;
        self.line_hits += other.line_hits;
        self.intrusions += other.intrusions;
        self.replays += other.replays;
        self.came_again += other.came_again;
        self.clones_refused += other.clones_refused;
        self.new_keys_refused += other.new_keys_refused;
    }
}
