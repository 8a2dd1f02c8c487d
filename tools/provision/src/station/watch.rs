//! Looks for a server of the ledger that is away while no device asks for it: what was recorded
//! meanwhile is not to wait for the next one.

use core::time::Duration;
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;

use crate::books::Books;
use crate::ending::Ending;
use crate::fault::Fault;

/// How often is seen whether it is time to look, or to end.
const SEE_EACH: Duration = Duration::from_millis(500);

/// What a watch, in a thread of its own, has to tell.
#[derive(Debug, Default)]
pub(super) struct Watch {
    found: Mutex<Option<Fault>>,
}

impl Watch {
    /// Watches until everything is to end, or until what is found stops the line.
    pub(super) fn run(&self, books: &Books, ending: &Ending) {
        while !ending.is_wished() {
            if let Err(fault) = books.look_for_server() {
                *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
                return;
            }
            sleep(SEE_EACH);
        }
    }

    /// What stops the line, once.
    pub(super) fn found(&self) -> Option<Fault> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
