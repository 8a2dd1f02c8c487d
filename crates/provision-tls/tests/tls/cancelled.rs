//! An async call that is dropped before it is done: a read that had not begun with a record loses
//! nothing, any other ends the stream by name, and none can panic what comes after.

use core::time::Duration;

use embedded_io_async::{Read as _, Write as _};
use provision_csr::PortableP256;
use provision_testkit::{
    hostile_server::{HostileServer, Script},
    tcp::Tcp,
};
use provision_tls::{
    AsyncProvenStream, Buffers, ClientIdentity, ConnectError, Endpoint, ServerName, StreamError,
    UnixSeconds, connect_async,
};

use crate::half::{Hesitant, block_on, poll_at_most};
use crate::world::{NAME, OsEntropy, WORDS, World};

/// The server's answer: header, words, type, tag; the server's leave follows as a record.
const HEADER_LEN: usize = 5;
const ANSWER_LEN: usize = HEADER_LEN + WORDS.len() + 1 + 16;

struct Bench {
    world: World,
    server: HostileServer,
}

type TestBuffers = Buffers<4_352, 1_024>;

impl Bench {
    fn new() -> Self {
        let world = World::new();
        let server = HostileServer::start("127.0.0.1:0", world.server(), Script::honest());
        Self { server: server.expect("a port"), world }
    }

    async fn connect<'a>(
        &self,
        buffers: &'a mut TestBuffers,
        piece_len_max: usize,
    ) -> Result<AsyncProvenStream<'a, Hesitant>, ConnectError> {
        let World { server_root, device, now, .. } = &self.world;
        let anchors = [server_root.der()];
        let name = ServerName::parse(NAME).expect("a name");
        let endpoint = Endpoint { name, anchors: &anchors, alpn: &[] };
        let identity = ClientIdentity { leaf_der: &device.leaf_der, key: &device.key };
        let transport = Tcp::connect(self.server.address(), Duration::from_secs(10));
        connect_async::<PortableP256, _>(
            Hesitant { transport: transport.expect("a connection"), piece_len_max },
            buffers,
            &endpoint,
            &identity,
            UnixSeconds(*now),
            &mut OsEntropy,
        )
        .await
    }

    /// A stream on which the words were said.
    fn spoken<'a>(&self, buffers: &'a mut TestBuffers) -> AsyncProvenStream<'a, Hesitant> {
        let mut stream = block_on(self.connect(buffers, 1)).expect("an honest server");
        block_on(stream.write_all(WORDS)).expect("to be heard");
        block_on(stream.flush()).expect("to be heard");
        stream
    }
}

/// The transport gives a byte at a time and waits before each, so after so many polls one byte less
/// has come.
#[test]
fn a_read_dropped_before_the_body_loses_nothing() {
    for polls in 1..=HEADER_LEN + 1 {
        let mut buffers = TestBuffers::new();
        let bench = Bench::new();
        let mut stream = bench.spoken(&mut buffers);
        let mut heard = [0; WORDS.len()];
        assert_eq!(poll_at_most(polls, stream.read(&mut heard)), None);
        // Twice is as good as once, and a flush in between does no harm.
        assert_eq!(poll_at_most(1, stream.read(&mut heard)), None);
        assert_eq!(block_on(stream.flush()), Ok(()));
        assert_eq!(block_on(stream.read_exact(&mut heard)), Ok(()), "dropped after {polls} polls");
        assert_eq!(heard, WORDS);
        assert_eq!(block_on(stream.read(&mut heard)), Ok(0));
        assert!(block_on(stream.close()).is_ok());
        assert!(bench.server.seen().authenticated());
    }
}

#[test]
fn a_read_dropped_within_the_body_ends_the_stream() {
    for polls in HEADER_LEN + 2..=ANSWER_LEN {
        let mut buffers = TestBuffers::new();
        let bench = Bench::new();
        let mut stream = bench.spoken(&mut buffers);
        let mut heard = [0; WORDS.len()];
        assert_eq!(poll_at_most(polls, stream.read(&mut heard)), None);
        let cancelled = Err(StreamError::Cancelled);
        for _ in 0..2 {
            assert_eq!(block_on(stream.read(&mut heard)), cancelled, "after {polls} polls");
            assert_eq!(block_on(stream.write(WORDS)), cancelled);
            assert_eq!(block_on(stream.flush()), Err(StreamError::Cancelled));
        }
        assert_eq!(block_on(stream.close()).map(drop), Err(StreamError::Cancelled));
    }
}

#[test]
fn a_read_that_is_not_dropped_is_done_with_the_last_byte() {
    let mut buffers = TestBuffers::new();
    let bench = Bench::new();
    let mut stream = bench.spoken(&mut buffers);
    let mut heard = [0; WORDS.len()];
    let read = poll_at_most(ANSWER_LEN + 1, stream.read(&mut heard));
    assert_eq!(read, Some(Ok(WORDS.len())));
}

#[test]
fn a_flush_dropped_midway_ends_the_stream() {
    let mut buffers = TestBuffers::new();
    let bench = Bench::new();
    let mut stream = block_on(bench.connect(&mut buffers, 1)).expect("an honest server");
    block_on(stream.write_all(WORDS)).expect("room");
    assert_eq!(poll_at_most(1, stream.flush()), None);
    assert_eq!(block_on(stream.flush()), Err(StreamError::Cancelled));
    assert_eq!(block_on(stream.read(&mut [0])), Err(StreamError::Cancelled));
}

/// A handshake dropped anywhere, and the same buffers serve the next.
#[test]
fn after_a_handshake_that_was_dropped_the_buffers_serve_the_next() {
    let mut buffers = TestBuffers::new();
    let mut cut_short = 0;
    for polls in (1..50).step_by(3) {
        let bench = Bench::new();
        cut_short += usize::from(poll_at_most(polls, bench.connect(&mut buffers, 61)).is_none());
        let bench = Bench::new();
        assert!(block_on(bench.connect(&mut buffers, 61)).is_ok(), "after {polls} polls");
    }
    assert!(cut_short >= 8, "only {cut_short} handshakes were dropped");
}
