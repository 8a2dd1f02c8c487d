//! The inputs that are kept, once more: what fuzzing found stays found, with any compiler.
#![expect(clippy::print_stdout, reason = "the last seed named is the one that failed")]

use std::fs;
use std::panic;
use std::path::{Path, PathBuf};

use provision_fuzz_targets::{TARGETS, Target};

/// Runs every seed of one target.
fn replay(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target of this name");
    let mut count = 0;
    for (path, seed) in seeds(name) {
        println!("{}", path.display());
        (target.run)(&seed);
        count += 1;
    }
    assert!(count > 0, "no seeds of {name}");
}

/// The inputs that are kept for a target, and where they are.
fn seeds(name: &str) -> impl Iterator<Item = (PathBuf, Vec<u8>)> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../seeds").join(name);
    fs::read_dir(&seeds).expect("a directory of seeds for each target").map(|seed| {
        let path = seed.expect("a directory that can be read").path();
        let bytes = fs::read(&path).expect("a file that can be read");
        (path, bytes)
    })
}

#[test]
fn frames() {
    replay("frames");
}

#[test]
fn messages() {
    replay("messages");
}

#[test]
fn dialogue() {
    replay("dialogue");
}

#[test]
fn csr_and_chain() {
    replay("csr_and_chain");
}

#[test]
fn record_filter() {
    replay("record_filter");
}

#[test]
fn tls_client() {
    replay("tls_client");
}

#[test]
fn every_target_is_replayed_and_has_its_program() {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz_targets");
    let here = include_str!("seeds.rs");
    for Target { name, .. } in TARGETS {
        assert!(programs.join(name).with_extension("rs").is_file(), "{name} has no program");
        assert!(here.contains(&format!("replay(\"{name}\")")), "{name} is not replayed");
    }
}

/// That the targets can fail: each has a fault put in that one of the kept inputs finds.
#[test]
fn a_planted_fault_is_found_in_each_target() {
    for Target { name, planted, .. } in TARGETS {
        let found = seeds(name).find(|(_, seed)| panic::catch_unwind(|| planted(seed)).is_err());
        let (path, _) = found.unwrap_or_else(|| panic!("the fault put into {name} is not found"));
        println!("{name}: found by {}", path.display());
    }
}

#[test]
fn any_target_takes_nothing_and_noise() {
    let noise: Vec<u8> =
        (0..2_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 11) as u8).collect();
    for Target { run, .. } in TARGETS {
        run(&[]);
        run(&noise);
    }
}
