//! A serial port.

use core::time::Duration;
use std::io::{ErrorKind, Read as _, Write as _};
use std::time::Instant;

use std::process::{Command, Stdio};

use provision_station::exchange::Pace;
use serialport::SerialPort as _;

use crate::capture::Capture;
use crate::fault::Fault;
use crate::job::{PortUse, Reset};
use crate::secret;

/// Bytes per write. Longer ones hang past their timeout when the peer stalls.
const WRITE_LEN_MAX: usize = 64;
/// Bytes that a system or an adapter holds back until there is room for more.
const AHEAD_LEN_MAX: usize = 512;
/// Longest wait for a single write, beside what the line takes for those before it.
const WRITE_WITHIN: Duration = Duration::from_secs(2);
/// Longest time a program may take to reset a device.
const RESET_WITHIN: Duration = Duration::from_secs(30);
/// How long RTS holds a board in reset.
const RESET_FOR: Duration = Duration::from_millis(100);

/// A port, and the clock its times are counted on.
pub(crate) struct Line {
    name: String,
    #[cfg(unix)]
    port: serialport::TTYPort,
    #[cfg(windows)]
    port: serialport::COMPort,
    pace: Pace,
    opened: Instant,
    capture: Option<Capture>,
}

impl Line {
    /// Opens a port as the command line says, for what `label` names. The device is not reset.
    pub(crate) fn open_for(name: &str, label: &str, port_use: &PortUse) -> Result<Self, Fault> {
        let mut line = Self::open(name, port_use.baud.baud)?;
        line.capture =
            port_use.capture.as_deref().map(|dir| Capture::open(dir, label)).transpose()?;
        Ok(line)
    }

    /// Opens a port for nobody else. No control line is touched but what the system does itself:
    /// Linux raises DTR and RTS.
    pub(crate) fn open(name: &str, baud: u32) -> Result<Self, Fault> {
        let port = serialport::new(name, baud)
            .timeout(WRITE_WITHIN)
            .open_native()
            .map_err(|cause| Fault::PortOpen { port: name.into(), cause })?;
        let (pace, opened) = (Pace::of_baud(baud), Instant::now());
        Ok(Self { name: name.into(), port, pace, opened, capture: None })
    }

    /// How fast it is.
    pub(crate) const fn pace(&self) -> Pace {
        self.pace
    }

    /// Milliseconds since the port was opened.
    pub(crate) fn now_ms(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Writes all of it.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let within = WRITE_WITHIN + Duration::from_millis(self.pace.ms_for(AHEAD_LEN_MAX));
        let result = self.port.set_timeout(within).map_err(Into::into).and_then(|()| {
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
            Ok(count) => {
                if let Some(capture) = &mut self.capture {
                    capture.take(&buffer[..count])?;
                }
                Ok(&buffer[..count])
            }
            Err(cause) if matches!(cause.kind(), ErrorKind::TimedOut | ErrorKind::Interrupted) => {
                Ok(&[])
            }
            Err(cause) => Err(self.failed(cause)),
        }
    }

    /// Resets the device, if the command line says so.
    pub(crate) fn reset(&mut self, port_use: &PortUse) -> Result<(), Fault> {
        match port_use.reset {
            Reset::None => Ok(()),
            Reset::DtrRts => {
                let pulsed = (|| {
                    self.port.write_data_terminal_ready(false)?;
                    self.port.write_request_to_send(true)?;
                    std::thread::sleep(RESET_FOR);
                    self.port.write_request_to_send(false)
                })();
                pulsed.map_err(|cause| Fault::Reset {
                    port: self.name.clone(),
                    cause: cause.to_string(),
                })
            }
            Reset::Command => {
                run_reset_command(port_use.reset_command.as_deref().unwrap_or_default(), &self.name)
            }
        }
    }

    fn failed(&self, cause: std::io::Error) -> Fault {
        Fault::PortFailed { port: self.name.clone(), cause }
    }
}

fn run_reset_command(line: &str, port: &str) -> Result<(), Fault> {
    let words = shlex::split(line).filter(|words| !words.is_empty()).ok_or_else(|| {
        Fault::Usage(format!("`--reset-command {line}`: a program is expected, quotes in pairs"))
    })?;
    let mut words = words.iter().map(|word| word.replace("{port}", port));
    let failed = |cause: String| Fault::Reset { port: port.into(), cause };
    let program = words.next().unwrap_or_default();
    // What it says goes where ours goes: a pipe would be waited for as long as any child of it
    // lives.
    let mut child = secret::keep_from(&mut Command::new(&program))
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .map_err(|cause| failed(format!("{program}: {cause}")))?;
    let until = Instant::now() + RESET_WITHIN;
    loop {
        match child.try_wait().map_err(|cause| failed(format!("{program}: {cause}")))? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(failed(format!("{program}: {status}"))),
            None if Instant::now() < until => std::thread::sleep(Duration::from_millis(20)),
            None => {
                // It ended meanwhile, or it ends now.
                let _ = child.kill();
                let _ = child.wait();
                let seconds = RESET_WITHIN.as_secs();
                return Err(failed(format!("{program}: not done after {seconds} s")));
            }
        }
    }
}
