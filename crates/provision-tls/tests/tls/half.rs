//! The client's two halves, blocking and async, behind one face: what is tried with one is tried
//! with the other.

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll, Waker};

use embedded_io::{ErrorType, Read, Write};
use embedded_io_async::{Read as _, Write as _};
use provision_csr::{Entropy, IdentityKey, PortableP256};
use provision_testkit::tcp::{Tcp, TcpError};
use provision_tls::{
    AsyncProvenStream, ClientIdentity, ConnectError, Endpoint, ProvenStream, Records, StreamError,
    UnixSeconds, connect, connect_async,
};

/// Which of the two.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Half {
    Blocking,
    Async,
}

impl Half {
    pub(crate) const BOTH: [Self; 2] = [Self::Blocking, Self::Async];

    pub(crate) fn connect<'a>(
        self,
        transport: Tcp,
        buffers: impl Into<Records<'a>>,
        endpoint: &Endpoint<'_>,
        identity: &ClientIdentity<'_, impl IdentityKey>,
        now: UnixSeconds,
        entropy: &mut impl Entropy,
    ) -> Result<Stream<'a>, ConnectError> {
        match self {
            Self::Blocking => {
                connect::<PortableP256, _>(transport, buffers, endpoint, identity, now, entropy)
                    .map(Stream::Blocking)
            }
            Self::Async => block_on(connect_async::<PortableP256, _>(
                Hesitant { transport, piece_len_max: PIECE_LEN_MAX },
                buffers,
                endpoint,
                identity,
                now,
                entropy,
            ))
            .map(Stream::Async),
        }
    }
}

/// A proven stream of either half.
pub(crate) enum Stream<'a> {
    Blocking(ProvenStream<'a, Tcp>),
    Async(AsyncProvenStream<'a, Hesitant>),
}

impl Stream<'_> {
    pub(crate) fn close(self) -> Result<(), StreamError> {
        match self {
            Self::Blocking(stream) => stream.close().map(drop),
            Self::Async(stream) => block_on(stream.close()).map(drop),
        }
    }
}

impl ErrorType for Stream<'_> {
    type Error = StreamError;
}

impl Read for Stream<'_> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, StreamError> {
        match self {
            Self::Blocking(stream) => stream.read(out),
            Self::Async(stream) => block_on(stream.read(out)),
        }
    }
}

impl Write for Stream<'_> {
    fn write(&mut self, data: &[u8]) -> Result<usize, StreamError> {
        match self {
            Self::Blocking(stream) => stream.write(data),
            Self::Async(stream) => block_on(stream.write(data)),
        }
    }

    fn flush(&mut self) -> Result<(), StreamError> {
        match self {
            Self::Blocking(stream) => stream.flush(),
            Self::Async(stream) => block_on(stream.flush()),
        }
    }
}

/// A socket that has everybody wait once before each thing it does, and gives records in pieces
/// that begin and end anywhere.
pub(crate) struct Hesitant {
    pub(crate) transport: Tcp,
    pub(crate) piece_len_max: usize,
}

/// Prime, and longer than a record's header is.
const PIECE_LEN_MAX: usize = 61;

impl ErrorType for Hesitant {
    type Error = TcpError;
}

impl embedded_io_async::Read for Hesitant {
    async fn read(&mut self, out: &mut [u8]) -> Result<usize, TcpError> {
        yield_once().await;
        let len = out.len().min(self.piece_len_max);
        self.transport.read(&mut out[..len])
    }
}

impl embedded_io_async::Write for Hesitant {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, TcpError> {
        yield_once().await;
        self.transport.write(bytes)
    }

    async fn flush(&mut self) -> Result<(), TcpError> {
        yield_once().await;
        self.transport.flush()
    }
}

async fn yield_once() {
    let mut yielded = false;
    let step = |_: &mut Context<'_>| {
        if core::mem::replace(&mut yielded, true) { Poll::Ready(()) } else { Poll::Pending }
    };
    poll_fn(step).await;
}

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    poll_at_most(usize::MAX, future).expect("done some day")
}

/// Polls at most so often; `None` if it is not done by then, and is dropped.
pub(crate) fn poll_at_most<F: Future>(polls: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    (0..polls).find_map(|_| match future.as_mut().poll(&mut context) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    })
}
