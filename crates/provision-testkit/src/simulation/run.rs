//! One run of the dialogue, with everything that goes wrong in it.

use std::borrow::Cow;

use provision_csr::{BadSignature, PublicKey, Signature, VerifyP256};
use provision_issuer::Issuer;
use provision_station::enrollment::{Outcome, Randomness, Record};
use provision_station::evidence::{Chain, Enrolled, Standing};
use provision_station::{Enrollment, EnrollmentFault, Input, Output, Plan};
use provision_wire::{DeviceSerial, Stage};

use super::factory::{Factory, NOW_S, Shift, StationLedger};
use super::promise::Finding;
use super::{Promise, Watch};
use crate::crypto::Crypto;
use crate::device::SimulatedDevice;
use crate::flash::Moment;
use crate::planted::Bug;
use crate::wiretap::{kind, overhear};

/// How a run ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// Well.
    Enrolled(Box<Outcome>),
    /// Without success, for a reason that running it again mends.
    Unfinished,
    /// The station refuses the device.
    Refused(EnrollmentFault),
}

/// A device in the fixture.
pub(super) struct Run<'a, 'w, C: Crypto, I, L, W> {
    factory: &'a mut Factory<C, I, L>,
    shift: &'a mut Shift<'w, W>,
    device: &'a mut SimulatedDevice<C>,
    serial: &'a DeviceSerial,
    /// An intruder answers for the device where he can.
    replaying: bool,
    now_s: u64,
    /// With [`Bug::LeafLeavesFirst`]: what is not recorded yet.
    late: Option<Chain>,
    /// With [`Bug::StationBelievesNotes`]: what is noted, and not recorded yet.
    late_proof: Option<Enrolled>,
}

impl<'a, 'w, C: Crypto, I: Issuer, L: StationLedger, W: Watch> Run<'a, 'w, C, I, L, W> {
    pub(super) fn new(
        factory: &'a mut Factory<C, I, L>,
        shift: &'a mut Shift<'w, W>,
        device: &'a mut SimulatedDevice<C>,
        serial: &'a DeviceSerial,
    ) -> Self {
        // One minute for each run, so that no two deliveries are the same.
        let now_s = NOW_S + 60 * shift.tally.runs;
        Self {
            factory,
            shift,
            device,
            serial,
            replaying: false,
            now_s,
            late: None,
            late_proof: None,
        }
    }

    pub(super) fn go(mut self) -> Result<Ended, Finding> {
        match self.shift.bug {
            Bug::StationTakesAnySignature => self.go_with::<Gullible>(),
            Bug::StationLeavesLock => self.go_with_lock(),
            _ => self.go_with::<C::Verify>(),
        }
    }

    /// For [`Bug::StationLeavesLock`].
    fn go_with_lock(&mut self) -> Result<Ended, Finding> {
        if self.shift.left_behind.lock.as_ref() == Some(self.serial) {
            self.shift.say("the station waits until nobody works on the device");
            return Ok(Ended::Unfinished);
        }
        let deaths = self.shift.tally.station_deaths;
        self.shift.left_behind.lock = Some(self.serial.clone());
        let ended = self.go_with::<C::Verify>();
        if self.shift.tally.station_deaths == deaths {
            self.shift.left_behind.lock = None;
        }
        ended
    }

    fn go_with<P: VerifyP256>(&mut self) -> Result<Ended, Finding> {
        self.shift.say("a run begins");
        self.plan_power_cut(2, CUT_WITHIN);
        if self.shift.intruder_comes() {
            self.replaying = true;
            self.shift.tally.replays += 1;
        }
        self.factory.witness.run_begins();
        let randomness = self.randomness();
        let plan = Plan { time: self.now_s, ..self.factory.plan.clone() };
        let mut enrollment = Enrollment::<P>::new(plan, randomness);
        let mut now_ms = 0;
        loop {
            self.shift.tally.steps += 1;
            let deaths = self.shift.faults.station_deaths;
            if deaths > 0 && self.shift.random.once_in(deaths) {
                return self.station_dies();
            }
            if let Some(enrolled) = self.late_proof.take() {
                self.factory.ledger.record_enrolled(&enrolled, self.now_s)?;
            }
            let input = match enrollment.poll(now_ms) {
                Output::Send(bytes) => {
                    let answer = self.exchange(&bytes)?;
                    enrollment.handle(Input::Received(&answer), now_ms);
                    continue;
                }
                Output::Wait { until_ms } => {
                    now_ms = until_ms;
                    Input::Tick
                }
                Output::Progress(_) => continue,
                Output::LookUp { device, public_key } => self.look_up(&device, &public_key)?,
                Output::LookUpDevice { device } => {
                    self.shift.say("the station looks for a sealed device");
                    let live = self.factory.ledger.live(&device);
                    Input::Known(live.map_err(|error| Finding::new(Promise::L7, error))?)
                }
                Output::Issue(approved) => {
                    self.shift.say("the CA signs");
                    let Factory { issuer, profile, witness, .. } = &mut *self.factory;
                    witness.about_to_issue(&approved)?;
                    let chain = issuer
                        .issue(&approved, profile, self.now_s)
                        .map_err(|error| Finding::new(Promise::L4, error))?;
                    witness.issued::<C>(&chain, profile, self.now_s)?;
                    Input::Issued(chain)
                }
                Output::Record(record) => {
                    self.record(record)?;
                    Input::Recorded
                }
                Output::WaitForAnswer => {
                    return Err(Finding::new(Promise::L7, "the station waits for what it has"));
                }
                Output::Done(outcome) => {
                    self.shift.say("the station is done");
                    return Ok(Ended::Enrolled(outcome));
                }
                Output::Failed(fault) => {
                    self.shift.say("the run has failed");
                    return Ok(self.judge(fault));
                }
            };
            enrollment.handle(input, now_ms);
        }
    }

    fn randomness(&mut self) -> Randomness {
        let random = &mut self.shift.random;
        let drawn = Randomness {
            session: random.bits() as u32,
            csr_challenge: random.bytes(),
            proof_challenge: random.bytes(),
        };
        if self.shift.bug == Bug::StationRepeatsChallenges {
            return Randomness { session: 1, csr_challenge: [1; 32], proof_challenge: [2; 32] };
        }
        drawn
    }

    /// Once in so many times the power is to be cut at one of so many flash operations to come.
    fn plan_power_cut(&mut self, once_in: u64, within: u64) {
        let random = &mut self.shift.random;
        if !self.shift.faults.power_cuts || !random.once_in(once_in) {
            return;
        }
        let moment = match random.below(3) {
            0 => Moment::Before,
            1 => Moment::Inside { seed: random.bits() },
            _ => Moment::After,
        };
        self.device.cut_power_in(random.below(within) as usize, moment);
    }

    fn station_dies(&mut self) -> Result<Ended, Finding> {
        self.shift.say("the station dies");
        self.shift.tally.station_deaths += 1;
        let Factory { ledger, witness, .. } = &mut *self.factory;
        ledger.crash();
        witness.station_is_back(self.serial, ledger)?;
        Ok(Ended::Unfinished)
    }

    fn look_up(
        &mut self,
        device: &DeviceSerial,
        public_key: &PublicKey,
    ) -> Result<Input<'static>, Finding> {
        self.shift.say("the station asks the ledger");
        let Factory { ledger, witness, .. } = &mut *self.factory;
        witness.possession_proven(public_key, self.device.found())?;
        if self.shift.bug == Bug::StationIgnoresLedger {
            return Ok(Input::Standing(Standing::Unknown));
        }
        let standing = ledger.standing(device, public_key);
        Ok(Input::Standing(standing.map_err(|error| Finding::new(Promise::L7, error))?))
    }

    fn record(&mut self, record: Record) -> Result<(), Finding> {
        self.shift.say("the ledger records");
        let Factory { ledger, witness, .. } = &mut *self.factory;
        match record {
            Record::Issued(chain) if self.shift.bug == Bug::LeafLeavesFirst => {
                self.late = Some(chain);
            }
            Record::Issued(chain) => ledger.record_issued(&chain, self.now_s)?,
            Record::Enrolled(enrolled) => {
                if let Some(chain) = self.late.take() {
                    ledger.record_issued(&chain, self.now_s)?;
                }
                witness.enrolled(&enrolled, self.device.found())?;
                if self.shift.bug == Bug::StationBelievesNotes {
                    let notes = &mut self.shift.left_behind.notes;
                    if !notes.contains(enrolled.leaf_sha256()) {
                        notes.push(*enrolled.leaf_sha256());
                        self.late_proof = Some(enrolled);
                    }
                    return Ok(());
                }
                ledger.record_enrolled(&enrolled, self.now_s)?;
            }
        }
        Ok(())
    }

    /// To the device and back.
    fn exchange(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Finding> {
        self.shift.say_bytes("station sends", bytes);
        let Factory { ledger, witness, .. } = &mut *self.factory;
        for asked in overhear(bytes) {
            witness.asked(&asked, self.serial, ledger)?;
            if self.replaying
                && let Some(answer) = self.shift.intruder.replays(&asked)
            {
                self.shift.say_bytes("an intruder answers", &answer);
                return Ok(self.carry_to_station(answer));
            }
        }
        let arrived = self.shift.to_device.carry(bytes);
        let answer = self.hand_to_device(&arrived)?;
        Ok(self.carry_to_station(answer))
    }

    fn carry_to_station(&mut self, answer: Vec<u8>) -> Vec<u8> {
        match self.shift.to_station.carry(&answer) {
            Cow::Owned(arrived) => arrived,
            Cow::Borrowed(_) => answer,
        }
    }

    /// What the device makes of these bytes, and what that makes of its vault.
    fn hand_to_device(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Finding> {
        self.shift.say_bytes("device hears", bytes);
        let answer = self.device.receive(bytes);
        self.shift.say_bytes("device says", &answer);
        for said in self.device.take_said() {
            self.factory.witness.said(&said);
            self.shift.intruder.hears(said);
        }
        if !self.device.is_powered() {
            self.shift.say("the device's power was cut, and is back");
            self.shift.tally.power_cuts += 1;
            self.device.reboot();
            // Now and then while it recovers.
            self.plan_power_cut(3, CUT_AGAIN_WITHIN);
        }
        if self.device.check()? {
            let Factory { witness, plan, .. } = &*self.factory;
            witness.stored(self.device.found(), self.serial, plan)?;
        }
        Ok(answer)
    }

    /// Whether running it again mends it.
    fn judge(&self, fault: EnrollmentFault) -> Ended {
        match fault {
            EnrollmentFault::NoAnswer(_) | EnrollmentFault::Restarts { .. } => Ended::Unfinished,
            EnrollmentFault::Policy(_) => Ended::Refused(fault),
            // Old answers make no sense to the station, nor the next questions to the device.
            _ if self.replaying => Ended::Unfinished,
            fault => Ended::Refused(fault),
        }
    }

    /// An intruder has the line to himself. Whatever he tries, the identity stays as it is.
    pub(super) fn intrude(mut self) -> Result<(), Finding> {
        self.shift.tally.steps += 1;
        self.shift.tally.intrusions += 1;
        self.shift.say("an intruder has the line to himself");
        self.factory.witness.run_begins();
        // Of a question of the station's, all but the zero at its end may have arrived. The intruder
        // begins with a zero; what the device answers to that one, and stores for it, is not his doing.
        self.hand_to_device(&[0])?;
        let before = self.device.found().clone();
        let reboots = self.device.reboots;
        let Shift { intruder, random, .. } = &mut *self.shift;
        let scheme = intruder.schemes(random, &before, &self.factory.plan.server_anchors[0]);
        let promise = if self.device.is_sealed() { Promise::D4 } else { Promise::D3 };
        for frame in scheme.frames(random.bits() as u32) {
            let answer = self.hand_to_device(&frame)?;
            for said in overhear(&answer) {
                if said.kind() == kind::COMMITTED {
                    return Err(Finding::new(promise, "the device took an intruder's delivery"));
                }
            }
        }
        let after = self.device.found();
        // A power cut that came before may show only now; and a blank device makes a key for anybody.
        let explained = self.device.reboots != reboots
            || before.stage == Stage::Blank && after.stage <= Stage::Keyed;
        if *after != before && !explained {
            return Err(Finding::new(promise, "an intruder changed what the device stores"));
        }
        Ok(())
    }
}

/// Takes every signature for good; for [`Bug::StationTakesAnySignature`].
struct Gullible;

impl VerifyP256 for Gullible {
    fn verify_digest(_: &PublicKey, _: &[u8; 32], _: &Signature) -> Result<(), BadSignature> {
        Ok(())
    }
}

/// Flash operations of a whole enrollment, about.
const CUT_WITHIN: u64 = 150;
/// Flash operations of a recovery, about.
const CUT_AGAIN_WITHIN: u64 = 12;
