//! Step 6: TLS with the identity.

use embedded_io::{Read, Write};
use provision_csr::Entropy;
use provision_device::Vault;
use provision_tls::{
    Buffers, ClientIdentity, ConnectError, Endpoint, ProvenStream, ServerName, UnixSeconds, connect,
};
use provision_wire::Delivery;

use crate::enroll::DELIVERY_LEN_MAX;
use crate::key::P256;

/// A connection's memory: for a `static`, not for the stack.
pub struct Memory {
    tls: Buffers<4_352, 1_024>,
    /// What was delivered at enrollment.
    delivery: [u8; DELIVERY_LEN_MAX],
}

impl Memory {
    /// Fresh memory.
    pub const fn new() -> Self {
        Self { tls: Buffers::new(), delivery: [0; DELIVERY_LEN_MAX] }
    }
}

/// Why there is no connection.
#[derive(Debug)]
pub enum Failure {
    /// The device was not enrolled, or its vault cannot be read.
    NoIdentity,
    /// No TCP connection.
    NoRoute,
    /// TLS was refused, by us or by the server.
    Tls(ConnectError),
}

/// Connects to the endpoint that was delivered. `dial` makes the TCP connection, whose reads must
/// end after a while of silence. `clock` is the time in seconds since 1970, if the device has one;
/// it is never earlier than the enrollment.
///
/// That the server takes *us* its first answer tells, and nothing before: wait for a 2xx or CONNACK.
pub fn to_the_cloud<'a, T: Read + Write + 'a>(
    memory: &'a mut Memory,
    vault: &mut impl Vault,
    entropy: &mut impl Entropy,
    clock: Option<u64>,
    dial: impl FnOnce(&str, u16) -> Option<T>,
) -> Result<ProvenStream<'a, T>, Failure> {
    let Memory { tls, delivery } = memory;
    let key = vault.key().ok().flatten().ok_or(Failure::NoIdentity)?;
    let stored = vault.read_delivery(delivery).ok().flatten();
    let delivered = stored.and_then(|stored| Delivery::decode(stored).ok());
    let delivered = delivered.ok_or(Failure::NoIdentity)?;

    let provision_wire::Endpoint { host, port, alpn } = delivered.endpoint;
    let name = ServerName::parse(host).map_err(|_| Failure::NoIdentity)?;
    let alpn = alpn.map(str::as_bytes);
    let endpoint = Endpoint { name, anchors: &delivered.server_anchors, alpn: alpn.as_slice() };
    let identity = ClientIdentity { leaf_der: delivered.leaf, key: &key };
    let now = UnixSeconds(clock.unwrap_or(0).max(delivered.time));

    let socket = dial(host, port).ok_or(Failure::NoRoute)?;
    connect::<P256, _>(socket, tls, &endpoint, &identity, now, entropy).map_err(Failure::Tls)
}
