//! A serial port that counts what the device does, and not how long it waits.

use board_qemu_mps2_an386::counter::{Counter, INSTRUCTIONS_PER_TICK};
use board_qemu_mps2_an386::uart::Line;
use embedded_io::{ErrorType, Read, ReadReady, Write};

/// The board's line. The counter stands still from when a byte is waited for until it is there: from a read, or from
/// when there was nothing to be read yet, until a read has something.
#[derive(Debug)]
pub struct CountedStream {
    line: Line,
    counter: Counter,
    started_at: Option<u32>,
    ticks: u64,
    /// The count when something was sent last.
    ticks_when_sent: u64,
}

impl CountedStream {
    /// Counts from the first byte that is read or written.
    #[must_use]
    pub const fn new(line: Line, counter: Counter) -> Self {
        Self { line, counter, started_at: None, ticks: 0, ticks_when_sent: 0 }
    }

    /// Counts from now on.
    pub fn start(&mut self) {
        self.started_at = Some(self.counter.ticks());
    }

    /// Instructions so far, in multiples of 40.
    #[must_use]
    pub fn instructions(&self) -> u64 {
        (self.ticks + self.since_start()) * INSTRUCTIONS_PER_TICK
    }

    /// Instructions until the last byte was sent, in multiples of 40.
    #[must_use]
    pub const fn instructions_when_sent(&self) -> u64 {
        self.ticks_when_sent * INSTRUCTIONS_PER_TICK
    }

    fn since_start(&self) -> u64 {
        let started_at = self.started_at.unwrap_or_else(|| self.counter.ticks());
        u64::from(self.counter.ticks().wrapping_sub(started_at))
    }

    fn stop(&mut self) {
        self.ticks += self.since_start();
        self.started_at = None;
    }
}

impl ErrorType for CountedStream {
    type Error = <Line as ErrorType>::Error;
}

impl Read for CountedStream {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, Self::Error> {
        self.stop();
        let len = self.line.read(out)?;
        self.start();
        Ok(len)
    }
}

impl ReadReady for CountedStream {
    fn read_ready(&mut self) -> Result<bool, Self::Error> {
        let is_ready = self.line.read_ready()?;
        if !is_ready {
            // Whoever asks sleeps before it asks again, and how often is the other side's doing.
            self.stop();
        }
        Ok(is_ready)
    }
}

impl Write for CountedStream {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        self.line.write(bytes)
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        self.line.flush()?;
        self.ticks_when_sent = self.ticks + self.since_start();
        Ok(())
    }
}
