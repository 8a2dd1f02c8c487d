//! Time: the core's timer for waiting, the Goldfish clock for the date.
//!
//! Registers: *RISC-V Privileged Architecture*, section "Machine Timer Registers", at SiFive's CLINT addresses; and
//! *Goldfish Virtual Hardware*, section "Goldfish real-time clock".

use board_qemu_common::register::Register;
use provision_firmware_app::Clock;
use provision_firmware_network::Ticks;

use crate::interrupts;

/// The timer, which always runs. Values are one and the same.
#[derive(Debug, Clone, Copy)]
pub struct Timer;

impl Timer {
    /// Lets the timer's interrupt through, at no time yet.
    #[must_use]
    pub fn start() -> Self {
        Registers::BOARD.compare(u64::MAX);
        interrupts::enable_timer();
        Self
    }
}

impl Clock for Timer {
    /// The emulator host's clock, by a device that real boards have as an RTC.
    fn unix_seconds(&mut self) -> Option<u64> {
        let r = Registers::BOARD;
        // Reading the low half latches the high one.
        let low = r.date_low.read();
        let nanoseconds = u64::from(r.date_high.read()) << 32 | u64::from(low);
        Some(nanoseconds / 1_000_000_000)
    }

    fn sleep_ms(&mut self, duration_ms: u32) {
        let until = ticks() + u64::from(duration_ms) * TICKS_PER_MS;
        while ticks() < until {
            sleep_until(until);
        }
    }
}

impl Ticks for Timer {
    fn now_ms(&mut self) -> u64 {
        ticks() / TICKS_PER_MS
    }

    fn idle(&mut self) {
        sleep_until(ticks() + TICKS_PER_MS);
    }
}

/// Ticks since the board was switched on, [`TICKS_PER_MS`] a millisecond.
pub(crate) fn ticks() -> u64 {
    let r = Registers::BOARD;
    loop {
        let high = r.time_high.read();
        let low = r.time_low.read();
        if high == r.time_high.read() {
            return u64::from(high) << 32 | u64::from(low);
        }
    }
}

/// Sleeps until then at the latest; any interrupt ends it.
fn sleep_until(until: u64) {
    Registers::BOARD.compare(until);
    interrupts::sleep_unless(|| ticks() >= until);
}

/// The interrupt of a time that has come: it has woken the processor, and that is all.
pub(crate) fn on_time() {
    Registers::BOARD.compare(u64::MAX);
}

/// QEMU `hw/riscv/virt.c`: the device tree's `timebase-frequency` is 10 MHz.
pub(crate) const TICKS_PER_MS: u64 = 10_000;

struct Registers {
    compare_low: Register,
    compare_high: Register,
    time_low: Register,
    time_high: Register,
    date_low: Register,
    date_high: Register,
}

impl Registers {
    const BOARD: Self = {
        const fn at(address: usize) -> Register {
            // SAFETY: the CLINT's mtimecmp and mtime, and the Goldfish clock's time (QEMU `hw/riscv/virt.c`, memory
            // map). None does DMA.
            unsafe { Register::new(address) }
        }
        Self {
            compare_low: at(0x0200_4000),
            compare_high: at(0x0200_4004),
            time_low: at(0x0200_bff8),
            time_high: at(0x0200_bffc),
            date_low: at(0x0010_1000),
            date_high: at(0x0010_1004),
        }
    };

    /// Has the interrupt come then. In this order no time in between is one that has come.
    fn compare(&self, time: u64) {
        self.compare_low.write(u32::MAX);
        self.compare_high.write((time >> 32) as u32);
        self.compare_low.write(time as u32);
    }
}
