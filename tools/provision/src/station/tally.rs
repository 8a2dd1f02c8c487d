//! What has come of it so far.

use core::hash::BuildHasher as _;
use std::collections::{BTreeMap, HashSet};
use std::hash::RandomState;
use std::time::Instant;

use provision_wire::DeviceSerial;

use crate::fault::Fault;

/// Counts of one call of `provision station`.
#[derive(Debug)]
pub(crate) struct Tally {
    began: Instant,
    /// Devices that passed. One that comes twice counts once: hashes of the serials, which take a
    /// few bytes a device; that two are alike is not to be expected in a shift.
    devices: HashSet<u64>,
    hasher: RandomState,
    /// Runs that failed.
    pub(crate) failed: u64,
    /// Seconds in runs that passed.
    pub(crate) passed_seconds: f64,
    /// How often by what.
    pub(crate) causes: BTreeMap<&'static str, u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            devices: HashSet::new(),
            hasher: RandomState::new(),
            failed: 0,
            passed_seconds: 0.0,
            causes: BTreeMap::new(),
        }
    }
}

impl Tally {
    pub(super) fn count_passed(&mut self, device: &DeviceSerial, seconds: f64) {
        if self.devices.insert(self.hasher.hash_one(device.as_str())) {
            self.passed_seconds += seconds;
        }
    }

    pub(super) fn count_failed(&mut self, fault: &Fault) {
        // It was not begun, or not waited for.
        if matches!(fault, Fault::Interrupted) {
            return;
        }
        self.failed += 1;
        *self.causes.entry(fault.name()).or_default() += 1;
    }

    /// Devices that passed.
    pub(crate) fn passed(&self) -> u64 {
        self.devices.len() as u64
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
