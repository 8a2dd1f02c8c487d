//! The line: how long a device takes beside what its bytes take on the wire, and what many ports
//! make of that. The station is the real program, the devices are `provision simulate`'s.

mod ledger;

use core::fmt;
use std::env;
use std::path::Path;

use clap::ValueEnum;
use provision_testkit::servers::Postgres;
use serde::Serialize;

use super::run_optimised;
use super::shift::{Conditions, Shift};
use crate::needs::{self, POSTGRES, STRACE};
use crate::process::{Fault, While as _};
use ledger::Sized;

/// Devices on one port.
const DEVICES: usize = 12;
/// Milliseconds between two devices on a port, where there are many ports.
const SWAP_MS: u64 = 300;
/// Devices on each port of several.
const DEVICES_EACH: usize = 12;
/// Lines that take no time, and devices on all of them.
const UNBOUND_PORTS: usize = 8;
const UNBOUND: usize = 400;
/// Entries that ledgers have.
const ENTRIES: [u64; 3] = [1_000, 1_000_000, 10_000_000];

/// What of it is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// One device at a time, beside what its bytes take on the wire.
    OnePort,
    /// 1, 8 and 64 ports.
    Ports,
    /// Ledgers of a thousand, a million and ten million entries.
    Ledger,
    /// Whole enrollments a second into SQLite and PostgreSQL, on lines that take no time.
    Durable,
}

/// What is printed: of each part that was measured.
#[derive(Debug, Serialize)]
struct Report {
    #[serde(flatten)]
    one_at_a_time: Option<OneAtATime>,
    #[serde(flatten)]
    on_ports: Option<OnPorts>,
    #[serde(flatten)]
    grown: Option<Grown>,
    #[serde(flatten)]
    durable: Option<Durable>,
}

#[derive(Debug, Serialize)]
struct OneAtATime {
    /// One device at a time.
    one_port: Vec<OnePort>,
    /// At 115,200 baud.
    wire_ratio: f64,
    /// At 921,600 baud.
    wire_ratio_921600: f64,
    /// Questions of a whole enrollment.
    turns: u64,
}

#[derive(Debug, Serialize)]
struct OnPorts {
    /// Several ports at 115,200 baud; somebody takes [`SWAP_MS`] to put the next device in.
    ports: Vec<ManyPorts>,
    /// Devices per hour on 64 ports, beside one.
    scaling_64: f64,
}

#[derive(Debug, Serialize)]
struct Grown {
    /// The ledger, by how many entries it has.
    ledgers: Vec<Sized>,
    /// One more entry in the largest, beside the smallest.
    append_ratio: f64,
    /// A device looked up in the largest, beside the smallest.
    lookup_ratio: f64,
}

/// Whole enrollments a second, on so many lines that take no time.
#[derive(Debug, Serialize)]
struct Durable {
    durable_ports: usize,
    durable_per_second_sqlite: f64,
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

impl Part {
    /// Whether a slower disk makes a difference to it.
    const fn takes_disk_ms(self) -> bool {
        matches!(self, Self::Ports | Self::Durable)
    }
}

/// A number that would be measured as if nothing had been said of the disk is not printed.
fn check_disk_ms(only: Option<Part>, disk_ms: u64) -> Result<(), Fault> {
    if disk_ms == 0 || only.is_none_or(Part::takes_disk_ms) {
        return Ok(());
    }
    Err(Fault::new(
        "`--disk-ms` is for `ports` and `durable`: leave it out, or `--only` one of those",
    ))
}

/// `cargo xtask bench line`
pub(crate) fn run(only: Option<Part>, disk_ms: u64, json: bool) -> Result<(), Fault> {
    check_disk_ms(only, disk_ms)?;
    let wanted = |part| only.is_none_or(|only| only == part);
    if cfg!(debug_assertions) {
        let name = only.and_then(|part| part.to_possible_value());
        let mut what = vec!["line"];
        what.extend(name.iter().flat_map(|name| ["--only", name.get_name()]));
        let disk_ms = disk_ms.to_string();
        what.extend(["--disk-ms", &disk_ms]);
        return run_optimised(&what, json);
    }
    if disk_ms > 0 {
        needs::ensure(&[STRACE])?;
    }
    if wanted(Part::Durable) {
        needs::ensure(&[POSTGRES])?;
    }
    let program = env::current_exe().while_doing("where is this program")?;
    let program = program.with_file_name("provision");
    let report = Report {
        one_at_a_time: wanted(Part::OnePort).then(|| OneAtATime::measure(&program)).transpose()?,
        on_ports: wanted(Part::Ports).then(|| OnPorts::measure(&program, disk_ms)).transpose()?,
        durable: wanted(Part::Durable).then(|| Durable::measure(&program, disk_ms)).transpose()?,
        grown: wanted(Part::Ledger).then(Grown::measure).transpose()?,
    };
    if json {
        println!("{}", serde_json::to_string(&report).while_doing("JSON")?);
    } else {
        print!("{report}");
    }
    Ok(())
}

impl OneAtATime {
    fn measure(program: &Path) -> Result<Self, Fault> {
        let mut one_port = Vec::new();
        for (baud, latency_ms) in [(115_200, 0), (115_200, 16), (921_600, 0), (921_600, 16)] {
            let conditions = Conditions { baud, latency_ms, ..Conditions::default() };
            one_port.push(OnePort::of(&Shift::run(program, 1, DEVICES, &conditions)?));
        }
        Ok(Self {
            wire_ratio: one_port[0].ratio,
            wire_ratio_921600: one_port[2].ratio,
            turns: one_port[0].turns,
            one_port,
        })
    }
}

impl OnPorts {
    fn measure(program: &Path, disk_ms: u64) -> Result<Self, Fault> {
        let swapped =
            Conditions { baud: 115_200, swap_ms: SWAP_MS, disk_ms, ..Conditions::default() };
        let mut ports = Vec::new();
        for count in [1, 8, 64] {
            let shift = Shift::run(program, count, DEVICES_EACH * count, &swapped)?;
            ports.push(ManyPorts { ports: count, devices_per_hour: shift.per_second() * 3600.0 });
        }
        let scaling_64 = ports[2].devices_per_hour / ports[0].devices_per_hour;
        Ok(Self { ports, scaling_64 })
    }
}

impl Grown {
    fn measure() -> Result<Self, Fault> {
        let ledgers = ledger::measure(&ENTRIES)?;
        let (small, large) = (&ledgers[0], &ledgers[ledgers.len() - 1]);
        Ok(Self {
            append_ratio: large.append_us / small.append_us,
            lookup_ratio: large.lookup_us / small.lookup_us,
            ledgers,
        })
    }
}

impl Durable {
    fn measure(program: &Path, disk_ms: u64) -> Result<Self, Fault> {
        let conditions = Conditions { disk_ms, ..Conditions::default() };
        let in_sqlite = Shift::run(program, UNBOUND_PORTS, UNBOUND, &conditions)?;
        let server = Postgres::start().while_doing("PostgreSQL")?;
        let postgres = Conditions { ledger: Some(server.url()), ..conditions };
        let in_postgres = Shift::run(program, UNBOUND_PORTS, UNBOUND, &postgres)?;
        Ok(Self {
            durable_ports: UNBOUND_PORTS,
            durable_per_second_sqlite: in_sqlite.per_second(),
            durable_per_second_postgres: in_postgres.per_second(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { one_at_a_time, on_ports, grown, durable } = self;
        if let Some(OneAtATime { one_port, .. }) = one_at_a_time {
            writeln!(f, "one device, median of {DEVICES}")?;
            one_port.iter().try_for_each(|one| writeln!(f, "  {one}"))?;
        }
        if let Some(OnPorts { ports, scaling_64 }) = on_ports {
            writeln!(f, "at 115200 baud, with {SWAP_MS} ms between two devices")?;
            for ManyPorts { ports, devices_per_hour } in ports {
                writeln!(f, "  {ports:>2} ports: {devices_per_hour:.0} devices an hour")?;
            }
            writeln!(f, "  64 ports make {scaling_64:.1} times of one")?;
        }
        if let Some(Grown { ledgers, append_ratio, lookup_ratio }) = grown {
            writeln!(f, "the ledger in SQLite")?;
            for Sized { entries, append_us, lookup_us, lookup_from_disk_us, gigabytes } in ledgers {
                writeln!(
                    f,
                    "  {entries:>9} entries, {gigabytes:.2} GB: {append_us:.0} us for one more, \
                     {lookup_us:.0} us to look one up, {lookup_from_disk_us:.0} us from the disk"
                )?;
            }
            writeln!(
                f,
                "  the largest takes {append_ratio:.2} and {lookup_ratio:.2} times of the smallest"
            )?;
        }
        if let Some(durable) = durable {
            let Durable { durable_ports, durable_per_second_sqlite: sqlite, .. } = durable;
            let postgres = durable.durable_per_second_postgres;
            writeln!(
                f,
                "durable enrollments a second, on {durable_ports} ports: {sqlite:.0} in SQLite, \
                 {postgres:.0} in PostgreSQL"
            )?;
        }
        Ok(())
    }
}

impl fmt::Display for OnePort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            baud,
            latency_ms,
            seconds,
            computing_seconds,
            bytes,
            wire_seconds,
            ratio,
            turns,
        } = self;
        write!(
            f,
            "{baud:>7} baud, {latency_ms:>2} ms a turn: {seconds:.3} s, of which the device computes \
             {computing_seconds:.3} s; {bytes} bytes take {wire_seconds:.3} s on the wire: {ratio:.2} \
             of that, in {turns} turns"
        )
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slower_disk_is_for_the_parts_that_wait_for_it() {
        for only in [None, Some(Part::Ports), Some(Part::Durable)] {
            assert!(check_disk_ms(only, 8).is_ok(), "{only:?}");
        }
        for only in [Part::OnePort, Part::Ledger] {
            assert!(check_disk_ms(Some(only), 0).is_ok(), "{only:?}");
            assert!(check_disk_ms(Some(only), 8).is_err(), "{only:?}");
        }
    }
}
