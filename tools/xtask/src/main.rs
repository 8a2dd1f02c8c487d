//! The project's own commands, run as `cargo xtask …` from anywhere in the tree.
//!
//! | verb | does |
//! |---|---|
//! | `demo` | the main job, for people: CA, device, enrollment, connection to a real server |
//! | `ci` | everything that must hold before a change goes in |
//! | `boards` | builds the firmware for the real boards and measures the images |
//! | `bench` | measures, and holds what is counted exactly against a budget |
//! | `firmware` | builds the example firmware and prints where it is |
//! | `flash` | cuts the power of a device's flash inside of each write and erase |
//! | `fuzz` | looks for inputs that break something |
//! | `hack` | checks the device's crates with each combination of features, on each kind of processor |
//! | `kills` | kills a station at random moments and looks at what is left |
//! | `simulate` | enrolls devices by the million in factories where everything goes wrong, and checks the promises |
//! | `sizes` | measures the example firmware, and fails when it is over its budget |
//!
//! What a command needs and the machine does not have is installed if that is possible without asking, and otherwise
//! named, with the command that installs it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

mod bench;
mod boards;
mod ci;
mod cost;
mod demo;
mod firmware;
mod flash;
mod fuzz;
mod hack;
mod kills;
mod needs;
mod process;
mod python;
mod real_boards;
mod simulate;
mod sizes;
mod toolchain;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::bench::Bench;
use crate::boards::Board;
use crate::process::Fault;
use crate::toolchain::Way;

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Shows the main job on this machine: CA, device, enrollment, connection to a real server.
    Demo,
    /// Checks all that must hold before a change goes in.
    Ci {
        /// What `ci` starts beside itself.
        #[arg(long, hide = true)]
        device_half: bool,
    },
    /// Measures.
    Bench {
        /// What.
        #[command(subcommand)]
        what: Bench,
    },
    /// Builds the firmware for the real boards, measures the images, and looks that none touches the vault.
    Boards {
        /// For this board alone.
        #[arg(long, value_parser = real_boards::named)]
        board: Option<&'static Board>,
        /// Print one JSON array.
        #[arg(long)]
        json: bool,
        /// Check the lints too, which compiles everything a second time.
        #[arg(long)]
        lint: bool,
    },
    /// Says what one run of a program takes: what `bench` starts beside itself.
    #[command(hide = true)]
    Cost {
        /// Program and arguments.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    /// Builds the example firmware and prints the paths of its images.
    Firmware {
        /// For this board.
        #[arg(long, default_value = Board::DEFAULT.name, value_parser = Board::named)]
        board: &'static Board,
        /// Build in this way and no other.
        #[arg(long, value_enum)]
        toolchain: Option<Way>,
    },
    /// Cuts the power of a device inside of each write and erase of whole enrollments.
    Flash {
        /// With every program unit and every page size that is promised: half a minute.
        #[arg(long)]
        long: bool,
    },
    /// Looks for inputs that break something: one libFuzzer campaign for each target.
    Fuzz {
        /// How long, for each target.
        #[arg(long, value_name = "N", default_value_t = 60)]
        seconds: u32,
        /// This target alone.
        #[arg(long)]
        target: Option<String>,
        /// How many targets at once.
        #[arg(long, default_value_t = 1)]
        jobs: usize,
        /// Puts into each target the fault it has for that, which must be found.
        #[arg(long)]
        planted: bool,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Checks the device's crates with each combination of their features, for four kinds of processor.
    Hack,
    /// Kills a station at random moments, while everything goes wrong on its 64 ports, and looks at what is left.
    Kills(kills::Options),
    /// Enrolls simulated devices over bad lines, power cuts and dying stations, and checks the promises at each step.
    Simulate(simulate::Options),
    /// Measures flash, static RAM and stack of the example firmware against their budgets.
    Sizes {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

fn main() -> ExitCode {
    let done = match Arguments::parse().verb {
        Verb::Demo => demo::run(),
        Verb::Ci { device_half: false } => ci::run(),
        Verb::Ci { device_half: true } => ci::device_half(),
        Verb::Bench { what } => bench::run(what),
        Verb::Boards { board, json, lint } => {
            real_boards::run(board, real_boards::Options { json, lint })
        }
        Verb::Cost { command } => cost::run(&command),
        Verb::Firmware { board, toolchain } => firmware::run(board, toolchain),
        Verb::Flash { long } => flash::run(long),
        Verb::Fuzz { seconds, target, jobs, planted, json } => {
            fuzz::run(&fuzz::Options { seconds, target, jobs, planted, json })
        }
        Verb::Hack => hack::run(),
        Verb::Kills(options) => kills::run(&options),
        Verb::Simulate(options) => simulate::run(&options),
        Verb::Sizes { json } => sizes::run(json),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Fault { what, hint }) => {
            eprintln!("error: {what}");
            if let Some(hint) = hint {
                eprintln!("\nhint: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}
