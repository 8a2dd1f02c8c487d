//! A station that enrolls very many devices in one run: what it remembers of each, and whether the
//! last take longer than the first.

use std::env;

use serde::Serialize;

use super::run_optimised;
use super::shift::{Conditions, Shift};
use crate::process::{Fault, While as _};

/// Ports of the station.
const PORTS: usize = 64;

/// What is printed.
#[derive(Debug, Serialize)]
struct Report {
    devices: usize,
    seconds: f64,
    /// Devices a second, of each tenth of them.
    per_second: Vec<f64>,
    /// Memory of the station after each tenth.
    resident_bytes: Vec<u64>,
    /// The last tenth beside the second: in the first everything is opened.
    rate_ratio: f64,
    /// Memory after the last tenth beside that after the second.
    memory_ratio: f64,
}

/// `cargo xtask bench long`
pub(crate) fn run(devices: usize, json: bool) -> Result<(), Fault> {
    if devices < 10 * PORTS {
        return Err(Fault::new(format!("at least {} devices, to be compared", 10 * PORTS)));
    }
    if cfg!(debug_assertions) {
        return run_optimised(&["long", "--devices", &devices.to_string()], json);
    }
    let program = env::current_exe().while_doing("where is this program")?;
    let shift =
        Shift::run(&program.with_file_name("provision"), PORTS, devices, &Conditions::default())?;
    let tenth = devices.div_ceil(10);
    let per_second: Vec<f64> = shift
        .runs
        .chunks_exact(tenth)
        .map(|runs| {
            let (first, last) = (&runs[0], &runs[tenth - 1]);
            (tenth - 1) as f64 / last.passed.duration_since(first.passed).as_secs_f64()
        })
        .collect();
    let (Some(&[_, early, .., late]), Some(&[_, lean, .., fat])) =
        (per_second.get(..), shift.resident_bytes.get(..))
    else {
        return Err(Fault::new("too few tenths"));
    };
    let (Some(first), Some(last)) = (shift.runs.first(), shift.runs.last()) else {
        return Err(Fault::new("no device passed"));
    };
    let report = Report {
        devices,
        seconds: last.passed.duration_since(first.passed).as_secs_f64(),
        rate_ratio: late / early,
        memory_ratio: fat as f64 / lean as f64,
        per_second,
        resident_bytes: shift.resident_bytes,
    };
    if json {
        println!("{}", serde_json::to_string(&report).while_doing("JSON")?);
        return report.judged();
    }
    println!("{devices} devices on {PORTS} ports in {:.0} s", report.seconds);
    for (at, (rate, memory)) in report.per_second.iter().zip(&report.resident_bytes).enumerate() {
        println!(
            "  {:>3} %: {rate:>6.0} a second, the station has {:.1} MB",
            10 * (at + 1),
            *memory as f64 / 1e6
        );
    }
    println!(
        "  the last tenth beside the second: {:.2} of the rate, {:.2} of the memory",
        report.rate_ratio, report.memory_ratio
    );
    report.judged()
}

impl Report {
    /// Whether a shift may be as long as one likes.
    fn judged(&self) -> Result<(), Fault> {
        let Self { rate_ratio, memory_ratio, .. } = self;
        if *rate_ratio < RATE_RATIO_MIN {
            return Err(Fault::new(format!(
                "the last tenth has {rate_ratio:.2} of the second's rate, and {RATE_RATIO_MIN} is \
                 the least"
            )));
        }
        if *memory_ratio > MEMORY_RATIO_MAX {
            return Err(Fault::new(format!(
                "the last tenth has {memory_ratio:.2} of the second's memory, and \
                 {MEMORY_RATIO_MAX} is the most"
            )));
        }
        Ok(())
    }
}

/// What the machine does besides makes a tenth slower too, but not by half.
const RATE_RATIO_MIN: f64 = 0.5;
/// What is remembered of each device is a few bytes.
const MEMORY_RATIO_MAX: f64 = 1.5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_station_that_slows_down_or_grows_fails() {
        let judged = |rate_ratio, memory_ratio| {
            let (per_second, resident_bytes) = (Vec::new(), Vec::new());
            Report {
                devices: 1,
                seconds: 1.0,
                per_second,
                resident_bytes,
                rate_ratio,
                memory_ratio,
            }
            .judged()
            .map_err(|fault| fault.to_string())
        };
        assert_eq!(judged(1.5, 1.05), Ok(()));
        assert_eq!(judged(0.5, 1.5), Ok(()));
        assert!(judged(0.49, 1.0).is_err_and(|fault| fault.contains("rate")));
        assert!(judged(1.0, 1.51).is_err_and(|fault| fault.contains("memory")));
    }
}
