//! A device with an identity, and what a server's script comes to.

use core::convert::Infallible;
use std::sync::OnceLock;

use embedded_io::{ErrorType, Read, Write};
use provision_csr::{IdentityKey as _, PortableKey, PortableP256, SoftwareKey as _, VerifyP256};
use provision_testkit::hostile_server::{Credentials, InProcessServer, Script, Seen};
use provision_testkit::pki::{self, Certified};
use provision_tls::{
    Buffers, ClientIdentity, ConnectError, Endpoint, ServerName, UnixSeconds, connect,
};

use crate::toy::{BelievesAll, ToyEntropy};

/// What the server is called.
const NAME: &str = "cloud.example";
/// What the device says once it is connected.
const WORDS: &[u8] = b"21.5 degrees";
/// Reads after which a server that goes on and on is left.
const READS_MAX: usize = 64;

/// Fatal, bad_certificate (RFC 8446 section 6).
const ALERT: &[u8] = &[21, 3, 3, 0, 2, 2, 42];

/// What may be wrong with the client, to see whether it is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// It tells a server that it refuses what it thinks of it, as clients without the filter do.
    AlertsEarly,
    /// It reads the server's signatures, and does not check them.
    BelievesAll,
}

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
    pub(crate) fn meet(
        &self,
        script: Script,
        rhythm: &[u8],
        fault: Fault,
    ) -> (Result<(), ConnectError>, Seen) {
        let server = InProcessServer::new(self.credentials.clone(), script);
        let mut transport = InPieces { server, rhythm, read: 0 };
        let outcome = match fault {
            Fault::BelievesAll => self.talk::<BelievesAll>(&mut transport),
            _ => self.talk::<PortableP256>(&mut transport),
        };
        if outcome.is_err() && fault == Fault::AlertsEarly {
            let Ok(_) = transport.server.write(ALERT);
        }
        let seen = transport.server.seen();
        if let Err(error) = outcome {
            assert!(seen.nothing_but_client_hello(), "{error:?}, and the server saw {seen:?}");
        }
        (outcome, seen)
    }

    fn talk<P: VerifyP256 + 'static>(
        &self,
        transport: &mut InPieces<'_>,
    ) -> Result<(), ConnectError> {
        let mut buffers = Buffers::<4_352, 1_024>::new();
        let anchors = [&self.server_root[..]];
        let name = ServerName::parse(NAME).expect("a name");
        let endpoint = Endpoint { name, anchors: &anchors, alpn: &[] };
        let identity = ClientIdentity { leaf_der: &self.leaf, key: &self.key };
        let mut stream = connect::<P, _>(
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
