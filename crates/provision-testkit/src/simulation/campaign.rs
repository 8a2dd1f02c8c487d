//! Many shifts of toy factories.

use provision_issuer::{Lifetime, Profile};

use super::{DEVICES_PER_SHIFT, Factory, Faults, Tally, Violation, Watch};
use crate::memory_ledger::MemoryLedger;
use crate::planted::Bug;
use crate::random::Random;
use crate::toy::{Toy, ToyCa, ToyIssuer};

/// What all toy factories have in common.
pub struct Toys {
    ca: ToyCa,
    profile: Profile,
}

impl Default for Toys {
    fn default() -> Self {
        Self::new()
    }
}

impl Toys {
    /// Makes their CA.
    #[must_use]
    pub fn new() -> Self {
        Self { ca: ToyCa::new(), profile: Profile::new(Lifetime::Days(3650)) }
    }

    /// The factory of this seed. One in four has an issuing CA below its root.
    #[must_use]
    pub fn factory(&self, seed: u64, bug: Bug) -> Factory<Toy, ToyIssuer, MemoryLedger> {
        let mut random = Random::new(!seed);
        let with_issuing_ca = random.once_in(4);
        let issuer = self.ca.issuer(random, with_issuing_ca, bug);
        let server_anchor = self.ca.server_root().to_vec();
        Factory::new(issuer, MemoryLedger::with(bug), server_anchor, self.profile.clone())
    }
}

/// One shift of a toy factory, with the faults of its seed; see [`Factory::shift`].
///
/// # Errors
///
/// [`Violation`] names the promise that was broken.
pub fn toy_shift(
    toys: &Toys,
    seed: u64,
    devices: u64,
    bug: Bug,
    watch: &mut impl Watch,
) -> Result<Tally, Box<Violation>> {
    toys.factory(seed, bug).shift(seed, devices, Faults::of_seed(seed), bug, watch)
}

/// Shifts of one seed after the other.
#[derive(Debug, Clone, Copy)]
pub struct Campaign {
    /// Seed of the first shift; the others follow it.
    pub seed: u64,
    /// Devices in all. The last shift may be shorter.
    pub enrollments: u64,
    /// What is wrong.
    pub bug: Bug,
}

/// What a campaign came to.
#[derive(Debug)]
pub struct Report {
    /// What happened in whole shifts.
    pub tally: Tally,
    /// The first violation, with the seed of its shift. The campaign ends there.
    pub violation: Option<(u64, Box<Violation>)>,
}

impl Campaign {
    /// Runs it. `progress` is called after each shift.
    pub fn run(self, mut progress: impl FnMut(&Tally)) -> Report {
        let toys = Toys::new();
        let mut tally = Tally::default();
        let mut seed = self.seed;
        while tally.enrollments < self.enrollments {
            let devices = (self.enrollments - tally.enrollments).min(DEVICES_PER_SHIFT);
            match toy_shift(&toys, seed, devices, self.bug, &mut ()) {
                Ok(shift) => tally.add(&shift),
                Err(violation) => return Report { tally, violation: Some((seed, violation)) },
            }
            progress(&tally);
            seed = seed.wrapping_add(1);
        }
        Report { tally, violation: None }
    }
}
