//! What must go on whatever else is done: in a product a watchdog is fed here, a motor kept in step, a LED lit.
//!
//! Here it counts against the clock, so that a beat that is missing or late can be seen.

use core::cell::Cell;
use core::fmt::{self, Write};

use critical_section::Mutex;
use embassy_time::{Duration, Instant, Ticker};

/// One beat each.
const PERIOD: Duration = Duration::from_millis(20);

/// The beats since some moment.
#[derive(Clone, Copy)]
struct Beats {
    since: Instant,
    count: u32,
    last: Instant,
    largest_gap: Duration,
}

static BEATS: Mutex<Cell<Beats>> = Mutex::new(Cell::new(Beats::since(Instant::MIN)));

/// The heartbeat.
#[embassy_executor::task]
pub(crate) async fn beat() -> ! {
    let mut ticker = Ticker::every(PERIOD);
    loop {
        ticker.next().await;
        update(Beats::beaten);
    }
}

/// A stretch of the program that the heartbeat is watched through.
pub(crate) struct Watched {
    what: &'static str,
}

impl Watched {
    /// From here on; logs it.
    pub(crate) fn begin(what: &'static str, log: &mut impl Write) -> Self {
        let _ = writeln!(log, "heartbeat: {what} began");
        update(|_, now| Beats::since(now));
        Self { what }
    }

    /// To here; logs how it went.
    pub(crate) fn end(self, log: &mut impl Write) {
        let beats = update(Beats::looked_at);
        let _ = writeln!(log, "heartbeat: {} ended, {beats}", self.what);
    }
}

impl Beats {
    const fn since(now: Instant) -> Self {
        Self { since: now, count: 0, last: now, largest_gap: Duration::MIN }
    }

    fn beaten(self, now: Instant) -> Self {
        let looked_at = self.looked_at(now);
        Self { count: self.count.wrapping_add(1), last: now, ..looked_at }
    }

    /// The time since the last beat is a gap too, or a heart that has stopped would have none.
    fn looked_at(self, now: Instant) -> Self {
        let gap = now.saturating_duration_since(self.last);
        Self { largest_gap: self.largest_gap.max(gap), ..self }
    }
}

impl fmt::Display for Beats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let elapsed_us = self.since.elapsed().as_micros();
        let Self { count, largest_gap, .. } = self;
        let (period_us, gap_us) = (PERIOD.as_micros(), largest_gap.as_micros());
        write!(
            f,
            "elapsed_us={elapsed_us} beats={count} period_us={period_us} largest_gap_us={gap_us}"
        )
    }
}

fn update(change: impl FnOnce(Beats, Instant) -> Beats) -> Beats {
    critical_section::with(|section| {
        let beats = BEATS.borrow(section);
        beats.set(change(beats.get(), Instant::now()));
        beats.get()
    })
}
