//! One slot: waits for a port, a device, perhaps a scan; runs; waits until the device is taken out.

use core::time::Duration;
use std::thread::sleep;
use std::time::Instant;

use provision_station::EnrollmentFault;
use provision_station::enrollment::{Outcome, Progress};
use provision_station::exchange::Patience;
use provision_wire::{DeviceSerial, Hello};

use super::scan::Scans;
use super::slots::Slot;
use crate::conversation::Conversation;
use crate::ending::Ending;
use crate::fault::Fault;
use crate::job::{Job, PortUse};
use crate::line::Line;
use crate::run;

/// How often an empty slot is looked at.
const LOOK_EACH: Duration = Duration::from_millis(200);
/// A port that could not be opened is not tried at once again.
const OPEN_EACH: Duration = Duration::from_secs(1);
/// A device that is there answers within this.
const PRESENT: Patience = Patience { reply_within_ms: 400, attempts: 1 };
/// After so many questions without an answer it was taken out.
const ABSENT_AFTER: u32 = 3;

/// What all slots share.
pub(super) struct Shared<'a> {
    pub(super) job: Job,
    pub(super) ending: Ending,
    pub(super) scans: Scans,
    pub(super) ports: &'a PortUse,
    pub(super) retries: u32,
}

/// What a slot tells.
pub(super) enum Told {
    /// What it waits for.
    State(State),
    /// A step of a run.
    Progress(Progress),
    /// A device passed.
    Passed { outcome: Box<Outcome>, seconds: f64 },
    /// A run failed.
    Failed { fault: Fault, device: Option<DeviceSerial>, seconds: f64 },
    /// The slot is not served any more.
    Ended,
}

/// What a slot waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// A port.
    NoPort,
    /// A port that can be used.
    BadPort {
        /// Why it cannot.
        why: String,
    },
    /// A device.
    Empty,
    /// A scan of this device's serial.
    Scan {
        /// Which is there.
        device: DeviceSerial,
    },
}

/// Serves a slot until everything is to end.
pub(super) fn serve(slot: &Slot, shared: &Shared<'_>, tell: impl Fn(&str, Told)) {
    let mut serving = Serving { slot, shared, tell, line: None, done: None, missed: 0, said: None };
    while !shared.ending.is_wished() {
        if let Err(fault) = serving.turn() {
            serving.line = None;
            serving.leave();
            serving.say(State::BadPort { why: fault.to_string() });
            sleep(OPEN_EACH);
        }
    }
}

struct Serving<'a, T> {
    slot: &'a Slot,
    shared: &'a Shared<'a>,
    tell: T,
    line: Option<(String, Line)>,
    /// The device that is still there after its run, and how many runs it had.
    done: Option<(DeviceSerial, Runs)>,
    /// Questions without an answer, one after the other.
    missed: u32,
    said: Option<State>,
}

/// How often a device was run while it stayed in the fixture.
enum Runs {
    /// No more are wanted.
    Over,
    /// So many failed for reasons that may be gone.
    Failed(u32),
}

impl<T: Fn(&str, Told)> Serving<'_, T> {
    /// One look at the slot, and whatever follows from it.
    fn turn(&mut self) -> Result<(), Fault> {
        let Some(port) = self.slot.port()? else {
            self.line = None;
            self.leave();
            self.say(State::NoPort);
            sleep(LOOK_EACH);
            return Ok(());
        };
        if self.line.as_ref().is_none_or(|(name, _)| *name != port) {
            self.line = None;
            let line = Line::open_for(&port, self.slot.name(), self.shared.ports)?;
            self.line = Some((port.clone(), line));
        }
        let Some((_, line)) = &mut self.line else { return Ok(()) };
        let Some(Hello { device, .. }) = who_is_there(line)? else {
            self.missed += 1;
            if self.missed >= ABSENT_AFTER {
                self.leave();
            }
            if self.done.is_none() {
                self.say(State::Empty);
            }
            return Ok(());
        };
        self.missed = 0;
        let failed_before = match &self.done {
            Some((known, runs)) if *known == device => match runs {
                Runs::Over => {
                    sleep(LOOK_EACH);
                    return Ok(());
                }
                Runs::Failed(times) => *times,
            },
            _ => 0,
        };
        let expected = if self.shared.scans.are_needed() {
            let Some(scanned) = self.shared.scans.wait(self.slot.name()) else {
                self.say(State::Scan { device });
                sleep(LOOK_EACH);
                return Ok(());
            };
            scanned
        } else {
            // Whoever is there now: not who might be put in its place in this moment.
            device.clone()
        };
        self.run(&port, device, expected, failed_before);
        Ok(())
    }

    fn run(&mut self, port: &str, there: DeviceSerial, expected: DeviceSerial, failed_before: u32) {
        let Some((_, line)) = &mut self.line else { return };
        self.said = None;
        let started = Instant::now();
        let (tell, shared) = (&self.tell, self.shared);
        let result = line.reset(shared.ports).and_then(|()| {
            let progress = |progress| tell(port, Told::Progress(progress));
            run::run(&shared.job, line, Some(expected), &shared.ending, progress)
        });
        let seconds = started.elapsed().as_secs_f64();
        let (runs, told) = match result {
            Ok(outcome) => (Some(Runs::Over), Told::Passed { outcome: Box::new(outcome), seconds }),
            Err(fault) => {
                if matches!(fault, Fault::PortFailed { .. }) {
                    self.line = None;
                }
                let runs = if shared.scans.are_needed() {
                    // It waits for another scan.
                    None
                } else if fault.may_pass() && failed_before < shared.retries {
                    Some(Runs::Failed(failed_before + 1))
                } else {
                    Some(Runs::Over)
                };
                (runs, Told::Failed { fault, device: Some(there.clone()), seconds })
            }
        };
        self.done = runs.map(|runs| (there, runs));
        (self.tell)(port, told);
    }

    /// The device was taken out.
    fn leave(&mut self) {
        self.done = None;
        self.missed = 0;
        self.shared.scans.forget(self.slot.name());
    }

    /// Says what the slot waits for, once.
    fn say(&mut self, state: State) {
        if self.said.as_ref() != Some(&state) {
            let port = self.line.as_ref().map_or("", |(port, _)| port);
            (self.tell)(port, Told::State(state.clone()));
            self.said = Some(state);
        }
    }
}

/// Who answers now, if anybody does.
fn who_is_there(line: &mut Line) -> Result<Option<Hello>, Fault> {
    match Conversation::open(line, PRESENT) {
        Ok((_, hello)) => Ok(Some(hello)),
        // Something is there that speaks otherwise: the run will say what.
        Err(Fault::Enrollment(EnrollmentFault::NoAnswer(_))) => Ok(None),
        Err(fault) => Err(fault),
    }
}
