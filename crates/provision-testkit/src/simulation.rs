//! Whole enrollments in memory: simulated device, faulty line, the real station, issuer and
//! ledger, and power cuts at both ends.
//!
//! Device keys, faults and their moments follow from a seed. The CA's keys and serial numbers do
//! not (the real issuer draws them from the system), and with them some lengths differ by a byte: a
//! seed played again meets the same kind of trouble, not always at the same byte.

use provision_csr::PortableP256;
use provision_device::{Stage, Vault};
use provision_issuer::{FileIssuer, Issuer, Profile};
use provision_ledger::{Ledger, SqliteLedger};
use provision_station::enrollment::{Change, EndpointPlan, Outcome, Randomness, Record, Timing};
use provision_station::{Enrollment, EnrollmentFault, Input, Output, Plan};
use provision_wire::{Delivery, DeviceSerial};

use crate::device::{Broken, SimulatedDevice};
use crate::faulty_line::{FaultyLine, LineFaults};
use crate::flash::Moment;
use crate::planted::Bug;
use crate::random::Random;

/// Runs of the dialogue after which a device that is still not enrolled counts as stuck.
const RUNS_MAX: u32 = 60;
/// What the simulated clock shows, in seconds since 1970-01-01 UTC.
const NOW_S: u64 = 1_800_000_000;

/// What goes wrong.
#[derive(Debug, Clone, Copy)]
pub struct Faults {
    /// On the line, each way.
    pub line: LineFaults,
    /// The device's power is cut at one of its flash operations.
    pub power_cuts: bool,
    /// The station dies, once in so many outputs; 0 is never.
    pub station_deaths: u64,
    /// A bug in the device.
    pub bug: Bug,
}

impl Faults {
    /// Everything that can go wrong with a device that is right.
    pub const ALL: Self =
        Self { line: LineFaults::BAD, power_cuts: true, station_deaths: 40, bug: Bug::None };
    /// Nothing.
    pub const NONE: Self =
        Self { line: LineFaults::NONE, power_cuts: false, station_deaths: 0, bug: Bug::None };
}

/// What a seed came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Runs of the dialogue.
    pub runs: u32,
    /// Power cuts at the device.
    pub power_cuts: u32,
    /// Deaths of the station.
    pub station_deaths: u32,
    /// Writes to the line that did not arrive as they were sent.
    pub line_hits: u64,
}

impl Tally {
    /// Adds another seed's.
    pub fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.power_cuts += other.power_cuts;
        self.station_deaths += other.station_deaths;
        self.line_hits += other.line_hits;
    }
}

/// A promise that was broken; see the design's list.
#[derive(Debug, thiserror::Error)]
pub enum Violation {
    /// By the device.
    #[error("the device broke a promise: {0:?}")]
    Device(Broken),
    /// A run ended with a fault that no mishap explains.
    #[error("a run failed: {0}")]
    Failed(EnrollmentFault),
    /// It never ends.
    #[error("not enrolled after {runs} runs")]
    Stuck {
        /// How many.
        runs: u32,
    },
    /// The ledger refused an entry.
    #[error("the ledger refused: {0}")]
    Ledger(String),
    /// The issuer refused.
    #[error("the issuer refused: {0}")]
    Issuer(String),
    /// The end is not what the station believes.
    #[error("at the end: {0}")]
    End(&'static str),
}

/// Issuer and ledger that the simulated stations share.
pub struct Factory {
    issuer: FileIssuer,
    profile: Profile,
    ledger: SqliteLedger,
    server_anchor: Vec<u8>,
}

impl Factory {
    /// A factory with this CA and this ledger; devices are to trust `server_anchor`.
    #[must_use]
    pub const fn new(
        issuer: FileIssuer,
        ledger: SqliteLedger,
        server_anchor: Vec<u8>,
        profile: Profile,
    ) -> Self {
        Self { issuer, profile, ledger, server_anchor }
    }

    /// The ledger, to look at.
    pub fn ledger(&mut self) -> &mut SqliteLedger {
        &mut self.ledger
    }

    fn plan(&self) -> Plan {
        Plan {
            policy: provision_station::evidence::Policy::default(),
            server_anchors: vec![self.server_anchor.clone()],
            endpoint: EndpointPlan { host: "10.0.2.100".into(), port: 8883, alpn: None },
            time: NOW_S,
            seal: true,
            timing: Timing::default(),
        }
    }

    /// Enrolls one device, running the dialogue until it is done.
    ///
    /// # Errors
    ///
    /// [`Violation`] names the promise that was broken.
    pub fn enroll(&mut self, seed: u64, faults: Faults) -> Result<Tally, Violation> {
        let mut random = Random::new(seed);
        let serial = format!("sim-{seed}");
        let Ok(serial) = DeviceSerial::new(&serial) else {
            return Err(Violation::End("a serial of digits"));
        };
        let mut device = SimulatedDevice::new(&serial, random.bits(), faults.bug);
        let mut to_device = FaultyLine::new(faults.line, random.bits());
        let mut to_station = FaultyLine::new(faults.line, random.bits());
        let mut tally = Tally::default();
        let outcome = loop {
            tally.runs += 1;
            if tally.runs > RUNS_MAX {
                return Err(Violation::Stuck { runs: RUNS_MAX });
            }
            let mut run = Run {
                factory: self,
                device: &mut device,
                to_device: &mut to_device,
                to_station: &mut to_station,
                random: &mut random,
                faults,
                tally: &mut tally,
            };
            if let Some(outcome) = run.go()? {
                break outcome;
            }
        };
        tally.line_hits = to_device.hits + to_station.hits;
        self.check_end(&mut device, &outcome)?;
        Ok(tally)
    }

    /// One sealed device, one live certificate, the same in vault, ledger and the station's mind.
    fn check_end(
        &mut self,
        device: &mut SimulatedDevice,
        outcome: &Outcome,
    ) -> Result<(), Violation> {
        device.check().map_err(Violation::Device)?;
        let mut vault = device.vault();
        if vault.stage() != Ok(Stage::Sealed) {
            return Err(Violation::End("the station believes in a seal that is not there"));
        }
        let mut stored = [0; 4096];
        let Ok(Some(stored)) = vault.read_delivery(&mut stored) else {
            return Err(Violation::End("the vault holds no delivery"));
        };
        let Ok(delivery) = Delivery::decode(stored) else {
            return Err(Violation::End("the vault holds no readable delivery"));
        };
        if delivery.leaf != outcome.chain.leaf() {
            return Err(Violation::End("the vault holds another leaf than the station believes"));
        }
        let live = self
            .ledger
            .live(outcome.enrolled.device())
            .map_err(|e| Violation::Ledger(e.to_string()))?
            .ok_or(Violation::End("the ledger does not know the device"))?;
        if live.chain.leaf() != delivery.leaf {
            return Err(Violation::End("the ledger has another leaf than the vault"));
        }
        if live.delivery_sha256.as_ref() != Some(outcome.enrolled.delivery_sha256()) {
            return Err(Violation::End("the ledger has not recorded the proof"));
        }
        Ok(())
    }
}

/// One run of the dialogue.
struct Run<'a> {
    factory: &'a mut Factory,
    device: &'a mut SimulatedDevice,
    to_device: &'a mut FaultyLine,
    to_station: &'a mut FaultyLine,
    random: &'a mut Random,
    faults: Faults,
    tally: &'a mut Tally,
}

impl Run<'_> {
    /// `None`: it ended without success, for a reason that running it again mends.
    fn go(&mut self) -> Result<Option<Outcome>, Violation> {
        if self.faults.power_cuts && self.random.once_in(2) {
            let moment = match self.random.below(3) {
                0 => Moment::Before,
                1 => Moment::Inside { seed: self.random.bits() },
                _ => Moment::After,
            };
            let operations = self.random.below(60) as usize;
            self.device.cut_power_in(operations, moment);
        }
        let randomness = Randomness {
            session: self.random.bits() as u32,
            csr_challenge: self.random.bytes(),
            proof_challenge: self.random.bytes(),
        };
        let mut enrollment = Enrollment::<PortableP256>::new(self.factory.plan(), randomness);
        let mut now_ms = 0;
        loop {
            if self.faults.station_deaths > 0 && self.random.once_in(self.faults.station_deaths) {
                self.tally.station_deaths += 1;
                return Ok(None);
            }
            match enrollment.poll(now_ms) {
                Output::Send(bytes) => {
                    let answer = self.exchange(&bytes)?;
                    enrollment.handle(Input::Received(&answer), now_ms);
                }
                Output::LookUp { device, public_key } => {
                    let standing = self
                        .factory
                        .ledger
                        .standing(&device, &public_key)
                        .map_err(|e| Violation::Ledger(e.to_string()))?;
                    enrollment.handle(Input::Standing(standing), now_ms);
                }
                Output::LookUpDevice { device } => {
                    let live = self
                        .factory
                        .ledger
                        .live(&device)
                        .map_err(|e| Violation::Ledger(e.to_string()))?;
                    enrollment.handle(Input::Known(live), now_ms);
                }
                Output::Issue(approved) => {
                    let Factory { issuer, profile, .. } = &mut *self.factory;
                    let chain = issuer
                        .issue(&approved, profile, NOW_S)
                        .map_err(|e| Violation::Issuer(e.to_string()))?;
                    enrollment.handle(Input::Issued(chain), now_ms);
                }
                Output::Record(record) => {
                    let ledger = &mut self.factory.ledger;
                    match record {
                        Record::Issued(chain) => {
                            ledger.record_issued(&chain, NOW_S).map_err(|e| e.to_string())
                        }
                        Record::Enrolled(enrolled) => ledger
                            .record_enrolled(&enrolled, NOW_S)
                            .map(drop)
                            .map_err(|e| e.to_string()),
                    }
                    .map_err(Violation::Ledger)?;
                    enrollment.handle(Input::Recorded, now_ms);
                }
                Output::Progress(_) => {}
                Output::Wait { until_ms } => {
                    now_ms = until_ms;
                    enrollment.handle(Input::Tick, now_ms);
                }
                Output::WaitForAnswer => {
                    return Err(Violation::End("the station waits for an answer it has"));
                }
                Output::Done(outcome) => {
                    if outcome.change == Change::Nothing && self.tally.runs == 1 {
                        return Err(Violation::End("a blank device needed nothing"));
                    }
                    return Ok(Some(*outcome));
                }
                Output::Failed(EnrollmentFault::NoAnswer(_) | EnrollmentFault::Restarts { .. }) => {
                    return Ok(None);
                }
                Output::Failed(fault) => return Err(Violation::Failed(fault)),
            }
        }
    }

    /// To the device and back.
    fn exchange(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Violation> {
        let answer = self.device.receive(&self.to_device.carry(bytes));
        let answer = self.to_station.carry(&answer);
        if !self.device.is_powered() {
            self.tally.power_cuts += 1;
            self.device.reboot();
        }
        self.device.check().map_err(Violation::Device)?;
        Ok(answer)
    }
}
