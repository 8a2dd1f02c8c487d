//! How much stack has been used since reset.

use core::arch::asm;
use core::ptr;

use board_qemu_common::stack;
use provision_firmware_app::StackGauge;

unsafe extern "C" {
    // From riscv-rt's link.x: the stack grows down from `__sstack` to, at the furthest, `__estack`.
    static __estack: u32;
    static __sstack: u32;
}

/// What unused stack is filled with.
const PAINT: u32 = 0xcccc_cccc;
/// What the painter itself may have below its stack pointer, in bytes.
const OWN_LEN: usize = 256;

/// Paints the stack that is not in use: the first thing a program does.
#[inline(never)]
pub(crate) fn paint() {
    let stack_pointer: usize;
    // SAFETY: reads a register.
    unsafe { asm!("mv {}, sp", out(reg) stack_pointer, options(nomem, nostack, preserves_flags)) };
    let end = ptr::addr_of!(__estack).cast_mut();
    let words = stack_pointer.saturating_sub(OWN_LEN + end.addr()) / size_of::<u32>();
    for index in 0..words {
        // SAFETY: `end + index` is RAM that exists, is aligned, and is in use by nobody: it is stack, and further down
        // than this function reaches. An interrupt that comes meanwhile has its frame above or below for its own time
        // alone.
        unsafe { end.wrapping_add(index).write_volatile(PAINT) };
    }
}

/// Reads the paint.
#[derive(Debug)]
pub struct PaintedStack;

impl StackGauge for PaintedStack {
    fn high_water_bytes(&self) -> usize {
        let end = ptr::addr_of!(__estack);
        let start = ptr::addr_of!(__sstack);
        // SAFETY: RAM that exists and is aligned, and there is one thread of execution.
        let untouched = unsafe { stack::untouched_bytes(end, start, PAINT) };
        start.addr() - end.addr() - untouched
    }
}
