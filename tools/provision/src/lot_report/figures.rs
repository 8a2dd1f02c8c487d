//! What is counted of a lot.

use std::collections::{BTreeMap, BTreeSet};

use super::gather::{Device, LotReport, Verdict};
use crate::records::{Ended, Record};

/// Bars of a distribution at most.
const BARS_MAX: usize = 24;

/// A lot in numbers. Shares are from 0 to 1; `None` is what nothing is known of.
#[derive(Debug, PartialEq)]
pub(super) struct Figures {
    /// Devices that the ledger or a record knows.
    pub(super) devices: u64,
    pub(super) passed: u64,
    pub(super) failed: u64,
    pub(super) unfinished: u64,
    pub(super) unconfirmed: u64,
    /// Devices whose certificate was revoked, whatever else became of them.
    pub(super) revoked: u64,
    /// Devices in the ledger of which there is no record.
    pub(super) without_record: u64,
    /// Devices that passed at their first attempt, of those with an attempt.
    pub(super) first_pass_yield: Option<f64>,
    /// Devices that passed, of all.
    pub(super) final_yield: Option<f64>,
    /// Runs that were waited for, of devices.
    pub(super) attempts: u64,
    /// Runs that were not waited for.
    pub(super) interrupted: u64,
    /// Runs at which nobody answered.
    pub(super) nobody: u64,
    /// Devices with more than one attempt.
    pub(super) repeated: u64,
    /// Seconds of the first run that passed, one for each device.
    pub(super) seconds: Option<Distribution>,
    /// How often, by the word.
    pub(super) causes: Vec<Cause>,
    /// In milliseconds since 1970-01-01 UTC: the first run's start and the last one's end; without
    /// records, the first and the last entry of the ledger.
    pub(super) span_ms: Option<(u64, u64)>,
    /// Devices that passed, over that time.
    pub(super) devices_per_hour: Option<f64>,
    /// Stations that made the records.
    pub(super) stations: BTreeSet<String>,
    /// Who worked there, as far as that was said.
    pub(super) operators: BTreeSet<String>,
}

/// How long devices took, in seconds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Distribution {
    pub(super) count: u64,
    pub(super) min: f64,
    pub(super) median: f64,
    /// Nineteen of twenty devices took no longer.
    pub(super) p95: f64,
    pub(super) max: f64,
    pub(super) mean: f64,
    /// Width of each bar.
    pub(super) width: f64,
    /// Where the first one begins.
    pub(super) from: f64,
    /// How many devices each has.
    pub(super) bars: Vec<u64>,
}

/// A cause of failed runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cause {
    pub(super) error: String,
    /// Runs that failed by it.
    pub(super) times: u64,
    /// Devices that failed by it at least once.
    pub(super) devices: u64,
    /// What was said the last time.
    pub(super) message: String,
    pub(super) hint: String,
}

impl Figures {
    pub(super) fn of(lot: &LotReport) -> Self {
        let devices = || lot.devices.values();
        let runs = || devices().flat_map(|device| &device.runs).chain(&lot.nobody);
        let count =
            |is: &dyn Fn(&Device) -> bool| devices().filter(|device| is(device)).count() as u64;
        let passed = count(&|device| device.verdict() == Verdict::Passed);
        let attempted = count(&|device| device.passed_at_first().is_some());
        let at_once = count(&|device| device.passed_at_first() == Some(true));
        let all = lot.devices.len() as u64;
        let span_ms = span_ms(lot);
        let hours = span_ms.map(|(from, to)| (to - from) as f64 / 3_600_000.0);
        Self {
            devices: all,
            passed,
            failed: count(&|device| device.verdict() == Verdict::Failed),
            unfinished: count(&|device| device.verdict() == Verdict::Unfinished),
            unconfirmed: count(&|device| device.verdict() == Verdict::Unconfirmed),
            revoked: count(&|device| {
                device.certificate.as_ref().is_some_and(|one| one.state == "revoked")
            }),
            without_record: count(&|device| device.runs.is_empty()),
            first_pass_yield: share(at_once, attempted),
            final_yield: share(passed, all),
            attempts: devices().map(|device| device.attempts().count() as u64).sum(),
            interrupted: devices()
                .flat_map(|device| &device.runs)
                .filter(|run| run.outcome == Ended::Interrupted)
                .count() as u64,
            nobody: lot.nobody.len() as u64,
            repeated: count(&|device| device.attempts().count() > 1),
            seconds: Distribution::of(
                devices().filter_map(Device::first_pass).map(|run| run.seconds).collect(),
            ),
            causes: causes(lot),
            span_ms,
            devices_per_hour: hours
                .filter(|hours| *hours > 0.0 && passed > 0)
                .map(|hours| passed as f64 / hours),
            stations: runs().map(|run| run.station.clone()).collect(),
            operators: runs().filter_map(|run| run.operator.clone()).collect(),
        }
    }
}

fn share(part: u64, all: u64) -> Option<f64> {
    (all > 0).then(|| part as f64 / all as f64)
}

fn span_ms(lot: &LotReport) -> Option<(u64, u64)> {
    let runs = lot.devices.values().flat_map(Device::attempts);
    let (starts, ends): (Vec<_>, Vec<_>) =
        runs.map(|run| (run.started_at_ms, run.ended_at_ms)).unzip();
    if let (Some(from), Some(to)) = (starts.iter().min(), ends.iter().max()) {
        return Some((*from, *to));
    }
    let certificates = lot.devices.values().filter_map(|device| device.certificate.as_ref());
    let (issued, enrolled): (Vec<_>, Vec<_>) =
        certificates.map(|one| (one.issued_at_s, one.enrolled_at_s)).unzip();
    let from_s = issued.iter().min()?;
    let to_s = enrolled.iter().flatten().max().unwrap_or(from_s).max(from_s);
    Some((from_s.saturating_mul(1000), to_s.saturating_mul(1000)))
}

/// The most frequent first.
fn causes(lot: &LotReport) -> Vec<Cause> {
    let mut runs: Vec<&Record> = lot
        .devices
        .values()
        .flat_map(|device| &device.runs)
        .chain(&lot.nobody)
        .filter(|run| run.outcome == Ended::Failed)
        .collect();
    runs.sort_by_key(|run| run.ended_at_ms);
    let mut causes = BTreeMap::<&str, (Cause, BTreeSet<&str>)>::new();
    for run in runs {
        let Some(failure) = &run.error else { continue };
        let (cause, devices) = causes.entry(&failure.error).or_insert_with(|| {
            let (error, empty) = (failure.error.clone(), String::new());
            let cause = Cause { error, times: 0, devices: 0, message: empty.clone(), hint: empty };
            (cause, BTreeSet::new())
        });
        cause.times += 1;
        cause.message.clone_from(&failure.message);
        cause.hint.clone_from(&failure.hint);
        devices.extend(run.device.as_deref());
    }
    let with_devices = |(cause, devices): (Cause, BTreeSet<&str>)| Cause {
        devices: devices.len() as u64,
        ..cause
    };
    let mut causes: Vec<Cause> = causes.into_values().map(with_devices).collect();
    causes.sort_by(|a, b| b.times.cmp(&a.times).then_with(|| a.error.cmp(&b.error)));
    causes
}

impl Distribution {
    pub(super) fn of(mut seconds: Vec<f64>) -> Option<Self> {
        seconds.sort_by(f64::total_cmp);
        let (&min, &max) = (seconds.first()?, seconds.last()?);
        let count = seconds.len();
        // The smallest value that this share of all values does not exceed.
        let rank = |share: f64| {
            let rank = (share * count as f64).ceil() as usize;
            seconds[rank.clamp(1, count) - 1]
        };
        let median = if count.is_multiple_of(2) {
            f64::midpoint(rank(0.5), seconds[count / 2])
        } else {
            rank(0.5)
        };
        let width = round_width((max - min) / BARS_MAX as f64);
        let from = (min / width).floor() * width;
        let mut bars = vec![0; ((max - from) / width).floor() as usize + 1];
        for one in &seconds {
            let last = bars.len() - 1;
            bars[(((one - from) / width).floor() as usize).min(last)] += 1;
        }
        let mean = seconds.iter().sum::<f64>() / count as f64;
        let p95 = rank(0.95);
        Some(Self { count: count as u64, min, median, p95, max, mean, width, from, bars })
    }
}

/// The next number of 1, 2 and 5, at any power of ten from a hundredth on.
fn round_width(least: f64) -> f64 {
    let mut power = 0.01;
    loop {
        for digit in [1.0, 2.0, 5.0] {
            if digit * power >= least {
                return digit * power;
            }
        }
        power *= 10.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_ranked() {
        let of = |seconds: &[f64]| Distribution::of(seconds.to_vec());
        assert_eq!(of(&[]), None);
        let one = of(&[2.5]).unwrap();
        assert_eq!(
            (one.median, one.p95, one.min, one.max, one.bars),
            (2.5, 2.5, 2.5, 2.5, vec![1])
        );
        let even = of(&[4.0, 1.0, 2.0, 3.0]).unwrap();
        assert_eq!((even.median, even.p95, even.mean), (2.5, 4.0, 2.5));
        let many: Vec<f64> = (1..=100).map(f64::from).collect();
        let many = of(&many).unwrap();
        assert_eq!((many.median, many.p95), (50.5, 95.0));
        assert_eq!((many.from, many.width), (0.0, 5.0));
        assert_eq!(many.bars.len(), 21);
        assert_eq!((many.bars[0], many.bars[1], many.bars[20]), (4, 5, 1));
        assert_eq!(many.bars.iter().sum::<u64>(), 100);
    }

    #[test]
    fn any_seconds_have_a_few_bars() {
        for seconds in
            [vec![0.0], vec![0.0, 2_592_000.0], vec![0.001, 0.002], vec![9.99, 10.0, 10.01]]
        {
            let distribution = Distribution::of(seconds.clone()).unwrap();
            assert!(distribution.bars.len() <= BARS_MAX + 2, "{distribution:?}");
            assert_eq!(distribution.bars.iter().sum::<u64>(), seconds.len() as u64);
        }
    }
}
