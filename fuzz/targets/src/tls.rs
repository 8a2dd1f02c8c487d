//! A device with an identity, and what a server's script comes to.

use core::convert::Infallible;
use std::sync::OnceLock;

use embedded_io::{ErrorType, Read, Write};
use provision_csr::{IdentityKey as _, PortableKey, PortableP256, SoftwareKey as _};
use provision_testkit::hostile_server::{Credentials, InProcessServer, Script, Seen};
use provision_testkit::pki::{self, Certified};
use provision_tls::{
    Buffers, ClientIdentity, ConnectError, Endpoint, ServerName, UnixSeconds, connect,
};

use crate::toy::ToyEntropy;

/// What the server is called.
const NAME: &str = "cloud.example";
/// What the device says once it is connected.
const WORDS: &[u8] = b"21.5 degrees";
/// Reads after which a server that goes on and on is left.
const READS_MAX: usize = 64;

pub(crate) struct World {
    pub(crate) credentials: Credentials,
    server_root: Vec<u8>,
    leaf: Vec<u8>,
    key: PortableKey,
    now: u64,
}

impl World {
    /// Made once: the time it takes is that of ten connections.
    pub(crate) fn get() -> &'static Self {
        static WORLD: OnceLock<World> = OnceLock::new();
        WORLD.get_or_init(|| {
            let server_root = Certified::self_signed(pki::root("Server Root"));
            let server = server_root.issue(pki::server(&[NAME]));
            let device_root = Certified::self_signed(pki::root("Device Root"));
            let key = PortableKey::generate(&mut ToyEntropy::default()).expect("a key");
            Self {
                credentials: Credentials::of(&server, &[]),
                server_root: server_root.der().to_vec(),
                leaf: device_root.issue_for(&pki::device("fuzzed"), &key.public_key()),
                key,
                now: pki::now(),
            }
        })
    }

    /// Has the client connect to a server that plays the script; `rhythm` is how many bytes each read gives, in turn.
    ///
    /// # Panics
    ///
    /// If a server that was refused saw more than a ClientHello.
    pub(crate) fn meet(&self, script: Script, rhythm: &[u8]) -> (Result<(), ConnectError>, Seen) {
        let server = InProcessServer::new(self.credentials.clone(), script);
        let mut transport = InPieces { server, rhythm, read: 0 };
        let outcome = self.talk(&mut transport);
        let seen = transport.server.seen();
        if let Err(error) = outcome {
            assert!(seen.nothing_but_client_hello(), "{error:?}, and the server saw {seen:?}");
        }
        (outcome, seen)
    }

    fn talk(&self, transport: &mut InPieces<'_>) -> Result<(), ConnectError> {
        let mut buffers = Buffers::<4_352, 1_024>::new();
        let anchors = [&self.server_root[..]];
        let name = ServerName::parse(NAME).expect("a name");
        let endpoint = Endpoint { name, anchors: &anchors, alpn: &[] };
        let identity = ClientIdentity { leaf_der: &self.leaf, key: &self.key };
        let mut stream = connect::<PortableP256, _>(
            transport,
            &mut buffers,
            &endpoint,
            &identity,
            UnixSeconds(self.now),
            &mut ToyEntropy::default(),
        )?;
        // Whatever comes of it, the first error is the last.
        let mut error = stream.write_all(WORDS).and_then(|()| stream.flush()).err();
        let mut part = [0; 100];
        for _ in 0..READS_MAX {
            match (stream.read(&mut part), error) {
                (Ok(len), None) => {
                    if len == 0 {
                        break;
                    }
                }
                (Err(found), None) => error = Some(found),
                (found, Some(error)) => {
                    assert_eq!(found, Err(error), "the first error is final");
                    break;
                }
            }
        }
        assert_eq!(stream.close().err(), error, "a stream that failed closes so");
        Ok(())
    }
}

struct InPieces<'a> {
    server: InProcessServer,
    rhythm: &'a [u8],
    read: usize,
}

impl ErrorType for InPieces<'_> {
    type Error = Infallible;
}

impl Read for InPieces<'_> {
    fn read(&mut self, out: &mut [u8]) -> Result<usize, Infallible> {
        let len = match self.rhythm.get(self.read % self.rhythm.len().max(1)) {
            Some(0) | None => out.len(),
            Some(len) => out.len().min(usize::from(*len)),
        };
        self.read += 1;
        self.server.read(&mut out[..len])
    }
}

impl Write for InPieces<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        self.server.write(bytes)
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
