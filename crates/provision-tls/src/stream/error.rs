//! How a stream ends before its time.

use core::fmt;

use embedded_io::ErrorKind;
use embedded_tls::TlsError;

use crate::{
    RecordFault,
    watch::{Stop, Watch},
};

/// Why a stream ended other than by the server's close_notify.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum StreamError {
    /// The transport failed; [`ErrorKind::TimedOut`] if it gave up waiting.
    Transport(ErrorKind),
    /// The transport ended and the server had not said so: what came before may not be all.
    Truncated,
    /// The server says why it gives up. A device it does not accept learns it here, at the first
    /// read.
    Alert {
        /// AlertDescription (RFC 8446 section 6): 42 to 48 about the device's certificate, 49
        /// access_denied, 116 certificate_required, ...
        description: u8,
    },
    /// A record was refused before it was decrypted.
    Record(RecordFault),
    /// A record does not decrypt: it is not from the server, or not in its place.
    CannotDecrypt,
    /// The server changes keys, which this client cannot follow (RFC 8446 section 4.6.3).
    KeyUpdate,
    /// A message that has no place after the handshake, or is malformed.
    UnexpectedMessage {
        /// TLS ContentType inside the encryption: 21 alert, 22 handshake, or one unknown.
        content_type: u8,
    },
    /// Record after record without data: the server only keeps the device awake.
    Flooded,
    /// A call was dropped in the middle of a record, which is lost with it.
    #[cfg(feature = "async")]
    Cancelled,
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(kind) => write!(f, "transport: {kind:?}"),
            Self::Truncated => f.write_str("the connection ended before the server closed it"),
            Self::Alert { description } => write!(f, "the server gave up: alert {description}"),
            Self::Record(fault) => fault.fmt(f),
            Self::CannotDecrypt => f.write_str("a record does not decrypt"),
            Self::KeyUpdate => f.write_str("the server changes keys, which is not supported"),
            Self::UnexpectedMessage { content_type } => {
                write!(f, "an unexpected or malformed message of type {content_type}")
            }
            Self::Flooded => f.write_str("too many records without data"),
            #[cfg(feature = "async")]
            Self::Cancelled => f.write_str("a call was dropped in the middle of a record"),
        }
    }
}

impl core::error::Error for StreamError {}

impl embedded_io::Error for StreamError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Transport(kind) => *kind,
            Self::Truncated => ErrorKind::ConnectionReset,
            Self::Alert { .. } | Self::KeyUpdate => ErrorKind::ConnectionAborted,
            Self::Record(_)
            | Self::CannotDecrypt
            | Self::UnexpectedMessage { .. }
            | Self::Flooded => ErrorKind::InvalidData,
            #[cfg(feature = "async")]
            Self::Cancelled => ErrorKind::Interrupted,
        }
    }
}

/// embedded-tls's error is the last to be asked: it was often told a stand-in.
pub(super) fn explain(error: TlsError, watch: &Watch) -> StreamError {
    match watch.stopped() {
        Some(Stop::Transport(kind)) => StreamError::Transport(kind),
        Some(Stop::Eof) => StreamError::Truncated,
        Some(Stop::Record(fault)) => StreamError::Record(fault),
        // Only a handshake stops for these, and there was a stream.
        Some(Stop::Unproven | Stop::Connect(_)) => StreamError::CannotDecrypt,
        None => match error {
            TlsError::CryptoError => StreamError::CannotDecrypt,
            _ => StreamError::Transport(ErrorKind::Other),
        },
    }
}
