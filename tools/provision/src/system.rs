//! Random numbers and the time, from the system.

use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::fault::Fault;

pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], Fault> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// Seconds since 1970-01-01 UTC, for what is signed or recorded: the clock cannot be right if it is
/// behind this program's own making, or if it jumps while the program runs.
pub(crate) fn now_s() -> Result<u64, Fault> {
    let mut clock = CLOCK.lock().unwrap_or_else(PoisonError::into_inner);
    clock.now_s(wall_s(), STARTED.elapsed().as_secs())
}

/// The same for what runs for days, on a machine that may be asleep in between.
pub(crate) fn now_after_sleep_s() -> Result<u64, Fault> {
    Clock::new(built_s(), clock_is_ignored()).now_s(wall_s(), 0)
}

/// Has the checks of the clock left out.
pub(crate) fn ignore_clock() {
    IGNORED.store(true, Ordering::Relaxed);
}

/// Whether they are.
pub(crate) fn clock_is_ignored() -> bool {
    IGNORED.load(Ordering::Relaxed)
}

/// A day (2026-12-31), a time (2026-12-31T18:00:00Z), or seconds since 1970-01-01 UTC: the first
/// second of it.
pub(crate) fn since(text: &str) -> Result<u64, String> {
    moment(text, "T00:00:00Z")
}

/// The same: the last second of it.
pub(crate) fn until(text: &str) -> Result<u64, String> {
    moment(text, "T23:59:59Z")
}

fn moment(text: &str, rest_of_day: &str) -> Result<u64, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let whole = if text.len() == 10 { format!("{text}{rest_of_day}") } else { text.to_owned() };
    let time = whole.parse::<der::DateTime>().map_err(|_| {
        format!("{text:?} is no time: 2026-12-31, 2026-12-31T18:00:00Z or seconds since 1970")
    })?;
    Ok(time.unix_duration().as_secs())
}

fn wall_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// When the program was built, in seconds since 1970-01-01 UTC.
fn built_s() -> u64 {
    env!("PROVISION_BUILT_S").parse().unwrap_or(0)
}

/// What tells a clock that cannot be right.
struct Clock {
    built_s: u64,
    is_ignored: bool,
    /// What the clock showed at first, and the seconds since the start of the program then.
    first: Option<(u64, u64)>,
}

impl Clock {
    const fn new(built_s: u64, is_ignored: bool) -> Self {
        Self { built_s, is_ignored, first: None }
    }

    /// `running_s` counts from the start of the program, whatever is done to the clock.
    fn now_s(&mut self, wall_s: u64, running_s: u64) -> Result<u64, Fault> {
        if self.is_ignored {
            return Ok(wall_s);
        }
        if wall_s < self.built_s {
            return Err(Fault::Clock { now_s: wall_s, built_s: self.built_s });
        }
        let (first_s, since_s) = *self.first.get_or_insert((wall_s, running_s));
        let expected_s = first_s + running_s.saturating_sub(since_s);
        if wall_s.abs_diff(expected_s) > JUMP_MAX_S {
            return Err(Fault::ClockJumped { now_s: wall_s, expected_s });
        }
        Ok(wall_s)
    }
}

static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);
static IGNORED: AtomicBool = AtomicBool::new(false);
static CLOCK: LazyLock<Mutex<Clock>> =
    LazyLock::new(|| Mutex::new(Clock::new(built_s(), clock_is_ignored())));

/// NTP moves a clock in small steps once it is right; what is more is somebody's hand.
const JUMP_MAX_S: u64 = 60;

#[cfg(test)]
mod tests {
    use super::*;

    const BUILT_S: u64 = 1_800_000_000;

    #[test]
    fn a_clock_behind_the_build_is_refused() {
        let mut clock = Clock::new(BUILT_S, false);
        let refused = clock.now_s(BUILT_S - 1, 0);
        assert!(matches!(refused, Err(Fault::Clock { .. })), "{refused:?}");
        assert_eq!(clock.now_s(BUILT_S, 0).unwrap(), BUILT_S);
        assert_eq!(Clock::new(BUILT_S, true).now_s(5, 0).unwrap(), 5);
        assert!(built_s() > 1_700_000_000 && built_s() <= wall_s());
    }

    #[test]
    fn a_clock_that_jumps_is_refused_and_one_that_drifts_is_not() {
        let mut clock = Clock::new(BUILT_S, false);
        let start = BUILT_S + 1000;
        assert_eq!(clock.now_s(start, 10).unwrap(), start);
        for (wall_s, running_s, good) in [
            (start + 3600, 3610, true),
            (start + 3660, 3610, true),
            (start + 3540, 3610, true),
            (start + 3661, 3610, false),
            (start + 3539, 3610, false),
            (start + 86_400, 11, false),
            (start - 61, 10, false),
            // Put right again.
            (start + 7200, 7210, true),
        ] {
            let now = clock.now_s(wall_s, running_s);
            assert_eq!(now.is_ok(), good, "{wall_s} {now:?}");
        }
        let mut ignored = Clock::new(BUILT_S, true);
        ignored.now_s(start, 0).unwrap();
        ignored.now_s(start + 86_400, 1).unwrap();
    }

    #[test]
    fn times() {
        assert_eq!(since("1970-01-02").unwrap(), 86_400);
        assert_eq!(until("1970-01-02").unwrap(), 2 * 86_400 - 1);
        assert_eq!(until("2026-12-31T18:00:00Z").unwrap(), 1_798_740_000);
        assert_eq!(since("1800000000").unwrap(), 1_800_000_000);
        for bad in ["", "tomorrow", "2026-13-01", "2026-12-31T25:00:00Z", "31.12.2026", "-1"] {
            assert!(since(bad).is_err(), "{bad}");
        }
    }
}
