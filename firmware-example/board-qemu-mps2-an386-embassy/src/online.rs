//! With an identity: the connection to the cloud.

use core::fmt::{self, Write};
use core::net::Ipv4Addr;

use board_qemu_mps2_an386::board::P256;
use board_qemu_mps2_an386::lan9118::Lan9118;
use embassy_net::tcp::{ConnectError as TcpError, TcpSocket};
use embassy_net::{Config, Runner, Stack, StackResources};
use embassy_time::{Duration, with_timeout};
use embedded_io_async::{Read, Write as _};
use provision_csr::Entropy;
use provision_device::{Vault, VaultFault};
use provision_firmware_app::http::{HttpError, STATUS_LEN, parse_status, request_root};
use provision_firmware_app::{DELIVERY_LEN_MAX, TLS_READ_LEN, TLS_WRITE_LEN};
use provision_tls::{
    AsyncProvenStream, Buffers, ClientIdentity, ConnectError, Endpoint, ServerName, StreamError,
    UnixSeconds, connect_async,
};
use provision_wire::Delivery;
use static_cell::StaticCell;

use crate::device::Device;
use crate::ethernet::Ethernet;
use crate::heartbeat::Watched;

/// DHCP and one connection.
const SOCKETS: usize = 2;
/// Bytes that may arrive before they are read: the TCP window.
const RECEIVE_LEN: usize = 2048;
/// Bytes that may wait to be sent or acknowledged.
const SEND_LEN: usize = 1536;

/// Patience for an address.
const ADDRESS_WITHIN: Duration = Duration::from_secs(5);
/// Patience for a connection, and for a host that says nothing.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Patience for the host to take our last bytes.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);

/// Waits between attempts. After the last attempt the device only serves its line; a product would go on for ever.
const BACKOFFS: [Duration; 3] =
    [Duration::from_secs(1), Duration::from_secs(4), Duration::from_secs(16)];

/// TCP/IP, and what drives it.
pub(crate) struct Network {
    pub(crate) stack: Stack<'static>,
    pub(crate) runner: Runner<'static, Ethernet>,
}

impl Network {
    /// Takes the Ethernet port into use; once.
    pub(crate) fn bring_up(entropy: &mut impl Entropy) -> Result<Self, &'static str> {
        static CONTROLLER: StaticCell<Lan9118> = StaticCell::new();
        static RESOURCES: StaticCell<StackResources<SOCKETS>> = StaticCell::new();

        let ethernet = Ethernet::bring_up(CONTROLLER.init_with(Lan9118::new))
            .map_err(|_| "the Ethernet controller does not come up")?;
        // TCP's sequence numbers, DHCP's transaction and the local ports are made of it.
        let mut random = [0; 8];
        entropy.fill(&mut random).map_err(|_| "no entropy")?;
        let resources = RESOURCES.init_with(StackResources::new);
        let config = Config::dhcpv4(Default::default());
        let (stack, runner) =
            embassy_net::new(ethernet, config, resources, u64::from_le_bytes(random));
        Ok(Self { stack, runner })
    }
}

/// What a connection needs, too large for the stack.
struct Memory {
    tls: Buffers<TLS_READ_LEN, TLS_WRITE_LEN>,
    delivery: [u8; DELIVERY_LEN_MAX],
    receive: [u8; RECEIVE_LEN],
    send: [u8; SEND_LEN],
}

impl Memory {
    const fn new() -> Self {
        Self {
            tls: Buffers::new(),
            delivery: [0; DELIVERY_LEN_MAX],
            receive: [0; RECEIVE_LEN],
            send: [0; SEND_LEN],
        }
    }
}

impl Device {
    /// Connects to the endpoint that was delivered, and logs the status of its answer: `http status=200`. Some
    /// attempts are made; the line is served between them.
    pub(crate) async fn go_online(&mut self, stack: Stack<'static>) {
        static MEMORY: StaticCell<Memory> = StaticCell::new();

        let memory = MEMORY.init_with(Memory::new);
        let attempts = BACKOFFS.len() + 1;
        for (attempt, backoff) in (1..).zip(BACKOFFS.into_iter().map(Some).chain([None])) {
            match self.ask_cloud(stack, memory).await {
                Ok(status) => {
                    let _ = writeln!(self.log, "http status={status}");
                    self.log_stack("handshake");
                    return;
                }
                Err(cause) => {
                    let _ =
                        writeln!(self.log, "online attempt {attempt}/{attempts} failed: {cause}");
                }
            }
            if let Some(backoff) = backoff {
                self.serve_until_quiet(backoff, None).await;
            }
        }
    }

    async fn ask_cloud(
        &mut self,
        stack: Stack<'static>,
        memory: &mut Memory,
    ) -> Result<u16, OnlineError> {
        let Memory { tls, delivery, receive, send } = memory;
        let key = self.vault.key().map_err(OnlineError::Vault)?.ok_or(OnlineError::NoIdentity)?;
        let stored = self.vault.read_delivery(delivery).map_err(OnlineError::Vault)?;
        let delivery = stored.and_then(|stored| Delivery::decode(stored).ok());
        let delivery = delivery.ok_or(OnlineError::NoIdentity)?;
        let provision_wire::Endpoint { host, port, alpn } = delivery.endpoint;
        let name = ServerName::parse(host).map_err(|_| OnlineError::NotAServerName)?;

        with_timeout(ADDRESS_WITHIN, stack.wait_config_up())
            .await
            .map_err(|_| OnlineError::NoAddress)?;
        let address: Ipv4Addr = host.parse().map_err(|_| OnlineError::NotAnIpv4Address)?;
        let mut socket = TcpSocket::new(stack, receive, send);
        socket.set_timeout(Some(ANSWER_WITHIN));
        socket.connect((address, port)).await.map_err(OnlineError::Tcp)?;
        let _ = writeln!(self.log, "tcp connected to {host}:{port}");

        let alpn = alpn.map(str::as_bytes);
        let endpoint = Endpoint { name, anchors: &delivery.server_anchors, alpn: alpn.as_slice() };
        let identity = ClientIdentity { leaf_der: delivery.leaf, key: &key };
        // A clock may have been set back, or lost; the time of the enrollment has certainly been.
        let now = UnixSeconds(self.unix_seconds().unwrap_or(0).max(delivery.time));
        let watched = Watched::begin("handshake", &mut self.log);
        let connected =
            connect_async::<P256, _>(socket, tls, &endpoint, &identity, now, &mut self.entropy)
                .await;
        watched.end(&mut self.log);
        let mut stream = connected.map_err(OnlineError::Tls)?;
        let _ = writeln!(self.log, "tls connected, the server has proven to be {host}");

        let status =
            get_root(&mut stream, host, self.device_serial).await.map_err(OnlineError::Http)?;
        // The answer is there; a server that has already left is no fault.
        if let Ok(mut socket) = stream.close().await {
            socket.close();
            let _ = with_timeout(CLOSE_WITHIN, socket.flush()).await;
        }
        Ok(status)
    }
}

/// Asks for `/` and returns the status code of the answer.
async fn get_root(
    stream: &mut AsyncProvenStream<'_, TcpSocket<'_>>,
    host: &str,
    device_serial: &str,
) -> Result<u16, HttpError<StreamError>> {
    for piece in request_root(host, device_serial) {
        stream.write_all(piece.as_bytes()).await.map_err(HttpError::Stream)?;
    }
    stream.flush().await.map_err(HttpError::Stream)?;

    let mut status_line = [0; STATUS_LEN];
    let mut len = 0;
    while let Some(rest @ [_, ..]) = status_line.get_mut(len..) {
        match stream.read(rest).await.map_err(HttpError::Stream)? {
            0 => return Err(HttpError::Ended { len }),
            more => len += more,
        }
    }
    parse_status(&status_line).ok_or(HttpError::NotHttp)
}

/// Why the cloud gave no status.
enum OnlineError {
    Vault(VaultFault),
    NoIdentity,
    NotAServerName,
    NoAddress,
    NotAnIpv4Address,
    Tcp(TcpError),
    Tls(ConnectError),
    Http(HttpError<StreamError>),
}

impl fmt::Display for OnlineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vault(fault) => write!(f, "vault: {fault}"),
            Self::NoIdentity => f.write_str("the vault has no identity that can be read"),
            Self::NotAServerName => {
                f.write_str("the endpoint is neither a DNS name nor an address")
            }
            Self::NoAddress => f.write_str("network: no address by DHCP"),
            Self::NotAnIpv4Address => f.write_str("network: the host is not an IPv4 address"),
            Self::Tcp(error) => write!(f, "network: {error:?}"),
            Self::Tls(error) => write!(f, "tls: {error}"),
            Self::Http(error) => write!(f, "http: {error}"),
        }
    }
}
