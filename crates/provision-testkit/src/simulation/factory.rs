//! A factory at work: device after device, and who else turns up.

use core::marker::PhantomData;

use provision_issuer::{IssueError, Issuer, Profile};
use provision_ledger::{Ledger, SqliteLedger};
use provision_station::Plan;
use provision_station::enrollment::{Change, EndpointPlan, EnrollmentFault, Outcome, Timing};
use provision_station::evidence::{ApprovedCsr, Chain, Policy, PolicyFault};
use provision_wire::{Delivery, DeviceSerial, Stage};

use super::intruder::Intruder;
use super::promise::Finding;
use super::run::{Ended, Run};
use super::witness::Witness;
use super::{Faults, Promise, Step, Tally, Violation, Watch};
use crate::crypto::Crypto;
use crate::device::SimulatedDevice;
use crate::faulty_line::FaultyLine;
use crate::memory_ledger::MemoryLedger;
use crate::planted::Bug;
use crate::random::Random;

/// Devices that are enrolled for one seed.
pub const DEVICES_PER_SHIFT: u64 = 8;
/// Runs of the dialogue after which a device that is still not enrolled counts as stuck.
const RUNS_MAX: u32 = 60;
/// What the simulated clock shows when a shift begins, in seconds since 1970-01-01 UTC. It is 2027.
pub(super) const NOW_S: u64 = 1_800_000_000;
/// Names of the devices of a shift, from the shortest to the longest there are. The last is for a
/// clone.
const NAMES: [&str; DEVICES_PER_SHIFT as usize + 1] = [
    "S",
    "sim-0001",
    "00:1b:44:11:3a:b7",
    "sensor.north_4.rev-b.00042",
    "a-device-serial-of-forty-eight-characters-000001",
    "sim-0002",
    "a-device-serial-that-is-as-long-as-any-may-be-64-characters-0001",
    "sim-0003",
    "sim-clone",
];

/// A ledger on a machine that may die.
pub trait StationLedger: Ledger {
    /// The machine dies, and is switched on again.
    fn crash(&mut self);
}

impl StationLedger for MemoryLedger {
    fn crash(&mut self) {
        self.crash();
    }
}

/// In memory, nothing can be taken from it. That what is in a file survives, the tests of
/// `provision-ledger` show by killing those who write it.
impl StationLedger for SqliteLedger {
    fn crash(&mut self) {}
}

/// An issuer that several factories use, one after the other.
pub struct Lent<'a, I>(pub &'a mut I);

impl<I: Issuer> Issuer for Lent<'_, I> {
    fn issue(
        &mut self,
        approved: &ApprovedCsr,
        profile: &Profile,
        now_s: u64,
    ) -> Result<Chain, IssueError> {
        self.0.issue(approved, profile, now_s)
    }
}

/// Issuer and ledger that the simulated stations share. `C` is the cryptography of devices and
/// station.
pub struct Factory<C, I, L> {
    pub(super) issuer: I,
    pub(super) profile: Profile,
    pub(super) ledger: L,
    pub(super) plan: Plan,
    pub(super) witness: Witness,
    crypto: PhantomData<fn() -> C>,
}

impl<C: Crypto, I: Issuer, L: StationLedger> Factory<C, I, L> {
    /// A factory with this CA and this ledger; devices are to trust `server_anchor`.
    pub fn new(issuer: I, ledger: L, server_anchor: Vec<u8>, profile: Profile) -> Self {
        let endpoint = EndpointPlan { host: "10.0.2.100".into(), port: 8883, alpn: None };
        let plan = Plan {
            policy: Policy::default(),
            server_anchors: vec![server_anchor],
            endpoint,
            time: NOW_S,
            foreign_signatures_unchecked: false,
            seal: true,
            timing: Timing::default(),
        };
        Self { issuer, profile, ledger, plan, witness: Witness::default(), crypto: PhantomData }
    }

    /// The ledger, to look at.
    pub fn ledger(&mut self) -> &mut L {
        &mut self.ledger
    }

    /// The shift of this seed: enrolls `devices` devices, at most [`DEVICES_PER_SHIFT`], running
    /// the dialogue with each until it is done. After a whole shift comes who else may come.
    ///
    /// Fewer devices are the beginning of the same shift. A ledger serves one shift: the names come
    /// again in the next.
    ///
    /// # Errors
    ///
    /// [`Violation`] names the promise that was broken.
    pub fn shift(
        &mut self,
        seed: u64,
        devices: u64,
        faults: Faults,
        bug: Bug,
        watch: &mut impl Watch,
    ) -> Result<Tally, Box<Violation>> {
        let mut random = Random::new(seed);
        let mut shift = Shift {
            to_device: FaultyLine::new(faults.line, random.bits()),
            to_station: FaultyLine::new(faults.line, random.bits()),
            random,
            faults,
            bug,
            intruder: Intruder::default(),
            left_behind: LeftBehind::default(),
            tally: Tally::default(),
            watch,
        };
        let mut serial = name(0);
        self.whole_shift(&mut shift, devices, &mut serial).map_err(
            |Finding { promise, what }| {
                let Tally { steps: step, enrollments: enrolled_before, .. } = shift.tally;
                Box::new(Violation { promise, what, device: serial, step, enrolled_before })
            },
        )?;
        shift.tally.line_hits = shift.to_device.hits + shift.to_station.hits;
        Ok(shift.tally)
    }

    fn whole_shift(
        &mut self,
        shift: &mut Shift<'_, impl Watch>,
        devices: u64,
        serial: &mut DeviceSerial,
    ) -> Result<(), Finding> {
        let (mut last, mut last_seed) = (None, 0);
        for index in 0..devices.min(DEVICES_PER_SHIFT) {
            *serial = name(index);
            last_seed = shift.random.bits();
            shift.say("a blank device is put into the fixture");
            let mut device = SimulatedDevice::with_crypto(serial, last_seed, shift.bug);
            if index % 2 == 1 {
                device = device.with_older_firmware();
            }
            shift.intruder.new_device();
            let outcome = self.enroll(shift, &mut device, serial)?;
            if outcome.change == Change::Nothing && device.reboots == 0 && shift.faults.is_none() {
                return Err(Finding::new(Promise::L2, "a blank device needed nothing"));
            }
            shift.tally.enrollments += 1;
            self.check_end(&device, &outcome)?;
            if shift.intruder_comes() {
                Run::new(self, shift, &mut device, serial).intrude()?;
            }
            shift.intruder.keep_delivery(&device);
            last = Some(device);
        }
        let Some(mut device) = last.filter(|_| devices >= DEVICES_PER_SHIFT) else {
            return Ok(());
        };

        if shift.random.once_in(4) {
            shift.say("a sealed device comes again");
            let outcome = self.enroll(shift, &mut device, serial)?;
            if outcome.change != Change::Nothing {
                return Err(Finding::new(Promise::D4, "a sealed device was changed"));
            }
            self.check_end(&device, &outcome)?;
            shift.tally.came_again += 1;
        }
        if shift.random.once_in(8) {
            shift.say("the device comes again with a new key");
            let mut new_board =
                SimulatedDevice::with_crypto(serial, shift.random.bits(), shift.bug);
            shift.intruder.new_device();
            match self.run_until_it_ends(shift, &mut new_board, serial)? {
                Ended::Refused(EnrollmentFault::Policy(PolicyFault::KnownWithOtherKey {
                    ..
                })) => {
                    shift.tally.new_keys_refused += 1;
                }
                other => {
                    return Err(unexpected(Promise::L2, "a known device with a new key", other));
                }
            }
        }
        if shift.random.once_in(8) {
            shift.say("a device with the key of the one before");
            *serial = name(DEVICES_PER_SHIFT);
            let mut clone = SimulatedDevice::with_crypto(serial, last_seed, shift.bug);
            // A delivery for the one is right for the other, as far as a device can tell.
            shift.intruder = Intruder::default();
            match self.run_until_it_ends(shift, &mut clone, serial)? {
                Ended::Refused(EnrollmentFault::Policy(PolicyFault::KeyElsewhere { .. })) => {
                    shift.tally.clones_refused += 1;
                }
                // One of the two made its key twice, for the first was cut off.
                Ended::Enrolled(_) if clone.found().key != device.found().key => {}
                other => return Err(unexpected(Promise::L3, "a clone", other)),
            }
        }
        Ok(())
    }

    /// Runs the dialogue until the device is enrolled.
    fn enroll(
        &mut self,
        shift: &mut Shift<'_, impl Watch>,
        device: &mut SimulatedDevice<C>,
        serial: &DeviceSerial,
    ) -> Result<Outcome, Finding> {
        match self.run_until_it_ends(shift, device, serial)? {
            Ended::Enrolled(outcome) => Ok(*outcome),
            other => Err(unexpected(Promise::L7, "an honest device", other)),
        }
    }

    fn run_until_it_ends(
        &mut self,
        shift: &mut Shift<'_, impl Watch>,
        device: &mut SimulatedDevice<C>,
        serial: &DeviceSerial,
    ) -> Result<Ended, Finding> {
        for _ in 0..RUNS_MAX {
            shift.tally.runs += 1;
            if shift.intruder_comes() {
                Run::new(self, shift, device, serial).intrude()?;
            }
            match Run::new(self, shift, device, serial).go()? {
                Ended::Unfinished => {}
                ended => return Ok(ended),
            }
        }
        Err(Finding::new(Promise::L7, format!("not enrolled after {RUNS_MAX} runs")))
    }

    /// One sealed device, one live certificate, the same in vault, ledger and the station's mind.
    fn check_end(&mut self, device: &SimulatedDevice<C>, outcome: &Outcome) -> Result<(), Finding> {
        let found = device.found();
        if found.stage != Stage::Sealed {
            return Err(Finding::new(Promise::D2, "the seal the station believes in is not there"));
        }
        let stored = found.delivery.as_deref().map(Delivery::decode);
        let Some(Ok(delivery)) = stored else {
            return Err(Finding::new(Promise::D2, "the vault holds no readable delivery"));
        };
        if delivery.leaf != outcome.chain.leaf() {
            return Err(Finding::new(Promise::L5, "the vault holds another leaf than was proven"));
        }
        let live = self.ledger.live(outcome.enrolled.device());
        let live = live.map_err(|error| Finding::new(Promise::L7, error))?;
        let Some(live) = live else {
            return Err(Finding::new(Promise::L1, "the ledger does not know the device"));
        };
        if live.chain.leaf() != delivery.leaf {
            return Err(Finding::new(Promise::L1, "the ledger has another leaf than the vault"));
        }
        if live.delivery_sha256 != found.delivery_sha256 {
            return Err(Finding::new(Promise::L7, "the ledger has not recorded the proof"));
        }
        Ok(())
    }
}

/// What runs along with a shift.
pub(super) struct Shift<'a, W> {
    pub(super) random: Random,
    pub(super) faults: Faults,
    pub(super) bug: Bug,
    pub(super) to_device: FaultyLine,
    pub(super) to_station: FaultyLine,
    pub(super) intruder: Intruder,
    pub(super) left_behind: LeftBehind,
    pub(super) tally: Tally,
    watch: &'a mut W,
}

/// What a station with a bug keeps of its own, and finds again after its death. One without keeps
/// nothing: all it knows is in the ledger.
#[derive(Debug, Default)]
pub(super) struct LeftBehind {
    /// With [`Bug::StationLeavesLock`]: whom it works on.
    pub(super) lock: Option<DeviceSerial>,
    /// With [`Bug::StationBelievesNotes`]: leaves whose proofs are recorded, as it says.
    pub(super) notes: Vec<[u8; 32]>,
}

impl<W: Watch> Shift<'_, W> {
    /// Tells what happens.
    pub(super) fn say(&mut self, what: &str) {
        self.say_bytes(what, &[]);
    }

    /// Tells what goes over the line.
    pub(super) fn say_bytes(&mut self, what: &str, bytes: &[u8]) {
        self.watch.step(&Step { number: self.tally.steps, what, bytes });
    }

    pub(super) fn intruder_comes(&mut self) -> bool {
        self.faults.intruder > 0 && self.random.once_in(self.faults.intruder)
    }
}

fn name(index: u64) -> DeviceSerial {
    match DeviceSerial::new(NAMES[index as usize]) {
        Ok(serial) => serial,
        Err(fault) => unreachable!("names of devices: {fault}"),
    }
}

fn unexpected(promise: Promise, who: &str, ended: Ended) -> Finding {
    match ended {
        Ended::Enrolled(_) => Finding::new(promise, format!("{who} was enrolled")),
        Ended::Refused(fault) => Finding::new(promise, format!("{who}: {fault}")),
        Ended::Unfinished => Finding::new(promise, format!("{who}: the run did not end")),
    }
}
