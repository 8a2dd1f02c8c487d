//! What has come of it so far.

use core::hash::BuildHasher as _;
use std::collections::{BTreeMap, HashMap};
use std::hash::RandomState;
use std::time::Instant;

use provision_wire::DeviceSerial;

use crate::fault::Fault;

/// Counts of one call of `provision station`.
#[derive(Debug)]
pub(crate) struct Tally {
    began: Instant,
    /// What became of each device. One that comes twice counts once: hashes of the serials, which
    /// take a few bytes a device; that two are alike is not to be expected in a shift.
    devices: HashMap<u64, Device>,
    hasher: RandomState,
    passed: u64,
    /// Devices whose last run passed.
    passing: u64,
    /// Runs that failed.
    pub(crate) failed: u64,
    /// Seconds in runs that passed.
    pub(crate) passed_seconds: f64,
    /// How often by what.
    pub(crate) causes: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Default)]
struct Device {
    has_passed: bool,
    /// Its last run did.
    passes: bool,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            devices: HashMap::new(),
            hasher: RandomState::new(),
            passed: 0,
            passing: 0,
            failed: 0,
            passed_seconds: 0.0,
            causes: BTreeMap::new(),
        }
    }
}

impl Tally {
    pub(super) fn count_passed(&mut self, device: &DeviceSerial, seconds: f64) {
        if !self.note(device.as_str(), true) {
            self.passed += 1;
            self.passed_seconds += seconds;
        }
    }

    /// `slot` stands for a device that does not say its name.
    pub(super) fn count_failed(
        &mut self,
        fault: &Fault,
        device: Option<&DeviceSerial>,
        slot: &str,
    ) {
        // It was not begun, or not waited for.
        if matches!(fault, Fault::Interrupted) {
            return;
        }
        self.failed += 1;
        *self.causes.entry(fault.name()).or_default() += 1;
        match device {
            Some(device) => self.note(device.as_str(), false),
            // No serial has a space.
            None => self.note(&format!(" {slot}"), false),
        };
    }

    /// Keeps how its last run ended, and says whether one has passed before.
    fn note(&mut self, name: &str, passes: bool) -> bool {
        let device = self.devices.entry(self.hasher.hash_one(name)).or_default();
        self.passing -= u64::from(device.passes);
        self.passing += u64::from(passes);
        device.passes = passes;
        let before = device.has_passed;
        device.has_passed |= passes;
        before
    }

    /// Devices that passed, whatever became of them later.
    pub(crate) const fn passed(&self) -> u64 {
        self.passed
    }

    /// Devices by their last run: those that passed, and those that failed.
    pub(super) fn devices(&self) -> (u64, u64) {
        (self.passing, self.devices.len() as u64 - self.passing)
    }

    /// Whether so many have passed.
    pub(super) fn is(&self, stop_after: Option<u64>) -> bool {
        stop_after.is_some_and(|devices| self.passed() >= devices)
    }

    /// Seconds since the station began.
    pub(crate) fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_counts_by_its_last_run() {
        let mut tally = Tally::default();
        let [one, two] = ["sensor-1", "sensor-2"].map(|name| DeviceSerial::new(name).unwrap());
        // It passes at the third attempt.
        tally.count_failed(&Fault::LineStopped, Some(&one), "left");
        tally.count_failed(&Fault::LineStopped, Some(&one), "left");
        assert_eq!(tally.devices(), (0, 1));
        tally.count_passed(&one, 2.0);
        tally.count_passed(&one, 0.5);
        assert_eq!((tally.devices(), tally.passed(), tally.failed), ((1, 0), 1, 2));
        tally.count_failed(&Fault::LineStopped, None, "left");
        tally.count_failed(&Fault::LineStopped, None, "left");
        tally.count_passed(&two, 2.0);
        tally.count_failed(&Fault::LineStopped, Some(&two), "right");
        assert_eq!((tally.devices(), tally.passed(), tally.failed), ((1, 2), 2, 5));
        tally.count_failed(&Fault::Interrupted, Some(&one), "left");
        assert_eq!(tally.devices(), (1, 2));
    }
}
