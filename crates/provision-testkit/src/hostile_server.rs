//! A TLS 1.3 server that does what it is told, honest or not, and reports what it was shown.
//!
//! It is written by hand over *ring*, so nothing is shared with the client under test, and so it
//! can leave out, repeat, reorder and forge. A [`Script`] is a list of [`Step`]s; a hostile one is
//! the honest one with a single change, which makes the honest one its twin:
//!
//! ```no_run
//! use provision_testkit::{
//!     hostile_server::{Credentials, HostileServer, Script, Step},
//!     pki::{self, Certified},
//! };
//!
//! # fn main() -> std::io::Result<()> {
//! let root = Certified::self_signed(pki::root("Server Root"));
//! let credentials = Credentials::of(&root.issue(pki::server(&["localhost"])), &[]);
//! let script = Script::honest().without(Step::CertificateVerify);
//! let server = HostileServer::start("127.0.0.1:0", credentials, script)?;
//! // ... a client connects to server.address() ...
//! assert!(server.seen().nothing_but_client_hello());
//! # Ok(())
//! # }
//! ```
//!
//! [`InProcessServer`] is the same without a socket: the client's reads make it play.
//!
//! One connection per server. It knows one cipher suite (AES-128-GCM with SHA-256) and one group
//! (P-256): what the device speaks.

mod client_hello;
mod connection;
mod in_process;
mod key_schedule;
mod messages;
mod script;
mod seen;

use core::{net::SocketAddr, time::Duration};
use std::{
    io,
    net::{TcpListener, ToSocketAddrs},
    thread::JoinHandle,
};

pub use in_process::InProcessServer;
pub use messages::alert;
pub use script::{Script, Step};
pub use seen::Seen;

use crate::pki::Certified;

/// What the server shows and signs with.
#[derive(Clone)]
pub struct Credentials {
    /// End entity first, DER.
    pub chain: Vec<Vec<u8>>,
    /// The key that signs the handshake, PKCS#8. It need not be the end entity's.
    pub key_pkcs8: Vec<u8>,
}

impl Credentials {
    /// A certificate with its own key, and the issuers to send with it.
    #[must_use]
    pub fn of(end_entity: &Certified, issuers: &[&Certified]) -> Self {
        Self {
            chain: core::iter::once(&end_entity)
                .chain(issuers)
                .map(|certified| certified.der().to_vec())
                .collect(),
            key_pkcs8: end_entity.key_der(),
        }
    }
}

/// A server waiting for its one connection, or having had it.
pub struct HostileServer {
    address: SocketAddr,
    connection: JoinHandle<Seen>,
}

impl HostileServer {
    /// Binds and waits in a thread of its own.
    ///
    /// # Errors
    ///
    /// If the address cannot be bound.
    pub fn start(
        bind: impl ToSocketAddrs,
        credentials: Credentials,
        script: Script,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(bind)?;
        let address = listener.local_addr()?;
        let connection = std::thread::spawn(move || match listener.accept() {
            Ok((socket, _)) => connection::serve(&socket, credentials, script),
            Err(_) => Seen::default(),
        });
        Ok(Self { address, connection })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for the connection to end, and tells what the client showed.
    ///
    /// # Panics
    ///
    /// If the server itself did: a mistake in a script.
    #[must_use]
    pub fn seen(self) -> Seen {
        self.connection.join().expect("the server's thread")
    }
}

/// How long the server waits for a client that says nothing.
const PATIENCE: Duration = Duration::from_secs(5);
