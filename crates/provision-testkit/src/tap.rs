//! Listens in: a serial port and a TCP address that pass on every byte, and keep it.
//!
//! ```text
//!   CLI ──► SerialTap::port() ──► the device's port        device ──► TcpTap::address() ──► server
//!                │                                                        │
//!             heard()                                                  heard()
//! ```

use alloc::sync::Arc;
use core::net::SocketAddr;
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::openpty;
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::ttyname;

/// How often it is looked whether a tap was dropped.
const LOOK_EVERY_MS: u8 = 20;

/// What was heard so far, each way by itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    /// From the caller: the station, or the device on its network.
    pub there: Vec<u8>,
    /// Back to it.
    pub back: Vec<u8>,
}

/// A serial port in front of another one.
#[derive(Debug)]
pub struct SerialTap {
    port: PathBuf,
    tap: Tap,
    /// Held open, so that the port stays while nobody else has it open.
    _port_end: OwnedFd,
}

impl SerialTap {
    /// Opens `device`, and a port that leads to it.
    ///
    /// # Errors
    ///
    /// `device` cannot be opened, or the system has no more pseudo-terminals.
    pub fn on(device: &Path) -> io::Result<Self> {
        let flags = OFlag::O_NOCTTY.bits();
        let mut device =
            OpenOptions::new().read(true).write(true).custom_flags(flags).open(device)?;
        make_raw(&device)?;
        let pty = openpty(None, None)?;
        make_raw(&pty.slave)?;
        let port = ttyname(&pty.slave)?;
        let mut caller = File::from(pty.master);
        let tap = Tap::spawn(move |heard, stopped| {
            while !stopped.load(Ordering::Relaxed) {
                let [from_caller, from_device] = readable(&caller, &device)?;
                if from_caller {
                    pass_on(&mut caller, &mut device, |bytes| heard.lock().there.extend(bytes))?;
                }
                if from_device {
                    pass_on(&mut device, &mut caller, |bytes| heard.lock().back.extend(bytes))?;
                }
            }
            Ok(())
        });
        Ok(Self { port, tap, _port_end: pty.slave })
    }

    /// What to give `--port`.
    #[must_use]
    pub fn port(&self) -> &Path {
        &self.port
    }

    /// What went over the line so far.
    #[must_use]
    pub fn heard(&self) -> Heard {
        self.tap.heard.lock().clone()
    }
}

/// An address on loopback in front of another one, for one connection after the other.
#[derive(Debug)]
pub struct TcpTap {
    address: SocketAddr,
    tap: Tap,
}

impl TcpTap {
    /// Listens on a free port, and connects on to `server` for each connection.
    ///
    /// # Errors
    ///
    /// There is no free port.
    pub fn on(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let tap = Tap::spawn(move |heard, stopped| {
            while !stopped.load(Ordering::Relaxed) {
                match listener.accept() {
                    // How one connection ends is its two sides' affair.
                    Ok((caller, _)) => drop(connect_on(&caller, server, heard, stopped)),
                    Err(fault) if fault.kind() == io::ErrorKind::WouldBlock => {
                        thread::sleep(Duration::from_millis(LOOK_EVERY_MS.into()));
                    }
                    Err(fault) => return Err(fault),
                }
            }
            Ok(())
        });
        Ok(Self { address, tap })
    }

    /// Where to connect.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What went over all connections so far.
    #[must_use]
    pub fn heard(&self) -> Heard {
        self.tap.heard.lock().clone()
    }
}

fn connect_on(
    caller: &TcpStream,
    server: SocketAddr,
    heard: &Shared,
    stopped: &AtomicBool,
) -> io::Result<()> {
    caller.set_nonblocking(false)?;
    let server = TcpStream::connect(server)?;
    let (mut caller, mut server) = (caller, &server);
    while !stopped.load(Ordering::Relaxed) {
        let [from_caller, from_server] = readable(caller, server)?;
        let ended = [
            from_caller
                && !pass_on(&mut caller, &mut server, |bytes| heard.lock().there.extend(bytes))?,
            from_server
                && !pass_on(&mut server, &mut caller, |bytes| heard.lock().back.extend(bytes))?,
        ];
        if ended.contains(&true) {
            break;
        }
    }
    // The side that has closed already answers with an error.
    let _ = caller.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
    Ok(())
}

/// The thread that passes bytes on; ended when dropped.
#[derive(Debug)]
struct Tap {
    heard: Shared,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Tap {
    fn spawn(run: impl FnOnce(&Shared, &AtomicBool) -> io::Result<()> + Send + 'static) -> Self {
        let (heard, stop) = (Shared::default(), Arc::<AtomicBool>::default());
        let (its_heard, its_stop) = (heard.clone(), Arc::clone(&stop));
        let thread = thread::spawn(move || run(&its_heard, &its_stop));
        Self { heard, stop, thread: Some(thread) }
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // Either side may have gone: what was heard until then is there.
            let _ = thread.join();
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Shared(Arc<Mutex<Heard>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_raw(port: &impl AsFd) -> io::Result<()> {
    let mut settings = tcgetattr(port)?;
    cfmakeraw(&mut settings);
    tcsetattr(port, SetArg::TCSANOW, &settings)?;
    Ok(())
}

/// Which of the two has something to read, or has ended; neither after a while.
fn readable(a: &impl AsFd, b: &impl AsFd) -> io::Result<[bool; 2]> {
    let mut both = [a.as_fd(), b.as_fd()].map(|end| PollFd::new(end, PollFlags::POLLIN));
    poll(&mut both, PollTimeout::from(LOOK_EVERY_MS))?;
    Ok(both.map(|end| end.any().unwrap_or(false)))
}

/// Kept first, then passed on: what arrived was heard. `false`: `from` has ended.
fn pass_on(
    from: &mut impl Read,
    to: &mut impl Write,
    keep: impl FnOnce(Vec<u8>),
) -> io::Result<bool> {
    let mut buffer = [0; 4096];
    let count = from.read(&mut buffer)?;
    keep(buffer[..count].to_vec());
    to.write_all(&buffer[..count])?;
    Ok(count > 0)
}
