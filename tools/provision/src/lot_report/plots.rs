//! What the page draws: SVG, whose colours are the page's.

use maud::{Markup, html};
use provision_issuer::inspect::time_text;

use super::figures::{Cause, Distribution};
use super::gather::{Device, LotReport};
use super::printable;

/// The size of a plot, and of the part within its axes.
const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 48.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 40.0;
const INNER_WIDTH: f64 = WIDTH - LEFT - RIGHT;
const INNER_HEIGHT: f64 = HEIGHT - TOP - BOTTOM;
/// Parts that the time is divided into, at most.
const PARTS_MAX: usize = 30;
/// Causes that are drawn; the table has all.
const CAUSES_MAX: usize = 12;
/// Height of the bar of a cause.
const ROW: f64 = 30.0;

/// First attempts in one part of the time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Part {
    passed: u64,
    failed: u64,
}

/// When each part begins, in milliseconds, and what was in it.
struct Parts {
    from_ms: u64,
    part_ms: f64,
    parts: Vec<Part>,
}

impl Parts {
    fn of(lot: &LotReport) -> Option<Self> {
        let first = |device: &Device| {
            Some((device.attempts().next()?.ended_at_ms, device.passed_at_first()?))
        };
        let mut firsts: Vec<(u64, bool)> = lot.devices.values().filter_map(first).collect();
        firsts.sort_unstable();
        let (&(from_ms, _), &(to_ms, _)) = (firsts.first()?, firsts.last()?);
        // About four devices in each, if there are few.
        let count = firsts.len().div_ceil(4).clamp(1, PARTS_MAX);
        let part_ms = ((to_ms - from_ms) as f64 / count as f64).max(1.0);
        let mut parts = vec![Part::default(); count];
        for (at_ms, passed) in firsts {
            let part = (((at_ms - from_ms) as f64 / part_ms) as usize).min(count - 1);
            if passed { parts[part].passed += 1 } else { parts[part].failed += 1 }
        }
        Some(Self { from_ms, part_ms, parts })
    }

    fn begins(&self, part: usize) -> String {
        let at_ms = self.from_ms + (part as f64 * self.part_ms) as u64;
        let text = time_text(at_ms / 1000);
        let days = self.part_ms * self.parts.len() as f64 / 86_400_000.0;
        let of = |from: usize, to: usize| text.get(from..to).unwrap_or(&text).to_owned();
        // 2026-11-22T14:31:39Z
        match days {
            days if days > 3.0 => of(5, 10),
            days if days > 1.0 => of(5, 16).replace('T', " "),
            days if days > 0.05 => of(11, 16),
            _ => of(11, 19),
        }
    }
}

/// How many devices came when, and how many of them passed at once.
pub(super) fn attempts(lot: &LotReport) -> Option<Markup> {
    let parts = Parts::of(lot)?;
    let most = parts.parts.iter().map(|part| part.passed + part.failed).max()?;
    let scale = Scale::counts(most);
    let width = INNER_WIDTH / parts.parts.len() as f64;
    Some(plot(
        "Devices by the time of their first attempt, passed and failed",
        html! {
            (legend(&[("passed", "passed at first"), ("failed", "failed at first")]))
            (scale.lines(&|value| format!("{value:.0}")))
            @for (at, part) in parts.parts.iter().enumerate() {
                @let x = LEFT + at as f64 * width;
                @let (low, high) = (scale.y(part.passed as f64), scale.y((part.passed + part.failed) as f64));
                g {
                    title { (parts.begins(at)) ": " (part.passed) " passed, " (part.failed) " failed" }
                    (bar("passed", x + 1.0, low, width - 2.0, scale.y(0.0) - low))
                    (bar("failed", x + 1.0, high, width - 2.0, low - high))
                }
            }
            (times(&parts))
        },
    ))
}

/// Yield over time: the share that passed at once, of all that came until then.
pub(super) fn yields(lot: &LotReport) -> Option<Markup> {
    let parts = Parts::of(lot)?;
    let (mut passed, mut all) = (0, 0);
    let shares: Vec<f64> = parts
        .parts
        .iter()
        .map(|part| {
            passed += part.passed;
            all += part.passed + part.failed;
            passed as f64 * 100.0 / f64::from(u32::try_from(all).unwrap_or(u32::MAX).max(1))
        })
        .collect();
    let scale = Scale { from: 0.0, to: 100.0, each: 20.0 };
    let width = INNER_WIDTH / shares.len() as f64;
    let point = |at: usize, share: f64| (LEFT + (at as f64 + 0.5) * width, scale.y(share));
    let points: Vec<(f64, f64)> =
        shares.iter().enumerate().map(|(at, share)| point(at, *share)).collect();
    let line: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let (last, (x, y)) = (*shares.last()?, *points.last()?);
    Some(plot(
        "First-pass yield over time, of all devices until then, in per cent",
        html! {
            (scale.lines(&|value| format!("{value:.0} %")))
            polyline class="line" points=(line.join(" ")) {}
            @for (at, ((x, y), share)) in points.iter().zip(&shares).enumerate() {
                circle class="dot" cx=(number(*x)) cy=(number(*y)) r="3" {
                    title { "until " (parts.begins(at + 1)) ": " (format!("{share:.1}")) " %" }
                }
            }
            text class="value" x=(number(x.min(WIDTH - RIGHT - 30.0))) y=(number(if y < TOP + 20.0 { y + 18.0 } else { y - 9.0 }))
                text-anchor="middle" { (format!("{last:.1}")) " %" }
            (times(&parts))
        },
    ))
}

/// How long devices took.
pub(super) fn seconds(seconds: &Distribution) -> Markup {
    let scale = Scale::counts(seconds.bars.iter().copied().max().unwrap_or(1));
    let count = seconds.bars.len() as f64;
    let width = INNER_WIDTH / count;
    let to = seconds.from + count * seconds.width;
    let x = |value: f64| LEFT + (value - seconds.from) / (to - seconds.from) * INNER_WIDTH;
    let each = (seconds.bars.len() / 8).max(1);
    let digits = if seconds.width < 0.1 { 2 } else { usize::from(seconds.width < 1.0) };
    let line = |value: f64| {
        let at = x(value);
        html! {
            line class="mark" x1=(number(at)) x2=(number(at)) y1=(number(TOP - 4.0)) y2=(number(HEIGHT - BOTTOM)) {}
        }
    };
    let mark = |value: f64, name: &str, y: f64| {
        let at = x(value);
        let (anchor, aside) = if at > WIDTH / 2.0 { ("end", -5.0) } else { ("start", 5.0) };
        html! {
            text class="value" x=(number(at + aside)) y=(number(y)) text-anchor=(anchor) {
                (name) " " (format!("{value:.1}")) " s"
            }
        }
    };
    plot(
        "Devices by the seconds they took, median and 95th percentile marked",
        html! {
            (scale.lines(&|value| format!("{value:.0}")))
            @for (at, devices) in seconds.bars.iter().enumerate() {
                @let from = seconds.from + at as f64 * seconds.width;
                @let y = scale.y(*devices as f64);
                g {
                    title { (format!("{from:.digits$} to {:.digits$} s", from + seconds.width)) ": " (devices) " devices" }
                    (bar("seconds", LEFT + at as f64 * width + 1.0, y, width - 2.0, scale.y(0.0) - y))
                }
            }
            @for at in (0..=seconds.bars.len()).step_by(each) {
                @let value = seconds.from + at as f64 * seconds.width;
                text class="axis" x=(number(x(value))) y=(number(HEIGHT - BOTTOM + 16.0)) text-anchor="middle" {
                    (format!("{value:.digits$}"))
                }
            }
            text class="axis" x=(number(LEFT + INNER_WIDTH / 2.0)) y=(number(HEIGHT - 6.0)) text-anchor="middle" { "seconds" }
            // Lines first: no letter is crossed out.
            (line(seconds.median))
            (line(seconds.p95))
            (mark(seconds.median, "median", TOP + 4.0))
            (mark(seconds.p95, "p95", TOP + 20.0))
        },
    )
}

/// How often what went wrong.
pub(super) fn causes(causes: &[Cause]) -> Option<Markup> {
    let most = causes.first()?.times.max(1);
    let shown = &causes[..causes.len().min(CAUSES_MAX)];
    let height = ROW * shown.len() as f64 + 8.0;
    let label = 150.0;
    let width = |times: u64| (WIDTH - label - 60.0) * times as f64 / most as f64;
    Some(html! {
        svg viewBox=(format!("0 0 {WIDTH} {height}")) role="img" aria-label="Failed runs by their cause" {
            @for (at, cause) in shown.iter().enumerate() {
                @let y = 4.0 + ROW * at as f64;
                @let name = printable(&cause.error);
                text class="axis" x=(number(label - 8.0)) y=(number(y + 19.0)) text-anchor="end" {
                    (shortened(&name, 20))
                }
                g {
                    title { (name) ": " (cause.times) " runs of " (cause.devices) " devices" }
                    (bar("failed", label, y + 4.0, width(cause.times), ROW - 8.0))
                }
                text class="value" x=(number(label + width(cause.times) + 8.0)) y=(number(y + 19.0)) { (cause.times) }
            }
        }
    })
}

/// An axis of values.
struct Scale {
    from: f64,
    to: f64,
    each: f64,
}

impl Scale {
    /// From nothing to a round number that `most` does not exceed.
    fn counts(most: u64) -> Self {
        let most = most.max(1) as f64;
        let power = 10_f64.powf((most / 4.0).log10().floor()).max(1.0);
        let each = [1.0, 2.0, 5.0, 10.0].iter().map(|digit| digit * power);
        let each = each.into_iter().find(|each| each * 5.0 >= most).unwrap_or(most);
        Self { from: 0.0, to: (most / each).ceil() * each, each }
    }

    fn y(&self, value: f64) -> f64 {
        TOP + (self.to - value) / (self.to - self.from) * INNER_HEIGHT
    }

    fn lines(&self, name: &dyn Fn(f64) -> String) -> Markup {
        let count = ((self.to - self.from) / self.each).round() as usize;
        html! {
            @for at in 0..=count {
                @let value = self.from + at as f64 * self.each;
                @let y = self.y(value);
                line class="grid" x1=(number(LEFT)) x2=(number(WIDTH - RIGHT)) y1=(number(y)) y2=(number(y)) {}
                text class="axis" x=(number(LEFT - 7.0)) y=(number(y + 4.0)) text-anchor="end" { (name(value)) }
            }
        }
    }
}

fn plot(about: &str, inside: Markup) -> Markup {
    html! {
        svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) role="img" aria-label=(about) { (inside) }
    }
}

fn bar(class: &str, x: f64, y: f64, width: f64, height: f64) -> Markup {
    html! {
        @if height > 0.0 {
            rect class=(class) x=(number(x)) y=(number(y)) width=(number(width.max(1.0))) height=(number(height)) {}
        }
    }
}

fn legend(entries: &[(&str, &str)]) -> Markup {
    html! {
        @for (at, (class, name)) in entries.iter().enumerate() {
            @let x = LEFT + at as f64 * 150.0;
            rect class=(class) x=(number(x)) y="4" width="12" height="12" {}
            text class="axis" x=(number(x + 18.0)) y="14" { (name) }
        }
    }
}

/// Five times below the plot at most.
fn times(parts: &Parts) -> Markup {
    let count = parts.parts.len();
    let each = count.div_ceil(5).max(1);
    html! {
        @for at in (0..count).step_by(each) {
            @let x = LEFT + at as f64 * INNER_WIDTH / count as f64;
            text class="axis" x=(number(x)) y=(number(HEIGHT - BOTTOM + 16.0)) text-anchor="start" {
                (parts.begins(at))
            }
        }
        text class="axis" x=(number(LEFT + INNER_WIDTH / 2.0)) y=(number(HEIGHT - 6.0)) text-anchor="middle" { "time (UTC)" }
    }
}

fn shortened(text: &str, len_max: usize) -> String {
    if text.chars().count() <= len_max {
        return text.to_owned();
    }
    text.chars().take(len_max - 1).chain(['…']).collect()
}

fn number(number: f64) -> String {
    format!("{number:.1}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_round_and_reach_as_far_as_needed() {
        for (most, to, each) in [
            (0, 1.0, 1.0),
            (1, 1.0, 1.0),
            (4, 4.0, 1.0),
            (7, 8.0, 2.0),
            (30, 30.0, 10.0),
            (99, 100.0, 20.0),
            (12_345, 15_000.0, 5_000.0),
        ] {
            let scale = Scale::counts(most);
            assert_eq!((scale.to, scale.each), (to, each), "{most}");
            assert!(scale.y(most as f64) >= TOP - 0.01);
        }
    }

    #[test]
    fn long_words_are_cut_at_letters() {
        assert_eq!(shortened("äöüäöü", 4), "äöü…");
        assert_eq!(shortened("policy", 20), "policy");
    }
}
