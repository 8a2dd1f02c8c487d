//! The line's two adapters: one dialogue through each, and an async one that is dropped midway.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

mod cancelled;
mod ports;
mod twins;
