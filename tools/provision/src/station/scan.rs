//! What the operator scans or types, and for which slot that is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use provision_wire::DeviceSerial;

/// Serials scanned, on their way to their slots.
#[derive(Debug)]
pub(super) struct Scans {
    needed: bool,
    desk: Mutex<Desk>,
}

#[derive(Debug, Default)]
struct Desk {
    /// Slots whose device waits, and the serial that was scanned for it.
    waiting: BTreeMap<String, Option<DeviceSerial>>,
    /// Slots that took a serial, until its run has ended.
    running: BTreeSet<String>,
    /// The slot whose name was scanned last.
    chosen: Option<String>,
    /// Every slot that was heard of: none of these names is taken for a serial.
    slots: BTreeSet<String>,
}

/// Where a scan went.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// To the device in this slot.
    To {
        /// Which.
        slot: String,
    },
    /// It was a slot's name: the next scan is for it.
    Slot {
        /// Which.
        slot: String,
    },
    /// Nowhere.
    Nobody {
        /// For the operator.
        why: String,
    },
}

impl Scans {
    /// `needed`: whether runs wait for a scan at all.
    pub(super) fn new(needed: bool) -> Self {
        Self { needed, desk: Mutex::default() }
    }

    pub(super) const fn are_needed(&self) -> bool {
        self.needed
    }

    /// The serial scanned for a slot whose device waits.
    pub(super) fn wait(&self, slot: &str) -> Option<DeviceSerial> {
        let mut desk = self.desk();
        desk.slots.insert(slot.into());
        let scanned = desk.waiting.entry(slot.into()).or_default().take();
        if scanned.is_some() {
            desk.waiting.remove(slot);
            desk.running.insert(slot.into());
        }
        scanned
    }

    /// The run of what was scanned has ended.
    pub(super) fn ended(&self, slot: &str) {
        self.desk().running.remove(slot);
    }

    /// The device was taken out.
    pub(super) fn forget(&self, slot: &str) {
        let mut desk = self.desk();
        desk.slots.insert(slot.into());
        desk.waiting.remove(slot);
        if desk.chosen.as_deref() == Some(slot) {
            desk.chosen = None;
        }
    }

    /// A line off the scanner: a slot's name, a serial, or both.
    pub(super) fn take(&self, text: &str) -> Given {
        let text = text.trim();
        // For the operator: what a scanner sends is not to steer the terminal.
        let shown = text.escape_debug();
        let mut desk = self.desk();
        let nobody = |why: &str| Given::Nobody { why: why.into() };
        if desk.waiting.contains_key(text) {
            desk.chosen = Some(text.into());
            return Given::Slot { slot: text.into() };
        }
        if desk.slots.contains(text) {
            return nobody(&format!("no device waits in slot {shown}"));
        }
        let (slot, serial) = match text.split_once(char::is_whitespace) {
            Some((slot, serial)) => (Some(slot.to_owned()), serial.trim()),
            None => (desk.chosen.take(), text),
        };
        let Ok(serial) = DeviceSerial::new(serial) else {
            return nobody(&format!("`{shown}` is no device serial, and no slot that waits"));
        };
        let slot = match (slot, desk.waiting.len()) {
            (Some(slot), _) => slot,
            (None, 0) => return nobody(&format!("no slot has a device that waits for {serial}")),
            (None, 1) => desk.waiting.keys().next().cloned().unwrap_or_default(),
            (None, several) => {
                return nobody(&format!(
                    "{several} slots wait: scan the slot's name before {serial}"
                ));
            }
        };
        match desk.waiting.get_mut(&slot) {
            Some(scanned) => {
                *scanned = Some(serial);
                Given::To { slot }
            }
            None => nobody(&format!("no device waits in slot {}", slot.escape_debug())),
        }
    }

    /// Whether the run of a serial that was scanned has not ended yet.
    pub(super) fn are_pending(&self) -> bool {
        let desk = self.desk();
        !desk.running.is_empty() || desk.waiting.values().any(Option::is_some)
    }

    fn desk(&self) -> std::sync::MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn serial(text: &str) -> DeviceSerial {
        DeviceSerial::new(text).unwrap()
    }

    #[test]
    fn a_scan_goes_to_the_one_slot_that_waits() {
        let scans = Scans::new(true);
        assert!(matches!(scans.take("sensor-1"), Given::Nobody { .. }));
        assert_eq!(scans.wait("left"), None);
        assert_eq!(scans.take("sensor-1\r"), Given::To { slot: "left".into() });
        assert!(scans.are_pending(), "before its slot looks");
        assert_eq!(scans.wait("left"), Some(serial("sensor-1")));
        assert!(matches!(scans.take("sensor-2"), Given::Nobody { .. }), "its run is under way");
        assert!(scans.are_pending(), "its run is under way");
        scans.ended("left");
        assert!(!scans.are_pending());
    }

    #[test]
    fn where_several_wait_the_slot_comes_first() {
        let scans = Scans::new(true);
        assert_eq!((scans.wait("left"), scans.wait("right")), (None, None));
        assert!(matches!(scans.take("sensor-1"), Given::Nobody { why } if why.contains("2 slots")));
        assert_eq!(scans.take("right"), Given::Slot { slot: "right".into() });
        assert_eq!(scans.take("sensor-1"), Given::To { slot: "right".into() });
        assert_eq!(scans.take("left sensor-2"), Given::To { slot: "left".into() });
        assert_eq!(scans.wait("right"), Some(serial("sensor-1")));
        assert_eq!(scans.wait("left"), Some(serial("sensor-2")));
    }

    #[test]
    fn what_steers_a_terminal_is_shown_and_not_sent() {
        let scans = Scans::new(true);
        assert_eq!(scans.wait("left"), None);
        for text in ["a\u{1b}[2Jb", "left\u{7} sensor-1", "\u{202e}1", "left \u{1b}]0;x\u{7}"] {
            let Given::Nobody { why } = scans.take(text) else { panic!("{text:?}") };
            assert!(!why.contains(|c: char| c.is_control() || c == '\u{202e}'), "{why:?}");
        }
    }

    #[test]
    fn what_is_no_serial_or_no_slot_is_said_so() {
        let scans = Scans::new(true);
        assert_eq!(scans.wait("left"), None);
        for text in ["", "a/b", "middle sensor-1"] {
            assert!(matches!(scans.take(text), Given::Nobody { .. }), "{text}");
        }
        scans.forget("left");
        assert!(matches!(scans.take("sensor-1"), Given::Nobody { .. }));
    }
}
