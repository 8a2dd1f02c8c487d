//! What the benchmark images have in common: counting, the stack's depth, a source of bytes that is the same each
//! run, and a stream that does not count while it waits.
//!
//! Each image measures one thing and is the only one that has it, so that its size less that of `bench-nothing` is
//! what the thing costs. `cargo xtask bench device` builds, runs and reads them.
#![no_std]

mod agreement;
mod count;
mod entropy;
mod given;
mod stream;

pub use agreement::agree;
pub use count::{Measured, measure, report};
pub use entropy::RepeatableEntropy;
pub use given::Given;
pub use stream::CountedStream;
