//! What computing with a key leaves on the stack is overwritten.
//!
//! A type can wipe the place it is in when it is dropped; it cannot wipe the copies a compiler makes when it moves a
//! value, nor what a cryptography crate had in its own frames. All of them are on the stack below whoever asked for
//! the computation, so that is what is overwritten afterwards.

use core::hint::black_box;

/// Runs `work`, and then overwrites the `LEN` bytes of stack below: choose it not less than `work` takes. It takes that
/// much stack itself, so with a `LEN` of what `work` takes the program needs no more stack than without.
///
/// What `work` returns is the caller's, and should be no secret. Interrupts that came meanwhile have their frames on
/// the same stack, and are covered too.
///
/// The compiler is kept from removing this by [`black_box`], which is its best effort and no guarantee; that nothing is
/// left is tested on the memory of an emulated device.
///
/// ```
/// use provision_csr::scrubbed;
///
/// let longest = scrubbed::<1024, _>(|| [3, 141, 59].into_iter().max());
/// assert_eq!(longest, Some(141));
/// ```
#[inline(always)]
pub fn scrubbed<const LEN: usize, T>(work: impl FnOnce() -> T) -> T {
    let done = in_a_frame_of_its_own(work);
    overwrite::<LEN>();
    done
}

/// Not inlined: else what `work` has on the stack would be in the caller's frame, above what is overwritten.
#[inline(never)]
fn in_a_frame_of_its_own<T>(work: impl FnOnce() -> T) -> T {
    work()
}

#[inline(never)]
fn overwrite<const LEN: usize>() {
    black_box(&mut [0_u8; LEN]);
}
