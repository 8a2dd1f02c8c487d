//! What one run of a program takes, its memory too.
//!
//! A system tells what all the children of a process took, and of memory that of the largest; and it begins to count
//! a program's memory with that of whoever starts it. So each is started by a small process that starts nothing else:
//! this program again, as `cargo xtask cost PROGRAM …`, which prints what it found as JSON.

use std::env;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::sys::resource::{UsageWho, getrusage};
use serde::{Deserialize, Serialize};

use crate::process::{self, Fault, While as _};

/// What one run of a program takes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Cost {
    pub(crate) seconds: f64,
    /// What other programs do meanwhile is not in this.
    pub(crate) cpu_seconds: f64,
    /// Memory, at most.
    pub(crate) peak_bytes: u64,
}

impl Cost {
    /// Runs a program in a directory. What it prints goes nowhere.
    pub(crate) fn of(program: &Path, dir: &Path, arguments: &[&str]) -> Result<Self, Fault> {
        let own = env::current_exe().while_doing("where is this program")?;
        let mut between = Command::new(own);
        between.arg("cost").arg(program).args(arguments).current_dir(dir).stdin(Stdio::null());
        let json = process::output(&mut between)?;
        serde_json::from_str(&json).while_doing("JSON")
    }
}

/// `cargo xtask cost PROGRAM …`
pub(crate) fn run(command: &[OsString]) -> Result<(), Fault> {
    let (program, arguments) =
        command.split_first().ok_or_else(|| Fault::new("no program is named"))?;
    let started = Instant::now();
    process::run(Command::new(program).args(arguments).stdout(Stdio::null()))?;
    let seconds = started.elapsed().as_secs_f64();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).while_doing("what the program took")?;
    let times = [usage.user_time(), usage.system_time()];
    let cpu_seconds: f64 =
        times.iter().map(|time| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6).sum();
    let rounded = |seconds: f64| (seconds * 1000.0).round() / 1000.0;
    let cost = Cost {
        seconds: rounded(seconds),
        cpu_seconds: rounded(cpu_seconds),
        // In KiB on Linux.
        peak_bytes: u64::try_from(usage.max_rss()).unwrap_or(0) * 1024,
    };
    println!("{}", serde_json::to_string(&cost).while_doing("JSON")?);
    Ok(())
}
