//! The parties, and one attempt to talk.

use core::{net::SocketAddr, time::Duration};

use embedded_io::{Read as _, Write as _};
use provision_csr::{
    Entropy, IdentityKey, NoEntropy, PortableKey, PublicKey, SignError, Signature, SoftwareKey as _,
};
use provision_testkit::{
    hostile_server::{Credentials, HostileServer, Script, Seen},
    pki::{self, Certified, rcgen::CertificateParams},
    tcp::Tcp,
};
use provision_tls::{
    Buffers, ClientIdentity, ConnectError, Endpoint, ServerName, StreamError, UnixSeconds,
};

use crate::half::Half;

/// What the server is called, in every honest case.
pub(crate) const NAME: &str = "cloud.example";

/// What the device says, and the server repeats.
pub(crate) const WORDS: &[u8] = b"21.5 degrees";

/// CAs, a device with its certificate, and a clock.
pub(crate) struct World {
    pub(crate) server_root: Certified,
    pub(crate) device_root: Certified,
    pub(crate) device_issuer: Certified,
    pub(crate) device: Device<PortableKey>,
    pub(crate) now: u64,
}

impl World {
    pub(crate) fn new() -> Self {
        let server_root = Certified::self_signed(pki::root("Server Root"));
        let device_root = Certified::self_signed(pki::root("Device Root"));
        let device_issuer = device_root.issue(pki::device_issuer("Device Issuer"));
        let key = PortableKey::generate(&mut OsEntropy).expect("entropy");
        let leaf_der = device_issuer.issue_for(&pki::device("SN-0001"), &key.public_key());
        Self {
            server_root,
            device_root,
            device_issuer,
            device: Device { leaf_der, key },
            now: pki::now(),
        }
    }

    /// The honest server's credentials.
    pub(crate) fn server(&self) -> Credentials {
        self.server_with(pki::server(&[NAME]))
    }

    /// Credentials from the right CA, whatever they say.
    pub(crate) fn server_with(&self, params: CertificateParams) -> Credentials {
        Credentials::of(&self.server_root.issue(params), &[])
    }

    /// The honest server plays a script; the client wants to say its words.
    pub(crate) fn play(&self, script: Script) -> (Outcome, Seen) {
        self.play_as(self.server(), script)
    }

    /// The same with other credentials.
    pub(crate) fn play_as(&self, credentials: Credentials, script: Script) -> (Outcome, Seen) {
        self.attempt(&Attempt::default(), credentials, script)
    }

    /// Once with each half of the client; it must come to the same.
    pub(crate) fn attempt(
        &self,
        attempt: &Attempt<'_>,
        credentials: Credentials,
        script: Script,
    ) -> (Outcome, Seen) {
        let [(outcome, seen), (outcome_async, seen_async)] = Half::BOTH.map(|half| {
            let (credentials, script) = (credentials.clone(), script.clone());
            let server = HostileServer::start("127.0.0.1:0", credentials, script).expect("a port");
            let outcome = self.talk(half, attempt, server.address());
            (outcome, server.seen())
        });
        assert_eq!(outcome_async, outcome, "async, blocking");
        let learned = |seen: &Seen| {
            (seen.nothing_but_client_hello(), seen.authenticated(), seen.application_data.clone())
        };
        assert_eq!(learned(&seen_async), learned(&seen), "{seen_async:?}, blocking {seen:?}");
        (outcome, seen)
    }

    /// Expects a refusal, after which the server has seen nothing but a ClientHello.
    #[track_caller]
    pub(crate) fn refuses(&self, script: Script) -> ConnectError {
        refusal(self.play(script))
    }

    /// The same, of other credentials in an otherwise honest handshake.
    #[track_caller]
    pub(crate) fn refuses_server(&self, credentials: Credentials) -> ConnectError {
        refusal(self.play_as(credentials, Script::honest()))
    }

    fn talk(&self, half: Half, attempt: &Attempt<'_>, address: SocketAddr) -> Outcome {
        let mut buffers = Buffers::<16_640, 2_048>::new();
        let anchors = attempt.anchors.map_or_else(|| vec![self.server_root.der()], <[_]>::to_vec);
        let endpoint = Endpoint {
            name: ServerName::parse(attempt.name).expect("a name"),
            anchors: &anchors,
            alpn: attempt.alpn,
        };
        let identity = ClientIdentity { leaf_der: &self.device.leaf_der, key: &self.device.key };
        let transport = Tcp::connect(address, attempt.patience).expect("a connection");
        let connected = half.connect(
            transport,
            &mut buffers,
            &endpoint,
            &identity,
            UnixSeconds(attempt.now.unwrap_or(self.now)),
            &mut OsEntropy,
        );
        let mut stream = match connected {
            Ok(stream) => stream,
            Err(error) => return Outcome::NotConnected(error),
        };
        if let Err(error) = stream.write_all(WORDS).and_then(|()| stream.flush()) {
            return Outcome::Connected { heard: Vec::new(), end: Err(error) };
        }

        let mut heard = Vec::new();
        // Smaller than most records, to have some read in parts.
        let mut part = [0; 7];
        let end = loop {
            match stream.read(&mut part) {
                Ok(0) => break stream.close(),
                Ok(len) => heard.extend_from_slice(&part[..len]),
                Err(error) => {
                    assert_eq!(stream.read(&mut part), Err(error), "the first error is final");
                    assert_eq!(stream.write(&part), Err(error), "the first error is final");
                    assert_eq!(stream.flush(), Err(error), "the first error is final");
                    break Err(error);
                }
            }
        };
        Outcome::Connected { heard, end }
    }
}

/// How the client goes about it; honest by default.
pub(crate) struct Attempt<'a> {
    pub(crate) name: &'a str,
    /// The server root by default.
    pub(crate) anchors: Option<&'a [&'a [u8]]>,
    pub(crate) alpn: &'a [&'a [u8]],
    /// The machine's time by default.
    pub(crate) now: Option<u64>,
    pub(crate) patience: Duration,
}

impl Default for Attempt<'_> {
    fn default() -> Self {
        Self { name: NAME, anchors: None, alpn: &[], now: None, patience: Duration::from_secs(10) }
    }
}

/// How an attempt ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    NotConnected(ConnectError),
    Connected {
        /// Everything read.
        heard: Vec<u8>,
        /// How reading ended, and closing if it ended well.
        end: Result<(), StreamError>,
    },
}

impl Outcome {
    /// The server repeated the words and took leave.
    #[track_caller]
    pub(crate) fn assert_good(&self) {
        assert_eq!(*self, Self::Connected { heard: WORDS.to_vec(), end: Ok(()) });
    }

    /// How a stream that came about ended before its time.
    #[track_caller]
    pub(crate) fn stream_error(&self) -> StreamError {
        match self {
            Self::Connected { end: Err(error), .. } => *error,
            other => panic!("{other:?}"),
        }
    }
}

#[track_caller]
fn refusal((outcome, seen): (Outcome, Seen)) -> ConnectError {
    assert!(seen.nothing_but_client_hello(), "{outcome:?}, and the server saw {seen:?}");
    match outcome {
        Outcome::NotConnected(error) => error,
        Outcome::Connected { .. } => panic!("{outcome:?}"),
    }
}

/// A key and the certificate over it.
pub(crate) struct Device<K> {
    pub(crate) leaf_der: Vec<u8>,
    pub(crate) key: K,
}

/// The operating system's.
#[derive(Clone)]
pub(crate) struct OsEntropy;

impl Entropy for OsEntropy {
    fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
        getrandom::fill(out).map_err(|_| NoEntropy)
    }
}

/// A secure element that has gone.
pub(crate) struct AbsentKey(pub(crate) PublicKey);

impl IdentityKey for AbsentKey {
    fn public_key(&self) -> PublicKey {
        self.0
    }

    fn sign_digest(&self, _: &[u8; 32]) -> Result<Signature, SignError> {
        Err(SignError)
    }
}
