//! The one way to a connection.

use core::fmt;

use embedded_io::{ErrorKind, Read, Write};
use embedded_tls::{MaxFragmentLength, TlsConfig, TlsContext, TlsError, blocking::TlsConnection};
use provision_csr::{Entropy, IdentityKey, VerifyP256};
use provision_path::{ServerFault, ServerName, UnixSeconds};

use crate::{
    ProvenStream, RecordFault, Records,
    provider::Provider,
    record_filter::RecordFilter,
    verifier::ServerVerifier,
    watch::{Proof, Stage, Stop, Watch},
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

/// Opens TLS 1.3 over a connected transport, and returns the stream once the server has proven to
/// be `endpoint` at the time `now` and the device's own part of the handshake is on its way.
///
/// Whether the server takes the device is not known by then: if it does not, the first read says
/// so.
///
/// The transport blocks; how long is up to it. It should fail its reads after a while of silence,
/// which ends the attempt as [`ConnectError::Transport`]. Pass `&mut socket` to keep the socket.
///
/// `now` is a duty: without a clock there is no trust. A device without one takes the time written
/// at provisioning as the least it can be.
///
/// # Errors
///
/// [`ConnectError`] says what stood in the way. In each case nothing but a ClientHello was sent,
/// unless the server had proven itself; the transport is then of no further use.
pub fn connect<'a, V, T>(
    transport: T,
    buffers: impl Into<Records<'a>>,
    endpoint: &Endpoint<'_>,
    identity: &ClientIdentity<'_, impl IdentityKey>,
    now: UnixSeconds,
    entropy: &mut impl Entropy,
) -> Result<ProvenStream<'a, T>, ConnectError>
where
    V: VerifyP256,
    T: Read + Write + 'a,
{
    let Records { read, write, watch } = buffers.into();
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

    let filter = RecordFilter::new(transport, watch, read.len());
    let mut tls = TlsConnection::new(filter, read, write);
    let verifier = ServerVerifier::<V>::new(endpoint, now, watch);
    let provider = Provider::new(identity, entropy, verifier, watch);
    tls.open(TlsContext::new(&config, provider)).map_err(|error| explain(error, watch))?;

    // embedded-tls would be content without; the filter has let nothing pass without. Twice is
    // not too often for the one promise everything rests on.
    if !watch.is_proven() {
        return Err(missing_proof(watch));
    }
    watch.enter(Stage::Application);
    Ok(ProvenStream::new(tls, watch))
}

/// Why there is no connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// An ALPN protocol name is empty or longer than 255 bytes.
    BadAlpn,
    /// The write buffer cannot hold what the device has to send.
    WriteBufferTooSmall {
        /// Bytes needed.
        needed: usize,
        /// Bytes given.
        found: usize,
    },
    /// The entropy source refused, or is stuck. Nothing was sent.
    NoEntropy,
    /// The identity key could not sign. The server had proven itself.
    CannotSign,
    /// The transport failed; [`ErrorKind::TimedOut`] if it gave up waiting.
    Transport(ErrorKind),
    /// The transport ended before the handshake did.
    Closed,
    /// A record was refused before it was looked into.
    Record(RecordFault),
    /// The server declined at once, before anything was encrypted.
    Alert {
        /// AlertDescription (RFC 8446 section 6): 40 handshake_failure, 70 protocol_version, ...
        description: u8,
    },
    /// The server's certificate is not good for this endpoint.
    Server(ServerFault),
    /// The server sent no certificate.
    NoCertificate,
    /// The server sent no signature over the handshake.
    NoHandshakeSignature,
    /// The server signs the handshake with an algorithm that is not on P-256.
    UnsupportedSignature {
        /// SignatureScheme (RFC 8446 section 4.2.3).
        scheme: u16,
    },
    /// The signature over the handshake is not by the key of the server's certificate.
    WrongHandshakeSignature,
    /// A certificate or signature came twice, or the second before the first.
    OutOfOrder,
    /// A record that does not decrypt, or is empty inside.
    CannotDecrypt,
    /// The server's Finished does not fit this handshake.
    WrongFinished,
    /// An encrypted alert, or data, in place of a handshake message: the server broke off.
    Aborted,
    /// A handshake message that cannot be read: malformed, split over records, or asking for what
    /// is not supported (HelloRetryRequest, another key exchange, another cipher suite).
    UnreadableHandshake,
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadAlpn => f.write_str("an ALPN protocol name is not 1 to 255 bytes"),
            Self::WriteBufferTooSmall { needed, found } => {
                write!(f, "the write buffer has {found} bytes, and {needed} are needed")
            }
            Self::NoEntropy => f.write_str("no entropy for the key exchange"),
            Self::CannotSign => f.write_str("the identity key could not sign"),
            Self::Transport(kind) => write!(f, "transport: {kind:?}"),
            Self::Closed => f.write_str("the server closed before the handshake was done"),
            Self::Record(fault) => fault.fmt(f),
            Self::Alert { description } => write!(f, "the server declined: alert {description}"),
            Self::Server(fault) => fault.fmt(f),
            Self::NoCertificate => f.write_str("the server sent no certificate"),
            Self::NoHandshakeSignature => f.write_str("the server did not sign the handshake"),
            Self::UnsupportedSignature { scheme } => {
                write!(f, "the server signs with scheme {scheme:#06x}, not ECDSA P-256")
            }
            Self::WrongHandshakeSignature => {
                f.write_str("the handshake is not signed by the key of the server's certificate")
            }
            Self::OutOfOrder => f.write_str("the server's proofs came out of order"),
            Self::CannotDecrypt => f.write_str("a record does not decrypt"),
            Self::WrongFinished => f.write_str("the server's Finished does not fit"),
            Self::Aborted => f.write_str("the server broke off the handshake"),
            Self::UnreadableHandshake => {
                f.write_str("a handshake message is malformed or not supported")
            }
        }
    }
}

impl core::error::Error for ConnectError {}

/// embedded-tls's error is the last to be asked: it was often told a stand-in.
fn explain(error: TlsError, watch: &Watch) -> ConnectError {
    match watch.stopped() {
        Some(Stop::Connect(error)) => return error,
        Some(Stop::Unproven) => return missing_proof(watch),
        Some(Stop::Record(fault)) => return ConnectError::Record(fault),
        Some(Stop::Transport(kind)) => return ConnectError::Transport(kind),
        Some(Stop::Eof) => return ConnectError::Closed,
        None => {}
    }
    match error {
        TlsError::HandshakeAborted(_, description) => {
            ConnectError::Alert { description: description as u8 }
        }
        TlsError::CryptoError => ConnectError::CannotDecrypt,
        TlsError::InvalidSignature => ConnectError::WrongFinished,
        TlsError::InvalidRecord => ConnectError::Aborted,
        _ => ConnectError::UnreadableHandshake,
    }
}

fn missing_proof(watch: &Watch) -> ConnectError {
    match watch.proof() {
        Proof::Nothing => ConnectError::NoCertificate,
        Proof::Certificate | Proof::Both => ConnectError::NoHandshakeSignature,
    }
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
