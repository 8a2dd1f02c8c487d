//! The real CLI on real (pseudo-)ports, with simulated devices behind them.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod ask;
mod enroll;
mod impostors;
mod keys;
mod station;
