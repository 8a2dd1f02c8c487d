//! Why a connection does not come about.

use core::fmt;

use embedded_io::ErrorKind;
use embedded_tls::TlsError;
use provision_path::ServerFault;

use crate::{
    RecordFault,
    watch::{Proof, Stop, Watch},
};

/// Why there is no connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
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
    /// A handshake message that cannot be read: malformed, split over records, behind the server's
    /// Finished in its record, or asking for what is not supported (HelloRetryRequest, another key
    /// exchange, another cipher suite).
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
pub(super) fn explain(error: TlsError, watch: &Watch) -> ConnectError {
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
        // A signature that ends behind its message is not even handed to the verifier.
        TlsError::InvalidSignature if !watch.is_proven() => ConnectError::WrongHandshakeSignature,
        TlsError::InvalidSignature => ConnectError::WrongFinished,
        TlsError::InvalidRecord => ConnectError::Aborted,
        _ => ConnectError::UnreadableHandshake,
    }
}

pub(super) fn missing_proof(watch: &Watch) -> ConnectError {
    match watch.proof() {
        Proof::Nothing => ConnectError::NoCertificate,
        Proof::Certificate | Proof::Both => ConnectError::NoHandshakeSignature,
    }
}
