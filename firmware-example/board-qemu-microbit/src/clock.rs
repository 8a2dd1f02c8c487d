//! Waiting, by TIMER0 (Reference Manual, "Timer/counter"). The date is not known here.

use board_qemu_common::register::Register;
use provision_firmware_app::Clock;

use crate::interrupts::{self, Interrupt};

/// TIMER0, counting microseconds in 32 bits: round after 71 minutes.
#[derive(Debug)]
pub struct Timer {
    _started: (),
}

impl Timer {
    /// Starts to count.
    #[must_use]
    pub fn start() -> Self {
        let r = Registers::TIMER0;
        r.mode.write(MODE_TIMER);
        r.bitmode.write(BITMODE_32);
        // 16 MHz / 2^4
        r.prescaler.write(4);
        r.task_clear.write(1);
        r.task_start.write(1);
        interrupts::enable(Interrupt::Timer0);
        Self { _started: () }
    }
}

impl Clock for Timer {
    /// Not known: the chip has no clock that runs while it is off.
    fn unix_seconds(&mut self) -> Option<u64> {
        None
    }

    fn sleep_ms(&mut self, duration_ms: u32) {
        let r = Registers::TIMER0;
        for _ in 0..duration_ms / PIECE_MS {
            sleep_us(&r, PIECE_MS * 1_000);
        }
        sleep_us(&r, duration_ms % PIECE_MS * 1_000);
    }
}

/// Microseconds since some moment before the program began, round after 71 minutes. For patience with devices; `0`
/// before the timer was started.
pub(crate) fn now_us() -> u32 {
    let r = Registers::TIMER0;
    r.task_capture_0.write(1);
    r.cc_0.read()
}

fn sleep_us(r: &Registers, duration_us: u32) {
    let began = now_us();
    r.event_compare_1.write(0);
    r.cc_1.write(began.wrapping_add(duration_us));
    r.interrupt_set.write(COMPARE_1);
    // The comparison is missed if the time came while it was set up, so the time itself decides.
    while now_us().wrapping_sub(began) < duration_us {
        interrupts::sleep_unless(|| now_us().wrapping_sub(began) >= duration_us);
    }
    r.interrupt_clear.write(COMPARE_1);
}

/// The interrupt of a time that has come: it has woken the processor, and that is all.
pub(crate) fn on_compare() {
    Registers::TIMER0.interrupt_clear.write(COMPARE_1);
}

/// What one setting of the timer waits for: far less than a round.
const PIECE_MS: u32 = 60_000;

struct Registers {
    task_start: Register,
    task_clear: Register,
    task_capture_0: Register,
    event_compare_1: Register,
    interrupt_set: Register,
    interrupt_clear: Register,
    mode: Register,
    bitmode: Register,
    prescaler: Register,
    cc_0: Register,
    cc_1: Register,
}

impl Registers {
    const TIMER0: Self = {
        const fn at(offset: usize) -> Register {
            // SAFETY: TIMER0's registers (Reference Manual, "Timer/counter"). It does no DMA.
            unsafe { Register::new(0x4000_8000 + offset) }
        }
        Self {
            task_start: at(0x000),
            task_clear: at(0x00c),
            task_capture_0: at(0x040),
            event_compare_1: at(0x144),
            interrupt_set: at(0x304),
            interrupt_clear: at(0x308),
            mode: at(0x504),
            bitmode: at(0x508),
            prescaler: at(0x510),
            cc_0: at(0x540),
            cc_1: at(0x544),
        }
    };
}

const MODE_TIMER: u32 = 0;
const BITMODE_32: u32 = 3;
const COMPARE_1: u32 = 1 << 17;
