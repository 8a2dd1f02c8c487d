//! `cargo xtask cost` counts the memory of the program it runs, and of nothing else.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::process::Command;

/// Memory of a shell that runs this, in bytes.
fn peak_of(script: &str) -> u64 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let output = command.args(["cost", "sh", "-c", script]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let cost: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    cost["peak_bytes"].as_u64().unwrap()
}

#[test]
fn a_small_program_is_small_behind_a_large_one_and_below_one() {
    const LARGE: u64 = 100_000_000;
    // By which this process would be counted, if a program's memory were that of its parent.
    let here = vec![1_u8; LARGE as usize];
    let large = peak_of(&format!("head -c {LARGE} /dev/zero | tail -c {LARGE} >/dev/null"));
    assert!(large > LARGE, "{large}");
    let small = peak_of("true");
    assert!(small < LARGE / 5, "{small}");
    assert_eq!(here[here.len() - 1], 1);
}

#[test]
fn a_program_that_fails_has_no_cost() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_xtask")).args(["cost", "false"]).output().unwrap();
    assert!(!output.status.success(), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
}
