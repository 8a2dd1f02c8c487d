//! What decrypted records come to, without IO.

use embedded_tls::TlsError;

use super::error::{StreamError, explain};
use crate::{cipher, watch::Watch};

/// The state of an open stream beside its keys.
pub(super) struct Conversation<'a> {
    watch: &'a Watch,
    end: Option<End>,
}

#[derive(Clone, Copy)]
enum End {
    /// The server will send no more.
    CloseNotify,
    Failed(StreamError),
}

/// What a record, or what is left of it, came to.
pub(super) struct Taken {
    /// So many of its bytes are done with.
    pub(super) len: usize,
    /// What the read gives; `None` if it goes on with the next record.
    pub(super) read: Option<Result<usize, StreamError>>,
}

impl<'a> Conversation<'a> {
    pub(super) fn new(watch: &'a Watch) -> Self {
        Self { watch, end: None }
    }

    pub(super) fn working(&self) -> Result<(), StreamError> {
        match self.end {
            Some(End::Failed(error)) => Err(error),
            Some(End::CloseNotify) | None => Ok(()),
        }
    }

    /// Whether there is anything to read, and room for it.
    pub(super) fn goes_on(&self, out: &[u8]) -> Result<bool, StreamError> {
        self.working()?;
        Ok(!out.is_empty() && self.end.is_none())
    }

    /// Takes what embedded-tls has: a record with its type as the last byte, or what is left of
    /// one.
    pub(super) fn take(&mut self, record: Result<&[u8], TlsError>, out: &mut [u8]) -> Taken {
        let failed = |error| Taken { len: 0, read: Some(Err(error)) };
        let record = match record {
            Ok(record) => record,
            Err(error) => return failed(self.fail_with(error)),
        };
        let Some((content_type, content)) = record.split_last() else {
            return failed(self.fail(StreamError::CannotDecrypt));
        };
        let done = |read| Taken { len: record.len(), read };
        match *content_type {
            cipher::APPLICATION_DATA if content.is_empty() => done(None),
            cipher::APPLICATION_DATA => {
                let len = content.len().min(out.len());
                for (to, from) in out.iter_mut().zip(content) {
                    *to = *from;
                }
                // The type stays; next time it is passed over as an empty record.
                Taken { len, read: Some(Ok(len)) }
            }
            cipher::HANDSHAKE => match only_tickets(content) {
                Ok(()) => done(None),
                Err(error) => failed(self.fail(error)),
            },
            cipher::ALERT => match read_alert(content) {
                Ok(CLOSE_NOTIFY) => {
                    self.end = Some(End::CloseNotify);
                    done(Some(Ok(0)))
                }
                Ok(description) => done(Some(Err(self.fail(StreamError::Alert { description })))),
                Err(error) => done(Some(Err(self.fail(error)))),
            },
            content_type => failed(self.fail(StreamError::UnexpectedMessage { content_type })),
        }
    }

    pub(super) fn fail(&mut self, error: StreamError) -> StreamError {
        self.end = Some(End::Failed(error));
        error
    }

    pub(super) fn fail_with(&mut self, error: TlsError) -> StreamError {
        self.fail(explain(error, self.watch))
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
pub(super) const IDLE_RECORDS_MAX: usize = 32;
