//! The filter over [`embedded_io_async`].

use embedded_io::Error as _;
use embedded_io_async::{Read, Write};

use super::gate::Wants;
use super::{RecordFilter, Stopped};

impl<T: Read + Write> Read for RecordFilter<'_, T> {
    async fn read(&mut self, out: &mut [u8]) -> Result<usize, Stopped> {
        loop {
            let read = match self.gate.wants(out)? {
                Wants::Nothing { passed } => return Ok(passed),
                Wants::Bytes(room) => self.transport.read(room).await.map_err(|error| error.kind()),
            };
            if let Some(passed) = self.gate.came(read, out)? {
                return Ok(passed);
            }
        }
    }
}

impl<T: Read + Write> Write for RecordFilter<'_, T> {
    async fn write(&mut self, record: &[u8]) -> Result<usize, Stopped> {
        if !self.gate.lets_out(record)? {
            return Ok(record.len());
        }
        let written = self.transport.write(record).await.map_err(|error| error.kind());
        self.gate.left(written, record.len())
    }

    async fn flush(&mut self) -> Result<(), Stopped> {
        if !self.gate.flushes() {
            return Ok(());
        }
        let flushed = self.transport.flush().await.map_err(|error| error.kind());
        self.gate.flushed(flushed)
    }
}
