//! Under TLS: every record is checked before embedded-tls sees it, and none leaves too early.
//!
//! [`Gate`] decides and does no IO; `blocking` and `asynchronous` move its bytes.

#[cfg(feature = "async")]
mod asynchronous;
mod blocking;
mod gate;
mod header;
#[cfg(test)]
mod tests;

use core::fmt;

use embedded_io::{ErrorKind, ErrorType};

use self::gate::Gate;
pub use self::header::RecordFault;
use crate::watch::Watch;

/// Wraps the transport; what passes in which direction is in [`Gate`].
pub(crate) struct RecordFilter<'a, T> {
    transport: T,
    gate: Gate<'a>,
}

impl<'a, T> RecordFilter<'a, T> {
    pub(crate) fn new(transport: T, watch: &'a Watch, body_len_max: usize) -> Self {
        Self { transport, gate: Gate::new(watch, body_len_max) }
    }

    pub(crate) fn into_transport(self) -> T {
        self.transport
    }
}

impl<T> ErrorType for RecordFilter<'_, T> {
    type Error = Stopped;
}

/// The reason is in the [`Watch`].
#[derive(Debug)]
pub(crate) struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("stopped")
    }
}

impl core::error::Error for Stopped {}

impl embedded_io::Error for Stopped {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}
