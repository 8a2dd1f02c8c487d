//! With an identity: the connection to the cloud.

use core::fmt::{self, Write};

use provision_csr::scrubbed;
use provision_device::{Vault, VaultFault};
use provision_tls::{
    Buffers, ClientIdentity, ConnectError, Endpoint, ServerName, StreamError, UnixSeconds, connect,
};
use provision_wire::Delivery;

use crate::Firmware;
use crate::board::{Board, Clock, Network};
use crate::firmware::DELIVERY_LEN_MAX;
use crate::http::{HttpError, get_root};

/// Longest record the server may send: the device asks for records of 4,096 bytes (RFC 6066 section 4). A server
/// that does not grant that needs 16,640 here.
pub const TLS_READ_LEN: usize = 4_352;
/// Longest record the device sends: its certificate, and 64 bytes.
pub const TLS_WRITE_LEN: usize = 1_024;

/// Waits between attempts, in milliseconds. After the last attempt the device only serves its line; a product
/// would go on for ever.
const BACKOFF_MS: [u32; 3] = [1_000, 4_000, 16_000];

/// Stack of a connection that the identity key is moved through, in bytes, rounded up: overwritten when the connection
/// is over. Less than a handshake takes, so it costs none.
const KEY_STACK_LEN: usize = 8 * 1024;

/// What a connection needs: for a static.
pub struct OnlineMemory {
    tls: Buffers<TLS_READ_LEN, TLS_WRITE_LEN>,
    delivery: [u8; DELIVERY_LEN_MAX],
}

impl OnlineMemory {
    /// Fresh memory.
    #[must_use]
    pub const fn new() -> Self {
        Self { tls: Buffers::new(), delivery: [0; DELIVERY_LEN_MAX] }
    }
}

impl Default for OnlineMemory {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for OnlineMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OnlineMemory").finish_non_exhaustive()
    }
}

impl<B: Board> Firmware<B> {
    /// Connects to the endpoint that was delivered, and logs the status of its answer: `http status=200`. Some
    /// attempts are made; the line is served between them.
    pub fn go_online(&mut self, network: &mut impl Network, memory: &mut OnlineMemory) {
        let attempts = BACKOFF_MS.len() + 1;
        for (attempt, backoff_ms) in (1..).zip(BACKOFF_MS.into_iter().map(Some).chain([None])) {
            match scrubbed::<KEY_STACK_LEN, _>(|| self.ask_cloud(network, memory)) {
                Ok(status) => {
                    let _ = writeln!(self.log, "http status={status}");
                    self.log_stack("handshake");
                    return;
                }
                Err(cause) => {
                    let _ =
                        writeln!(self.log, "online attempt {attempt}/{attempts} failed: {cause}");
                    self.log_stack("attempt");
                }
            }
            if let Some(backoff_ms) = backoff_ms {
                self.serve_until_quiet(backoff_ms);
            }
        }
    }

    fn ask_cloud<N: Network>(
        &mut self,
        network: &mut N,
        memory: &mut OnlineMemory,
    ) -> Result<u16, OnlineError<N::Error>> {
        let OnlineMemory { tls, delivery } = memory;
        let key = self.vault.key().map_err(OnlineError::Vault)?.ok_or(OnlineError::NoIdentity)?;
        let stored = self.vault.read_delivery(delivery).map_err(OnlineError::Vault)?;
        let stored = stored.ok_or(OnlineError::NoIdentity)?;
        let delivery = Delivery::decode(stored).map_err(|_| OnlineError::NoIdentity)?;
        let provision_wire::Endpoint { host, port, alpn } = delivery.endpoint;
        let name = ServerName::parse(host).map_err(|_| OnlineError::NotAServerName)?;

        let address = network.up().map_err(OnlineError::Network)?;
        let _ = writeln!(self.log, "network up, address {address}");
        let socket = network.connect(host, port).map_err(OnlineError::Network)?;
        let _ = writeln!(self.log, "tcp connected to {host}:{port}");

        let alpn = alpn.map(str::as_bytes);
        let endpoint = Endpoint { name, anchors: &delivery.server_anchors, alpn: alpn.as_slice() };
        let identity = ClientIdentity { leaf_der: delivery.leaf, key: &key };
        // A clock may have been set back, or lost; the time of the enrollment has certainly been.
        let now = self.clock.unix_seconds().unwrap_or(0).max(delivery.time);
        let mut stream = connect::<B::P256, _>(
            socket,
            tls,
            &endpoint,
            &identity,
            UnixSeconds(now),
            &mut self.entropy,
        )
        .map_err(OnlineError::Tls)?;
        let _ = writeln!(self.log, "tls connected, the server has proven to be {host}");

        let status = get_root(&mut stream, host, self.device_serial).map_err(OnlineError::Http)?;
        // The answer is there; a server that has already left is no fault.
        let _ = stream.close();
        Ok(status)
    }
}

/// Why the cloud gave no status.
enum OnlineError<N> {
    Vault(VaultFault),
    NoIdentity,
    NotAServerName,
    Network(N),
    Tls(ConnectError),
    Http(HttpError<StreamError>),
}

impl<N: fmt::Display> fmt::Display for OnlineError<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vault(fault) => write!(f, "vault: {fault}"),
            Self::NoIdentity => f.write_str("the vault has no identity that can be read"),
            Self::NotAServerName => {
                f.write_str("the endpoint is neither a DNS name nor an address")
            }
            Self::Network(error) => write!(f, "network: {error}"),
            Self::Tls(error) => write!(f, "tls: {error}"),
            Self::Http(error) => write!(f, "http: {error}"),
        }
    }
}
