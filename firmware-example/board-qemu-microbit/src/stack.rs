//! How much stack has been used since reset.

use core::ptr;

use board_qemu_common::stack;
use provision_firmware_app::StackGauge;

unsafe extern "C" {
    // From cortex-m-rt's link.x: the stack grows down from `_stack_start` to, at the furthest, `_stack_end`.
    static _stack_end: u32;
    static _stack_start: u32;
}

/// Reads the paint that cortex-m-rt's `paint-stack` puts on the stack before `main`.
#[derive(Debug)]
pub struct PaintedStack;

impl StackGauge for PaintedStack {
    fn high_water_bytes(&self) -> usize {
        let end = ptr::addr_of!(_stack_end);
        let start = ptr::addr_of!(_stack_start);
        // SAFETY: RAM that exists and is aligned, as link.x asserts, and there is one thread of execution.
        let untouched = unsafe { stack::untouched_bytes(end, start, PAINT) };
        start.addr() - end.addr() - untouched
    }
}

/// cortex-m-rt's paint.
const PAINT: u32 = cortex_m_rt::STACK_PAINT_VALUE;
