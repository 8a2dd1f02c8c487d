//! How much stack has been used since reset.

use core::arch::asm;
use core::ptr;

use provision_firmware_app::StackGauge;

unsafe extern "C" {
    // From esp-hal's stack.x: the stack grows down from `_stack_start` to, at the furthest, `_stack_end`. The guard is
    // a word above that, which must not be written: esp-hal watches it.
    static __stack_chk_guard: u32;
    static _stack_start: u32;
}

/// The stack, painted.
#[derive(Debug)]
pub struct PaintedStack {
    _painted: (),
}

impl PaintedStack {
    /// Paints what is not in use yet. First thing in the program.
    #[inline(never)]
    #[must_use]
    pub fn paint() -> Self {
        let pointer: usize;
        // SAFETY: reads a register.
        unsafe { asm!("mv {}, sp", out(reg) pointer, options(nomem, nostack, preserves_flags)) };
        let bottom = bottom();
        let words = (pointer - bottom.addr()) / size_of::<u32>();
        for index in 0..words.saturating_sub(IN_USE_WORDS) {
            // SAFETY: between the guard and the stack pointer, with some room left below the pointer for an interrupt:
            // aligned RAM that nothing is in.
            unsafe { bottom.wrapping_add(index).cast_mut().write_volatile(PAINT) };
        }
        Self { _painted: () }
    }
}

impl StackGauge for PaintedStack {
    fn high_water_bytes(&self) -> usize {
        let bottom = bottom();
        let words = (ptr::addr_of!(_stack_start).addr() - bottom.addr()) / size_of::<u32>();
        let untouched = (0..words)
            // SAFETY: below `_stack_start`: RAM that exists and is aligned. The part in use changes only by this very
            // thread of execution and its interrupts, and any value that is read from there is as good as another.
            .take_while(|&index| unsafe { bottom.wrapping_add(index).read_volatile() } == PAINT)
            .count();
        (words - untouched) * size_of::<u32>()
    }
}

/// The lowest word that may be used.
fn bottom() -> *const u32 {
    ptr::addr_of!(__stack_chk_guard).wrapping_add(1)
}

/// As cortex-m-rt's.
const PAINT: u32 = 0xcccc_cccc;

/// Left unpainted below the stack pointer: 256 bytes, for this function and for an interrupt.
const IN_USE_WORDS: usize = 64;
