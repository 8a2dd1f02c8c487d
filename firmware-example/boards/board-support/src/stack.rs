//! How much stack has been used since reset.

use core::ptr;

use provision_firmware_app::StackGauge;

unsafe extern "C" {
    // From cortex-m-rt's link.x: the stack grows down from `_stack_start` to, at the furthest, `_stack_end`.
    static _stack_end: u32;
    static _stack_start: u32;
}

/// Reads the paint that cortex-m-rt's `paint-stack` puts on the stack before `main`.
#[derive(Debug, Clone, Copy)]
pub struct PaintedStack;

impl StackGauge for PaintedStack {
    fn high_water_bytes(&self) -> usize {
        let end = ptr::addr_of!(_stack_end);
        let start = ptr::addr_of!(_stack_start);
        let words = (start.addr() - end.addr()) / size_of::<u32>();
        let untouched = (0..words)
            // SAFETY: `end + index` is below `_stack_start`: RAM that exists and is aligned, as link.x asserts. The
            // part in use changes only by this very thread of execution and its interrupts, and any value that is
            // read from there is as good as another.
            .take_while(|&index| unsafe { end.wrapping_add(index).read_volatile() } == PAINT)
            .count();
        (words - untouched) * size_of::<u32>()
    }
}

/// cortex-m-rt's paint.
const PAINT: u32 = cortex_m_rt::STACK_PAINT_VALUE;
