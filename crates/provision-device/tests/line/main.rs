//! The line's two adapters: one dialogue through each, and an async one that is dropped midway; and
//! lines of all lengths.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod cancelled;
mod ports;
mod sizes;
mod twins;
