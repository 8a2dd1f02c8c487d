//! The flash vault's contract, tested at every point where power can be lost.
//!
//! `harness` holds the script a vault goes through and what must be true after a cut; `contract`,
//! `power_cuts`, `damage`, `faults` and `planted` hold it to that. `dialogue` puts the real `Line` and
//! `Enrollee` before the vault and a station before those; `journeys` cuts whole enrollments (and
//! `lying_drivers` shows that this finds what it should), `campaign` draws them at random, `images`
//! begins with flash that holds anything, and `entropy` with sources that are broken.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod campaign;
mod contract;
mod damage;
mod dialogue;
mod entropy;
mod factory;
mod faults;
mod harness;
mod images;
mod journeys;
mod lying_drivers;
mod planted;
mod power_cuts;
mod shared_flash;
