//! The `provision` program, called as a person would, in a directory of its own.

use core::time::Duration;
use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Instant;

use tempfile::TempDir;

/// A directory for a CA and a ledger, and the program. The directory is gone when the value is.
#[derive(Debug)]
pub struct Station {
    program: PathBuf,
    dir: TempDir,
}

/// The program while it runs; killed when dropped.
#[derive(Debug)]
pub struct Running(pub Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It ended by itself, then.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a call came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Exit code; -1 if a signal ended it.
    pub code: i32,
    /// What it printed for programs.
    pub stdout: String,
    /// What it printed for people.
    pub stderr: String,
}

impl Station {
    /// An empty directory.
    ///
    /// # Errors
    ///
    /// There is no place for temporary files.
    pub fn empty(program: impl Into<PathBuf>) -> io::Result<Self> {
        Ok(Self { program: program.into(), dir: tempfile::tempdir()? })
    }

    /// One with a CA in `ca/`, whose keys are in the clear: deriving a key from a passphrase takes
    /// time and is tested by itself.
    ///
    /// # Errors
    ///
    /// There is no place for temporary files, or no CA could be made.
    pub fn with_ca(program: impl Into<PathBuf>) -> io::Result<Self> {
        let station = Self::empty(program)?;
        let made = station.run(&["ca", "init", "--name", "Test", "--insecure-plaintext-keys"])?;
        if made.code == 0 { Ok(station) } else { Err(io::Error::other(made.stderr)) }
    }

    /// Where it works.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Calls the program. It finds nothing of the caller's environment that is meant for it, and no
    /// terminal.
    ///
    /// # Errors
    ///
    /// It could not be started.
    pub fn run(&self, arguments: &[&str]) -> io::Result<Ran> {
        self.run_with(arguments, |command| command)
    }

    /// The command that [`run`](Self::run) calls, for what goes on running.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(self.path()).args(arguments).stdin(Stdio::null());
        for (name, _) in env::vars_os() {
            if name.to_string_lossy().starts_with("PROVISION_") {
                command.env_remove(name);
            }
        }
        command
    }

    /// Starts `provision simulate` with `ports` ports in `line/`, its events in `line.log`; returns
    /// once they are there.
    ///
    /// # Errors
    ///
    /// It could not be started, or has no ports after ten seconds.
    pub fn simulate(&self, ports: usize, more: &[&str]) -> io::Result<Running> {
        let count = ports.to_string();
        let line = ["--json", "simulate", "--dir", "line", "--exit-when-sealed", "--ports", &count];
        let log = File::create(self.path().join("line.log"))?;
        let mut command = self.command(&[&line[..], more].concat());
        let running = Running(command.stdout(log).stderr(Stdio::null()).spawn()?);
        let last = self.path().join(format!("line/port-{ports:02}"));
        let until = Instant::now() + Duration::from_secs(10);
        while fs::symlink_metadata(&last).is_err() {
            if Instant::now() > until {
                return Err(io::Error::other(format!("no port at {}", last.display())));
            }
            sleep(Duration::from_millis(10));
        }
        Ok(running)
    }

    /// Calls the program after a change to the command.
    ///
    /// # Errors
    ///
    /// It could not be started.
    pub fn run_with(
        &self,
        arguments: &[&str],
        change: impl Fn(&mut Command) -> &mut Command,
    ) -> io::Result<Ran> {
        let output = change(&mut self.command(arguments)).output()?;
        Ok(Ran {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }
}

/// The program built from this tree: the file that `PROVISION_PROGRAM` names, or what
/// `cargo build` makes now.
///
/// # Errors
///
/// It cannot be built.
pub fn built_program() -> io::Result<PathBuf> {
    if let Some(path) = env::var_os("PROVISION_PROGRAM") {
        return Ok(path.into());
    }
    let printed = cargo(&["build", "--package", "provision", "--message-format", "json"])?;
    printed
        .lines()
        .filter_map(|line| line.split_once("\"executable\":\"")?.1.split_once('"'))
        .map(|(path, _)| PathBuf::from(path))
        .find(|path| path.file_stem().is_some_and(|name| name == "provision"))
        .ok_or_else(|| io::Error::other("cargo build names no program `provision`"))
}

/// The image of the whole example firmware, for the board it is meant for where none is named.
///
/// # Errors
///
/// It cannot be built.
pub fn built_firmware() -> io::Result<PathBuf> {
    built_firmware_for("mps2-an386")
}

/// A board's image with the most in it: the file that [`firmware_variable`] names, or what
/// `cargo xtask firmware --board` makes now.
///
/// # Errors
///
/// It cannot be built.
pub fn built_firmware_for(board: &str) -> io::Result<PathBuf> {
    if let Some(path) = env::var_os(firmware_variable(board)) {
        return Ok(path.into());
    }
    let printed = cargo(&["xtask", "firmware", "--board", board])?;
    let first = printed.lines().next().map(PathBuf::from);
    first.ok_or_else(|| io::Error::other("cargo xtask firmware names no image"))
}

/// The environment variable that says where a board's image is: `PROVISION_FIRMWARE_RISCV32_VIRT`
/// for `riscv32-virt`.
#[must_use]
pub fn firmware_variable(board: &str) -> String {
    format!("PROVISION_FIRMWARE_{}", board.to_uppercase().replace('-', "_"))
}

fn cargo(arguments: &[&str]) -> io::Result<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    if let Some(root) = root {
        command.current_dir(root);
    }
    let output = command.args(arguments).stderr(Stdio::inherit()).output()?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(io::Error::other(format!("cargo {} failed", arguments.join(" "))))
    }
}
