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
        let stack_bytes = ptr::addr_of!(_stack_start).addr() - ptr::addr_of!(_stack_end).addr();
        stack_bytes - untouched_bytes()
    }
}

/// Runs `operation` and tells how much stack it used, in bytes: its own frames, and those of interrupts meanwhile.
///
/// A trait object, so that the frame is the operation's and not already the caller's.
#[inline(never)]
pub fn used_by(operation: &mut dyn FnMut()) -> usize {
    // What is painted now was not in use, but for the frames of this very function and `paint`.
    let top = cortex_m::register::msp::read() as usize;
    paint(top - PAINT_CLEARANCE);
    operation();
    let untouched = untouched_bytes();
    top - (ptr::addr_of!(_stack_end).addr() + untouched)
}

/// Bytes under the stack pointer that are not painted, for the frame of the function that paints.
const PAINT_CLEARANCE: usize = 64;

/// Paints the stack up to `top`.
#[inline(never)]
fn paint(top: usize) {
    let end = ptr::addr_of!(_stack_end).cast_mut();
    for index in 0..(top - end.addr()) / size_of::<u32>() {
        // SAFETY: RAM from `_stack_end` to under the stack pointer, by a clearance that has this function's
        // frame: no variable lives there. An interrupt that comes in between finishes before the next write.
        unsafe { end.wrapping_add(index).write_volatile(PAINT) };
    }
}

/// How much of the stack, from its far end, has its paint still.
fn untouched_bytes() -> usize {
    // SAFETY: RAM that exists and is aligned, as link.x asserts, and there is one thread of execution.
    unsafe { stack::untouched_bytes(ptr::addr_of!(_stack_end), ptr::addr_of!(_stack_start), PAINT) }
}

/// cortex-m-rt's paint.
const PAINT: u32 = cortex_m_rt::STACK_PAINT_VALUE;
