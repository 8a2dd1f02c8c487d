//! One slot: waits for a port, a device, perhaps a scan; runs; waits until the device is taken out.

use core::fmt;
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
/// After so many in which something was heard, it is no boot log.
const NOISY_AFTER: u32 = 5;
/// A device that failed and is back within this was not exchanged by hand: it was reset, and what it
/// failed counts on.
const BACK_WITHIN: Duration = Duration::from_secs(5);

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
    Empty {
        /// Whether something was heard that is no answer: boot logs, or another baud rate.
        noise: bool,
    },
    /// A scan of this device's serial.
    Scan {
        /// Which is there.
        device: DeviceSerial,
    },
}

/// Serves a slot until everything is to end.
pub(super) fn serve(slot: &Slot, shared: &Shared<'_>, tell: impl FnMut(&str, Told)) {
    let mut serving = Serving {
        slot,
        shared,
        tell,
        line: None,
        done: None,
        failing: None,
        missed: 0,
        noisy: 0,
        said: None,
    };
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
    /// The device that is still there after its run. One that does not say its name has none.
    done: Option<Option<DeviceSerial>>,
    /// The device that failed for reasons that may be gone, how often, and when last.
    failing: Option<(DeviceSerial, u32, Instant)>,
    /// Questions without an answer, one after the other.
    missed: u32,
    /// Of these, the last in which there was noise.
    noisy: u32,
    said: Option<State>,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPort => "nothing is plugged in",
            Self::BadPort { why } => why,
            Self::Empty { noise: false } => "waits for a device",
            Self::Empty { noise: true } => {
                "something is heard, and no answer: another baud rate, or other firmware?"
            }
            Self::Scan { .. } => "waits for its scan",
        })
    }
}

impl<T: FnMut(&str, Told)> Serving<'_, T> {
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
        let device = match who_is_there(line)? {
            Presence::Device(device) => device,
            Presence::Nobody { noise } => {
                self.noisy = if noise { self.noisy.saturating_add(1) } else { 0 };
                self.missed += 1;
                if self.missed >= ABSENT_AFTER {
                    self.leave();
                }
                if self.done.is_some() || self.failing.is_some() {
                    // What came of its run stays to be read.
                    return Ok(());
                }
                self.say(State::Empty { noise: self.noisy >= NOISY_AFTER });
                return Ok(());
            }
            Presence::Stranger(fault) => {
                (self.missed, self.noisy) = (0, 0);
                if self.done != Some(None) {
                    self.done = Some(None);
                    self.said = None;
                    (self.tell)(&port, Told::Failed { fault, device: None, seconds: 0.0 });
                }
                sleep(LOOK_EACH);
                return Ok(());
            }
        };
        (self.missed, self.noisy) = (0, 0);
        if self.done.as_ref().is_some_and(|done| done.as_ref() == Some(&device)) {
            sleep(LOOK_EACH);
            return Ok(());
        }
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
        self.run(&port, device, expected);
        self.shared.scans.ended(self.slot.name());
        Ok(())
    }

    fn run(&mut self, port: &str, there: DeviceSerial, expected: DeviceSerial) {
        let Some((_, line)) = &mut self.line else { return };
        self.said = None;
        let failed_before = match self.failing.take() {
            Some((device, times, last)) if device == there && is_recent(last) => times,
            _ => 0,
        };
        let started = Instant::now();
        let (tell, shared) = (&mut self.tell, self.shared);
        let result = line.reset(shared.ports).and_then(|()| {
            let progress = |progress| tell(port, Told::Progress(progress));
            run::run(&shared.job, line, Some(expected), &shared.ending, progress)
        });
        let seconds = started.elapsed().as_secs_f64();
        let told = match result {
            Ok(outcome) => {
                self.done = Some(Some(there));
                Told::Passed { outcome: Box::new(outcome), seconds }
            }
            Err(fault) => {
                if matches!(fault, Fault::PortFailed { .. }) {
                    self.line = None;
                }
                if shared.scans.are_needed() {
                    // It waits for another scan.
                    self.done = None;
                } else if fault.may_pass() {
                    let again = failed_before < shared.retries;
                    self.done = (!again).then(|| Some(there.clone()));
                    self.failing = Some((there.clone(), failed_before + 1, Instant::now()));
                } else {
                    self.done = Some(Some(there.clone()));
                }
                Told::Failed { fault, device: Some(there), seconds }
            }
        };
        (self.tell)(port, told);
    }

    /// The device was taken out; or, soon after a failure, is being reset.
    fn leave(&mut self) {
        if self.failing.as_ref().is_some_and(|(_, _, last)| is_recent(*last)) {
            return;
        }
        (self.done, self.failing) = (None, None);
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

fn is_recent(failed: Instant) -> bool {
    failed.elapsed() < BACK_WITHIN
}

/// Who answers at a port.
enum Presence {
    /// A device of this name.
    Device(DeviceSerial),
    /// Nobody; but something may be there that only makes noise.
    Nobody { noise: bool },
    /// Something that speaks, and not as we do.
    Stranger(Fault),
}

/// Who answers now.
fn who_is_there(line: &mut Line) -> Result<Presence, Fault> {
    match Conversation::open(line, PRESENT) {
        Ok((_, Hello { device, .. })) => Ok(Presence::Device(device)),
        Err(Fault::Enrollment(EnrollmentFault::NoAnswer(fault))) => {
            Ok(Presence::Nobody { noise: fault.passed_over.noise > 0 })
        }
        Err(fault @ Fault::Enrollment(_)) => Ok(Presence::Stranger(fault)),
        Err(fault) => Err(fault),
    }
}
