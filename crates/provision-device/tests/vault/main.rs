//! The flash vault's contract, tested at every point where power can be lost.
//!
//! `harness` holds the script a device goes through and what must be true after a cut; the other
//! files hold the tests.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod contract;
mod damage;
mod faults;
mod harness;
mod planted;
mod power_cuts;
