//! Looks for inputs that break something, with libFuzzer. What must hold is in `fuzz/targets`.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde::Serialize;

use crate::needs::{self, CXX};
use crate::process::{Fault, While as _, root, run as run_program};
use crate::toolchain::host;

/// How long one input may take before it counts as a hang: a thousand times what a usual one does.
const INPUT_WITHIN_S: u32 = 10;

/// How to go about it.
#[derive(Debug)]
pub(crate) struct Options {
    /// For each target.
    pub(crate) seconds: u32,
    /// This one alone.
    pub(crate) target: Option<String>,
    /// How many at once.
    pub(crate) jobs: usize,
    /// With the fault that each target has put in, which must be found.
    pub(crate) planted: bool,
    /// Print one JSON object.
    pub(crate) json: bool,
}

/// What CI runs.
pub(crate) const CI: Options =
    Options { seconds: 20, target: None, jobs: 2, planted: false, json: false };
/// And after that, to show that it finds something when there is something.
pub(crate) const CI_PLANTED: Options = Options { planted: true, ..CI };

/// What fuzzing one target came to.
#[derive(Debug, Serialize)]
struct Campaign {
    seconds: u32,
    /// Inputs that were run.
    executions: u64,
    executions_per_second: u64,
    /// Edges of the program that were reached, as libFuzzer counts them.
    coverage: u64,
    /// Inputs that reach something new, kept for the next campaign.
    corpus: usize,
    /// The input that broke something.
    found: Option<PathBuf>,
}

/// `cargo xtask fuzz`
pub(crate) fn run(options: &Options) -> Result<(), Fault> {
    let targets = targets(options.target.as_deref())?;
    needs::ensure(&[CXX])?;
    let programs = build(&targets)?;
    let campaigns = campaigns(&targets, &programs, options)?;
    if options.json {
        println!("{}", serde_json::to_string(&campaigns).while_doing("writing JSON")?);
    } else {
        print(&campaigns);
    }
    if options.planted {
        return all_found(&campaigns);
    }
    let found: Vec<String> = campaigns
        .iter()
        .filter_map(|(name, campaign)| {
            Some(format!("{name}: {}", campaign.found.as_ref()?.display()))
        })
        .collect();
    if found.is_empty() {
        return Ok(());
    }
    Err(Fault::new(format!("fuzzing found inputs that break something\n{}", found.join("\n"))).hint(
        format!(
            "run {}/<target> <input> to see it again; once it is mended, keep the input in fuzz/seeds/<target>",
            programs.display()
        ),
    ))
}

/// A fault that was put in and not found is a target that cannot fail.
fn all_found(campaigns: &BTreeMap<String, Campaign>) -> Result<(), Fault> {
    let missed: Vec<&str> = campaigns
        .iter()
        .filter(|(_, campaign)| campaign.found.is_none())
        .map(|(name, _)| name.as_str())
        .collect();
    if missed.is_empty() {
        return Ok(());
    }
    Err(Fault::new(format!("the fault put into {} was not found", missed.join(", ")))
        .hint("see whether --seconds 600 finds it; fuzz/targets/src/lib.rs says what it is"))
}

/// By the programs there are.
fn targets(wanted: Option<&str>) -> Result<Vec<String>, Fault> {
    let programs = root().join("fuzz/fuzz_targets");
    let mut names: Vec<String> = fs::read_dir(&programs)
        .while_doing(programs.display())?
        .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    match wanted {
        None => Ok(names),
        Some(name) if names.iter().any(|known| known == name) => Ok(vec![name.to_owned()]),
        Some(name) => Err(Fault::new(format!("there is no fuzz target {name:?}"))
            .hint(format!("the targets are {}", names.join(", ")))),
    }
}

/// Builds the programs, and returns where they are.
///
/// As `cargo fuzz build --sanitizer none` does, whose layout and flags these are, but by the compiler in use: the
/// sanitizers are what needs a nightly one, and memory errors they find are what code without `unsafe` has not.
fn build(targets: &[String]) -> Result<PathBuf, Fault> {
    eprintln!("building {}", targets.join(", "));
    let host = host()?;
    let flags: Vec<String> = COVERAGE.iter().map(|flag| format!("{flag:?}")).collect();
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--release", "--locked", "--manifest-path", "fuzz/Cargo.toml"]);
    // With a target, the flags are not for build scripts.
    build.args(["--target", &host, "--target-dir"]).arg(directory());
    build.arg("--config").arg(format!("target.{host}.rustflags=[{}]", flags.join(",")));
    build.args(targets.iter().flat_map(|name| ["--bin", name]));
    run_program(build.current_dir(root()))?;
    Ok(directory().join(host).join("release"))
}

/// Has the programs put their faults in; see `fuzz/targets`.
const PLANTED: &str = "PROVISION_FUZZ_PLANTED";

/// What libFuzzer reads off a program while it runs: the edges it took, and what was compared with what.
const COVERAGE: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "--cfg=fuzzing",
];

fn campaigns(
    targets: &[String],
    programs: &Path,
    options: &Options,
) -> Result<BTreeMap<String, Campaign>, Fault> {
    let waiting = Mutex::new(targets.iter());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let one_after_the_other = || {
        let mut done = Vec::new();
        while let Some(target) = next() {
            done.push((target.clone(), campaign(target, programs, options)?));
        }
        Ok(done)
    };
    let jobs = options.jobs.clamp(1, targets.len());
    thread::scope(|scope| {
        let jobs: Vec<_> = (0..jobs).map(|_| scope.spawn(one_after_the_other)).collect();
        let mut all = BTreeMap::new();
        for job in jobs {
            let done = job.join().map_err(|_| Fault::new("a job of the fuzzer panicked"))??;
            all.extend(done);
        }
        Ok(all)
    })
}

fn campaign(target: &str, programs: &Path, options: &Options) -> Result<Campaign, Fault> {
    let Options { seconds, planted, .. } = *options;
    eprintln!("{target}: {seconds} s{}", if planted { " at most, with its fault" } else { "" });
    // What a fault leads to is not learnt from.
    let whose = if planted { directory().join("planted") } else { directory() };
    let [corpus, found] = ["corpus", "found"].map(|name| whose.join(name).join(target));
    for directory in [&corpus, &found] {
        if planted && directory.exists() {
            fs::remove_dir_all(directory).while_doing(directory.display())?;
        }
        fs::create_dir_all(directory).while_doing(directory.display())?;
    }
    let mut program = Command::new(programs.join(target));
    if planted {
        program.env(PLANTED, "1");
    }
    let ran = program
        // New inputs go to the first directory; the second is only read.
        .args([&corpus, &root().join("fuzz/seeds").join(target)])
        .arg(format!("-max_total_time={seconds}"))
        .arg(format!("-timeout={INPUT_WITHIN_S}"))
        .arg(format!("-artifact_prefix={}/", found.display()))
        .arg("-print_final_stats=1")
        .stdin(Stdio::null())
        .output()
        .while_doing(target)?;
    let said = String::from_utf8_lossy(&ran.stderr);
    let found = written_to(&said);
    // A fault that was put in is to be found: nothing to look at.
    let is_expected = ran.status.success() || (planted && found.is_some());
    if !is_expected {
        eprintln!("{target}:\n{}", tail(&said));
        if found.is_none() {
            return Err(Fault::new(format!("{target} ended without a result ({})", ran.status)));
        }
    }
    Ok(Campaign {
        seconds,
        executions: statistic(&said, "stat::number_of_executed_units:"),
        executions_per_second: statistic(&said, "stat::average_exec_per_sec:"),
        coverage: statistic(&said, "cov:"),
        corpus: fs::read_dir(&corpus).while_doing(corpus.display())?.count(),
        found,
    })
}

/// The number after the last mention of `name`; 0 if there is none.
fn statistic(said: &str, name: &str) -> u64 {
    said.rsplit_once(name)
        .and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or_default()
}

/// `Test unit written to target/fuzz/found/frames/crash-0123…`
fn written_to(said: &str) -> Option<PathBuf> {
    let (_, rest) = said.split_once("Test unit written to ")?;
    rest.lines().next().map(|path| path.trim().into())
}

fn tail(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

fn print(campaigns: &BTreeMap<String, Campaign>) {
    println!(
        "{:<16} {:>8} {:>12} {:>10} {:>9} {:>8}  found",
        "target", "seconds", "executions", "per second", "coverage", "corpus"
    );
    for (name, campaign) in campaigns {
        let found =
            campaign.found.as_ref().map_or("nothing".into(), |path| path.display().to_string());
        println!(
            "{name:<16} {:>8} {:>12} {:>10} {:>9} {:>8}  {found}",
            campaign.seconds,
            campaign.executions,
            campaign.executions_per_second,
            campaign.coverage,
            campaign.corpus,
        );
    }
}

/// Programs, what was learnt, and what was found.
fn directory() -> PathBuf {
    root().join("target").join("fuzz")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{statistic, written_to};

    const SAID: &str = "\
#2\tINITED cov: 12 ft: 13 corp: 1/1b exec/s: 0 rss: 30Mb
#99\tDONE   cov: 345 ft: 678 corp: 9/90b exec/s: 49 rss: 31Mb
Done 99 runs in 2 second(s)
stat::number_of_executed_units: 99
stat::average_exec_per_sec:     49
";

    #[test]
    fn figures_are_read_off_what_libfuzzer_says() {
        assert_eq!(statistic(SAID, "stat::number_of_executed_units:"), 99);
        assert_eq!(statistic(SAID, "stat::average_exec_per_sec:"), 49);
        assert_eq!(statistic(SAID, "cov:"), 345);
        assert_eq!(statistic("", "cov:"), 0);
    }

    #[test]
    fn what_was_found_is_named() {
        assert_eq!(written_to(SAID), None);
        let crash = "artifact_prefix='f/'; Test unit written to f/crash-0a1b\nBase64: AA==\n";
        assert_eq!(written_to(crash).as_deref(), Some(Path::new("f/crash-0a1b")));
    }
}
