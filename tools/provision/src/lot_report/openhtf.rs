//! Test records as OpenHTF's `OutputToJSON` writes them (openhtf 1.6), one for each run.

use std::io::{self, BufWriter, Write};

use serde_json::{Value, json};

use super::gather::{Device, LotReport};
use super::junit::{UNCONFIRMED, is_devices_fault};
use crate::records::{Ended, Failure, Record, Step};

/// Numbers of Python's logging.
const INFO: u8 = 20;
const ERROR: u8 = 40;

/// All runs, those at which nobody answered too, oldest first, as one array. One record is in memory
/// at a time: each is several times as long as what it is made of.
pub(super) fn write(lot: &LotReport, out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::new(out);
    let of = |device: &'_ Device, run: &'_ Record| run.outcome.is_pass() && !device.confirms(run);
    let devices = lot.devices.values();
    let runs = devices.flat_map(|device| device.runs.iter().map(move |run| (run, of(device, run))));
    let mut runs: Vec<(&Record, bool)> =
        runs.chain(lot.nobody.iter().map(|run| (run, false))).collect();
    runs.sort_by_key(|(run, _)| (run.started_at_ms, &run.id));
    // A line each: they are long.
    out.write_all(b"[")?;
    for (at, (run, is_unconfirmed)) in runs.into_iter().enumerate() {
        out.write_all(if at == 0 { b"\n".as_slice() } else { b",\n" })?;
        serde_json::to_writer(&mut out, &record(run, is_unconfirmed))?;
    }
    out.write_all(b"\n]\n")?;
    out.flush()
}

fn record(run: &Record, is_unconfirmed: bool) -> Value {
    let detail =
        |code: &str, description: &str| json!({ "code": code, "description": description });
    let (outcome, details) = match (run.outcome, &run.error) {
        (Ended::Interrupted, _) => ("ABORTED", Vec::new()),
        (_, Some(failure)) => (outcome(failure), vec![detail(&failure.error, &failure.message)]),
        (_, None) if is_unconfirmed => ("ERROR", vec![detail("unconfirmed", UNCONFIRMED)]),
        (_, None) => ("PASS", Vec::new()),
    };
    json!({
        "dut_id": run.device,
        "station_id": run.station,
        "code_info": { "name": "", "docstring": null, "sourcecode": "" },
        "start_time_millis": run.started_at_ms,
        "end_time_millis": run.ended_at_ms,
        "outcome": outcome,
        "outcome_details": details,
        "marginal": null,
        "metadata": {
            "test_name": "enrollment",
            "config": { "station_id": run.station },
            "operator_id": run.operator,
            "record": run.id,
            "lot": run.lot,
            "profile": run.profile,
            "port": run.port,
            "slot": run.slot,
            "outcome": run.outcome.word(),
            "public_key": run.public_key,
            "cert_serial": run.cert_serial,
            "leaf_sha256": run.leaf_sha256,
            "not_after_s": run.not_after_s,
            "sealed": run.sealed,
            "station_sha256": run.station_sha256,
            "versions": run.versions,
        },
        "phases": phases(run),
        "subtests": [],
        "branches": [],
        "diagnosers": [],
        "diagnoses": [],
        "log_records": log_records(run),
    })
}

const fn outcome(failure: &Failure) -> &'static str {
    if is_devices_fault(failure) { "FAIL" } else { "ERROR" }
}

/// Each step, and, where a run did not go well, what came after the last.
fn phases(run: &Record) -> Vec<Value> {
    let at = |after_s: f64| run.started_at_ms + (after_s * 1000.0).round() as u64;
    let mut phases: Vec<Value> = Vec::new();
    for Step { step, after_s, seconds } in &run.steps {
        phases.push(phase(
            phases.len(),
            step,
            at((after_s - seconds).max(0.0)),
            at(*after_s),
            "PASS",
        ));
    }
    if let Some(failure) = &run.error {
        let from = run.steps.last().map_or(run.started_at_ms, |step| at(step.after_s));
        let to = run.ended_at_ms.max(from);
        phases.push(phase(phases.len(), &failure.error, from, to, outcome(failure)));
    }
    phases
}

fn phase(number: usize, name: &str, from_ms: u64, to_ms: u64, outcome: &str) -> Value {
    let seconds = to_ms.saturating_sub(from_ms) as f64 / 1000.0;
    let result = if outcome == "PASS" { "CONTINUE" } else { "STOP" };
    json!({
        "measurements": {
            "seconds": {
                "name": "seconds",
                "outcome": "PASS",
                "validators": [],
                "measured_value": seconds,
            },
        },
        "options": {
            "name": name,
            "timeout_s": null,
            "run_if": null,
            "requires_state": false,
            "force_repeat": false,
            "repeat_on_measurement_fail": false,
            "repeat_on_timeout": false,
            "repeat_limit": null,
            "run_under_pdb": false,
            "phase_name_case": "KEEP",
            "stop_on_measurement_fail": false,
        },
        "diagnosers": [],
        "subtest_name": null,
        "start_time_millis": from_ms,
        "end_time_millis": to_ms,
        "attachments": {},
        "diagnosis_results": [],
        "failure_diagnosis_results": [],
        "result": { "phase_result": result },
        "outcome": outcome,
        "marginal": null,
        "descriptor_id": number,
        "name": name,
        "codeinfo": { "name": "", "docstring": null, "sourcecode": "" },
    })
}

fn log_records(run: &Record) -> Vec<Value> {
    let log = |level: u8, message: &str| {
        json!({
            "level": level,
            "logger_name": format!("provision.{}", run.id),
            "source": "provision",
            "lineno": 0,
            "timestamp_millis": run.ended_at_ms,
            "message": message,
        })
    };
    match &run.error {
        None => vec![log(INFO, run.outcome.word())],
        Some(failure) => {
            let mut said = vec![log(ERROR, &failure.message)];
            said.extend(
                failure.causes.iter().map(|cause| log(ERROR, &format!("because: {cause}"))),
            );
            said.push(log(INFO, &format!("hint: {}", failure.hint)));
            said
        }
    }
}
