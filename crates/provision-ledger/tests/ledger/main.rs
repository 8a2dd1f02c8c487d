//! The ledger's rules, its durability, and what it says when something is wrong.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod audit;
mod backend;
mod both;
mod certificates;
mod durability;
mod forward;
mod leases;
mod lots;
mod migration;
mod opening;
mod postgres;
mod rules;
mod storage;
mod support;
