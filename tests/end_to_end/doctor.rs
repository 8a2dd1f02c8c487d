//! `provision doctor` against servers that are wrong in one way each, and against good ones.
//!
//! Servers, keys, certificates and CRLs are real; [`rows`] is the table.

mod material;
mod page;
mod rows;
mod server;

use core::time::Duration;
use std::collections::BTreeSet;
use std::time::Instant;

use provision_testkit::cli::{Ran, Station, built_program};
use serde_json::Value;

use material::Material;
use rows::{AGREEMENT, ANSWERS, CLIENT, HEALTHY, REACH, Row, SERVER, TABLES};

/// Two seconds for each of at most five connections, and some for a machine that is busy.
const WITHIN: Duration = Duration::from_secs(30);

fn doctor(material: &Material, endpoint: &str, with: &str, more: &[&str]) -> Ran {
    let mut words = vec!["doctor", endpoint, "--timeout", "2"];
    words.extend(with.split_whitespace());
    words.extend(more);
    material.station.run(&words).unwrap()
}

/// What the doctor makes of each row; a list of all that were called wrongly.
fn check(rows: &[Row]) {
    let material = Material::new();
    let mut wrong = Vec::new();
    for row in rows {
        let server = row.serve.start(material.dir());
        let started = Instant::now();
        let ran = doctor(&material, &server.address, row.with, &["--json"]);
        let took = started.elapsed();
        let last = ran.stdout.lines().last().unwrap_or_default();
        let last: Value = serde_json::from_str(last).unwrap_or_default();
        let cause = if last["ok"] == true { "ok" } else { last["error"].as_str().unwrap_or("?") };
        let as_expected = (cause, ran.code) == (row.cause, row.exit_code)
            && ran.stdout.contains(row.says)
            && (row.cause == "ok" || last["hint"].as_str().is_some_and(|hint| !hint.is_empty()));
        if !as_expected || took > WITHIN {
            wrong.push(format!(
                "{}: expected {} ({}) saying {:?}, found {cause} ({}) after {took:?}\n{}{}\n{}",
                row.setup,
                row.cause,
                row.exit_code,
                row.says,
                ran.code,
                ran.stdout,
                ran.stderr,
                server.output(),
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), rows.len(), wrong.join("\n---\n"));
}

#[test]
fn what_is_healthy_is_called_so() {
    check(HEALTHY);
}

#[test]
fn what_cannot_be_reached_is_named() {
    check(REACH);
}

#[test]
fn what_has_nothing_in_common_with_us_is_named() {
    check(AGREEMENT);
}

#[test]
fn what_is_wrong_with_the_servers_certificate_is_named() {
    check(SERVER);
}

#[test]
fn what_is_wrong_with_our_certificate_is_named() {
    check(CLIENT);
}

#[test]
fn what_the_application_says_is_understood() {
    check(ANSWERS);
}

/// The causes the program knows, with their exit codes.
fn known() -> Vec<(String, i64)> {
    let station = Station::empty(built_program().unwrap()).unwrap();
    let ran = station.run(&["doctor", "--causes", "--json"]).unwrap();
    assert_eq!(ran.code, 0, "{ran:?}");
    let causes = ran.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    causes
        .map(|event| {
            let text = |key: &str| event[key].as_str().unwrap().to_owned();
            assert!(!text("what").is_empty() && !text("hint").is_empty(), "{event}");
            (text("cause"), event["exit_code"].as_i64().unwrap())
        })
        .collect()
}

#[test]
fn every_cause_is_in_the_table_with_its_exit_code() {
    let known: BTreeSet<(String, i64)> = known().into_iter().collect();
    let broken = TABLES.iter().flat_map(|rows| rows.iter()).filter(|row| row.cause != "ok");
    let made: BTreeSet<(String, i64)> =
        broken.map(|row| (row.cause.to_owned(), row.exit_code.into())).collect();
    assert_eq!(known, made);
}
