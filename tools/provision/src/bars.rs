//! A bar for each port, for the operator of one or a few: how far it is, the device, the step, the
//! seconds.

use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use provision_station::enrollment::{Outcome, Progress};

use crate::fault::Fault;
use crate::report::sentence;

/// More are a station's, whose screen has room for them.
pub(crate) const PORTS_MAX: usize = 8;
/// How often seconds are counted on.
const DRAW_EACH: Duration = Duration::from_millis(100);
/// Parts of a run.
const WHOLE: u64 = 100;
/// Where a delivery begins, and where it ends.
const DELIVERY: (u64, u64) = (35, 80);

/// The bars, on the terminal that stderr is.
pub(crate) struct Bars {
    all: MultiProgress,
    bars: BTreeMap<String, Bar>,
}

struct Bar {
    bar: ProgressBar,
    device: String,
}

impl Bars {
    pub(crate) fn open(ports: &[String]) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let width = ports.iter().map(|port| port.chars().count()).max().unwrap_or_default();
        let style = style("{prefix}  {bar:20}  {seconds:>7}  {wide_msg}");
        let bars = ports.iter().map(|port| {
            let bar = all.add(ProgressBar::new(WHOLE).with_style(style.clone()));
            bar.set_prefix(format!("{port:width$}"));
            bar.set_message("waits for the device");
            bar.enable_steady_tick(DRAW_EACH);
            (port.clone(), Bar { bar, device: String::new() })
        });
        let bars = bars.collect();
        Self { all, bars }
    }

    /// A step on a port.
    pub(crate) fn step(&mut self, port: &str, progress: &Progress) {
        let Some(Bar { bar, device }) = self.bars.get_mut(port) else { return };
        if let Progress::Found { device: found, .. } = progress {
            *device = found.to_string();
        }
        if let Some(position) = position(progress) {
            bar.set_position(position);
        }
        bar.set_message(format!("{device}  {}", sentence(progress)));
    }

    /// A run has ended: the bar stays as it is then.
    pub(crate) fn end(&self, port: &str, result: Result<&Outcome, &Fault>, seconds: f64) {
        let Some(Bar { bar, device }) = self.bars.get(port) else { return };
        let (colour, message) = match result {
            Ok(outcome) => ("green", format!("PASS  {}", outcome.enrolled.device())),
            Err(fault) => ("red", format!("FAIL  {device}  {fault}")),
        };
        let took = format!("{seconds:.1} s");
        bar.disable_steady_tick();
        bar.set_style(style(&format!(
            "{{prefix}}  {{bar:20.{colour}}}  {took:>7}  {{wide_msg:.{colour}}}"
        )));
        if result.is_ok() {
            bar.set_position(WHOLE);
        }
        bar.abandon_with_message(message);
    }

    /// Has something written where the bars are: above them.
    pub(crate) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.all.suspend(write)
    }
}

fn style(template: &str) -> ProgressStyle {
    let seconds = |state: &ProgressState, out: &mut dyn fmt::Write| {
        // A string takes it.
        let _ = write!(out, "{:.1} s", state.elapsed().as_secs_f64());
    };
    let style = ProgressStyle::with_template(template);
    style.unwrap_or_else(|_| ProgressStyle::default_bar()).with_key("seconds", seconds)
}

/// How far a run is after a step, of [`WHOLE`].
fn position(progress: &Progress) -> Option<u64> {
    let (begin, end) = DELIVERY;
    Some(match progress {
        Progress::Restarted { .. } => 0,
        Progress::Found { .. } => 5,
        Progress::Key { .. } => 15,
        Progress::PossessionProven { .. } => 25,
        Progress::Issued { .. } | Progress::KnownCertificate { .. } => 30,
        // It is recorded before the delivery begins, and once more what was proven.
        Progress::Recorded => return None,
        Progress::Delivering { have, len } => {
            begin + u64::from(*have) * (end - begin) / u64::from(*len).max(1)
        }
        Progress::Stored => 88,
        Progress::Proven => 95,
        Progress::Sealed => WHOLE,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_grows_with_a_delivery_and_not_past_it() {
        let at = |have, len| position(&Progress::Delivering { have, len }).unwrap();
        assert_eq!((at(0, 2000), at(1000, 2000), at(2000, 2000)), (35, 57, 80));
        assert_eq!(at(0, 0), 35);
    }

    #[test]
    fn templates_are_some() {
        for template in
            ["{prefix}  {bar:20}  {seconds:>7}  {wide_msg}", "{bar:20.red}  1.0 s  {wide_msg:.red}"]
        {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
