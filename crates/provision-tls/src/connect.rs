//! The one way to a connection.
//!
//! [`Prepared`] and [`conclude`] are what comes before and after the handshake; the two ways to
//! connect differ in who waits for it.

#[cfg(feature = "async")]
mod asynchronous;
mod blocking;
mod error;

use embedded_tls::{MaxFragmentLength, TlsConfig, TlsError};
use provision_csr::{Entropy, IdentityKey, VerifyP256};
use provision_path::{ServerName, UnixSeconds};

#[cfg(feature = "async")]
pub use self::asynchronous::connect_async;
pub use self::blocking::connect;
pub use self::error::ConnectError;
use self::error::{explain, missing_proof};
use crate::{
    Records,
    provider::Provider,
    verifier::ServerVerifier,
    watch::{Stage, Watch},
};

/// Who the device is.
pub struct ClientIdentity<'a, K> {
    /// The device's certificate, in DER.
    pub leaf_der: &'a [u8],
    /// The key in it.
    pub key: &'a K,
}

/// What the server must prove to be.
#[derive(Clone, Debug)]
pub struct Endpoint<'a> {
    /// Its name, in subjectAltName of its certificate.
    pub name: ServerName<'a>,
    /// The certificates (DER) of the CAs that may vouch for it, at most
    /// [`ANCHORS_MAX`](provision_path::ANCHORS_MAX).
    pub anchors: &'a [&'a [u8]],
    /// ALPN protocol to ask for (RFC 7301), such as `x-amzn-mqtt-ca` for AWS IoT on port 443.
    /// Usually none. If several are given, which one the server took is not known.
    pub alpn: &'a [&'a [u8]],
}

/// All that a handshake needs beside its transport, checked.
struct Prepared<'a, 'c, V, K, E> {
    read: &'a mut [u8],
    write: &'a mut [u8],
    watch: &'a Watch,
    config: TlsConfig<'c>,
    provider: Provider<'c, V, K, E>,
}

impl<'a: 'c, 'c, V: VerifyP256, K: IdentityKey, E: Entropy> Prepared<'a, 'c, V, K, E> {
    fn new(
        records: Records<'a>,
        endpoint: &'c Endpoint<'c>,
        identity: &'c ClientIdentity<'c, K>,
        now: UnixSeconds,
        entropy: &'c mut E,
    ) -> Result<Self, ConnectError> {
        let Records { read, write, watch } = records;
        check_alpn(endpoint.alpn)?;
        check_write_buffer(write.len(), endpoint, identity.leaf_der)?;

        let mut config = TlsConfig::new();
        if let Some(name) = endpoint.name.indication() {
            config = config.with_server_name(name);
        }
        if !endpoint.alpn.is_empty() {
            config = config.with_alpn(endpoint.alpn);
        }
        if let Some(length) = max_fragment_length(read.len()) {
            config = config.with_max_fragment_length(length);
        }
        let verifier = ServerVerifier::<V>::new(endpoint, now, watch);
        let provider = Provider::new(identity, entropy, verifier, watch);
        Ok(Self { read, write, watch, config, provider })
    }
}

/// Whether what embedded-tls calls open is a connection.
fn conclude(opened: Result<(), TlsError>, watch: &Watch) -> Result<(), ConnectError> {
    opened.map_err(|error| explain(error, watch))?;
    // embedded-tls would be content without; the filter has let nothing pass without. Twice is
    // not too often for the one promise everything rests on.
    if !watch.is_proven() {
        return Err(missing_proof(watch));
    }
    watch.enter(Stage::Application);
    Ok(())
}

fn check_alpn(protocols: &[&[u8]]) -> Result<(), ConnectError> {
    if protocols.iter().any(|name| name.is_empty() || name.len() > usize::from(u8::MAX)) {
        return Err(ConnectError::BadAlpn);
    }
    Ok(())
}

fn check_write_buffer(
    found: usize,
    endpoint: &Endpoint<'_>,
    leaf_der: &[u8],
) -> Result<(), ConnectError> {
    let name_len = endpoint.name.indication().map_or(0, str::len);
    let hello_len =
        endpoint.alpn.iter().fold(CLIENT_HELLO_LEN.saturating_add(name_len), |len, name| {
            len.saturating_add(name.len()).saturating_add(1)
        });
    let needed = hello_len.max(leaf_der.len().saturating_add(CERTIFICATE_OVERHEAD));
    if found < needed {
        return Err(ConnectError::WriteBufferTooSmall { needed, found });
    }
    Ok(())
}

/// Asks for records that fit, with the 256 bytes that encryption and padding may add.
const fn max_fragment_length(read_len: usize) -> Option<MaxFragmentLength> {
    match read_len {
        16_640.. => None,
        4_352.. => Some(MaxFragmentLength::Bits12),
        2_304.. => Some(MaxFragmentLength::Bits11),
        1_280.. => Some(MaxFragmentLength::Bits10),
        _ => Some(MaxFragmentLength::Bits9),
    }
}

/// A ClientHello without name and protocols, rounded up.
const CLIENT_HELLO_LEN: usize = 192;
/// Record and message headers, empty request context and extensions, inner type, tag; rounded up.
const CERTIFICATE_OVERHEAD: usize = 64;
