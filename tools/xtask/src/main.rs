//! The project's own commands, run as `cargo xtask …` from anywhere in the tree.
//!
//! | verb | does |
//! |---|---|
//! | `demo` | the main job, for people: CA, device, enrollment, connection to a real server |
//! | `ci` | everything that must hold before a change goes in |
//! | `firmware` | builds the example firmware and prints where it is |
//! | `sizes` | measures the example firmware, and fails when it is over its budget |
//!
//! What a command needs and the machine does not have is installed if that is possible without asking, and otherwise
//! named, with the command that installs it.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line tool")]

mod ci;
mod demo;
mod firmware;
mod needs;
mod process;
mod sizes;
mod toolchain;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

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
    Ci,
    /// Builds the example firmware and prints the paths of its images.
    Firmware {
        /// Build in this way and no other.
        #[arg(long, value_enum)]
        toolchain: Option<Way>,
    },
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
        Verb::Ci => ci::run(),
        Verb::Firmware { toolchain } => firmware::run(toolchain),
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
