//! Bytes on their way from an interrupt to the program.

use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// A queue of bytes with one writer (the interrupt handler) and one reader (the program), of which neither
/// waits for the other. Holds `N - 1` bytes; `N` is a power of two.
#[derive(Debug)]
pub struct Ring<const N: usize> {
    bytes: [AtomicU8; N],
    /// Where the reader reads next. Written by the reader only.
    head: AtomicUsize,
    /// Where the writer writes next. Written by the writer only.
    tail: AtomicUsize,
}

impl<const N: usize> Ring<N> {
    /// An empty one.
    #[must_use]
    pub const fn new() -> Self {
        const { assert!(N.is_power_of_two()) }
        Self {
            bytes: [const { AtomicU8::new(0) }; N],
            head: AtomicUsize::new(0),
            tail: AtomicUsize::new(0),
        }
    }

    /// Whether the reader has nothing to read.
    pub fn is_empty(&self) -> bool {
        self.head.load(Ordering::Acquire) == self.tail.load(Ordering::Acquire)
    }

    /// Whether the writer has no room to write.
    pub fn is_full(&self) -> bool {
        let after_tail = (self.tail.load(Ordering::Acquire) + 1) % N;
        after_tail == self.head.load(Ordering::Acquire)
    }

    /// Adds a byte; the caller has looked that there is room.
    pub fn push(&self, byte: u8) {
        let tail = self.tail.load(Ordering::Relaxed);
        self.bytes[tail % N].store(byte, Ordering::Relaxed);
        // The byte is there before the reader can see that it is.
        self.tail.store((tail + 1) % N, Ordering::Release);
    }

    /// Takes the byte that has been in it longest.
    pub fn pop(&self) -> Option<u8> {
        if self.is_empty() {
            return None;
        }
        let head = self.head.load(Ordering::Relaxed);
        let byte = self.bytes[head % N].load(Ordering::Relaxed);
        // The byte is taken before the writer may use its place again.
        self.head.store((head + 1) % N, Ordering::Release);
        Some(byte)
    }
}

impl<const N: usize> Default for Ring<N> {
    fn default() -> Self {
        Self::new()
    }
}
