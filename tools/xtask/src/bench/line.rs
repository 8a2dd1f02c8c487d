//! The line: how long a device takes beside what its bytes take on the wire, and what many ports
//! make of that. The station is the real program, the devices are `provision simulate`'s.

use std::collections::BTreeMap;
use std::env;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Instant;

use provision_testkit::cli::{Running, Station};
use serde::Serialize;
use serde_json::Value;

use super::run_optimised;
use crate::process::{Fault, While as _};

/// Devices on one port.
const DEVICES: usize = 12;
/// Milliseconds between two devices on a port, where there are many ports.
const SWAP_MS: u64 = 300;
/// Devices on each port of several.
const DEVICES_EACH: usize = 12;

/// What is printed.
#[derive(Debug, Serialize)]
struct Report {
    /// One device at a time.
    one_port: Vec<OnePort>,
    /// At 115,200 baud.
    wire_ratio: f64,
    /// At 921,600 baud.
    wire_ratio_921600: f64,
    /// Questions of a whole enrollment.
    turns: u64,
    /// Several ports at 115,200 baud; somebody takes [`SWAP_MS`] to put the next device in.
    ports: Vec<ManyPorts>,
    /// Devices per hour on 64 ports, beside one.
    scaling_64: f64,
    /// Whole enrollments a second into a ledger in SQLite, on eight lines that take no time.
    durable_per_second_sqlite: f64,
}

#[derive(Debug, Serialize)]
struct OnePort {
    baud: u32,
    latency_ms: u64,
    /// Of the median run.
    seconds: f64,
    /// Of these, the device's own.
    computing_seconds: f64,
    /// CSR and delivery: leaf, issuing CA, anchors, endpoint.
    bytes: u64,
    /// What these take on the wire.
    wire_seconds: f64,
    /// Seconds without the device's own, beside that.
    ratio: f64,
    turns: u64,
}

#[derive(Debug, Serialize)]
struct ManyPorts {
    ports: usize,
    devices_per_hour: f64,
}

/// `cargo xtask bench line`
pub(crate) fn run(json: bool) -> Result<(), Fault> {
    if cfg!(debug_assertions) {
        return run_optimised("line", json);
    }
    let program = env::current_exe().while_doing("where is this program")?;
    let program = program.with_file_name("provision");
    let mut one_port = Vec::new();
    for (baud, latency_ms) in [(115_200, 0), (115_200, 16), (921_600, 0), (921_600, 16)] {
        one_port.push(OnePort::of(&Shift::run(&program, 1, DEVICES, baud, latency_ms, 0)?));
    }
    let mut ports = Vec::new();
    for count in [1, 8, 64] {
        let shift = Shift::run(&program, count, DEVICES_EACH * count, 115_200, 0, SWAP_MS)?;
        ports.push(ManyPorts { ports: count, devices_per_hour: shift.per_second() * 3600.0 });
    }
    let unbound = Shift::run(&program, 8, 400, 0, 0, 0)?;
    let report = Report {
        wire_ratio: one_port[0].ratio,
        wire_ratio_921600: one_port[2].ratio,
        turns: one_port[0].turns,
        scaling_64: ports[2].devices_per_hour / ports[0].devices_per_hour,
        durable_per_second_sqlite: unbound.per_second(),
        one_port,
        ports,
    };
    if json {
        println!("{}", serde_json::to_string(&report).while_doing("JSON")?);
    } else {
        print(&report);
    }
    Ok(())
}

fn print(report: &Report) {
    println!("one device, median of {DEVICES}");
    for OnePort {
        baud,
        latency_ms,
        seconds,
        computing_seconds,
        bytes,
        wire_seconds,
        ratio,
        turns,
    } in &report.one_port
    {
        println!(
            "  {baud:>7} baud, {latency_ms:>2} ms a turn: {seconds:.3} s, of which the device computes \
             {computing_seconds:.3} s; {bytes} bytes take {wire_seconds:.3} s on the wire: {ratio:.2} \
             of that, in {turns} turns"
        );
    }
    println!("at 115200 baud, with {SWAP_MS} ms between two devices");
    for ManyPorts { ports, devices_per_hour } in &report.ports {
        println!("  {ports:>2} ports: {devices_per_hour:.0} devices an hour");
    }
    println!("  64 ports make {:.1} times of one", report.scaling_64);
    println!("durable in SQLite: {:.0} enrollments a second", report.durable_per_second_sqlite);
}

/// So many devices on so many ports.
struct Shift {
    baud: u32,
    latency_ms: u64,
    ports: usize,
    /// One for each device, in the order in which they passed.
    runs: Vec<Run>,
    computing_ms: BTreeMap<String, f64>,
}

struct Run {
    device: String,
    passed: Instant,
    seconds: f64,
    turns: u64,
    bytes: u64,
}

impl Shift {
    fn run(
        program: &PathBuf,
        ports: usize,
        devices: usize,
        baud: u32,
        latency_ms: u64,
        swap_ms: u64,
    ) -> Result<Self, Fault> {
        let station = Station::with_ca(program).while_doing("a CA")?;
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
        let started = station.command(&serve).stdout(Stdio::piped()).spawn();
        let mut serving = Running(started.while_doing("the station")?);
        let output = serving.0.stdout.take().ok_or_else(|| Fault::new("no output"))?;
        let mut shift =
            Self { baud, latency_ms, ports, runs: Vec::new(), computing_ms: BTreeMap::new() };
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
                Some("result") => shift.runs.push(Run {
                    device: text(&event, "device"),
                    passed: Instant::now(),
                    seconds: event["seconds"].as_f64().unwrap_or_default(),
                    turns: number(&event, "turns"),
                    bytes: length.0 + length.1,
                }),
                _ => {}
            }
        }
        let log = std::fs::read_to_string(&log).while_doing("the log of the devices")?;
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
    fn per_second(&self) -> f64 {
        let (Some(first), Some(last)) = (self.runs.get(self.ports - 1), self.runs.last()) else {
            return 0.0;
        };
        let seconds = last.passed.duration_since(first.passed).as_secs_f64();
        (self.runs.len() - self.ports) as f64 / seconds
    }
}

impl OnePort {
    fn of(shift: &Shift) -> Self {
        let mut runs: Vec<_> = shift.runs.iter().collect();
        runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let run = runs[runs.len() / 2];
        let computing_ms = shift.computing_ms.get(&run.device).copied().unwrap_or_default();
        let computing_seconds = computing_ms / 1000.0;
        let wire_seconds = run.bytes as f64 * 10.0 / f64::from(shift.baud);
        Self {
            baud: shift.baud,
            latency_ms: shift.latency_ms,
            seconds: run.seconds,
            computing_seconds,
            bytes: run.bytes,
            wire_seconds,
            ratio: (run.seconds - computing_seconds) / wire_seconds,
            turns: run.turns,
        }
    }
}

fn text(event: &Value, key: &str) -> String {
    event[key].as_str().unwrap_or_default().to_owned()
}

fn number(event: &Value, key: &str) -> u64 {
    event[key].as_u64().unwrap_or_default()
}
