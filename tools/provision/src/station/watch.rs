//! Looks at the ledger while no device asks for it: whether a server that was away is there again,
//! so that what was recorded meanwhile does not wait for the next one; and how full the lot is.

use core::time::Duration;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::sleep;
use std::time::Instant;

use provision_ledger::LotUse;

use crate::books::Books;
use crate::ending::Ending;
use crate::fault::Fault;

/// How often is seen whether it is time to look, or to end.
const SEE_EACH: Duration = Duration::from_millis(500);

/// How often is seen how full the lot is.
const COUNT_EACH: Duration = Duration::from_secs(3);

/// What a watch, in a thread of its own, has to tell.
#[derive(Debug, Default)]
pub(super) struct Watch {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    fault: Option<Fault>,
    lot: Option<LotUse>,
}

impl Watch {
    /// Watches until everything is to end, or until what is found stops the line.
    pub(super) fn run(&self, books: &Books, ending: &Ending) {
        let mut count_at = Instant::now();
        while !ending.is_wished() {
            if let Err(fault) = books.look_for_server() {
                self.seen().fault = Some(fault);
                return;
            }
            if Instant::now() >= count_at {
                count_at = Instant::now() + COUNT_EACH;
                let lot = books.lot_use();
                self.seen().lot = lot;
            }
            sleep(SEE_EACH);
        }
    }

    /// What stops the line, once.
    pub(super) fn found(&self) -> Option<Fault> {
        self.seen().fault.take()
    }

    /// How full the lot was a moment ago.
    pub(super) fn lot(&self) -> Option<LotUse> {
        self.seen().lot
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
