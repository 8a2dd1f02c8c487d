//! The stream over [`embedded_io`].

use embedded_io::{BufRead as _, ErrorType, Read, Write};
use embedded_tls::blocking::TlsConnection;

use super::{Conversation, IDLE_RECORDS_MAX, StreamError};
use crate::{cipher::InspectingSuite, record_filter::RecordFilter, watch::Watch};

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
    conversation: Conversation<'a>,
}

impl<'a, T: Read + Write> ProvenStream<'a, T> {
    pub(crate) fn new(
        tls: TlsConnection<'a, RecordFilter<'a, T>, InspectingSuite>,
        watch: &'a Watch,
    ) -> Self {
        Self { tls, conversation: Conversation::new(watch) }
    }

    /// Sends what is written and then close_notify (RFC 8446 section 6.1), and gives the transport
    /// back.
    ///
    /// # Errors
    ///
    /// [`StreamError`] if the stream had failed before, or fails now.
    pub fn close(mut self) -> Result<T, StreamError> {
        self.conversation.working()?;
        match self.tls.close() {
            Ok(filter) => Ok(filter.into_transport()),
            Err((_, error)) => Err(self.conversation.fail_with(error)),
        }
    }
}

impl<T: Read + Write> ErrorType for ProvenStream<'_, T> {
    type Error = StreamError;
}

impl<T: Read + Write> Read for ProvenStream<'_, T> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, StreamError> {
        if !self.conversation.goes_on(out)? {
            return Ok(0);
        }
        for _ in 0..IDLE_RECORDS_MAX {
            let taken = self.conversation.take(self.tls.fill_buf(), out);
            self.tls.consume(taken.len);
            if let Some(read) = taken.read {
                return read;
            }
        }
        Err(self.conversation.fail(StreamError::Flooded))
    }
}

impl<T: Read + Write> Write for ProvenStream<'_, T> {
    fn write(&mut self, data: &[u8]) -> Result<usize, StreamError> {
        self.conversation.working()?;
        if data.is_empty() {
            return Ok(0);
        }
        self.tls.write(data).map_err(|error| self.conversation.fail_with(error))
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        self.conversation.working()?;
        self.tls.flush().map_err(|error| self.conversation.fail_with(error))
    }
}
