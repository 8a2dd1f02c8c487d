//! Many devices through the real program, and what its events and theirs say of it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use provision_testkit::cli::{Running, Station};
use serde_json::Value;

use crate::process::{Fault, While as _};

/// What a shift works under.
#[derive(Debug, Clone, Default)]
pub(crate) struct Conditions {
    /// Bits a second of the lines; 0 is as fast as it goes.
    pub(crate) baud: u32,
    /// Milliseconds an adapter holds back what the device says.
    pub(crate) latency_ms: u64,
    /// Milliseconds in which somebody puts the next device in.
    pub(crate) swap_ms: u64,
    /// Milliseconds by which each wait of the station's for its disk is made longer.
    pub(crate) disk_ms: u64,
    /// The ledger, if it is not the CA's own file: it is made.
    pub(crate) ledger: Option<String>,
}

/// So many devices on so many ports.
pub(crate) struct Shift {
    pub(crate) conditions: Conditions,
    pub(crate) ports: usize,
    /// One for each device, in the order in which they passed.
    pub(crate) runs: Vec<Run>,
    pub(crate) computing_ms: BTreeMap<String, f64>,
    /// Memory of the station, in bytes, at the end of each tenth of the devices.
    pub(crate) resident_bytes: Vec<u64>,
}

/// One device that passed.
pub(crate) struct Run {
    pub(crate) device: String,
    pub(crate) passed: Instant,
    pub(crate) seconds: f64,
    pub(crate) turns: u64,
    /// Of its CSR and its delivery.
    pub(crate) bytes: u64,
}

impl Shift {
    /// Has `program` enroll them, until each has passed.
    pub(crate) fn run(
        program: &Path,
        ports: usize,
        devices: usize,
        conditions: &Conditions,
    ) -> Result<Self, Fault> {
        let station = Station::with_ca(program).while_doing("a CA")?;
        let Conditions { baud, latency_ms, swap_ms, disk_ms, ledger } = conditions;
        let elsewhere = ledger.as_deref().map(|url| ["--ledger", url]);
        let elsewhere = elsewhere.as_ref().map_or(&[][..], |ledger| &ledger[..]);
        if ledger.is_some() {
            let create = [&["ledger", "create"], elsewhere].concat();
            let made = station.run(&create).while_doing("a ledger")?;
            if made.code != 0 {
                return Err(Fault::new(format!("no ledger: {}", made.stderr)));
            }
        }
        let device_count = devices.to_string();
        let [rate, latency, swap] = [baud.to_string(), latency_ms.to_string(), swap_ms.to_string()];
        let line = ["--devices", &device_count, "--baud", &rate, "--latency-ms", &latency];
        let line = [&line[..], &["--swap-ms", &swap]].concat();
        let _line = station.simulate(ports, &line).while_doing("simulated devices")?;
        let log = station.path().join("line.log");
        let serve = [
            "--json",
            "station",
            "--slots",
            "line/station.toml",
            "--endpoint",
            "mqtt.example:8883",
            "--stop-after",
            &device_count,
        ];
        let serve = [&serve[..], elsewhere].concat();
        let mut command = with_slow_disk(station.command(&serve), *disk_ms);
        let started = command.stdout(Stdio::piped()).spawn();
        let mut serving = Running(started.while_doing("the station")?);
        let output = serving.0.stdout.take().ok_or_else(|| Fault::new("no output"))?;
        let mut shift = Self {
            conditions: conditions.clone(),
            ports,
            runs: Vec::new(),
            computing_ms: BTreeMap::new(),
            resident_bytes: Vec::new(),
        };
        // By slot: length of the CSR and of the delivery of the run under way.
        let mut lengths = BTreeMap::<String, (u64, u64)>::new();
        for line in BufReader::new(output).lines() {
            let event: Value =
                serde_json::from_str(&line.while_doing("the station")?).while_doing("an event")?;
            let length = lengths.entry(text(&event, "slot")).or_default();
            match event["event"].as_str() {
                Some("possession-proven") => length.0 = number(&event, "csr_len"),
                Some("delivering") => length.1 = number(&event, "len"),
                Some("error") => return Err(Fault::new(format!("a run failed: {event}"))),
                Some("result") => {
                    shift.runs.push(Run {
                        device: text(&event, "device"),
                        passed: Instant::now(),
                        seconds: event["seconds"].as_f64().unwrap_or_default(),
                        turns: number(&event, "turns"),
                        bytes: length.0 + length.1,
                    });
                    // One device before the tenth's end: after the very last the station may be gone.
                    let passed = shift.runs.len();
                    if passed < devices && (passed + 1).is_multiple_of(devices.div_ceil(10)) {
                        shift.resident_bytes.push(resident_bytes(serving.0.id())?);
                    }
                }
                _ => {}
            }
        }
        let log = fs::read_to_string(&log).while_doing("the log of the devices")?;
        for line in log.lines() {
            let event: Value = serde_json::from_str(line).while_doing("an event")?;
            if event["event"] == "sealed" {
                let computing_ms = event["computing_ms"].as_f64().unwrap_or_default();
                shift.computing_ms.insert(text(&event, "device"), computing_ms);
            }
        }
        if shift.runs.len() == devices {
            Ok(shift)
        } else {
            Err(Fault::new(format!("{} of {devices} devices passed", shift.runs.len())))
        }
    }

    /// Devices a second, once each port has had its first.
    pub(crate) fn per_second(&self) -> f64 {
        let (Some(first), Some(last)) = (self.runs.get(self.ports - 1), self.runs.last()) else {
            return 0.0;
        };
        let seconds = last.passed.duration_since(first.passed).as_secs_f64();
        (self.runs.len() - self.ports) as f64 / seconds
    }
}

/// The same command, which waits so much longer for each write to reach the disk.
fn with_slow_disk(command: Command, ms: u64) -> Command {
    if ms == 0 {
        return command;
    }
    let waits = "fsync,fdatasync";
    let mut slowed = Command::new("strace");
    // A process of its own looks on, so that this one is the station's own all the same. What is not
    // looked at costs nothing.
    slowed.args(["-D", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e"]);
    slowed.arg(format!("trace={waits}"));
    slowed.args(["-e", &format!("inject={waits}:delay_exit={}", ms * 1000)]);
    slowed.arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => slowed.env(name, value),
            None => slowed.env_remove(name),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        slowed.current_dir(dir);
    }
    slowed.stdin(Stdio::null());
    slowed
}

fn text(event: &Value, key: &str) -> String {
    event[key].as_str().unwrap_or_default().to_owned()
}

fn number(event: &Value, key: &str) -> u64 {
    event[key].as_u64().unwrap_or_default()
}

/// Memory that a process has, but for what is swapped out.
fn resident_bytes(process: u32) -> Result<u64, Fault> {
    let path = format!("/proc/{process}/status");
    let status = fs::read_to_string(&path).while_doing("the memory of the station")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.map(|kilobytes| kilobytes * 1024).ok_or_else(|| Fault::new("no memory is told"))
}
