//! What became of a lot, in each form, and with records that anybody may have written.

use core::time::Duration;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use boon::{Compiler, Schemas};
use nix::sys::resource::{UsageWho, getrusage};
use provision_testkit::impostor::Trick;
use provision_testkit::pty::PtyPort;
use scraper::{ElementRef, Html, Selector};
use serde_json::{Value, json};

use crate::records::records;
use crate::station::{Station, device, events};

/// What nobody should take at its word.
const HOSTILE: &str =
    "</td><script>alert('1')</script>&amp;]]>\u{1b}[2J\u{0}\u{202e}<img src=http://x>";

/// A lot of three devices: one passed at once, one at its second attempt, one never. And one run at
/// which nobody answered.
fn line() -> Station {
    let station = Station::new();
    let create = ["lot", "create", "--id", "W47", "--quota", "10"];
    assert_eq!(station.run(&create).code, 0);
    let recorded = ["--records", "records", "--lot", "W47", "--station-name", "line-3"];
    for (serial, trick, code) in [
        ("sensor-0001", Trick::None, 0),
        ("sensor-0002", Trick::BrokenSelfSignature, 12),
        ("sensor-0002", Trick::None, 0),
        ("sensor-0003", Trick::BrokenSelfSignature, 12),
    ] {
        let (port, _device) = device(serial, trick);
        let ran = station.enroll(&port, &recorded);
        assert_eq!(ran.code, code, "{ran:?}");
        // Runs are told apart by their milliseconds.
        thread::sleep(Duration::from_millis(5));
    }
    let silent = PtyPort::serve(|_| Vec::new()).unwrap();
    let ran = station.enroll(&silent, &[&recorded[..], &["--wait", "1"]].concat());
    assert_eq!(ran.code, 10, "{ran:?}");
    station
}

fn report(station: &Station, format: &str) -> String {
    let lot = ["report", "lot", "--id", "W47", "--records", "records", "--format", format];
    let ran = station.run(&lot);
    assert_eq!(ran.code, 0, "{ran:?}");
    ran.stdout
}

fn json(station: &Station) -> Value {
    let report = serde_json::from_str(&report(station, "json")).unwrap();
    against_the_schema(&report).unwrap();
    report
}

fn against_the_schema(report: &Value) -> Result<(), String> {
    let text = include_str!("../../../../docs/lot-report.schema.json");
    let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
    compiler.add_resource("report", serde_json::from_str(text).unwrap()).unwrap();
    let index = compiler.compile("report", &mut schemas).unwrap();
    schemas.validate(report, index).map_err(|fault| format!("{fault}: {report:#}"))
}

/// A record of the line's own.
fn record_of(dir: &Path, device: &str) -> PathBuf {
    let mut paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths.find(|path| path.to_string_lossy().contains(device)).unwrap()
}

/// Writes a record as another program might: one of the line's own, changed.
fn forge(station: &Station, name: &str, change: impl FnOnce(&mut Value)) {
    let dir = station.path().join("records");
    let text = fs::read(record_of(&dir, "sensor-0003")).unwrap();
    let mut record: Value = serde_json::from_slice(&text).unwrap();
    record["id"] = format!("{:0>16x}", name.len()).into();
    change(&mut record);
    fs::write(dir.join(name), record.to_string()).unwrap();
}

#[test]
fn yield_seconds_causes_and_repeats_are_counted() {
    let station = line();
    let report = json(&station);
    for (name, expected) in [
        ("lot", json!("W47")),
        ("quota", json!(10)),
        ("profile", json!("device")),
        ("stations", json!(["line-3"])),
        ("devices", json!(3)),
        ("passed", json!(2)),
        ("failed", json!(1)),
        ("unconfirmed", json!(0)),
        ("attempts", json!(4)),
        ("repeated", json!(1)),
        ("nobody", json!(1)),
        ("without_record", json!(0)),
        ("first_pass_yield", json!(0.333_333)),
        ("final_yield", json!(0.666_667)),
    ] {
        assert_eq!(report[name], expected, "{name} of {report:#}");
    }
    let causes: Vec<_> = report["causes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cause| (cause["error"].as_str().unwrap(), &cause["times"], &cause["devices"]))
        .collect();
    let (two, one, none) = (json!(2), json!(1), json!(0));
    assert_eq!(causes, [("not-proven", &two, &two), ("no-answer", &one, &none)]);
    let kept = records(&station.path().join("records"));
    let passed: Vec<f64> = kept
        .iter()
        .filter(|record| record["outcome"] != "failed")
        .map(|record| record["seconds"].as_f64().unwrap())
        .collect();
    let seconds = |name: &str| report["seconds"][name].as_f64().unwrap();
    assert_eq!(passed.len(), 2);
    assert!((seconds("median") - passed.iter().sum::<f64>() / 2.0).abs() < 0.0011);
    assert_eq!(seconds("p95"), passed[0].max(passed[1]));
    let bars = report["seconds"]["distribution"].as_array().unwrap();
    assert_eq!(bars.iter().map(|bar| bar["devices"].as_u64().unwrap()).sum::<u64>(), 2);
    let (from, to) = (kept[0]["started_at_ms"].as_f64().unwrap(), kept[3]["ended_at_ms"].as_f64());
    let rate = 2.0 * 3_600_000.0 / (to.unwrap() - from);
    assert!((report["devices_per_hour"].as_f64().unwrap() / rate - 1.0).abs() < 0.001);
    let verdicts: Vec<_> = report["each"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["verdict"].as_str().unwrap())
        .collect();
    assert_eq!(verdicts, ["passed", "passed", "failed"]);
    let mut other = report.clone();
    other["final_yield"] = json!(1.5);
    assert!(against_the_schema(&other).is_err());
}

#[test]
fn the_ledger_alone_knows_of_devices_and_of_no_seconds() {
    let station = line();
    let ran = station.run(&["report", "lot", "--id", "W47", "--format", "json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let report: Value = serde_json::from_str(&ran.stdout).unwrap();
    against_the_schema(&report).unwrap();
    let counted = ["devices", "passed", "attempts", "without_record"].map(|name| &report[name]);
    assert_eq!(counted, [2, 2, 0, 2]);
    assert_eq!((&report["first_pass_yield"], &report["seconds"]), (&Value::Null, &Value::Null));
    let html = station.run(&["report", "lot", "--id", "W47", "--format", "html"]);
    assert!(html.stdout.contains("without records") && !html.stdout.contains("<svg"));
}

#[test]
fn the_ledger_decides_and_not_a_record() {
    let station = line();
    // Of a device that never was here, and of one that is enrolled with another certificate.
    let claim = |record: &mut Value, device: &str| {
        let pass = json!({
            "device": device, "outcome": "enrolled", "error": null, "cert_serial": "01", "turns": 1,
            "leaf_sha256": "00".repeat(32), "not_after_s": 1, "sealed": true,
        });
        for (name, value) in pass.as_object().unwrap() {
            record[name] = value.clone();
        }
        record["ended_at_ms"] = json!(record["ended_at_ms"].as_u64().unwrap() + 100_000);
        record["started_at_ms"] = json!(record["started_at_ms"].as_u64().unwrap() + 100_000);
    };
    forge(&station, "a.json", |record| claim(record, "sensor-9999"));
    forge(&station, "ab.json", |record| claim(record, "sensor-0001"));
    let report = json(&station);
    assert_eq!((&report["devices"], &report["passed"]), (&4.into(), &1.into()));
    assert_eq!(report["unconfirmed"], 2);
    assert_eq!(report["first_pass_yield"], 0.25);
    let page = html(&station);
    assert!(page.contains("they do not count as passed"));
    // The plots say the same.
    assert!(page.contains("25.0 %</text>") || page.contains("25.0 %  </text>"), "{page}");
    let runs: Value = serde_json::from_str(&self::report(&station, "openhtf")).unwrap();
    let unconfirmed = |run: &&Value| run["outcome_details"][0]["code"] == "unconfirmed";
    let unconfirmed: Vec<_> = runs.as_array().unwrap().iter().filter(unconfirmed).collect();
    assert_eq!(unconfirmed.len(), 2);
    assert!(unconfirmed.iter().all(|run| run["outcome"] == "ERROR"));
}

#[test]
fn junit_is_what_jenkins_takes() {
    let station = line();
    forge(&station, "hostile.json", |record| {
        record["device"] = json!("sensor-0004");
        record["error"]["message"] = HOSTILE.into();
        record["error"]["error"] = HOSTILE.into();
        record["error"]["exit_code"] = json!(15);
    });
    let xml = station.path().join("lot.xml");
    fs::write(&xml, report(&station, "junit")).unwrap();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/junit.xsd");
    let xmllint = |arguments: &[&str]| {
        let output = Command::new("xmllint").args(arguments).arg(&xml).output();
        let output = output.expect("xmllint: apt-get install libxml2-utils");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    xmllint(&["--noout", "--schema", schema.to_str().unwrap()]);
    for (path, expected) in [
        ("string(/testsuites/@name)", "W47"),
        ("string(//testsuite/@hostname)", "line-3"),
        (
            "concat(//testsuite/@tests, ' ', //testsuite/@failures, ' ', //testsuite/@errors)",
            "4 1 1",
        ),
        ("string(//property[@name='final_yield']/@value)", "0.5000"),
        ("string(//testcase[flakyFailure]/@name)", "sensor-0002"),
        ("string(//testcase[failure]/@name)", "sensor-0003"),
        ("string(//testcase[failure]/failure/@type)", "not-proven"),
        ("count(//testcase[not(*[local-name() != 'system-out'])])", "1"),
        ("count(//script) + count(//img)", "0"),
    ] {
        assert_eq!(xmllint(&["--xpath", path]).trim(), expected, "{path}");
    }
    let message = xmllint(&["--xpath", "string(//testcase[@name='sensor-0004']/error/@message)"]);
    assert_eq!(message.trim_end(), harmless(HOSTILE));
    // That it can fail: an element that is none, and a count that is left out.
    let good = report(&station, "junit");
    let other_element = good.replace("<failure ", "<failed ").replace("</failure>", "</failed>");
    let no_count = good.replace(" tests=\"4\"", "");
    for bad in [other_element, no_count] {
        assert_ne!(bad, good);
        fs::write(&xml, &bad).unwrap();
        let mut command = Command::new("xmllint");
        let output = command.args(["--noout", "--schema"]).args([&schema, &xml]).output().unwrap();
        assert!(!output.status.success(), "{bad}");
    }
}

/// As it is shown: without what no reader should see.
fn harmless(text: &str) -> String {
    text.replace(['\u{1b}', '\u{0}', '\u{202e}'], "\u{fffd}")
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn openhtf_records_have_the_keys_that_openhtf_writes() {
    let station = line();
    // What openhtf 1.6.3 wrote of two phases, shortened.
    let real: Value = serde_json::from_str(include_str!("openhtf-record.json")).unwrap();
    let ours: Value = serde_json::from_str(&report(&station, "openhtf")).unwrap();
    let ours = ours.as_array().unwrap();
    assert_eq!(ours.len(), 5);
    for record in ours {
        assert_eq!(keys(record), keys(&real));
        assert_eq!(keys(&record["code_info"]), keys(&real["code_info"]));
        for name in ["phases", "log_records"] {
            for one in record[name].as_array().unwrap() {
                assert_eq!(keys(one), keys(&real[name][0]), "{one:#}");
            }
        }
        for phase in record["phases"].as_array().unwrap() {
            let real = &real["phases"][0];
            assert_eq!(keys(&phase["options"]), keys(&real["options"]));
            assert_eq!(keys(&phase["codeinfo"]), keys(&real["codeinfo"]));
            assert_eq!(keys(&phase["result"]), keys(&real["result"]));
            assert_eq!(keys(&phase["measurements"]["seconds"]), keys(&real["measurements"]["n"]));
            assert!(phase["start_time_millis"].as_u64() <= phase["end_time_millis"].as_u64());
        }
        for detail in record["outcome_details"].as_array().unwrap() {
            assert_eq!(keys(detail), keys(&real["outcome_details"][0]));
        }
        assert_eq!(record["metadata"]["config"]["station_id"], "line-3");
    }
    let told: Vec<_> =
        ours.iter().map(|one| (&one["dut_id"], one["outcome"].as_str().unwrap())).collect();
    let [one, two, three] = ["sensor-0001", "sensor-0002", "sensor-0003"].map(Value::from);
    let expected = [(&one, "PASS"), (&two, "FAIL"), (&two, "PASS"), (&three, "FAIL")];
    assert_eq!(told, [&expected[..], &[(&Value::Null, "ERROR")]].concat());
    let phases: Vec<_> =
        ours[1]["phases"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert_eq!(phases, ["found", "key", "not-proven"]);
}

/// A record for OpenHTF is several times as long as what it is made of: one is in memory at a time.
#[test]
fn openhtf_records_are_written_one_after_the_other() {
    const RUNS: usize = 3_000;
    let station = line();
    for at in 0..RUNS {
        let name = format!("more-{at:04}.json");
        forge(&station, &name, |record| {
            record["id"] = format!("{at:016x}").into();
            record["device"] = format!("more-{at:04}").into();
        });
    }
    // The most that any program that was waited for has had, in kilobytes.
    let peak_kb = || getrusage(UsageWho::RUSAGE_CHILDREN).unwrap().max_rss();
    html(&station);
    let before_kb = peak_kb();
    let text = report(&station, "openhtf");
    let more_kb = peak_kb() - before_kb;
    let runs: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(runs.as_array().unwrap().len(), RUNS + 5);
    let len_kb = i64::try_from(text.len() / 1024).unwrap();
    assert!(more_kb < len_kb / 4, "{more_kb} kB more for {len_kb} kB");
}

fn html(station: &Station) -> String {
    report(station, "html")
}

#[test]
fn the_page_needs_nothing_and_shows_what_is_hostile_as_text() {
    let station = line();
    forge(&station, "hostile.json", |record| {
        record["device"] = json!("sensor-0003");
        record["error"]["message"] = HOSTILE.into();
        record["error"]["error"] = HOSTILE.into();
        record["error"]["hint"] = HOSTILE.into();
        record["station"] = HOSTILE.into();
        record["ended_at_ms"] = json!(record["ended_at_ms"].as_u64().unwrap() + 60_000);
        record["started_at_ms"] = json!(record["started_at_ms"].as_u64().unwrap() + 60_000);
    });
    let page = html(&station);
    let parsed = Html::parse_document(&page);
    assert_eq!(parsed.errors.len(), 0, "{:?}", parsed.errors);
    let all = |selector: &str| -> Vec<ElementRef<'_>> {
        parsed.select(&Selector::parse(selector).unwrap()).collect()
    };
    let names: BTreeSet<&str> = all("*").iter().map(|element| element.value().name()).collect();
    for loads in ["script", "img", "link", "iframe", "object", "embed", "image", "use", "a", "form"]
    {
        assert!(!names.contains(loads), "{loads} in {page}");
    }
    for element in all("*") {
        for (name, value) in element.value().attrs() {
            let loads = ["src", "href", "xlink:href", "style", "srcset", "action"].contains(&name);
            assert!(!loads && !name.starts_with("on"), "{name}={value}");
        }
    }
    let style: String = all("style").iter().flat_map(|style| style.text()).collect();
    assert!(!style.contains("url(") && !style.contains("@import"), "{style}");
    assert!(style.contains("prefers-color-scheme: dark"));
    let policy =
        all("meta[http-equiv=Content-Security-Policy]")[0].value().attr("content").unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");

    let text = |element: &ElementRef<'_>| element.text().collect::<String>();
    let cells: Vec<String> = all("td").iter().map(text).collect();
    assert!(cells.contains(&harmless(HOSTILE)), "{cells:?}");
    let tiles: Vec<String> = all(".tile").iter().map(text).collect();
    for tile in
        ["3devices", "2passed, of a quota of 10", "33.3 %first-pass yield", "66.7 %final yield"]
    {
        assert!(tiles.iter().any(|one| one == tile), "{tile} in {tiles:?}");
    }
    assert_eq!(all(".plots svg").len(), 4, "yield, devices, seconds, causes");
    let titles: Vec<String> = all(".plots svg title").iter().map(text).collect();
    assert!(titles.contains(&"not-proven: 2 runs of 2 devices".into()), "{titles:?}");
    assert!(titles.iter().any(|title| title.starts_with(&harmless(HOSTILE))), "{titles:?}");
    let tables: Vec<String> = all("h2").iter().map(text).collect();
    assert!(tables.contains(&"Devices with more than one attempt".into()), "{tables:?}");
}

#[test]
fn what_is_no_record_is_named_and_left_out() {
    let station = line();
    let dir = station.path().join("records");
    forge(&station, "name.json", |record| record["device"] = HOSTILE.into());
    forge(&station, "times.json", |record| record["seconds"] = json!(-1));
    forge(&station, "a-form.json", |record| record["record"] = json!(2));
    forge(&station, "elsewhere.json", |record| record["lot"] = json!("W48"));
    for (name, text) in [
        ("cut.json", "{\"record\": 1"),
        ("other.json", "[1, 2]"),
        ("long.json", &" ".repeat(300_000)),
        (".begun.json.tmp", "{"),
        ("notes.txt", "not looked at"),
    ] {
        fs::write(dir.join(name), text).unwrap();
    }
    // A pipe would be waited for without an end.
    nix::unistd::mkfifo(&dir.join("pipe.json"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    fs::copy(record_of(&dir, "sensor-0001"), dir.join("copy.json")).unwrap();
    let lot =
        ["--json", "report", "lot", "--id", "W47", "--records", "records", "--format", "json"];
    let ran = station.run(&[&lot[..], &["--out", "lot.json"]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let told = events(&ran);
    let (warnings, end) = told.split_at(told.len() - 1);
    assert!(warnings.iter().all(|event| event["event"] == "warning"), "{ran:?}");
    assert_eq!((warnings.len(), &end[0]["unreadable"]), (7, &7.into()), "{ran:?}");
    let text = fs::read_to_string(station.path().join("lot.json")).unwrap();
    let report: Value = serde_json::from_str(&text).unwrap();
    against_the_schema(&report).unwrap();
    assert_eq!((&report["devices"], &report["attempts"]), (&3.into(), &4.into()));
    let unreadable = report["unreadable"].to_string();
    for why in
        ["it is no file", "has more than", "no device serial", "times cannot be", "form is not 1"]
    {
        assert!(unreadable.contains(why), "{why} in {unreadable}");
    }
}

#[test]
fn what_cannot_be_reported_is_named() {
    let station = line();
    let run = |more: &[&str]| station.run(&[&["report", "lot", "--format", "json"], more].concat());
    let unknown = run(&["--id", "W99", "--records", "records"]);
    assert_eq!(unknown.code, 15, "{unknown:?}");
    assert!(unknown.stderr.contains("there is no lot W99"), "{unknown:?}");
    let missing = run(&["--id", "W47", "--records", "nowhere"]);
    assert_eq!(missing.code, 1, "{missing:?}");
    assert!(missing.stderr.contains("cannot read nowhere"), "{missing:?}");
    fs::write(station.path().join("there"), "kept").unwrap();
    let there = run(&["--id", "W47", "--out", "there"]);
    assert_eq!(there.code, 1, "{there:?}");
    assert_eq!(fs::read_to_string(station.path().join("there")).unwrap(), "kept");
    assert_eq!(station.run(&["report", "lot", "--id", "W47"]).code, 2);
}

#[test]
fn a_lot_in_which_nobody_answered_is_reported_too() {
    let station = Station::new();
    let silent = PtyPort::serve(|_| Vec::new()).unwrap();
    let more = ["--records", "records", "--lot", "W47", "--wait", "1"];
    assert_eq!(station.enroll(&silent, &more).code, 10);
    let report = json(&station);
    let counted = ["devices", "attempts", "nobody"].map(|name| &report[name]);
    assert_eq!(counted, [0, 0, 1]);
    assert_eq!((&report["final_yield"], &report["seconds"]), (&Value::Null, &Value::Null));
    let xml = station.path().join("lot.xml");
    fs::write(&xml, self::report(&station, "junit")).unwrap();
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/junit.xsd");
    let mut xmllint = Command::new("xmllint");
    let output = xmllint.args(["--noout", "--schema"]).args([&schema, &xml]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(
        html(&station).contains("Runs that found no device (their cause is counted): <b>1</b>")
    );
}
