//! Time: the chip's system timer, for waiting. It does not know the date.

use esp_hal::delay::Delay;
use provision_firmware_app::Clock;

/// The system timer.
#[derive(Debug, Clone, Copy)]
pub struct ChipClock;

impl Clock for ChipClock {
    fn unix_seconds(&mut self) -> Option<u64> {
        None
    }

    fn sleep_ms(&mut self, duration_ms: u32) {
        Delay::new().delay_millis(duration_ms);
    }
}
