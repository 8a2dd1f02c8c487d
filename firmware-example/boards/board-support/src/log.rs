//! The log, over the debug probe: SEGGER's RTT, which probe-rs reads (`probe-rs run`, `probe-rs attach`).
//!
//! Without a probe nobody reads it. Then the buffer fills up and what comes after is lost; nothing waits for it.

use core::fmt;

use rtt_target::{ChannelMode, rprint, rtt_init_print};

/// The log. Copies are one and the same; before [`RttLog::open`] what is written is lost.
#[derive(Debug, Clone, Copy)]
pub struct RttLog {
    _opened: (),
}

impl RttLog {
    /// Makes the buffer known to the probe.
    ///
    /// # Panics
    ///
    /// If called twice.
    #[must_use]
    pub fn open() -> Self {
        rtt_init_print!(ChannelMode::NoBlockSkip, 1024);
        Self { _opened: () }
    }

    /// The log that was opened, for a panic to write to.
    #[must_use]
    pub const fn opened() -> Self {
        Self { _opened: () }
    }
}

impl fmt::Write for RttLog {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        rprint!("{}", text);
        Ok(())
    }
}
