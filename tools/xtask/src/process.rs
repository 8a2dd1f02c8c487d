//! Other programs, and what to say when they fail.

use core::fmt;
use core::time::Duration;
use std::env;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::Instant;

/// Why a command of ours did not do its work, for the person who ran it.
#[derive(Debug)]
pub(crate) struct Fault {
    /// What is wrong, in one sentence or more.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
}

impl Fault {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// Says what was being done when something went wrong.
pub(crate) trait While<T> {
    fn while_doing(self, doing: impl fmt::Display) -> Result<T, Fault>;
}

impl<T, E: fmt::Display> While<T> for Result<T, E> {
    fn while_doing(self, doing: impl fmt::Display) -> Result<T, Fault> {
        self.map_err(|error| Fault::new(format!("{doing}: {error}")))
    }
}

/// Runs a program whose output is the user's; its failure is ours.
pub(crate) fn run(command: &mut Command) -> Result<(), Fault> {
    let status = command.status().while_doing(show(command))?;
    ended_well(command, status)
}

/// Runs a program for what it prints on its standard output.
pub(crate) fn output(command: &mut Command) -> Result<String, Fault> {
    let output = command.stderr(Stdio::inherit()).output().while_doing(show(command))?;
    ended_well(command, output.status)?;
    String::from_utf8(output.stdout).while_doing(show(command))
}

/// Runs a program quietly; `None` if it takes too long and was ended.
pub(crate) fn run_within(
    command: &mut Command,
    within: Duration,
) -> io::Result<Option<ExitStatus>> {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let until = Instant::now() + within;
    while Instant::now() < until {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(Duration::from_millis(50));
    }
    child.kill()?;
    child.wait()?;
    Ok(None)
}

/// Where a program is: on the search path, or where Debian keeps servers.
pub(crate) fn find(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/sbin"].map(PathBuf::from))
        .map(|directory| directory.join(program))
        .find(|file| file.is_file())
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    // Two above this package, where the workspace keeps its tools.
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap_or(package).to_owned()
}

fn ended_well(command: &Command, status: ExitStatus) -> Result<(), Fault> {
    if status.success() {
        Ok(())
    } else {
        Err(Fault::new(format!("{} failed ({status})", show(command))))
    }
}

/// The command as one would type it, without its surroundings.
fn show(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}
