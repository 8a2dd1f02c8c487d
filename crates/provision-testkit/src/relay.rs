//! A network between a program and a server, that can be cut or fall silent.

use core::net::{Ipv4Addr, SocketAddr};
use core::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use core::time::Duration;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle, sleep};

/// How often a thread looks whether anything has changed.
const LOOK_EACH: Duration = Duration::from_millis(20);

/// What a [`Relay`] does with what comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// Carries it.
    Up,
    /// Closes every connection, and takes none.
    Cut,
    /// Keeps it, and says nothing: a cable that is out, or a firewall that drops.
    Silent,
}

/// Carries TCP connections to a server. Ends them when it is dropped.
///
/// ```
/// use provision_testkit::relay::{Network, Relay};
/// use std::io::{Read as _, Write as _};
/// use std::net::{TcpListener, TcpStream};
///
/// let server = TcpListener::bind("127.0.0.1:0")?;
/// let relay = Relay::to(server.local_addr()?)?;
/// let mut client = TcpStream::connect(relay.address())?;
/// let (mut served, _) = server.accept()?;
/// client.write_all(b"x")?;
/// served.read_exact(&mut [0])?;
/// relay.set(Network::Cut);
/// assert_eq!(client.read(&mut [0]).unwrap_or(0), 0);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    state: Arc<State>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    network: AtomicU8,
    ended: AtomicBool,
}

impl State {
    fn network(&self) -> Network {
        if self.ended.load(Ordering::Relaxed) {
            return Network::Cut;
        }
        match self.network.load(Ordering::Relaxed) {
            0 => Network::Up,
            1 => Network::Cut,
            _ => Network::Silent,
        }
    }
}

impl Relay {
    /// A relay on the loopback interface to the server at this address.
    ///
    /// # Errors
    ///
    /// There is no port.
    pub fn to(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let state = Arc::new(State::default());
        let seen = Arc::clone(&state);
        let accepting = thread::spawn(move || {
            while !seen.ended.load(Ordering::Relaxed) {
                match listener.accept() {
                    // Closed at once when it is dropped.
                    Ok((client, _)) if seen.network() != Network::Cut => {
                        let state = Arc::clone(&seen);
                        thread::spawn(move || carry(&client, server, &state));
                    }
                    Ok(_) => {}
                    Err(_) => sleep(LOOK_EACH),
                }
            }
        });
        Ok(Self { address, state, accepting: Some(accepting) })
    }

    /// Where to connect.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What is to become of all connections from now on.
    pub fn set(&self, network: Network) {
        let number = match network {
            Network::Up => 0,
            Network::Cut => 1,
            Network::Silent => 2,
        };
        self.state.network.store(number, Ordering::Relaxed);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::Relaxed);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

/// Both ways, until one end closes or the network is cut.
fn carry(client: &TcpStream, server: SocketAddr, state: &State) {
    // Whoever connects while it is silent finds out later.
    while state.network() == Network::Silent {
        sleep(LOOK_EACH);
    }
    let Ok(server) = TcpStream::connect(server) else { return };
    thread::scope(|scope| {
        scope.spawn(|| copy(client, &server, state));
        copy(&server, client, state);
    });
}

fn copy(mut from: &TcpStream, mut to: &TcpStream, state: &State) {
    let mut buffer = [0; 16 * 1024];
    let carried = from.set_read_timeout(Some(LOOK_EACH)).and_then(|()| {
        loop {
            let network = state.network();
            match network {
                Network::Up => {}
                Network::Cut => return Ok(()),
                Network::Silent => {
                    sleep(LOOK_EACH);
                    continue;
                }
            }
            match from.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => to.write_all(&buffer[..count])?,
                Err(cause)
                    if matches!(cause.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(cause) => return Err(cause),
            }
        }
    });
    // Both ends hear of it, however it ended.
    drop(carried);
    for end in [from, to] {
        let _ = end.shutdown(Shutdown::Both);
    }
}
