//! How much of a painted stack was never used.

/// Bytes from `end` up that still have their paint. The stack grows down from `start` to, at the furthest, `end`.
///
/// # Safety
///
/// From `end` to `start` is RAM that exists, aligned to words, and whatever changes it meanwhile is this very thread of
/// execution or its interrupts: any value that is read from there is as good as another.
#[must_use]
pub unsafe fn untouched_bytes(end: *const u32, start: *const u32, paint: u32) -> usize {
    let words = (start.addr() - end.addr()) / size_of::<u32>();
    let untouched = (0..words)
        // SAFETY: the caller's promise: `end + index` is below `start`.
        .take_while(|&index| unsafe { end.wrapping_add(index).read_volatile() } == paint)
        .count();
    untouched * size_of::<u32>()
}
