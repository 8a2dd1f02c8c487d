//! Ctrl-C, and other wishes that everything may end.

use core::sync::atomic::{AtomicU8, Ordering};
use std::sync::Arc;

use crate::fault::Fault;

const AFTER_RUNS: u8 = 1;
const NOW: u8 = 2;

/// Whether everything is to end. Clones are the same one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ending(Arc<AtomicU8>);

impl Ending {
    /// One that Ctrl-C and the signals to end set off: the first time runs under way finish, the
    /// second time they are left where they are, which is safe.
    pub(crate) fn on_signals() -> Result<Self, Fault> {
        let ending = Self::default();
        let wished = ending.clone();
        ctrlc::set_handler(move || wished.wish())
            .map_err(|cause| Fault::Usage(format!("cannot listen for Ctrl-C: {cause}")))?;
        Ok(ending)
    }

    /// Ends after the runs under way; called again, now.
    pub(crate) fn wish(&self) {
        let later = |wish: u8| Some(wish.saturating_add(1).min(NOW));
        // Fails only where the closure says `None`.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, later);
    }

    /// Ends after the runs under way.
    pub(crate) fn after_runs(&self) {
        self.0.fetch_max(AFTER_RUNS, Ordering::Relaxed);
    }

    /// Whether nothing new is to begin.
    pub(crate) fn is_wished(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= AFTER_RUNS
    }

    /// Whether what is under way is to be left where it is.
    pub(crate) fn is_now(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= NOW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_wish_is_meant() {
        let ending = Ending::default();
        assert!(!ending.is_wished());
        ending.wish();
        ending.after_runs();
        assert!(ending.is_wished() && !ending.is_now());
        ending.wish();
        ending.wish();
        assert!(ending.is_now());
    }
}
