//! The stream over [`embedded_io_async`].

use embedded_io::ErrorType;
use embedded_io_async::{BufRead as _, Read, Write};
use embedded_tls::TlsConnection;

use super::{Conversation, IDLE_RECORDS_MAX, StreamError};
use crate::{cipher::InspectingSuite, record_filter::RecordFilter, watch::Watch};

/// [`ProvenStream`](crate::ProvenStream), awaited; only
/// [`connect_async()`](crate::connect_async()) makes one.
///
/// # Dropping a call before it is done
///
/// A `read` that waits for a record may be dropped, to wait for something else at the same time,
/// if the transport's own `read` loses nothing then. Whatever else is dropped midway (a `read`
/// that has begun with a record's body, a `write` or `flush` that waits for the transport) leaves
/// half a record behind: every later call gives [`StreamError::Cancelled`]. Patience therefore
/// belongs into the transport, which should fail after a while of silence.
pub struct AsyncProvenStream<'a, T: Read + Write> {
    tls: TlsConnection<'a, RecordFilter<'a, T>, InspectingSuite>,
    conversation: Conversation<'a>,
    watch: &'a Watch,
    underway: Option<Call>,
}

/// A call that has not come to its end.
#[derive(Clone, Copy)]
enum Call {
    Read,
    Write,
}

impl<'a, T: Read + Write> AsyncProvenStream<'a, T> {
    pub(crate) fn new(
        tls: TlsConnection<'a, RecordFilter<'a, T>, InspectingSuite>,
        watch: &'a Watch,
    ) -> Self {
        Self { tls, conversation: Conversation::new(watch), watch, underway: None }
    }

    /// Sends what is written and then close_notify (RFC 8446 section 6.1), and gives the transport
    /// back.
    ///
    /// # Errors
    ///
    /// [`StreamError`] if the stream had failed before, or fails now.
    pub async fn close(mut self) -> Result<T, StreamError> {
        self.settle()?;
        match self.tls.close().await {
            Ok(filter) => Ok(filter.into_transport()),
            Err((_, error)) => Err(self.conversation.fail_with(error)),
        }
    }

    /// Faces what a call left behind that was dropped.
    fn settle(&mut self) -> Result<(), StreamError> {
        match self.underway.take() {
            None => self.conversation.working(),
            Some(Call::Read) if self.watch.take_up_again() => self.conversation.working(),
            Some(Call::Read | Call::Write) => Err(self.conversation.fail(StreamError::Cancelled)),
        }
    }
}

impl<T: Read + Write> ErrorType for AsyncProvenStream<'_, T> {
    type Error = StreamError;
}

impl<T: Read + Write> Read for AsyncProvenStream<'_, T> {
    async fn read(&mut self, out: &mut [u8]) -> Result<usize, StreamError> {
        self.settle()?;
        if !self.conversation.goes_on(out)? {
            return Ok(0);
        }
        for _ in 0..IDLE_RECORDS_MAX {
            self.underway = Some(Call::Read);
            let record = self.tls.fill_buf().await;
            self.underway = None;
            let taken = self.conversation.take(record, out);
            self.tls.consume(taken.len);
            if let Some(read) = taken.read {
                return read;
            }
        }
        Err(self.conversation.fail(StreamError::Flooded))
    }
}

impl<T: Read + Write> Write for AsyncProvenStream<'_, T> {
    async fn write(&mut self, data: &[u8]) -> Result<usize, StreamError> {
        self.settle()?;
        if data.is_empty() {
            return Ok(0);
        }
        self.underway = Some(Call::Write);
        let written = self.tls.write(data).await;
        self.underway = None;
        written.map_err(|error| self.conversation.fail_with(error))
    }

    async fn flush(&mut self) -> Result<(), StreamError> {
        self.settle()?;
        self.underway = Some(Call::Write);
        let flushed = self.tls.flush().await;
        self.underway = None;
        flushed.map_err(|error| self.conversation.fail_with(error))
    }
}
