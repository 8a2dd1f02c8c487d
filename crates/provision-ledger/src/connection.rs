//! A connection to PostgreSQL that nobody waits for without end.
//!
//! A server that is gone says so, or its machine does. One that was stopped, or is behind a firewall
//! that drops what it should refuse, says nothing: so every answer is awaited for a time and no
//! longer, and who did not get it does not use the connection again.

use core::pin::pin;
use core::time::Duration;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::TryStreamExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;
use tokio_postgres::tls::{MakeTlsConnect, TlsConnect};
use tokio_postgres::types::BorrowToSql;
use tokio_postgres::{Client, Config, Error, Row, Socket, Statement};

pub(crate) struct Connection {
    client: Client,
    /// Always there, but for the end.
    runtime: Option<Runtime>,
    answer_within: Duration,
    /// Why the connection ended, as the server said it.
    ended: Arc<Mutex<Option<Error>>>,
}

/// What was asked for did not come.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// The server refuses, or went away.
    Failed(Error),
    /// Not within the time.
    Silent(Duration),
    /// This machine has no sockets, or no threads.
    NoRuntime(std::io::Error),
}

impl From<Error> for NoAnswer {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Connection {
    /// Connects, all of it within that time: the name, the socket, TLS, and who one is.
    pub(crate) fn open<T>(config: &Config, tls: T, within: Duration) -> Result<Self, NoAnswer>
    where
        T: MakeTlsConnect<Socket>,
        T::Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T::TlsConnect: Send,
        <T::TlsConnect as TlsConnect<Socket>>::Future: Send,
    {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(NoAnswer::NoRuntime)?;
        let ended = Arc::new(Mutex::new(None));
        let connected = runtime.block_on(async { timeout(within, config.connect(tls)).await });
        let (client, connection) = match connected {
            Ok(Ok(connected)) => connected,
            other => {
                // Looking up a name may go on in a thread; nobody waits for it.
                runtime.shutdown_background();
                return Err(match other {
                    Ok(Err(error)) => NoAnswer::Failed(error),
                    _ => NoAnswer::Silent(within),
                });
            }
        };
        let why = Arc::clone(&ended);
        runtime.spawn(async move {
            if let Err(error) = connection.await {
                *why.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            }
        });
        Ok(Self { client, runtime: Some(runtime), answer_within: within, ended })
    }

    /// How long each answer may take from now on.
    pub(crate) const fn answer_within(&mut self, within: Duration) {
        self.answer_within = within;
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    pub(crate) fn batch(&self, statements: &str) -> Result<(), NoAnswer> {
        self.wait(self.client.batch_execute(statements))
    }

    pub(crate) fn prepare(&self, statement: &str) -> Result<Statement, NoAnswer> {
        self.wait(self.client.prepare(statement))
    }

    /// Hands over rows as they come, until `each` says that it was enough. A row may take as long as
    /// an answer, all of them as long as they take.
    pub(crate) fn stream<P: BorrowToSql>(
        &self,
        statement: &Statement,
        values: impl ExactSizeIterator<Item = P>,
        mut each: impl FnMut(&Row) -> core::ops::ControlFlow<()>,
    ) -> Result<(), NoAnswer> {
        let rows = self.wait(self.client.query_raw(statement, values))?;
        let mut rows = pin!(rows);
        while let Some(row) = self.wait(rows.try_next())? {
            if each(&row).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn wait<V>(&self, answer: impl Future<Output = Result<V, Error>>) -> Result<V, NoAnswer> {
        let Some(runtime) = &self.runtime else { return Err(NoAnswer::Silent(Duration::ZERO)) };
        // Built within, for the timer is the runtime's.
        let answer = runtime.block_on(async { timeout(self.answer_within, answer).await });
        match answer {
            Err(_) => Err(NoAnswer::Silent(self.answer_within)),
            Ok(Ok(answer)) => Ok(answer),
            // "Closed" says less than what closed it.
            Ok(Err(error)) if error.is_closed() => {
                let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
                Err(NoAnswer::Failed(ended.unwrap_or(error)))
            }
            Ok(Err(error)) => Err(NoAnswer::Failed(error)),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
