//! `provision simulate`: devices that are none, on ports that are none, for training, demonstrations
//! and load. The station that enrolls them is the real one.
//!
//! ```text
//!   device     the library as firmware has it, over flash in memory
//!   wire       a pseudo-terminal that takes as long as a serial line, and can be pulled out
//! ```
//!
//! Each port is a fixture with an operator: a device that is sealed is taken out when the station
//! asks who is there the next time, and another one put in.

mod device;
mod wire;

use core::sync::atomic::{AtomicU64, Ordering};
use core::time::Duration;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{self, Sender};
use std::thread::{self, sleep};
use std::time::Instant;

use clap::{Args, ValueEnum};
use fastrand::Rng;
use provision_wire::{DeviceSerial, Stage};
use serde_json::json;

use crate::ending::Ending;
use crate::fault::Fault;
use crate::report::{Report, hex};
use device::Device;
use wire::{Cost, Wire};

/// A fault of each kind comes once in so many questions.
const FAULT_EACH: u32 = 25;
/// A device that is none good is put in once in so many times.
const BAD_DEVICE_EACH: u32 = 10;
/// In this time everything that was said has arrived.
const DRAINED_AFTER: Duration = Duration::from_millis(500);
/// When the operator gives up on a device that says nothing.
const SILENT_FOR: Duration = Duration::from_secs(3);

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  provision simulate --devices 100 --ports 4 --dir line
  provision station --slots line/station.toml --endpoint mqtt.acme.com:8883      in another terminal

DIR gets a link to each port and station.toml, which names them. Everything is told as events; with
--json they are objects: a device goes in, is sealed, goes out.")]
pub(crate) struct Simulate {
    /// Devices to put in, one after the other, over all ports.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    pub devices: u64,

    /// Ports to put them in [default: one for each device, at most 64].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub ports: Option<u16>,

    /// What goes wrong: `noise` on the line, the `cable` out, `power` cut, a `wrong` device, a
    /// `silent` one; several with commas, or `all`.
    #[arg(long, value_name = "KINDS", value_enum, value_delimiter = ',')]
    pub faults: Vec<FaultKind>,

    /// Number that faults are drawn from.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Directory for links to the ports and station.toml.
    #[arg(long, value_name = "DIR", default_value = "line")]
    pub dir: PathBuf,

    /// Bits per second of the lines; 0 is as fast as it goes.
    #[arg(long, value_name = "RATE", default_value_t = 115_200)]
    pub baud: u32,

    /// Milliseconds an adapter holds back what the device says.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub latency_ms: u64,

    /// Milliseconds the operator takes to put another device in.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub swap_ms: u64,

    /// Beginning of the devices' serials.
    #[arg(long, value_name = "TEXT", default_value = "sim-")]
    pub prefix: String,

    /// End once every device is sealed, instead of leaving the last ones in.
    #[arg(long)]
    pub exit_when_sealed: bool,
}

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FaultKind {
    /// Bytes are lost, doubled and hit; logs talk into them.
    Noise,
    /// The cable is pulled, and put back.
    Cable,
    /// The device's power goes at one of its flash operations.
    Power,
    /// A device whose CSR names another one.
    Wrong,
    /// A device that says nothing.
    Silent,
    /// All of them.
    All,
}

/// What a port tells.
enum Told {
    In { device: String, kind: &'static str },
    Sealed { device: String, leaf_sha256: String, power_cuts: u64, computing: Duration },
    Out { device: String },
    CableOut,
    Failed(Fault),
}

/// What all ports share.
struct Floor<'a> {
    arguments: &'a Simulate,
    ending: Ending,
    /// Number of the next device.
    next: AtomicU64,
}

impl Floor<'_> {
    fn has(&self, kind: FaultKind) -> bool {
        let faults = &self.arguments.faults;
        faults.contains(&kind) || faults.contains(&FaultKind::All)
    }
}

pub(crate) fn run(arguments: &Simulate, report: &mut Report) -> Result<(), Fault> {
    let as_many = u16::try_from(arguments.devices.min(64)).unwrap_or(64);
    let ports = arguments.ports.unwrap_or(as_many);
    serial(&arguments.prefix, arguments.devices)?;
    let floor = Floor { arguments, ending: Ending::on_signals()?, next: AtomicU64::new(1) };
    let links = lay_out(&arguments.dir, ports)?;
    let (mut sealed, mut power_cuts, mut cables_out) = (0, 0, 0);
    let wires = Mutex::new(Vec::new());
    let result = thread::scope(|scope| {
        let mut work = || -> Result<(), Fault> {
            let (tell, told) = mpsc::channel();
            for (number, link) in links.iter().enumerate() {
                let cost = Cost {
                    baud: arguments.baud,
                    latency: Duration::from_millis(arguments.latency_ms),
                };
                let made = Wire::plug_in(link.clone(), cost);
                let wire = made.map_err(|cause| Fault::Write { path: link.clone(), cause })?;
                let (tell, floor, wires) = (tell.clone(), &floor, &wires);
                let name = slot_name(number);
                scope.spawn(move || {
                    let seed =
                        floor.arguments.seed.wrapping_mul(1 << 16).wrapping_add(number as u64);
                    let rng = Rng::with_seed(seed);
                    let unheard = Vec::new();
                    let mut fixture =
                        Fixture { floor, wire, rng, tell: &tell, name: &name, unheard };
                    if let Err(fault) = fixture.work() {
                        let _ = tell.send((name.clone(), Told::Failed(fault)));
                    }
                    // Kept until all are done: a station should not see ports vanish one by one.
                    if let Ok(mut wires) = wires.lock() {
                        wires.push(fixture.wire);
                    }
                });
            }
            drop(tell);
            let place = arguments.dir.display();
            report.note(&format!(
                "{ports} ports in {place}; in another terminal: provision station --slots \
             {place}/station.toml --endpoint HOST:PORT"
            ))?;
            for (port, told) in told {
                match told {
                    Told::In { device, kind } => report.result(
                        &format!("{port}: {device} in ({kind})"),
                        &json!({ "event": "in", "slot": port, "device": device, "kind": kind }),
                    )?,
                    Told::Sealed { device, leaf_sha256, power_cuts: cuts, computing } => {
                        sealed += 1;
                        power_cuts += cuts;
                        report.result(
                            &format!("{port}: {device} sealed"),
                            &json!({
                                "event": "sealed",
                                "slot": port,
                                "device": device,
                                "leaf_sha256": leaf_sha256,
                                "power_cuts": cuts,
                                "computing_ms": computing.as_secs_f64() * 1000.0,
                            }),
                        )?;
                        if sealed == arguments.devices && arguments.exit_when_sealed {
                            // Its last word is still on the line.
                            sleep(DRAINED_AFTER + Duration::from_millis(arguments.latency_ms));
                            floor.ending.after_runs();
                        }
                    }
                    Told::Out { device } => report.result(
                        &format!("{port}: {device} out"),
                        &json!({ "event": "out", "slot": port, "device": device }),
                    )?,
                    Told::CableOut => {
                        cables_out += 1;
                        report.result(
                            &format!("{port}: cable out"),
                            &json!({ "event": "cable-out", "slot": port }),
                        )?;
                    }
                    Told::Failed(fault) => return Err(fault),
                }
            }
            Ok(())
        };
        let result = work();
        // However it ends, the ports end too: they would be waited for.
        floor.ending.after_runs();
        result
    });
    result?;
    report.result(
        &format!("{sealed} of {} devices sealed", arguments.devices),
        &json!({
            "event": "simulated",
            "devices": arguments.devices,
            "sealed": sealed,
            "power_cuts": power_cuts,
            "cables_out": cables_out,
        }),
    )
}

/// Makes the directory; says where the links to the ports are to be.
fn lay_out(dir: &Path, ports: u16) -> Result<Vec<PathBuf>, Fault> {
    let written = |path: &Path, result: std::io::Result<()>| {
        result.map_err(|cause| Fault::Write { path: path.into(), cause })
    };
    written(dir, fs::create_dir_all(dir))?;
    let absolute = dir.canonicalize().map_err(|cause| Fault::Read { path: dir.into(), cause })?;
    let names: Vec<_> = (0..usize::from(ports)).map(slot_name).collect();
    let links: Vec<_> = names.iter().map(|name| absolute.join(name)).collect();
    let mut slots = String::from("# Made by `provision simulate`.\n");
    for (name, link) in names.iter().zip(&links) {
        slots +=
            &format!("\n[[slot]]\nname = \"{name}\"\nport = {:?}\n", link.display().to_string());
    }
    let file = dir.join("station.toml");
    written(&file, fs::write(&file, slots))?;
    Ok(links)
}

fn slot_name(number: usize) -> String {
    format!("port-{:02}", number + 1)
}

fn serial(prefix: &str, number: u64) -> Result<DeviceSerial, Fault> {
    let text = format!("{prefix}{number:06}");
    DeviceSerial::new(&text)
        .map_err(|fault| Fault::Usage(format!("`{text}` is no device serial: {fault}")))
}

/// One port and its operator.
struct Fixture<'a> {
    floor: &'a Floor<'a>,
    wire: Wire,
    rng: Rng,
    tell: &'a Sender<(String, Told)>,
    name: &'a str,
    /// What the station said when the last device went out: its question is for the next one.
    unheard: Vec<u8>,
}

/// What is put in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Good,
    Wrong,
    Silent,
}

/// Why a device goes out.
enum Out {
    /// It is done, or no good.
    Next,
    /// Everything ends.
    End,
}

impl Fixture<'_> {
    fn work(&mut self) -> Result<(), Fault> {
        loop {
            let kind = if !self.rng.u32(..).is_multiple_of(BAD_DEVICE_EACH) {
                Kind::Good
            } else if self.floor.has(FaultKind::Wrong) && self.rng.bool() {
                Kind::Wrong
            } else if self.floor.has(FaultKind::Silent) {
                Kind::Silent
            } else {
                Kind::Good
            };
            let serial = if kind == Kind::Good {
                let number = self.floor.next.fetch_add(1, Ordering::Relaxed);
                if number > self.floor.arguments.devices {
                    return Ok(());
                }
                serial(&self.floor.arguments.prefix, number)?
            } else {
                serial("bad-", u64::from(self.rng.u32(..)))?
            };
            if matches!(self.stay(&serial, kind)?, Out::End) {
                return Ok(());
            }
        }
    }

    /// A device, from going in until it goes out.
    fn stay(&mut self, serial: &DeviceSerial, kind: Kind) -> Result<Out, Fault> {
        let word = match kind {
            Kind::Good => "good",
            Kind::Wrong => "wrong",
            Kind::Silent => "silent",
        };
        self.say(Told::In { device: serial.to_string(), kind: word });
        let subject = if kind == Kind::Wrong { "another-device" } else { serial.as_str() };
        let mut device = Device::blank(serial, subject);
        let mut stay = Stay::default();
        let mut buffer = [0; 1024];
        loop {
            if self.floor.ending.is_wished() {
                return Ok(Out::End);
            }
            let mut bytes = core::mem::take(&mut self.unheard);
            if bytes.is_empty() {
                let received = self.wire.receive(&mut buffer);
                let path = || self.floor.arguments.dir.join(self.name);
                let received = received.map_err(|cause| Fault::Read { path: path(), cause })?;
                bytes.extend_from_slice(received);
            }
            let questions = device.questions(&bytes);
            let is_asked_who = questions.contains(&"hello");
            stay.first_heard = stay.first_heard.or((!bytes.is_empty()).then(Instant::now));
            stay.was_asked_much |= questions.contains(&"read");
            let no_good = match kind {
                Kind::Good => false,
                Kind::Wrong => stay.was_asked_much && is_asked_who,
                Kind::Silent => stay.first_heard.is_some_and(|at| at.elapsed() > SILENT_FOR),
            };
            // The last one stays: there is nothing to put in its place.
            if no_good || stay.sealed && is_asked_who && self.has_more() {
                self.say(Told::Out { device: serial.to_string() });
                match self.floor.arguments.swap_ms {
                    0 => self.unheard = bytes,
                    swap_ms => sleep(Duration::from_millis(swap_ms)),
                }
                return Ok(Out::Next);
            }
            if bytes.is_empty() || kind == Kind::Silent {
                continue;
            }
            self.go_wrong(&mut device, &questions)?;
            let heard = self.noisy(bytes);
            let began = Instant::now();
            let answer = device.receive(&heard);
            stay.computing += began.elapsed();
            let answer = self.noisy(answer);
            self.wire.send(&answer);
            if !stay.sealed && device.stage() == Some(Stage::Sealed) {
                stay.sealed = true;
                let leaf_sha256 = hex(&device.leaf_sha256().unwrap_or_default());
                let (device, power_cuts) = (device.serial().to_string(), device.power_cuts);
                let computing = stay.computing;
                self.say(Told::Sealed { device, leaf_sha256, power_cuts, computing });
            }
        }
    }

    fn has_more(&self) -> bool {
        self.floor.next.load(Ordering::Relaxed) <= self.floor.arguments.devices
    }

    /// Something other than noise, perhaps.
    fn go_wrong(&mut self, device: &mut Device<'_>, questions: &[&str]) -> Result<(), Fault> {
        if questions.is_empty() {
            return Ok(());
        }
        if self.floor.has(FaultKind::Power) && self.strikes() {
            device.cut_power_in(self.rng.u32(1..40));
        }
        if self.floor.has(FaultKind::Cable) && self.strikes() && self.strikes_rarely() {
            self.say(Told::CableOut);
            let time = Duration::from_millis(self.rng.u64(100..1500));
            let path = self.floor.arguments.dir.join(self.name);
            self.wire.pull_out_for(time).map_err(|cause| Fault::Write { path, cause })?;
        }
        Ok(())
    }

    fn strikes(&mut self) -> bool {
        self.rng.u32(..FAULT_EACH) == 0
    }

    fn strikes_rarely(&mut self) -> bool {
        self.rng.u32(..4) == 0
    }

    /// What arrives of `bytes` on a line as it is.
    fn noisy(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        if bytes.is_empty() || !self.floor.has(FaultKind::Noise) || !self.strikes() {
            return bytes;
        }
        let at = self.rng.usize(..bytes.len());
        match self.rng.u32(..4) {
            0 => bytes[at] ^= 1 << self.rng.u32(..8),
            1 => {
                bytes.remove(at);
            }
            2 => bytes.truncate(at),
            _ => {
                bytes.splice(at..at, *b"\r\n[00:01.204] <inf> sensor: calibrated\r\n");
            }
        }
        bytes
    }

    fn say(&self, told: Told) {
        // Nobody listens any more if the output is gone.
        let _ = self.tell.send((self.name.to_owned(), told));
    }
}

/// What happened to a device since it went in.
#[derive(Default)]
struct Stay {
    sealed: bool,
    first_heard: Option<Instant>,
    was_asked_much: bool,
    /// Time the device took for its answers, without the line's.
    computing: Duration,
}
