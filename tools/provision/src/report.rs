//! What people and programs are told: events.

use core::error::Error;
use std::io::{self, IsTerminal as _, Write as _};

use provision_station::enrollment::{Change, Outcome, Progress};
use provision_wire::{DeviceSerial, Stage};
use serde_json::{Value, json};

use crate::fault::Fault;
use crate::operator::Operator;
use crate::station::{State, Tally};

/// Where something happens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct At<'a> {
    /// The slot, at a station that has some.
    pub slot: Option<&'a str>,
    /// Its port; empty if it has none now.
    pub port: &'a str,
}

impl<'a> At<'a> {
    /// A port without a slot.
    pub(crate) const fn port(port: &'a str) -> Self {
        Self { slot: None, port }
    }

    /// What people call it.
    fn label(&self) -> &'a str {
        self.slot.unwrap_or(self.port)
    }

    /// Adds it to an event.
    fn mark(&self, event: &mut Value) {
        event["port"] = self.port.into();
        if let Some(slot) = self.slot {
            event["slot"] = slot.into();
        }
    }
}

/// Events go out as they happen: as lines for people on stderr and results on stdout, or all as
/// JSON objects on stdout.
pub(crate) struct Report {
    json: bool,
    terminal: bool,
    /// Whether it does not matter that nobody listens.
    unheard: bool,
    /// Who works here, if that is said.
    operator: Option<String>,
}

impl Report {
    pub(crate) fn new(json: bool) -> Self {
        Self { json, terminal: io::stderr().is_terminal(), unheard: false, operator: None }
    }

    /// Says of each run, from now on, who works here.
    pub(crate) fn by(&mut self, operator: Option<&Operator>) {
        self.operator = operator.map(ToString::to_string);
    }

    /// Adds to the end of a run who worked there.
    fn sign(&self, event: &mut Value) {
        if let Some(operator) = &self.operator {
            event["operator"] = operator.as_str().into();
        }
    }

    /// From now on results, notes and warnings that cannot be written are no fault: for what goes on
    /// for ever, and has more to do than to tell.
    pub(crate) const fn go_on_unheard(&mut self) {
        self.unheard = true;
    }

    fn heard(&self, told: Result<(), Fault>) -> Result<(), Fault> {
        if self.unheard { Ok(()) } else { told }
    }

    /// Whether results are JSON.
    pub(crate) const fn is_json(&self) -> bool {
        self.json
    }

    /// Whether people watch: results go to a terminal, and not as JSON.
    pub(crate) fn is_watched(&self) -> bool {
        !self.json && io::stdout().is_terminal()
    }

    /// Whether what happens is told to a terminal that lines can be drawn on anew.
    pub(crate) fn has_terminal(&self) -> bool {
        !self.json && self.terminal && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
    }

    /// A step of a run.
    pub(crate) fn progress(&mut self, at: At<'_>, progress: &Progress) -> Result<(), Fault> {
        let (text, mut event) = describe(progress);
        if self.json {
            event["event"] = event_name(progress).into();
            at.mark(&mut event);
            return line(&event);
        }
        // How far a delivery is belongs on a terminal only, on one line that changes.
        let partial = matches!(progress, Progress::Delivering { have, len } if have < len);
        if partial && !self.terminal {
            return Ok(());
        }
        let port = at.label();
        let end = if partial { "\r" } else { "\n" };
        let mut out = io::stderr().lock();
        write!(out, "{port}: {text}{end}")?;
        out.flush()?;
        Ok(())
    }

    /// The end of a run that went well.
    pub(crate) fn enrolled(
        &mut self,
        at: At<'_>,
        outcome: &Outcome,
        seconds: f64,
    ) -> Result<(), Fault> {
        let Outcome { enrolled, chain, change, sealed, turns } = outcome;
        let (word, text) = match change {
            Change::Enrolled => ("enrolled", "enrolled"),
            Change::Delivered => ("delivered", "enrolled (with the certificate it had)"),
            Change::Nothing => ("unchanged", "already enrolled, nothing changed"),
        };
        let device = enrolled.device();
        let serial = enrolled.cert_serial();
        if self.json {
            let mut event = json!({
                "event": "result",
                "outcome": word,
                "device": device.as_str(),
                "cert_serial": serial.to_string(),
                "leaf_sha256": hex(enrolled.leaf_sha256()),
                "delivery_sha256": hex(enrolled.delivery_sha256()),
                "not_after_s": chain.not_after(),
                "sealed": sealed,
                "turns": turns,
                "seconds": rounded(seconds),
            });
            at.mark(&mut event);
            self.sign(&mut event);
            return line(&event);
        }
        let port = at.label();
        let open = if *sealed { "" } else { ", not sealed" };
        self.line(&format!("{port}: {device} {text}{open}, certificate {serial}, {seconds:.1} s"))
    }

    /// What a run would do.
    pub(crate) fn plan(
        &mut self,
        at: At<'_>,
        device: &DeviceSerial,
        stage: Stage,
        steps: &[String],
    ) -> Result<(), Fault> {
        let mut event = json!({
            "event": "plan",
            "device": device.as_str(),
            "stage": stage.to_string(),
            "steps": steps,
        });
        at.mark(&mut event);
        let lines = steps.iter().map(|step| format!("\n  {step}")).collect::<String>();
        self.result(&format!("{}: {device} is {stage}{lines}", at.label()), &event)
    }

    /// What a slot waits for.
    pub(crate) fn slot(&mut self, at: At<'_>, state: &State) -> Result<(), Fault> {
        if self.json {
            let name = match state {
                State::NoPort => "no-port",
                State::BadPort { .. } => "bad-port",
                State::Empty { noise: false } => "empty",
                State::Empty { noise: true } => "noise",
                State::Scan { .. } => "scan",
            };
            let mut event = json!({ "event": "slot", "state": name });
            match state {
                State::BadPort { why } => event["message"] = why.as_str().into(),
                State::Scan { device } => event["device"] = device.as_str().into(),
                State::NoPort | State::Empty { .. } => {}
            }
            at.mark(&mut event);
            return line(&event);
        }
        match state {
            State::Scan { device } => writeln!(io::stderr(), "{}: {device} {state}", at.label())?,
            _ => writeln!(io::stderr(), "{}: {state}", at.label())?,
        }
        Ok(())
    }

    /// A run of a station that failed. Never fails: there is nobody left to tell.
    pub(crate) fn failed(
        &mut self,
        at: At<'_>,
        device: Option<&DeviceSerial>,
        fault: &Fault,
        seconds: f64,
    ) {
        if self.json {
            let mut event = fault_event(fault);
            at.mark(&mut event);
            event["device"] = device.map(DeviceSerial::as_str).into();
            event["seconds"] = rounded(seconds).into();
            self.sign(&mut event);
            let _ = line(&event);
            return;
        }
        let device = device.map(|device| format!(" ({device})")).unwrap_or_default();
        self.fault(Some(&format!("{}{device}", at.label())), fault);
    }

    /// What came of a station's work.
    pub(crate) fn station(&mut self, tally: &Tally) -> Result<(), Fault> {
        let Tally { failed, passed_seconds, causes, .. } = tally;
        let passed = tally.passed();
        let mean_seconds = if passed == 0 { 0.0 } else { passed_seconds / passed as f64 };
        let mut event = json!({
            "event": "station",
            "passed": passed,
            "failed": failed,
            "causes": causes,
            "seconds": rounded(tally.seconds()),
            "seconds_per_device": rounded(mean_seconds),
        });
        self.sign(&mut event);
        let causes: Vec<_> = causes.iter().map(|(name, times)| format!("{times} {name}")).collect();
        let causes =
            if causes.is_empty() { String::new() } else { format!(" ({})", causes.join(", ")) };
        self.result(
            &format!("{passed} passed, {failed} failed{causes}, {mean_seconds:.1} s each"),
            &event,
        )
    }

    /// A result: for people `text`, for programs `event`.
    pub(crate) fn result(&mut self, text: &str, event: &Value) -> Result<(), Fault> {
        self.heard(if self.json { line(event) } else { self.line(text) })
    }

    /// Something to know that is no result.
    pub(crate) fn note(&mut self, text: &str) -> Result<(), Fault> {
        if self.json { Ok(()) } else { self.heard(aside(text)) }
    }

    /// Something that will go wrong if nobody does anything: `event` says it to programs, and gets
    /// its name.
    pub(crate) fn warning(&mut self, text: &str, mut event: Value) -> Result<(), Fault> {
        if self.json {
            event["event"] = "warning".into();
            event["message"] = text.into();
            return self.heard(line(&event));
        }
        self.heard(aside(&format!("warning: {text}")))
    }

    /// A run whose record cannot be written: how it ended stands.
    pub(crate) fn unrecorded(&mut self, at: At<'_>, fault: &Fault) -> Result<(), Fault> {
        let mut event = json!({ "hint": fault.hint() });
        at.mark(&mut event);
        self.warning(&format!("{}: {fault}", at.label()), event)
    }

    /// What went wrong. Never fails: there is nobody left to tell.
    pub(crate) fn fault(&mut self, port: Option<&str>, fault: &Fault) {
        if self.json {
            let mut event = fault_event(fault);
            event["port"] = port.into();
            self.sign(&mut event);
            let _ = line(&event);
            return;
        }
        let port = port.map(|port| format!("{port}: ")).unwrap_or_default();
        let mut out = io::stderr().lock();
        let _ = writeln!(out, "error: {port}{fault}");
        for cause in causes(fault) {
            let _ = writeln!(out, "  because: {cause}");
        }
        let _ = writeln!(out, "\nhint: {}", fault.hint());
    }

    fn line(&self, text: &str) -> Result<(), Fault> {
        writeln!(io::stdout(), "{text}")?;
        Ok(())
    }
}

fn fault_event(fault: &Fault) -> Value {
    let mut event = json!({
        "event": "error",
        "error": fault.name(),
        "exit_code": fault.exit_code(),
        "message": fault.to_string(),
        "causes": causes(fault).map(ToString::to_string).collect::<Vec<_>>(),
        "hint": fault.hint(),
    });
    if let Some(storage) = fault.storage_fault() {
        event["storage"] = storage.word().into();
    }
    event
}

/// To milliseconds.
pub(crate) fn rounded(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}

/// To standard error.
fn aside(text: &str) -> Result<(), Fault> {
    writeln!(io::stderr(), "{text}")?;
    Ok(())
}

fn line(event: &Value) -> Result<(), Fault> {
    writeln!(io::stdout(), "{event}")?;
    Ok(())
}

/// What is behind a fault, if anything.
pub(crate) fn causes(fault: &Fault) -> impl Iterator<Item = &(dyn Error + 'static)> {
    let (mut next, mut said) = (fault.source(), fault.to_string());
    core::iter::from_fn(move || {
        loop {
            let cause = next?;
            next = cause.source();
            // Some errors say what their source says.
            let text = cause.to_string();
            if !said.ends_with(&text) {
                said = text;
                return Some(cause);
            }
        }
    })
}

/// A step, for programs.
pub(crate) const fn event_name(progress: &Progress) -> &'static str {
    match progress {
        Progress::Found { .. } => "found",
        Progress::Key { .. } => "key",
        Progress::PossessionProven { .. } => "possession-proven",
        Progress::Issued { .. } => "issued",
        Progress::KnownCertificate { .. } => "known-certificate",
        Progress::Recorded => "recorded",
        Progress::Delivering { .. } => "delivering",
        Progress::Stored => "stored",
        Progress::Proven => "proven",
        Progress::Sealed => "sealed",
        Progress::Restarted { .. } => "restarted",
    }
}

/// A step, for people.
pub(crate) fn sentence(progress: &Progress) -> String {
    describe(progress).0
}

/// Sentence and facts of a step.
fn describe(progress: &Progress) -> (String, Value) {
    match progress {
        Progress::Found { device, stage } => (
            format!("found {device} ({stage})"),
            json!({ "device": device.as_str(), "stage": stage.to_string() }),
        ),
        Progress::Key { public_key } => {
            let public_key = hex(public_key.as_sec1());
            let start = public_key.get(2..18).unwrap_or_default();
            (format!("key {start}…"), json!({ "public_key": public_key }))
        }
        Progress::PossessionProven { csr_len } => {
            ("it holds that key".into(), json!({ "csr_len": csr_len }))
        }
        Progress::Issued { cert_serial } => (
            format!("certificate {cert_serial} signed"),
            json!({ "cert_serial": cert_serial.to_string() }),
        ),
        Progress::KnownCertificate { cert_serial } => (
            format!("certificate {cert_serial} is in the ledger"),
            json!({ "cert_serial": cert_serial.to_string() }),
        ),
        Progress::Recorded => ("recorded in the ledger".into(), json!({})),
        Progress::Delivering { have, len } => {
            (format!("delivered {have} of {len} bytes"), json!({ "have": have, "len": len }))
        }
        Progress::Stored => ("checked and stored by the device".into(), json!({})),
        Progress::Proven => ("it has proven what it stores".into(), json!({})),
        Progress::Sealed => ("sealed".into(), json!({})),
        Progress::Restarted { restarts } => (
            format!("the device lost the session; starting again ({restarts})"),
            json!({ "restarts": restarts }),
        ),
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
