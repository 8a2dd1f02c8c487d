//! embassy's time, of two of the board's timers: timer 0 runs for good, timer 1 is the alarm.
//!
//! Registers: *Cortex-M System Design Kit Technical Reference Manual*, Arm DDI 0479, section 4.2; the board's
//! addresses: Arm AN386, table 3-1.

use core::cell::{Cell, RefCell};
use core::task::Waker;

use board_qemu_common::register::Register;
use board_qemu_mps2_an386::SYSTEM_CLOCK_HZ;
use board_qemu_mps2_an386::interrupts::{self, Interrupt};
use critical_section::Mutex;
use embassy_time_driver::{Driver, TICK_HZ};
use embassy_time_queue_utils::Queue;

/// The timers count this often in one of embassy's ticks.
const COUNTS_PER_TICK: u64 = SYSTEM_CLOCK_HZ as u64 / TICK_HZ;
const _: () = assert!((SYSTEM_CLOCK_HZ as u64).is_multiple_of(TICK_HZ));

/// The longest the alarm is set, in counts: 86 seconds, half of what timer 0 takes to come around, so that
/// somebody looks at it in each round.
const ALARM_COUNTS_MAX: u32 = u32::MAX / 2;

struct TwoTimers {
    counted: Mutex<Cell<Counted>>,
    queue: Mutex<RefCell<Queue>>,
}

/// What timer 0 had counted when it was looked at last.
#[derive(Clone, Copy)]
struct Counted {
    rounds: u32,
    counts: u32,
}

embassy_time_driver::time_driver_impl!(static DRIVER: TwoTimers = TwoTimers {
    counted: Mutex::new(Cell::new(Counted { rounds: 0, counts: 0 })),
    queue: Mutex::new(RefCell::new(Queue::new())),
});

/// Starts both, before anybody asks for the time.
pub(crate) fn start() {
    FREE_RUNNING.reload.write(u32::MAX);
    FREE_RUNNING.value.write(u32::MAX);
    FREE_RUNNING.ctrl.write(CTRL_ENABLE);
    interrupts::enable(Interrupt::Timer1);
    DRIVER.wake_expired();
}

impl Driver for TwoTimers {
    fn now(&self) -> u64 {
        critical_section::with(|section| {
            let counted = self.counted.borrow(section);
            let Counted { rounds, counts: before } = counted.get();
            let counts = u32::MAX - FREE_RUNNING.value.read();
            let rounds = if counts < before { rounds.wrapping_add(1) } else { rounds };
            counted.set(Counted { rounds, counts });
            (u64::from(rounds) << 32 | u64::from(counts)) / COUNTS_PER_TICK
        })
    }

    fn schedule_wake(&self, at: u64, waker: &Waker) {
        let is_first = critical_section::with(|section| {
            self.queue.borrow(section).borrow_mut().schedule_wake(at, waker)
        });
        if is_first {
            self.wake_expired();
        }
    }
}

impl TwoTimers {
    /// Wakes whose time has come, and sets the alarm for the next.
    fn wake_expired(&self) {
        critical_section::with(|section| {
            let mut queue = self.queue.borrow(section).borrow_mut();
            loop {
                let now = self.now();
                let next = queue.next_expiration(now);
                // Between `now` and here time goes on, and an alarm for what is past would never come.
                if let Some(ticks) = next.checked_sub(self.now()).filter(|ticks| *ticks > 0) {
                    set_alarm(ticks);
                    return;
                }
            }
        });
    }
}

fn set_alarm(ticks: u64) {
    let counts = ticks.saturating_mul(COUNTS_PER_TICK);
    let counts = u32::try_from(counts).unwrap_or(u32::MAX).min(ALARM_COUNTS_MAX);
    ALARM.ctrl.write(0);
    ALARM.interrupt.write(INTERRUPT);
    // Down to zero and no further.
    ALARM.reload.write(0);
    ALARM.value.write(counts);
    ALARM.ctrl.write(CTRL_ENABLE | CTRL_INTERRUPT);
}

// SAFETY: the board's vector table names this function for `Interrupt::Timer1`, and nothing else does.
#[unsafe(no_mangle)]
extern "C" fn TIMER1() {
    ALARM.interrupt.write(INTERRUPT);
    DRIVER.wake_expired();
}

/// The registers of one timer.
struct Timer {
    ctrl: Register,
    value: Register,
    reload: Register,
    interrupt: Register,
}

impl Timer {
    /// # Safety
    ///
    /// `base` is that of a CMSDK APB timer.
    const unsafe fn at(base: usize) -> Self {
        Self {
            // SAFETY: the caller's promise; offsets of DDI 0479, table 4-2. It does no DMA.
            ctrl: unsafe { Register::new(base) },
            // SAFETY: as above.
            value: unsafe { Register::new(base + 0x4) },
            // SAFETY: as above.
            reload: unsafe { Register::new(base + 0x8) },
            // SAFETY: as above.
            interrupt: unsafe { Register::new(base + 0xc) },
        }
    }
}

// SAFETY: timer 0 of the board (Arm AN386, table 3-1).
const FREE_RUNNING: Timer = unsafe { Timer::at(0x4000_0000) };
// SAFETY: timer 1 of the board (Arm AN386, table 3-1).
const ALARM: Timer = unsafe { Timer::at(0x4000_1000) };

const CTRL_ENABLE: u32 = 1 << 0;
const CTRL_INTERRUPT: u32 = 1 << 3;
const INTERRUPT: u32 = 1 << 0;
