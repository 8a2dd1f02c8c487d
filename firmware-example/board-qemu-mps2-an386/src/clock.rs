//! Time: a millisecond tick for waiting, and the date from the emulator.

use core::cell::Cell;

use board_qemu_common::semihosting;
use cortex_m::interrupt::{self, Mutex};
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::exception;
use provision_firmware_app::Clock;
use provision_firmware_network::Ticks;

use crate::SYSTEM_CLOCK_HZ;

static MILLISECONDS: Mutex<Cell<u64>> = Mutex::new(Cell::new(0));

/// The running tick. Copies are one and the same clock.
#[derive(Debug, Clone, Copy)]
pub struct BoardClock {
    _started: (),
}

impl BoardClock {
    /// Starts the tick.
    #[must_use]
    pub fn start(mut timer: SYST) -> Self {
        timer.set_clock_source(SystClkSource::Core);
        timer.set_reload(SYSTEM_CLOCK_HZ / 1000 - 1);
        timer.clear_current();
        timer.enable_counter();
        timer.enable_interrupt();
        Self { _started: () }
    }

    /// The clock that [`BoardClock::start`] started; before that, time stands still.
    #[must_use]
    pub const fn running() -> Self {
        Self { _started: () }
    }
}

impl Clock for BoardClock {
    /// The emulator host's clock: a real board reads its RTC, or answers `None`.
    fn unix_seconds(&mut self) -> Option<u64> {
        Some(u64::from(semihosting::unix_seconds()))
    }

    fn sleep_ms(&mut self, duration_ms: u32) {
        let until = now_ms().saturating_add(u64::from(duration_ms));
        while now_ms() < until {
            idle();
        }
    }
}

impl Ticks for BoardClock {
    fn now_ms(&mut self) -> u64 {
        now_ms()
    }

    fn idle(&mut self) {
        idle();
    }
}

/// Sleeps until an interrupt: the tick at the latest, so a wish that arrived just before is served within
/// a millisecond.
pub(crate) fn idle() {
    // WFI and not WFE: QEMU 7.2 sleeps at the first and spins at the second.
    cortex_m::asm::wfi();
}

fn now_ms() -> u64 {
    interrupt::free(|section| MILLISECONDS.borrow(section).get())
}

#[exception]
fn SysTick() {
    interrupt::free(|section| {
        let milliseconds = MILLISECONDS.borrow(section);
        milliseconds.set(milliseconds.get().wrapping_add(1));
    });
}
