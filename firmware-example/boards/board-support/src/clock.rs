//! Time: SysTick, for waiting. No board here has a clock that knows the date.

use cortex_m::delay::Delay;
use cortex_m::peripheral::SYST;
use provision_firmware_app::Clock;

/// The processor's timer.
pub struct SysTickClock {
    delay: Delay,
}

impl core::fmt::Debug for SysTickClock {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("SysTickClock").finish_non_exhaustive()
    }
}

impl SysTickClock {
    /// Takes the timer; the processor runs at `core_hz`.
    #[must_use]
    pub fn new(timer: SYST, core_hz: u32) -> Self {
        Self { delay: Delay::new(timer, core_hz) }
    }
}

impl Clock for SysTickClock {
    fn unix_seconds(&mut self) -> Option<u64> {
        None
    }

    fn sleep_ms(&mut self, duration_ms: u32) {
        self.delay.delay_ms(duration_ms);
    }
}
