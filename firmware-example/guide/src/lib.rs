//! The steps of `docs/firmware-guide.md`, one a file. The text there is these files': a test holds them together.
#![no_std]
#![expect(
    clippy::missing_errors_doc,
    clippy::new_without_default,
    reason = "steps to be read: what is beside the point would hide it"
)]

pub mod asynchronous;
pub mod connect;
pub mod enroll;
pub mod entropy;
pub mod flash;
pub mod key;
pub mod logging;
pub mod serial;
