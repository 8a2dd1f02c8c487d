//! A whole enrollment, driven by the real station over the line: everything the device does from the station's first
//! byte until its last answer is sent, without the time it waits for bytes.
#![no_std]
#![no_main]

use core::ops::Range;

use board_qemu_mps2_an386::board::{self, Key, P256};
use board_qemu_mps2_an386::clock::BoardClock;
use board_qemu_mps2_an386::counter::Counter;
use board_qemu_mps2_an386::flash::EmulatedFlash;
use board_qemu_mps2_an386::stack::PaintedStack;
use board_qemu_mps2_an386::uart::Log;
use firmware_bench::{CountedStream, Measured, RepeatableEntropy, report};
use provision_firmware_app::{Board, Firmware, LineMemory, Parts, StackGauge};

/// The board, with a line that counts and entropy that repeats itself.
enum Counted {}

impl Board for Counted {
    type Line = CountedStream;
    type Flash = EmulatedFlash;
    const VAULT_RANGE: Range<u32> = 0..2 * 4096;
    type Key = Key;
    type P256 = P256;
    type Entropy = RepeatableEntropy;
    type Clock = BoardClock;
    type Log = Log;
    type Stack = PaintedStack;
}

#[cortex_m_rt::entry]
fn main() -> ! {
    static LINE_MEMORY: LineMemory<P256> = LineMemory::new();

    let parts = board::take().expect("main runs once");
    let Parts { device_serial, line, flash, clock, log, stack, .. } = parts;
    let parts = Parts::<Counted> {
        device_serial,
        line: CountedStream::new(line, Counter::start()),
        flash,
        entropy: RepeatableEntropy::of(device_serial),
        clock,
        log,
        stack,
    };
    let mut firmware = Firmware::start(parts, &LINE_MEMORY).expect("a device serial");
    firmware.enroll();
    let instructions = firmware.line().instructions_when_sent();
    report(&Measured {
        instructions,
        instructions_min: instructions,
        instructions_max: instructions,
        stack_bytes: PaintedStack.high_water_bytes(),
    })
}
