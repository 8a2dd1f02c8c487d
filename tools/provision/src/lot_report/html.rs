//! A page for people: one file that needs nothing else, no script in it.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use provision_issuer::inspect::time_text;

use super::figures::Figures;
use super::gather::{Device, LotReport, Verdict};
use super::junit::UNCONFIRMED;
use super::{plots, printable};

/// Devices that a table names; the JSON form has all.
const ROWS_MAX: usize = 500;

const STYLE: &str = include_str!("page.css");

pub(super) fn write(lot: &LotReport, figures: &Figures) -> String {
    let name = printable(&lot.lot);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                // Whatever gets into the page, nothing is loaded and nothing runs.
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Lot " (name) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Lot " (name) }
                (head(lot, figures))
                (tiles(lot, figures))
                (warnings(lot, figures))
                (drawn(lot, figures))
                (causes(figures))
                (not_passed(lot))
                (repeated(lot))
            }
        }
    }
    .into_string()
        + "\n"
}

fn head(lot: &LotReport, figures: &Figures) -> Markup {
    let stations: Vec<String> = figures.stations.iter().map(|one| printable(one)).collect();
    let operators: Vec<String> = figures.operators.iter().map(|one| printable(one)).collect();
    html! {
        p class="faint" {
            @if let Some((from, to)) = figures.span_ms {
                (time_text(from / 1000)) " to " (time_text(to / 1000))
                @if !stations.is_empty() { ", " (stations.join(", ")) }
                ". "
            }
            @if !operators.is_empty() { "Operators: " (operators.join(", ")) ". " }
            @if let Some(profile) = &lot.profile { "Profile " (printable(profile)) ". " }
            @if let Some(closed_at_s) = lot.closed_at_s { "Closed " (time_text(closed_at_s)) ". " }
            "Made " (time_text(lot.made_at_s)) " from " (printable(&lot.ledger))
            @if !lot.has_records { ", without records" }
            "."
        }
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".into(), |share| format!("{:.1} %", share * 100.0))
}

fn tiles(lot: &LotReport, figures: &Figures) -> Markup {
    let seconds = |of: fn(&super::figures::Distribution) -> f64| {
        figures.seconds.as_ref().map_or_else(|| "–".into(), |all| format!("{:.1} s", of(all)))
    };
    let passed = match lot.quota {
        Some(quota) => format!("passed, of a quota of {quota}"),
        None => "passed".into(),
    };
    let rate = figures.devices_per_hour.map_or_else(|| "–".into(), |rate| format!("{rate:.0}"));
    let all = [
        (figures.devices.to_string(), "devices".to_owned()),
        (figures.passed.to_string(), passed),
        (percent(figures.first_pass_yield), "first-pass yield".into()),
        (percent(figures.final_yield), "final yield".into()),
        (seconds(|all| all.median), "for a device, median".into()),
        (seconds(|all| all.p95), "for a device, 95th percentile".into()),
        (rate, "devices an hour".into()),
        (figures.repeated.to_string(), "needed more than one attempt".into()),
    ];
    html! {
        div class="tiles" {
            @for (value, name) in all { div class="tile" { b { (value) } span { (name) } } }
        }
    }
}

/// What makes the figures less than whole.
fn warnings(lot: &LotReport, figures: &Figures) -> Markup {
    let without_record = if lot.has_records { figures.without_record } else { 0 };
    let counted = [
        (
            "Devices that passed by their records, though the ledger has no such certificate in this \
             lot (they do not count as passed)",
            figures.unconfirmed,
        ),
        ("Devices of which it is not proven that they store their certificate", figures.unfinished),
        ("Devices whose certificate was revoked", figures.revoked),
        ("Devices in the ledger of which no record tells", without_record),
        ("Runs that found no device (their cause is counted)", figures.nobody),
        ("Runs that were interrupted (they do not count)", figures.interrupted),
        ("Files that are no records, and were left out", lot.unreadable.len() as u64),
    ];
    html! {
        @if counted.iter().any(|(_, count)| *count > 0) {
            div class="card warning" {
                h2 { "To know" }
                @for (what, count) in counted {
                    @if count > 0 { p { (what) ": " b { (count) } } }
                }
                @for (file, why) in lot.unreadable.iter().take(ROWS_MAX) {
                    p class="hint" { (printable(file)) ": " (printable(why)) }
                }
            }
        }
    }
}

fn drawn(lot: &LotReport, figures: &Figures) -> Markup {
    let seconds = figures.seconds.as_ref().map(plots::seconds);
    let all = [
        ("First-pass yield over time", plots::yields(lot)),
        ("Devices over time", plots::attempts(lot)),
        ("Seconds of a device", seconds),
        ("Causes of failed runs", plots::causes(&figures.causes)),
    ];
    html! {
        div class="plots" {
            @for (name, plot) in all {
                @if let Some(plot) = plot { div class="card" { h2 { (name) } (plot) } }
            }
        }
    }
}

fn causes(figures: &Figures) -> Markup {
    html! {
        @if !figures.causes.is_empty() {
            div class="card" {
                h2 { "Causes" }
                table {
                    tr {
                        th { "Cause" } th class="number" { "Runs" } th class="number" { "Devices" }
                        th { "Said the last time, and what to do" }
                    }
                    @for cause in &figures.causes {
                        tr {
                            td class="name" { (printable(&cause.error)) }
                            td class="number" { (cause.times) }
                            td class="number" { (cause.devices) }
                            td {
                                (printable(&cause.message))
                                p class="hint" { (printable(&cause.hint)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Which devices did not pass, and why.
fn not_passed(lot: &LotReport) -> Markup {
    let why = |device: &Device| match device.verdict() {
        Verdict::Passed => String::new(),
        Verdict::Failed => device
            .last_failure()
            .and_then(|run| run.error.as_ref())
            .map_or_else(String::new, |failure| printable(&failure.message)),
        Verdict::Unfinished => "that it stores its certificate was not proven".into(),
        Verdict::Unconfirmed => UNCONFIRMED.into(),
    };
    let devices: Vec<_> =
        lot.devices.iter().filter(|(_, device)| device.verdict() != Verdict::Passed).collect();
    table(
        "Devices that did not pass",
        ["Device", "In the end", "Attempts", "Why"],
        &devices,
        &|device| (device.verdict().word().into(), device.attempts().count(), why(device)),
    )
}

/// Which devices needed more than one attempt.
fn repeated(lot: &LotReport) -> Markup {
    let failed = |device: &Device| {
        let words = device.attempts().map(|run| match &run.error {
            Some(failure) => printable(&failure.error),
            None => run.outcome.word().to_owned(),
        });
        words.collect::<Vec<_>>().join(", ")
    };
    let mut devices: Vec<_> =
        lot.devices.iter().filter(|(_, device)| device.attempts().count() > 1).collect();
    devices.sort_by_key(|(_, device)| core::cmp::Reverse(device.attempts().count()));
    table(
        "Devices with more than one attempt",
        ["Device", "In the end", "Attempts", "One after the other"],
        &devices,
        &|device| (device.verdict().word().into(), device.attempts().count(), failed(device)),
    )
}

fn table(
    title: &str,
    columns: [&str; 4],
    devices: &[(&String, &Device)],
    row: &dyn Fn(&Device) -> (String, usize, String),
) -> Markup {
    html! {
        @if !devices.is_empty() {
            div class="card" {
                h2 { (title) }
                table {
                    tr {
                        th { (columns[0]) } th { (columns[1]) } th class="number" { (columns[2]) } th { (columns[3]) }
                    }
                    @for (name, device) in devices.iter().take(ROWS_MAX) {
                        @let (word, attempts, text) = row(device);
                        tr {
                            td class="name" { (name) }
                            td { (word) }
                            td class="number" { (attempts) }
                            td { (text) }
                        }
                    }
                }
                @if devices.len() > ROWS_MAX {
                    p class="hint" { "and " (devices.len() - ROWS_MAX) " more, which `--format json` names" }
                }
            }
        }
    }
}
