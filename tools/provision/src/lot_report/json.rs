//! Everything, as one JSON object: docs/lot-report.schema.json says what is in it.

use serde_json::{Value, json};

use super::figures::{Distribution, Figures};
use super::gather::{Device, LotReport};
use crate::records::Record;
use crate::report::rounded;

pub(super) fn write(lot: &LotReport, figures: &Figures) -> String {
    let seconds = figures.seconds.as_ref().map(distribution);
    let causes: Vec<Value> = figures
        .causes
        .iter()
        .map(|cause| {
            json!({
                "error": cause.error,
                "times": cause.times,
                "devices": cause.devices,
                "message": cause.message,
                "hint": cause.hint,
            })
        })
        .collect();
    let share = |share: Option<f64>| share.map(|share| (share * 1e6).round() / 1e6);
    let report = json!({
        "lot_report": 1,
        "lot": lot.lot,
        "ledger": lot.ledger,
        "made_at_s": lot.made_at_s,
        "quota": lot.quota,
        "profile": lot.profile,
        "closed_at_s": lot.closed_at_s,
        "stations": figures.stations,
        "devices": figures.devices,
        "passed": figures.passed,
        "failed": figures.failed,
        "unfinished": figures.unfinished,
        "unconfirmed": figures.unconfirmed,
        "revoked": figures.revoked,
        "without_record": figures.without_record,
        "first_pass_yield": share(figures.first_pass_yield),
        "final_yield": share(figures.final_yield),
        "attempts": figures.attempts,
        "interrupted": figures.interrupted,
        "nobody": figures.nobody,
        "repeated": figures.repeated,
        "seconds": seconds,
        "causes": causes,
        "started_at_ms": figures.span_ms.map(|(from, _)| from),
        "ended_at_ms": figures.span_ms.map(|(_, to)| to),
        "devices_per_hour": figures.devices_per_hour.map(rounded),
        "unreadable": lot
            .unreadable
            .iter()
            .map(|(file, why)| json!({ "file": file, "why": why }))
            .collect::<Vec<_>>(),
        "each": lot.devices.iter().map(device).collect::<Vec<_>>(),
    });
    format!("{report:#}\n")
}

fn distribution(seconds: &Distribution) -> Value {
    let bars = seconds.bars.iter().enumerate().map(|(at, devices)| {
        let from = seconds.from + at as f64 * seconds.width;
        json!({ "from": rounded(from), "to": rounded(from + seconds.width), "devices": devices })
    });
    json!({
        "devices": seconds.count,
        "min": rounded(seconds.min),
        "median": rounded(seconds.median),
        "p95": rounded(seconds.p95),
        "max": rounded(seconds.max),
        "mean": rounded(seconds.mean),
        "distribution": bars.collect::<Vec<_>>(),
    })
}

fn device((name, device): (&String, &Device)) -> Value {
    let certificate = device.certificate.as_ref();
    json!({
        "device": name,
        "verdict": device.verdict().word(),
        "state": certificate.map(|one| one.state),
        "cert_serial": certificate.map(|one| &one.cert_serial),
        "leaf_sha256": certificate.map(|one| &one.leaf_sha256),
        "issued_at_s": certificate.map(|one| one.issued_at_s),
        "enrolled_at_s": certificate.and_then(|one| one.enrolled_at_s),
        "runs": device.runs.iter().map(run).collect::<Vec<_>>(),
    })
}

fn run(run: &Record) -> Value {
    json!({
        "id": run.id,
        "station": run.station,
        "operator": run.operator,
        "port": run.port,
        "slot": run.slot,
        "started_at_ms": run.started_at_ms,
        "seconds": rounded(run.seconds),
        "outcome": run.outcome.word(),
        "error": run.error.as_ref().map(|failure| &failure.error),
        "message": run.error.as_ref().map(|failure| &failure.message),
    })
}
