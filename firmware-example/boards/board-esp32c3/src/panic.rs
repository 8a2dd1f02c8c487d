//! The end that should not come: logged, then a reset. The vault finds what it left, and the station asks again.

use core::fmt::Write;
use core::panic::PanicInfo;

use board_support::log::RttLog;
use esp_hal::delay::Delay;
use esp_hal::system::software_reset;

/// For the probe to read the log before the reset makes a new one.
const READ_MS: u32 = 100;

// esp-hal's handler of exceptions panics too.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    // An error of the log is no reason to panic again.
    let _ = writeln!(RttLog::opened(), "{info}");
    Delay::new().delay_millis(READ_MS);
    software_reset()
}
