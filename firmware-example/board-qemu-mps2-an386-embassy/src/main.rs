//! The example firmware under [embassy](https://embassy.dev): the line, the network and TLS are awaited, and a
//! heartbeat goes on beside them.
//!
//! ```text
//!   priority   interrupt                      runs
//!   0 (first)  TIMER1, UARTRX1, ETHERNET      drivers: wake whoever waits                  time, line, ethernet
//!   0x40       PORT0_14, pended by embassy    urgent: the heartbeat                        heartbeat
//!   0x80       PORT0_15, pended by embassy    ordinary: enrollment, TCP/IP, TLS            device, enroll, online
//!   -          none                           sleep
//! ```
//!
//! Two executors, because one would not do: with P-256 in portable Rust a single call takes five to ten million
//! instructions and does not yield, whoever awaits it. What must go on meanwhile runs at a higher priority, and
//! what preempts it must not use what it uses. Started with `heartbeat=cooperative` on the emulator's command
//! line, the heartbeat shares the ordinary executor, and its own count shows what becomes of it.
//!
//! Even the ordinary work is in an interrupt and not in thread mode: embassy's executor for that sleeps by WFE,
//! which this emulator does not.
#![no_std]
#![no_main]

mod device;
mod enroll;
mod ethernet;
mod executors;
mod heartbeat;
mod line;
mod online;
mod time;

use core::fmt::Write;

use board_qemu_common::semihosting;
use board_qemu_mps2_an386::entropy::{self, HostEntropy};
use board_qemu_mps2_an386::flash::EmulatedFlash;
use board_qemu_mps2_an386::uart::{self, Log};

use crate::device::Parts;
use crate::executors::Executors;

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut peripherals = cortex_m::Peripherals::take().expect("main runs once");
    time::start();
    let mut log = Log::open();
    let _ = writeln!(log, "entropy: {}", entropy::SOURCE);
    let parts = Parts {
        line: uart::open_line(),
        // SAFETY: the processor's peripherals were given out just now and are not again, so this is the only
        // one; memory.x keeps the program out of the flash's addresses.
        flash: unsafe { EmulatedFlash::new() },
        entropy: HostEntropy::open(),
        log,
    };

    let Executors { urgent, ordinary } = executors::start(&mut peripherals.NVIC);
    let beats_on = if is_argument(b"heartbeat=cooperative") { &ordinary } else { &urgent };
    beats_on.spawn(heartbeat::beat().expect("spawned once"));
    ordinary.spawn(device::run(parts).expect("spawned once"));
    loop {
        cortex_m::asm::wfi();
    }
}

/// Whether this word stands on the emulator's command line.
fn is_argument(word: &[u8]) -> bool {
    let mut line = [0; 256];
    let line = semihosting::command_line(&mut line).unwrap_or_default();
    line.split(u8::is_ascii_whitespace).any(|argument| argument == word)
}
