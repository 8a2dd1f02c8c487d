//! What of the device's crates can be logged by `defmt`: every error, and never what holds a secret.
//!
//! Held against the source: that a type *lacks* a trait no program can show that compiles.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const DEVICE: [&str; 5] =
    ["provision-wire", "provision-csr", "provision-path", "provision-device", "provision-tls"];

/// What is no error and is worth a line in the log.
const ALSO: [&str; 10] = [
    "ChainCause",
    "DeviceSerial",
    "Header",
    "Kind",
    "Limits",
    "Noise",
    "Refusal",
    "Served",
    "Stage",
    "UnixSeconds",
];

/// Details of the above that have nothing but numbers and names in them.
const DETAILS: [&str; 2] = ["SubjectAttribute", "VersionRange"];

/// All lines of source of the device's crates, without tests.
fn lines() -> Vec<String> {
    let mut open: Vec<_> = DEVICE
        .iter()
        .map(|name| Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates").join(name).join("src"))
        .collect();
    let mut lines = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(path).unwrap();
            lines.extend(text.lines().map(|line| line.trim().to_owned()));
        }
    }
    lines
}

/// The name behind one of these words, without parameters.
fn name_behind<'a>(line: &'a str, words: &[&str]) -> Option<&'a str> {
    let rest = words.iter().find_map(|word| line.split_once(word))?.1;
    rest.split(|c: char| !c.is_alphanumeric()).next()
}

/// Types with `defmt::Format`, and whether they can be printed by `Debug` too.
fn with_format(lines: &[String]) -> Vec<(String, bool)> {
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        if line.starts_with("impl defmt::Format for ") {
            let name = name_behind(line, &["impl defmt::Format for "]).unwrap();
            let debug = format!("impl fmt::Debug for {name}");
            found.push((name.to_owned(), lines.iter().any(|line| line.starts_with(&debug))));
        }
        if line.contains("derive(defmt::Format)") {
            let name = lines[at..].iter().find_map(|line| name_behind(line, &["enum ", "struct "]));
            let debug = lines[at.saturating_sub(3)..at]
                .iter()
                .any(|line| line.starts_with("#[derive(") && line.contains("Debug"));
            found.push((name.unwrap().to_owned(), debug));
        }
    }
    found
}

#[test]
fn every_error_can_be_logged() {
    let lines = lines();
    let formatted: BTreeSet<String> =
        with_format(&lines).into_iter().map(|(name, _)| name).collect();
    let errors: BTreeSet<&str> = lines
        .iter()
        .filter_map(|line| name_behind(line, &["impl core::error::Error for "]))
        // Within provision-tls, on its way between two parts.
        .filter(|name| *name != "Stopped")
        .collect();
    assert!(errors.len() >= 15, "only {errors:?} were found");
    for name in errors.into_iter().chain(ALSO) {
        assert!(formatted.contains(name), "{name} has no defmt::Format");
    }
}

#[test]
fn nothing_else_can_be_logged() {
    let lines = lines();
    let errors: BTreeSet<&str> = lines
        .iter()
        .filter_map(|line| name_behind(line, &["impl core::error::Error for "]))
        .collect();
    for (name, has_debug) in with_format(&lines) {
        let name = name.as_str();
        // What holds a secret has no `Debug` either, by a promise that is tested where it is made.
        assert!(has_debug, "{name} can be logged and not printed");
        let known = errors.contains(name) || ALSO.contains(&name) || DETAILS.contains(&name);
        assert!(known, "{name} can be logged: does it hold a secret? If not, list it here");
    }
}
