//! Which slots there are: from the command line, a file, and what is plugged in.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use serialport::{SerialPortInfo, SerialPortType, UsbPortInfo};

use crate::fault::Fault;

/// A holder for one device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Slot(Arc<(String, Place)>);

/// What its port is found by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// A path, or COM3.
    Port(String),
    /// A USB location: bus, and ports of hubs, as `1-2.3`, and behind a colon the interface of an
    /// adapter that has several ports. It stays when adapters are exchanged.
    Usb(String),
}

impl Slot {
    fn new(name: &str, place: Place) -> Self {
        Self(Arc::new((name.into(), place)))
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        &self.0.0
    }

    /// Its port, if there is one now.
    pub(super) fn port(&self) -> Result<Option<String>, Fault> {
        match &self.0.1 {
            // There is no file to look for.
            Place::Port(name) if cfg!(windows) => Ok(available()?
                .into_iter()
                .find(|port| port.port_name.eq_ignore_ascii_case(name))
                .map(|port| port.port_name)),
            Place::Port(path) => Ok(Path::new(path).exists().then(|| path.clone())),
            Place::Usb(place) => {
                let ports = available()?;
                Ok(port_at(place, &ports).map(|port| port.port_name.clone()))
            }
        }
    }
}

/// What is to be served.
#[derive(Debug)]
pub(super) struct Wanted {
    /// Not served yet.
    fixed: Vec<Slot>,
    /// `/dev/ttyUSB*`, `usb:*`.
    patterns: Vec<String>,
    known: BTreeSet<Slot>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    slot: Vec<Entry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: String,
    usb: Option<String>,
    port: Option<String>,
}

impl Wanted {
    pub(super) fn new(ports: &[String], file: Option<&Path>) -> Result<Self, Fault> {
        let mut fixed = match file {
            Some(path) => std::fs::read_to_string(path)
                .map_err(|cause| Fault::Read { path: path.into(), cause })
                .and_then(|text| {
                    parse(&text)
                        .map_err(|fault| Fault::Usage(format!("{}: {fault}", path.display())))
                })?,
            None => Vec::new(),
        };
        let mut patterns = Vec::new();
        for port in ports {
            if port.starts_with("usb:") || port.contains('*') {
                patterns.push(port.clone());
            } else {
                fixed.push(Slot::new(port, Place::Port(port.clone())));
            }
        }
        if fixed.is_empty() && patterns.is_empty() {
            return Err(Fault::Usage(
                "which ports? `--ports PORT…`, `--ports 'usb:*'` or `--slots FILE`".into(),
            ));
        }
        for (at, slot) in fixed.iter().enumerate() {
            let clash = |other: &&Slot| other.0.0 == slot.0.0 || other.0.1 == slot.0.1;
            if let Some(other) = fixed[..at].iter().find(clash) {
                return Err(Fault::Usage(format!(
                    "the slots {} and {} have the same name or the same place",
                    other.name(),
                    slot.name()
                )));
            }
        }
        Ok(Self { fixed, patterns, known: BTreeSet::new() })
    }

    /// Slots that are to be served from now on; and a fault, if the ports cannot be listed. What is
    /// served already goes on then.
    pub(super) fn look(&mut self) -> (Vec<Slot>, Option<Fault>) {
        let mut new = core::mem::take(&mut self.fixed);
        let mut fault = None;
        self.known.extend(new.iter().cloned());
        if !self.patterns.is_empty() {
            let ports = match available() {
                Ok(ports) => ports,
                Err(cause) => {
                    fault = Some(cause);
                    Vec::new()
                }
            };
            for port in &ports {
                if let Some(slot) = self.slot_for(port, &ports) {
                    self.known.insert(slot.clone());
                    new.push(slot);
                }
            }
        }
        (new, fault)
    }

    /// What is said if there is no slot yet: a station that waits for a port must not look as one that
    /// waits for devices.
    pub(super) fn none_yet(&self) -> Option<String> {
        self.known.is_empty().then(|| {
            format!(
                "no port is there for {}: the station waits until one is plugged in; `provision \
                 ports` lists those that are there",
                self.patterns.join(", ")
            )
        })
    }

    /// The slot that one of these ports would be, if a pattern asks for it and no slot has its place.
    fn slot_for(&self, port: &SerialPortInfo, ports: &[SerialPortInfo]) -> Option<Slot> {
        let slot = self.patterns.iter().find_map(|pattern| match pattern.strip_prefix("usb:") {
            Some(pattern) => location_of(port)
                .filter(|location| matches(pattern, location))
                .map(|location| Slot::new(&location, Place::Usb(location.clone()))),
            None => matches(pattern, &port.port_name)
                .then(|| Slot::new(&port.port_name, Place::Port(port.port_name.clone()))),
        })?;
        if self.known.contains(&slot) {
            return None;
        }
        // A slot that was named may have this place in other words.
        let taken = self.known.iter().any(|known| match &known.0.1 {
            Place::Port(path) => *path == port.port_name,
            Place::Usb(place) => {
                port_at(place, ports).is_some_and(|taken| taken.port_name == port.port_name)
            }
        });
        (!taken).then_some(slot)
    }
}

fn parse(text: &str) -> Result<Vec<Slot>, String> {
    let file: File = toml::from_str(text).map_err(|fault| fault.to_string())?;
    let slot = |entry: Entry| {
        let name = entry.name.trim();
        if name.is_empty() || name.contains(char::is_whitespace) {
            return Err(format!("`{}`: a slot's name is one word", entry.name));
        }
        match (entry.usb, entry.port) {
            (Some(usb), None) => Ok(Slot::new(name, Place::Usb(usb))),
            (None, Some(port)) => Ok(Slot::new(name, Place::Port(port))),
            _ => Err(format!("slot {name}: either `usb` or `port` says where it is")),
        }
    };
    file.slot.into_iter().map(slot).collect()
}

/// The ports of this machine.
fn available() -> Result<Vec<SerialPortInfo>, Fault> {
    serialport::available_ports().map_err(Fault::PortList)
}

/// Where a USB port is plugged in: `1-2.3`; and `1-2.3:1`, if its interface is not the adapter's
/// first: several ports of one adapter are at one location.
pub(crate) fn location_of(port: &SerialPortInfo) -> Option<String> {
    let usb = usb_of(port)?;
    let location = usb.location.as_ref()?;
    Some(match usb.interface {
        None | Some(0) => location.to_string(),
        Some(interface) => format!("{location}:{interface}"),
    })
}

const fn usb_of(port: &SerialPortInfo) -> Option<&UsbPortInfo> {
    match &port.port_type {
        SerialPortType::UsbPort(usb) => Some(usb),
        _ => None,
    }
}

/// The port at this place. Without an interface it is the first that the adapter has.
fn port_at<'a>(place: &str, ports: &'a [SerialPortInfo]) -> Option<&'a SerialPortInfo> {
    let at = |port: &&SerialPortInfo| {
        let location = usb_of(port).and_then(|usb| usb.location.as_ref());
        location.is_some_and(|location| location.to_string() == place)
    };
    let interface = |port: &&SerialPortInfo| usb_of(port).and_then(|usb| usb.interface);
    let exactly = ports.iter().find(|port| location_of(port).as_deref() == Some(place));
    exactly.or_else(|| ports.iter().filter(at).min_by_key(interface))
}

/// Whether a text is what a pattern says, in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            text.char_indices()
                .map(|(at, _)| at)
                .chain([text.len()])
                .any(|at| matches(rest, &text[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usb(name: &str, location: &str, interface: u8) -> SerialPortInfo {
        SerialPortInfo {
            port_name: name.into(),
            port_type: SerialPortType::UsbPort(UsbPortInfo {
                vid: 0x0403,
                pid: 0x6001,
                serial_number: None,
                manufacturer: None,
                product: None,
                interface: Some(interface),
                location: Some(location.parse().unwrap()),
            }),
        }
    }

    #[test]
    fn a_slot_is_where_it_is_plugged_in() {
        let wanted = Wanted::new(&["usb:1-*".into()], None).unwrap();
        let one = |port: SerialPortInfo| wanted.slot_for(&port, core::slice::from_ref(&port));
        let slot = one(usb("/dev/ttyUSB0", "1-2.3", 0)).unwrap();
        assert_eq!(slot.name(), "1-2.3");
        assert_eq!(Some(slot), one(usb("/dev/ttyUSB7", "1-2.3", 0)), "another number");
        assert_eq!(one(usb("/dev/ttyUSB0", "2-1", 0)), None, "another bus");
    }

    #[test]
    fn each_port_of_an_adapter_is_a_slot() {
        let ports = [0, 1].map(|at| usb(&format!("/dev/ttyUSB{at}"), "1-2.3", at));
        let mut wanted = Wanted::new(&["usb:*".into()], None).unwrap();
        for (port, name) in ports.iter().zip(["1-2.3", "1-2.3:1"]) {
            let slot = wanted.slot_for(port, &ports).unwrap();
            assert_eq!(slot.name(), name);
            assert_eq!(port_at(name, &ports).map(|port| &port.port_name), Some(&port.port_name));
            wanted.known.insert(slot);
            assert_eq!(wanted.slot_for(port, &ports), None, "served already");
        }
        // One that has its port behind an interface for something else is found by its place alone.
        let probe = [usb("/dev/ttyACM0", "1-4", 2), usb("/dev/ttyACM1", "1-4", 4)];
        assert_eq!(port_at("1-4", &probe).map(|port| &*port.port_name), Some("/dev/ttyACM0"));
        assert_eq!(port_at("1-4:4", &probe).map(|port| &*port.port_name), Some("/dev/ttyACM1"));
        assert!(port_at("1-4:3", &probe).is_none());
    }

    #[test]
    fn a_named_slot_is_not_found_twice() {
        let text = "[[slot]]\nname = \"left\"\nusb = \"1-2.3\"\n";
        let mut wanted = Wanted::new(&["usb:*".into()], None).unwrap();
        wanted.known.extend(parse(text).unwrap());
        let ports = [usb("/dev/ttyUSB0", "1-2.3", 2), usb("/dev/ttyUSB1", "1-2.4", 0)];
        assert_eq!(wanted.slot_for(&ports[0], &ports), None);
        assert!(wanted.slot_for(&ports[1], &ports).is_some());
    }

    #[test]
    fn files_that_make_no_sense_are_refused() {
        for (text, why) in [
            ("[[slot]]\nname = \"a\"\n", "either `usb` or `port`"),
            ("[[slot]]\nname = \"a\"\nusb = \"1-1\"\nport = \"x\"\n", "either `usb` or `port`"),
            ("[[slot]]\nname = \"a b\"\nusb = \"1-1\"\n", "one word"),
            ("[[slot]]\nname = \"a\"\nusb = \"1-1\"\nbuad = 3\n", "unknown field"),
            ("slot = 3", "invalid type"),
        ] {
            let fault = parse(text).unwrap_err();
            assert!(fault.contains(why), "{text}: {fault}");
        }
        let twice = ["/dev/ttyS0".to_owned(), "/dev/ttyS0".to_owned()];
        assert!(Wanted::new(&twice, None).is_err());
        assert!(Wanted::new(&[], None).is_err());
    }

    #[test]
    fn patterns() {
        for (pattern, text) in [("*", ""), ("*", "1-2"), ("1-*.4", "1-2.3.4"), ("a*b*", "axxb")] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [("1-*", "11-2"), ("a*b", "abc"), ("", "a")] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
