//! JUnit XML as Jenkins, GitLab and others read it: a test case for each device. The elements and
//! attributes are those of Jenkins' junit-10.xsd.

use std::io;

use provision_issuer::inspect::time_text;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::figures::Figures;
use super::gather::{Device, LotReport, Verdict};
use super::printable;
use crate::records::{Failure, Record};

/// Who is at fault: JUnit tells a failure, which the test was for, from an error around it.
pub(super) const fn is_devices_fault(failure: &Failure) -> bool {
    matches!(failure.exit_code, 11 | 12 | 13 | 17 | 18)
}

pub(super) fn write(lot: &LotReport, figures: &Figures) -> io::Result<String> {
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let cases: Vec<Case<'_>> = lot.devices.iter().map(Case::of).collect();
    let count = |is: fn(&What<'_>) -> bool| cases.iter().filter(|case| is(&case.what)).count();
    let failures =
        count(|what| matches!(what, What::Failed(_, failure) if is_devices_fault(failure)));
    let errors = count(|what| {
        matches!(what, What::Failed(_, failure) if !is_devices_fault(failure))
            || matches!(what, What::Unconfirmed)
    });
    let skipped = count(|what| matches!(what, What::Unfinished)).to_string();
    // The sum of nothing is -0.
    let seconds = seconds(cases.iter().fold(0.0, |sum, case| sum + case.seconds));
    let name = printable(&lot.lot);
    let (tests, failures, errors) =
        (cases.len().to_string(), failures.to_string(), errors.to_string());
    let counts = [
        ("name", name.as_str()),
        ("tests", &tests),
        ("failures", &failures),
        ("errors", &errors),
        ("time", &seconds),
    ];
    let began_s = figures.span_ms.map_or(lot.made_at_s, |(from, _)| from / 1000);
    // Without a zone: it is UTC.
    let began = time_text(began_s).trim_end_matches('Z').to_owned();
    let stations: Vec<String> = figures.stations.iter().map(|one| printable(one)).collect();
    xml.create_element("testsuites").with_attributes(counts).write_inner_content(|xml| {
        let mut suite = xml
            .create_element("testsuite")
            .with_attributes(counts)
            .with_attributes([("skipped", skipped.as_str()), ("timestamp", &began)]);
        if let [station] = &stations[..] {
            suite = suite.with_attribute(("hostname", station.as_str()));
        }
        suite.write_inner_content(|xml| {
            xml.create_element("properties").write_inner_content(|xml| {
                for (name, value) in properties(lot, figures) {
                    let property = [("name", name), ("value", value.as_str())];
                    xml.create_element("property").with_attributes(property).write_empty()?;
                }
                Ok(())
            })?;
            cases.iter().try_for_each(|case| case.write(&name, xml))
        })?;
        Ok(())
    })?;
    let mut text = String::from_utf8(xml.into_inner()).map_err(io::Error::other)?;
    text.push('\n');
    Ok(text)
}

fn properties(lot: &LotReport, figures: &Figures) -> Vec<(&'static str, String)> {
    let number = |number: Option<f64>| number.map(|number| format!("{number:.4}"));
    let seconds = figures.seconds.as_ref();
    let operators: Vec<String> = figures.operators.iter().map(|one| printable(one)).collect();
    let operators = (!operators.is_empty()).then(|| operators.join(", "));
    let all = [
        ("ledger", Some(printable(&lot.ledger))),
        ("quota", lot.quota.map(|quota| quota.to_string())),
        ("passed", Some(figures.passed.to_string())),
        ("first_pass_yield", number(figures.first_pass_yield)),
        ("final_yield", number(figures.final_yield)),
        ("repeated", Some(figures.repeated.to_string())),
        ("seconds_median", number(seconds.map(|seconds| seconds.median))),
        ("seconds_p95", number(seconds.map(|seconds| seconds.p95))),
        ("devices_per_hour", number(figures.devices_per_hour)),
        ("runs_without_device", Some(figures.nobody.to_string())),
        ("operators", operators),
        ("records_unreadable", Some(lot.unreadable.len().to_string())),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// One device.
struct Case<'a> {
    name: &'a str,
    device: &'a Device,
    /// Who worked at the run that counts.
    operator: Option<&'a str>,
    seconds: f64,
    what: What<'a>,
}

enum What<'a> {
    Passed,
    Failed(&'a Record, &'a Failure),
    Unfinished,
    Unconfirmed,
}

impl<'a> Case<'a> {
    fn of((name, device): (&'a String, &'a Device)) -> Self {
        let last = device.last_failure();
        let what = match (device.verdict(), last.and_then(|run| Some((run, run.error.as_ref()?)))) {
            (Verdict::Passed, _) => What::Passed,
            (Verdict::Failed, Some((run, failure))) => What::Failed(run, failure),
            (Verdict::Failed | Verdict::Unfinished, _) => What::Unfinished,
            (Verdict::Unconfirmed, _) => What::Unconfirmed,
        };
        let counts = last.or_else(|| device.first_pass());
        let operator = counts.and_then(|run| run.operator.as_deref());
        Self { name, device, operator, seconds: counts.map_or(0.0, |run| run.seconds), what }
    }

    fn write(&self, lot: &str, xml: &mut Writer<Vec<u8>>) -> io::Result<()> {
        let time = seconds(self.seconds);
        let about = [("name", self.name), ("classname", lot), ("time", &time)];
        let case = xml.create_element("testcase").with_attributes(about);
        case.write_inner_content(|xml| {
            // Failed runs besides the one that counts: those of a device that passed are flaky.
            let (main, failure, error) = match self.what {
                What::Failed(run, failure) => {
                    let element = if is_devices_fault(failure) { "failure" } else { "error" };
                    told(xml, element, failure, false)?;
                    (Some(&run.id), "rerunFailure", "rerunError")
                }
                What::Passed => (None, "flakyFailure", "flakyError"),
                What::Unfinished => {
                    let message = "a certificate was issued, and that it is stored is not proven";
                    let skipped = xml.create_element("skipped");
                    skipped.with_attribute(("message", message)).write_empty()?;
                    (None, "rerunFailure", "rerunError")
                }
                What::Unconfirmed => {
                    let about = [("type", "unconfirmed"), ("message", UNCONFIRMED)];
                    xml.create_element("error").with_attributes(about).write_empty()?;
                    (None, "rerunFailure", "rerunError")
                }
            };
            for run in self.device.attempts().filter(|run| Some(&run.id) != main) {
                let Some(told_of) = &run.error else { continue };
                let element = if is_devices_fault(told_of) { failure } else { error };
                told(xml, element, told_of, true)?;
            }
            let certificate = self.device.certificate.as_ref().map(|one| {
                let (serial, state) = (&one.cert_serial, one.state);
                format!("certificate {serial} ({state}), SHA-256 {}", one.leaf_sha256)
            });
            let operator =
                self.operator.map(|operator| format!("operator {}", printable(operator)));
            let lines: Vec<String> = certificate.into_iter().chain(operator).collect();
            if !lines.is_empty() {
                let text = lines.join("\n");
                xml.create_element("system-out").write_text_content(BytesText::new(&text))?;
            }
            Ok(())
        })?;
        Ok(())
    }
}

/// What is said of such a device.
pub(super) const UNCONFIRMED: &str =
    "a record says that it passed, and the ledger has no such certificate in this lot";

fn told(
    xml: &mut Writer<Vec<u8>>,
    element: &str,
    failure: &Failure,
    is_rerun: bool,
) -> io::Result<()> {
    let (kind, message) = (printable(&failure.error), printable(&failure.message));
    let mut text = message.clone();
    for cause in &failure.causes {
        text.push_str(&format!("\nbecause: {}", printable(cause)));
    }
    text.push_str(&format!("\nhint: {}", printable(&failure.hint)));
    let about = [("type", kind.as_str()), ("message", &message)];
    let element = xml.create_element(element).with_attributes(about);
    if is_rerun {
        element.write_inner_content(|xml| {
            xml.create_element("stackTrace").write_text_content(BytesText::new(&text))?;
            Ok(())
        })?;
    } else {
        element.write_text_content(BytesText::new(&text))?;
    }
    Ok(())
}

fn seconds(seconds: f64) -> String {
    format!("{seconds:.3}")
}
