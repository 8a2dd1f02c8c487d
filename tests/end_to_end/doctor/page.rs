//! docs/doctor.md, held against the program: its table of causes, and the two runs it shows.
//!
//! With `PROVISION_BLESS=1` the runs are written into it anew.

use std::fs;
use std::path::{Path, PathBuf};

use provision_testkit::cli::{Station, built_program};
use serde_json::Value;

use super::doctor;
use super::material::Material;
use super::rows::HEALTHY;

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/doctor.md")
}

#[test]
fn the_pages_causes_are_the_programs() {
    let station = Station::empty(built_program().unwrap()).unwrap();
    let text = fs::read_to_string(page()).unwrap();
    let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
    let ran = station.run(&["doctor", "--causes", "--json"]).unwrap();
    let causes: Vec<Value> =
        ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.len(), causes.len());
    for (row, cause) in rows.iter().zip(&causes) {
        let word = |key: &str| cause[key].as_str().unwrap().replace('|', "\\|");
        let (code, exit_code) = (word("cause"), &cause["exit_code"]);
        let start = format!("| `{code}` | {exit_code} | {} | ", word("what"));
        let end = format!(" | {} |", word("hint"));
        assert!(row.starts_with(&start), "{row}\n{start}");
        assert!(row.ends_with(&end), "{row}\n{end}");
        assert!(row.len() > start.len() + end.len(), "what others say is missing: {row}");
    }
}

#[test]
fn the_pages_runs_are_real() {
    let material = Material::new();
    let server = HEALTHY[0].serve.start(material.dir());
    let healthy = doctor(&material, &server.address, HEALTHY[0].with, &[]);
    assert_eq!((healthy.code, &*healthy.stderr), (0, ""));
    let failing = doctor(&material, &server.address, "--ca ca/server-root.crt", &[]);
    assert_eq!(failing.code, 21);
    let failing = failing.stdout + &failing.stderr;

    let text = fs::read_to_string(page()).unwrap();
    if std::env::var_os("PROVISION_BLESS").is_some() {
        let text = with_run(&text, "healthy", &healthy.stdout);
        fs::write(page(), with_run(&text, "failing", &failing)).unwrap();
        return;
    }
    for (name, run) in [("healthy", &healthy.stdout), ("failing", &failing)] {
        assert_eq!(plain(run_of(&text, name)), plain(run), "{name}");
    }
}

/// Where a run stands in the page.
fn place(text: &str, name: &str) -> (usize, usize) {
    let start = format!("<!-- {name} -->\n```text\n");
    let from = text.find(&start).unwrap() + start.len();
    (from, from + text[from..].find("```").unwrap())
}

fn run_of<'a>(text: &'a str, name: &str) -> &'a str {
    let (from, to) = place(text, name);
    &text[from..to]
}

fn with_run(text: &str, name: &str, run: &str) -> String {
    let (from, to) = place(text, name);
    [&text[..from], run, &text[to..]].concat()
}

/// Without what differs from run to run: ports, times, durations. Every number is one.
fn plain(run: &str) -> String {
    let mut plain = String::new();
    for c in run.chars() {
        match c {
            '0'..='9' if plain.ends_with('#') => {}
            '0'..='9' => plain.push('#'),
            c => plain.push(c),
        }
    }
    plain
}
