//! Whole enrollments from seeds: device, faulty line, station, issuer, ledger, and the promises
//! checked after each step. What goes wrong and what is checked: `provision_testkit::simulation`.

use core::time::Duration;
use std::env;
use std::io::{self, IsTerminal as _, Write as _};
use std::process::Command;
use std::time::Instant;

use clap::Args;
use provision_testkit::planted::Bug;
use provision_testkit::simulation::{
    Campaign, DEVICES_PER_SHIFT, Report, Tally, Toys, Trace, toy_shift,
};
use serde_json::{Value, json};

use crate::process::{Fault, root, run as run_program};

/// What to simulate.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Devices to enroll.
    #[arg(long, default_value_t = 200_000, value_name = "N")]
    pub(crate) enrollments: u64,
    /// Seed of the first shift of eight devices; the others follow.
    #[arg(long, default_value_t = 1, value_name = "S")]
    pub(crate) seed: u64,
    /// Plays the shift of this seed again, and shows every step and every byte.
    #[arg(long, value_name = "SEED", conflicts_with_all = ["enrollments", "seed", "planted"])]
    pub(crate) replay: Option<u64>,
    /// Puts a bug in.
    #[arg(long, value_name = "NAME", value_parser = bug, conflicts_with = "planted")]
    pub(crate) bug: Option<Bug>,
    /// Puts in each of the bugs there are, one after the other, and says when it was found.
    #[arg(long)]
    pub(crate) planted: bool,
    /// Prints one JSON object.
    #[arg(long)]
    pub(crate) json: bool,
    /// Runs as this program was built, which is for tests: slower, and with overflows checked.
    #[arg(long, hide = true)]
    pub(crate) here: bool,
}

/// What CI runs. By this program as it is: built already, and with overflows and assertions checked.
pub(crate) const CI: Options = Options {
    enrollments: 200_000,
    seed: 1,
    replay: None,
    bug: None,
    planted: false,
    json: false,
    here: true,
};

/// `cargo xtask simulate`
pub(crate) fn run(options: &Options) -> Result<(), Fault> {
    // Without optimisation it takes ten times as long; so the work is done by a release build.
    if cfg!(debug_assertions) && !options.here {
        return run_optimised();
    }
    if let Some(seed) = options.replay {
        return replay(seed, options.bug.unwrap_or_default());
    }
    if options.planted {
        return planted(options);
    }
    campaign(options)
}

/// This very command, by a release build of this program.
fn run_optimised() -> Result<(), Fault> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let build = ["run", "--quiet", "--release", "--locked", "--package", "xtask", "--"];
    let mut command = Command::new(cargo);
    run_program(command.args(build).args(env::args_os().skip(1)).current_dir(root()))
}

fn campaign(options: &Options) -> Result<(), Fault> {
    let bug = options.bug.unwrap_or_default();
    let Options { enrollments, seed, .. } = *options;
    let began = Instant::now();
    let mut progress = Progress::new(enrollments);
    let report = Campaign { seed, enrollments, bug }.run(|tally| progress.show(tally));
    let seconds = began.elapsed().as_secs_f64();
    if options.json {
        println!("{}", to_json(options, &report, seconds));
    } else {
        show(&report.tally, seconds);
    }
    match report.violation {
        None => Ok(()),
        Some((seed, violation)) => {
            let bug = if bug == Bug::None { String::new() } else { format!(" --bug {bug}") };
            Err(Fault::new(format!("seed {seed}: {violation}"))
                .hint(format!("cargo xtask simulate --replay {seed}{bug} shows every step of it")))
        }
    }
}

fn to_json(options: &Options, report: &Report, seconds: f64) -> Value {
    let Tally {
        enrollments,
        runs,
        steps,
        power_cuts,
        station_deaths,
        line_hits,
        intrusions,
        replays,
        came_again,
        clones_refused,
        new_keys_refused,
    } = report.tally;
    let violation = report.violation.as_ref().map(|(seed, violation)| {
        json!({
            "seed": seed,
            "step": violation.step,
            "device": violation.device.as_str(),
            "promise": violation.promise.to_string(),
            "what": violation.what,
        })
    });
    json!({
        "seed": options.seed,
        "bug": options.bug.map(Bug::name),
        "enrollments": enrollments,
        "seconds": seconds,
        "per_second": enrollments as f64 / seconds,
        "runs": runs,
        "steps": steps,
        "power_cuts": power_cuts,
        "station_deaths": station_deaths,
        "line_hits": line_hits,
        "intrusions": intrusions,
        "replays": replays,
        "came_again": came_again,
        "clones_refused": clones_refused,
        "new_keys_refused": new_keys_refused,
        "violations": u8::from(violation.is_some()),
        "violation": violation,
    })
}

fn show(tally: &Tally, seconds: f64) {
    let per_second = tally.enrollments as f64 / seconds;
    println!("{} enrollments in {seconds:.1} s: {per_second:.0} a second", tally.enrollments);
    for (count, what) in [
        (tally.runs, "runs of the dialogue"),
        (tally.steps, "steps of the station"),
        (tally.power_cuts, "power cuts at the device"),
        (tally.station_deaths, "deaths of the station"),
        (tally.line_hits, "frames hit on the line"),
        (tally.intrusions, "times that an intruder had the line to himself"),
        (tally.replays, "runs in which an intruder answered with what was said before"),
        (tally.came_again, "sealed devices that came again"),
        (tally.clones_refused, "clones refused"),
        (tally.new_keys_refused, "known devices with a new key refused"),
    ] {
        println!("{count:>14} {what}");
    }
}

/// Shows every step on standard output, and at the end what they sum up to.
fn replay(seed: u64, bug: Bug) -> Result<(), Fault> {
    let mut trace = Trace::new(io::stdout().lock());
    let played = toy_shift(&Toys::new(), seed, DEVICES_PER_SHIFT, bug, &mut trace);
    let digest: String = trace.sha256().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut out = trace.into_inner();
    // A reader that has gone away has seen enough.
    let _ = writeln!(out, "sha256 of the steps above: {digest}");
    match played {
        Ok(_) => Ok(()),
        Err(violation) => Err(Fault::new(format!("seed {seed}: {violation}"))),
    }
}

/// Each bug, until it is found.
fn planted(options: &Options) -> Result<(), Fault> {
    let Options { enrollments, seed, .. } = *options;
    let mut found = Vec::new();
    let mut missed = Vec::new();
    for bug in Bug::ALL {
        let report = Campaign { seed, enrollments, bug }.run(|_| ());
        let expected = bug.breaks();
        match report.violation {
            Some((at, violation)) if expected.contains(&violation.promise) => {
                let after = report.tally.enrollments + violation.enrolled_before;
                if !options.json {
                    println!(
                        "{bug:<30} {} after {after:>6}: {}",
                        violation.promise, violation.what
                    );
                }
                found.push(json!({
                    "bug": bug.name(),
                    "promise": violation.promise.to_string(),
                    "enrollments": after,
                    "seed": at,
                    "step": violation.step,
                    "what": violation.what,
                }));
            }
            Some((at, violation)) => {
                missed.push(format!("{bug} shows as something else: seed {at}: {violation}"))
            }
            None => missed.push(format!("{bug} was not found")),
        }
    }
    if options.json {
        println!("{}", json!({ "found": found, "missed": missed }));
    }
    if missed.is_empty() { Ok(()) } else { Err(Fault::new(missed.join("\n"))) }
}

/// Says now and then how far it is, to whoever waits at a terminal or reads a log.
struct Progress {
    enrollments: u64,
    began: Instant,
    next: Instant,
    every: Duration,
}

impl Progress {
    fn new(enrollments: u64) -> Self {
        let every = Duration::from_secs(if io::stderr().is_terminal() { 2 } else { 30 });
        let began = Instant::now();
        Self { enrollments, began, next: began + every, every }
    }

    fn show(&mut self, tally: &Tally) {
        let now = Instant::now();
        if now < self.next {
            return;
        }
        self.next = now + self.every;
        let per_second = tally.enrollments as f64 / (now - self.began).as_secs_f64();
        eprintln!("{} of {}, {per_second:.0} a second", tally.enrollments, self.enrollments);
    }
}

fn bug(name: &str) -> Result<Bug, String> {
    Bug::named(name).ok_or_else(|| {
        let names: Vec<_> = Bug::ALL.iter().map(|bug| bug.name()).collect();
        format!("there are {}", names.join(", "))
    })
}
