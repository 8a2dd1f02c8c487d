//! The line: how long a device takes beside what its bytes take on the wire, and what many ports
//! make of that. The station is the real program, the devices are `provision simulate`'s.

mod ledger;

use std::env;

use provision_testkit::servers::Postgres;
use serde::Serialize;

use super::run_optimised;
use super::shift::{Conditions, Shift};
use crate::needs::{self, POSTGRES};
use crate::process::{Fault, While as _};
use ledger::Sized;

/// Devices on one port.
const DEVICES: usize = 12;
/// Milliseconds between two devices on a port, where there are many ports.
const SWAP_MS: u64 = 300;
/// Devices on each port of several.
const DEVICES_EACH: usize = 12;
/// Devices on lines that take no time.
const UNBOUND: usize = 400;
/// Entries that ledgers have.
const ENTRIES: [u64; 3] = [1_000, 1_000_000, 10_000_000];

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
    /// The ledger, by how many entries it has.
    ledgers: Vec<Sized>,
    /// One more entry in the largest, beside the smallest.
    append_ratio: f64,
    /// A device looked up in the largest, beside the smallest.
    lookup_ratio: f64,
    /// Whole enrollments a second into a ledger in SQLite, on eight lines that take no time.
    durable_per_second_sqlite: f64,
    /// The same in PostgreSQL.
    durable_per_second_postgres: f64,
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
        return run_optimised(&["line"], json);
    }
    needs::ensure(&[POSTGRES])?;
    let program = env::current_exe().while_doing("where is this program")?;
    let program = program.with_file_name("provision");
    let mut one_port = Vec::new();
    for (baud, latency_ms) in [(115_200, 0), (115_200, 16), (921_600, 0), (921_600, 16)] {
        let conditions = Conditions { baud, latency_ms, ..Conditions::default() };
        one_port.push(OnePort::of(&Shift::run(&program, 1, DEVICES, &conditions)?));
    }
    let swapped = Conditions { baud: 115_200, swap_ms: SWAP_MS, ..Conditions::default() };
    let mut ports = Vec::new();
    for count in [1, 8, 64] {
        let shift = Shift::run(&program, count, DEVICES_EACH * count, &swapped)?;
        ports.push(ManyPorts { ports: count, devices_per_hour: shift.per_second() * 3600.0 });
    }
    let in_sqlite = Shift::run(&program, 8, UNBOUND, &Conditions::default())?;
    let server = Postgres::start().while_doing("PostgreSQL")?;
    let postgres = Conditions { ledger: Some(server.url()), ..Conditions::default() };
    let in_postgres = Shift::run(&program, 8, UNBOUND, &postgres)?;
    drop(server);
    let ledgers = ledger::measure(&ENTRIES)?;
    let (small, large) = (&ledgers[0], &ledgers[ledgers.len() - 1]);
    let report = Report {
        wire_ratio: one_port[0].ratio,
        wire_ratio_921600: one_port[2].ratio,
        turns: one_port[0].turns,
        scaling_64: ports[2].devices_per_hour / ports[0].devices_per_hour,
        append_ratio: large.append_us / small.append_us,
        lookup_ratio: large.lookup_us / small.lookup_us,
        durable_per_second_sqlite: in_sqlite.per_second(),
        durable_per_second_postgres: in_postgres.per_second(),
        one_port,
        ports,
        ledgers,
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
    println!("the ledger in SQLite");
    for Sized { entries, append_us, lookup_us, gigabytes } in &report.ledgers {
        println!(
            "  {entries:>9} entries, {gigabytes:.2} GB: {append_us:.0} us for one more, {lookup_us:.0} us \
             to look one up"
        );
    }
    println!(
        "  the largest takes {:.2} and {:.2} times of the smallest",
        report.append_ratio, report.lookup_ratio
    );
    println!(
        "durable enrollments a second: {:.0} in SQLite, {:.0} in PostgreSQL",
        report.durable_per_second_sqlite, report.durable_per_second_postgres
    );
}

impl OnePort {
    fn of(shift: &Shift) -> Self {
        let mut runs: Vec<_> = shift.runs.iter().collect();
        runs.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
        let run = runs[runs.len() / 2];
        let computing_ms = shift.computing_ms.get(&run.device).copied().unwrap_or_default();
        let computing_seconds = computing_ms / 1000.0;
        let wire_seconds = run.bytes as f64 * 10.0 / f64::from(shift.conditions.baud);
        Self {
            baud: shift.conditions.baud,
            latency_ms: shift.conditions.latency_ms,
            seconds: run.seconds,
            computing_seconds,
            bytes: run.bytes,
            wire_seconds,
            ratio: (run.seconds - computing_seconds) / wire_seconds,
            turns: run.turns,
        }
    }
}
