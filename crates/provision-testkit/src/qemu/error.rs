//! What goes wrong around an emulator.

use core::time::Duration;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;

use thiserror::Error;

/// Why the emulator did not do what the test wanted. Who must act is whoever runs the tests.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum QemuError {
    /// A program that is needed is not installed.
    #[error("{program} not found\nhint: apt-get install {package}")]
    NotFound {
        /// Its name.
        program: String,
        /// The Debian and Ubuntu package that has it.
        package: &'static str,
    },

    /// There is no firmware image at this path, or none was given.
    #[error("no firmware image at {path:?}")]
    NoFirmware {
        /// As it was given.
        path: PathBuf,
    },

    /// The flash file could not be made, or is not of the flash's length.
    #[error("flash file {path:?}: {source}")]
    Flash {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// A network was asked for, and the board has nothing to connect it to.
    #[error("the board has no network")]
    NoNetwork,

    /// The system refused something: a process, a signal, a temporary file.
    #[error("{doing}: {source}")]
    System {
        /// What was being done.
        doing: &'static str,
        /// Why not.
        source: io::Error,
    },

    /// The emulator ended before what was waited for came.
    #[error("emulator ended ({status}) before {expected}; it said:\n{said}")]
    Ended {
        /// What was waited for.
        expected: String,
        /// How it ended.
        status: ExitStatus,
        /// The last lines of the log and of QEMU's own messages.
        said: String,
    },

    /// What was waited for did not come in time; the emulator still runs.
    #[error("no {expected} within {waited:?}; the last lines are:\n{said}")]
    TimedOut {
        /// What was waited for.
        expected: String,
        /// How long.
        waited: Duration,
        /// The last lines of the log and of QEMU's own messages.
        said: String,
    },
}
