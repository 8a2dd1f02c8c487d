//! What a proven server is spoken to with.

use core::fmt;

use embedded_io::{BufRead as _, ErrorKind, ErrorType, Read, Write};
use embedded_tls::{TlsError, blocking::TlsConnection};

use crate::{
    RecordFault,
    cipher::{self, InspectingSuite},
    record_filter::RecordFilter,
    watch::{Stop, Watch},
};

/// An open connection to a server that has given both proofs; only [`connect()`](crate::connect())
/// makes one.
///
/// Reading gives 0 at the end the server has *signed off* (close_notify), and only there; a
/// transport that merely ends is [`StreamError::Truncated`]. Writing fills records: `flush` sends
/// what is written, so call it before waiting for an answer.
///
/// The first error is final: every later call gives it again. Dropping the stream sends nothing;
/// [`ProvenStream::close`] takes leave.
pub struct ProvenStream<'a, T: Read + Write> {
    tls: TlsConnection<'a, RecordFilter<'a, T>, InspectingSuite>,
    watch: &'a Watch,
    end: Option<End>,
}

#[derive(Clone, Copy)]
enum End {
    /// The server will send no more.
    CloseNotify,
    Failed(StreamError),
}

impl<'a, T: Read + Write> ProvenStream<'a, T> {
    pub(crate) fn new(
        tls: TlsConnection<'a, RecordFilter<'a, T>, InspectingSuite>,
        watch: &'a Watch,
    ) -> Self {
        Self { tls, watch, end: None }
    }

    /// Sends what is written and then close_notify (RFC 8446 section 6.1), and gives the transport
    /// back.
    ///
    /// # Errors
    ///
    /// [`StreamError`] if the stream had failed before, or fails now.
    pub fn close(self) -> Result<T, StreamError> {
        if let Some(End::Failed(error)) = self.end {
            return Err(error);
        }
        match self.tls.close() {
            Ok(filter) => Ok(filter.into_transport()),
            Err((_, error)) => Err(explain(error, self.watch)),
        }
    }

    fn working(&self) -> Result<(), StreamError> {
        match self.end {
            Some(End::Failed(error)) => Err(error),
            Some(End::CloseNotify) | None => Ok(()),
        }
    }

    fn fail(&mut self, error: StreamError) -> StreamError {
        self.end = Some(End::Failed(error));
        error
    }

    fn fail_with(&mut self, error: TlsError) -> StreamError {
        self.fail(explain(error, self.watch))
    }
}

impl<T: Read + Write> ErrorType for ProvenStream<'_, T> {
    type Error = StreamError;
}

impl<T: Read + Write> Read for ProvenStream<'_, T> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, StreamError> {
        self.working()?;
        if out.is_empty() || matches!(self.end, Some(End::CloseNotify)) {
            return Ok(0);
        }
        for _ in 0..IDLE_RECORDS_MAX {
            // One decrypted record, or what is left of it, with its type as the last byte.
            let record = match self.tls.fill_buf() {
                Ok(record) => record,
                Err(error) => return Err(self.fail_with(error)),
            };
            let Some((content_type, content)) = record.split_last() else {
                return Err(self.fail(StreamError::CannotDecrypt));
            };
            let record_len = record.len();
            match *content_type {
                cipher::APPLICATION_DATA if content.is_empty() => self.tls.consume(record_len),
                cipher::APPLICATION_DATA => {
                    let len = content.len().min(out.len());
                    for (to, from) in out.iter_mut().zip(content) {
                        *to = *from;
                    }
                    // The type stays; next time it is passed over as an empty record.
                    self.tls.consume(len);
                    return Ok(len);
                }
                cipher::HANDSHAKE => {
                    if let Err(error) = only_tickets(content) {
                        return Err(self.fail(error));
                    }
                    self.tls.consume(record_len);
                }
                cipher::ALERT => {
                    let alert = read_alert(content);
                    self.tls.consume(record_len);
                    return match alert {
                        Ok(CLOSE_NOTIFY) => {
                            self.end = Some(End::CloseNotify);
                            Ok(0)
                        }
                        Ok(description) => Err(self.fail(StreamError::Alert { description })),
                        Err(error) => Err(self.fail(error)),
                    };
                }
                content_type => {
                    return Err(self.fail(StreamError::UnexpectedMessage { content_type }));
                }
            }
        }
        Err(self.fail(StreamError::Flooded))
    }
}

impl<T: Read + Write> Write for ProvenStream<'_, T> {
    fn write(&mut self, data: &[u8]) -> Result<usize, StreamError> {
        self.working()?;
        if data.is_empty() {
            return Ok(0);
        }
        self.tls.write(data).map_err(|error| self.fail_with(error))
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        self.working()?;
        self.tls.flush().map_err(|error| self.fail_with(error))
    }
}

/// Why a stream ended other than by the server's close_notify.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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
        }
    }
}

fn explain(error: TlsError, watch: &Watch) -> StreamError {
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

/// The handshake messages of one record: session tickets are passed over, anything else has no
/// place.
fn only_tickets(mut messages: &[u8]) -> Result<(), StreamError> {
    const MALFORMED: StreamError =
        StreamError::UnexpectedMessage { content_type: cipher::HANDSHAKE };

    // An empty handshake record is none (RFC 8446 section 5.1).
    loop {
        let [message_type, a, b, c, rest @ ..] = messages else {
            return Err(MALFORMED);
        };
        match *message_type {
            NEW_SESSION_TICKET => {}
            KEY_UPDATE => return Err(StreamError::KeyUpdate),
            _ => return Err(MALFORMED),
        }
        let len = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        messages = rest.get(len..).ok_or(MALFORMED)?;
        if messages.is_empty() {
            return Ok(());
        }
    }
}

/// ```text
/// struct { AlertLevel level; AlertDescription description; } Alert;    -- RFC 8446 section 6
/// ```
fn read_alert(content: &[u8]) -> Result<u8, StreamError> {
    match content {
        // The level is meaningless in TLS 1.3.
        [_, description] => Ok(*description),
        _ => Err(StreamError::UnexpectedMessage { content_type: cipher::ALERT }),
    }
}

const CLOSE_NOTIFY: u8 = 0;
const NEW_SESSION_TICKET: u8 = 4;
const KEY_UPDATE: u8 = 24;

/// Records without data within one read; a server sends a few tickets, and seldom else.
const IDLE_RECORDS_MAX: usize = 32;
