//! The real CLI on real (pseudo-)ports, with simulated devices behind them.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod ask;
mod authority;
mod bad_input;
mod certificates;
mod enroll;
mod impostors;
mod key_files;
mod keys;
mod ocsp;
mod station;
mod tools;
mod watch;
