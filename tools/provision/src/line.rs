//! A serial port.

use core::time::Duration;
use std::io::{ErrorKind, Read as _, Write as _};
use std::time::Instant;

use serialport::SerialPort as _;

use crate::fault::Fault;

/// Bytes per write. Longer ones hang past their timeout when the peer stalls.
const WRITE_LEN_MAX: usize = 64;
/// Longest wait for a single write.
const WRITE_WITHIN: Duration = Duration::from_secs(2);

/// A port, and the clock its times are counted on.
pub(crate) struct Line {
    name: String,
    #[cfg(unix)]
    port: serialport::TTYPort,
    #[cfg(windows)]
    port: serialport::COMPort,
    opened: Instant,
}

impl Line {
    /// Opens a port for nobody else.
    pub(crate) fn open(name: &str, baud: u32) -> Result<Self, Fault> {
        let port = serialport::new(name, baud)
            .timeout(WRITE_WITHIN)
            .open_native()
            .map_err(|cause| Fault::PortOpen { port: name.into(), cause })?;
        Ok(Self { name: name.into(), port, opened: Instant::now() })
    }

    /// Milliseconds since the port was opened.
    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Writes all of it.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let result = self.port.set_timeout(WRITE_WITHIN).map_err(Into::into).and_then(|()| {
            bytes.chunks(WRITE_LEN_MAX).try_for_each(|piece| self.port.write_all(piece))
        });
        result.map_err(|cause| self.failed(cause))
    }

    /// Reads what comes until `until_ms`; returns as soon as there is something, and with nothing
    /// when the time has come.
    pub(crate) fn receive<'b>(
        &mut self,
        buffer: &'b mut [u8],
        until_ms: u64,
    ) -> Result<&'b [u8], Fault> {
        let wait = Duration::from_millis(until_ms.saturating_sub(self.now_ms()).max(1));
        let read =
            self.port.set_timeout(wait).map_err(Into::into).and_then(|()| self.port.read(buffer));
        match read {
            Ok(count) => Ok(&buffer[..count]),
            Err(cause) if matches!(cause.kind(), ErrorKind::TimedOut | ErrorKind::Interrupted) => {
                Ok(&[])
            }
            Err(cause) => Err(self.failed(cause)),
        }
    }

    fn failed(&self, cause: std::io::Error) -> Fault {
        Fault::PortFailed { port: self.name.clone(), cause }
    }
}
