//! What the caller brings: entropy, a key, buffers, protocols.

use core::time::Duration;

use embedded_io::{Read as _, Write as _};
use provision_csr::{Entropy, IdentityKey as _, NoEntropy};
use provision_testkit::{
    hostile_server::{HostileServer, Script, Seen, Step},
    tcp::Tcp,
};
use provision_tls::{
    Buffers, ClientIdentity, ConnectError, Endpoint, RecordFault, ServerName, UnixSeconds,
};

use crate::half::Half;
use crate::world::{AbsentKey, NAME, OsEntropy, WORDS, World};

/// Connects with what differs, and says the words if that went well.
fn bring<const READ: usize, const WRITE: usize>(
    world: &World,
    mut buffers: Buffers<READ, WRITE>,
    identity: &ClientIdentity<'_, impl provision_csr::IdentityKey>,
    alpn: &[&[u8]],
    entropy: &(impl Entropy + Clone),
    script: Script,
) -> (Result<Vec<u8>, ConnectError>, Seen) {
    let [(heard, seen), (heard_async, seen_async)] = Half::BOTH.map(|half| {
        let server =
            HostileServer::start("127.0.0.1:0", world.server(), script.clone()).expect("a port");
        let endpoint = Endpoint {
            name: ServerName::parse(NAME).expect("a name"),
            anchors: &[world.server_root.der()],
            alpn,
        };
        let transport =
            Tcp::connect(server.address(), Duration::from_secs(10)).expect("a connection");
        let connected = half.connect(
            transport,
            &mut buffers,
            &endpoint,
            identity,
            UnixSeconds(world.now),
            &mut entropy.clone(),
        );
        let heard = connected.map(|mut stream| {
            stream.write_all(WORDS).and_then(|()| stream.flush()).expect("to be heard");
            let mut heard = vec![0; WORDS.len()];
            stream.read_exact(&mut heard).expect("an answer");
            heard
        });
        (heard, server.seen())
    });
    assert_eq!(heard_async, heard, "async, blocking");
    assert_eq!(seen_async.certificates, seen.certificates, "async, blocking");
    assert_eq!(seen_async.application_data, seen.application_data, "async, blocking");
    (heard, seen)
}

fn identity(world: &World) -> ClientIdentity<'_, impl provision_csr::IdentityKey> {
    ClientIdentity { leaf_der: &world.device.leaf_der, key: &world.device.key }
}

fn large() -> Buffers<16_640, 2_048> {
    Buffers::new()
}

#[test]
fn everything_as_it_should_be() {
    let world = World::new();
    let (heard, seen) =
        bring(&world, large(), &identity(&world), &[], &OsEntropy, Script::honest());
    assert_eq!(heard.as_deref(), Ok(WORDS));
    assert!(seen.authenticated());
}

#[test]
fn without_entropy_nothing_is_sent() {
    /// Refuses from the draw of this number on.
    #[derive(Clone)]
    struct Refusing(usize);

    impl Entropy for Refusing {
        fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
            self.0 = self.0.checked_sub(1).ok_or(NoEntropy)?;
            OsEntropy.fill(out)
        }
    }

    let world = World::new();
    for good_draws in [0, 1] {
        let (heard, seen) =
            bring(&world, large(), &identity(&world), &[], &Refusing(good_draws), Script::honest());
        assert_eq!(heard, Err(ConnectError::NoEntropy), "after {good_draws} draws");
        assert_eq!(seen, Seen::default(), "after {good_draws} draws");
    }
}

#[test]
fn with_entropy_that_is_stuck_nothing_is_sent() {
    #[derive(Clone)]
    struct Stuck([u8; 32]);

    impl Entropy for Stuck {
        fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
            out.copy_from_slice(&self.0[..out.len()]);
            Ok(())
        }
    }

    // The last is beyond the order of the curve: a key is sought in it for ever.
    let mut no_key = [0xff; 32];
    no_key[31] = 0xfe;
    let world = World::new();
    for bytes in [[0; 32], [0x5a; 32], [0xff; 32], no_key] {
        let (heard, seen) =
            bring(&world, large(), &identity(&world), &[], &Stuck(bytes), Script::honest());
        assert_eq!(heard, Err(ConnectError::NoEntropy));
        assert_eq!(seen, Seen::default());
    }
}

#[test]
fn a_key_that_cannot_sign() {
    let world = World::new();
    let absent = AbsentKey(world.device.key.public_key());
    let identity = ClientIdentity { leaf_der: &world.device.leaf_der, key: &absent };
    let (heard, seen) = bring(&world, large(), &identity, &[], &OsEntropy, Script::honest());
    assert_eq!(heard, Err(ConnectError::CannotSign));
    // The server had proven itself, so it may know who could not.
    assert_eq!(seen.certificates, core::slice::from_ref(&world.device.leaf_der));
    assert_eq!(seen.certificate_verify, None);
    assert_eq!(seen.finished, None);
}

#[test]
fn a_write_buffer_too_small_for_the_certificate() {
    let world = World::new();
    let leaf_der = vec![0; 512];
    let identity = ClientIdentity { leaf_der: &leaf_der, key: &world.device.key };
    let (heard, seen) =
        bring(&world, Buffers::<16_640, 512>::new(), &identity, &[], &OsEntropy, Script::honest());
    assert_eq!(heard, Err(ConnectError::WriteBufferTooSmall { needed: 576, found: 512 }));
    assert_eq!(seen, Seen::default());
}

#[test]
fn a_write_buffer_just_large_enough() {
    // 448 bytes of certificate fit in 512, whatever the name and protocols.
    let world = World::new();
    assert!(world.device.leaf_der.len() <= 448);
    let (heard, _) = bring(
        &world,
        Buffers::<16_640, 512>::new(),
        &identity(&world),
        &[&[b'a'; 200]],
        &OsEntropy,
        Script::honest(),
    );
    assert_eq!(heard.as_deref(), Ok(WORDS));
}

#[test]
fn a_write_buffer_too_small_for_the_greeting() {
    let world = World::new();
    let protocol = [b'a'; 255];
    let (heard, seen) = bring(
        &world,
        Buffers::<16_640, 512>::new(),
        &identity(&world),
        &[&protocol, &protocol],
        &OsEntropy,
        Script::honest(),
    );
    assert_eq!(heard, Err(ConnectError::WriteBufferTooSmall { needed: 717, found: 512 }));
    assert_eq!(seen, Seen::default());
}

#[test]
fn a_read_buffer_just_large_enough() {
    let world = World::new();
    let (heard, _) = bring(
        &world,
        Buffers::<768, 512>::new(),
        &identity(&world),
        &[],
        &OsEntropy,
        Script::honest(),
    );
    assert_eq!(heard.as_deref(), Ok(WORDS));
}

#[test]
fn a_record_too_long_for_the_read_buffer() {
    // This server does not care what length it was asked for.
    let world = World::new();
    let long = [&[8, 0, 3, 0xec, 3, 0xea, 0xfa, 0xfa, 3, 0xe6][..], &[0; 998]].concat();
    let script =
        || Script::honest().replacing(Step::EncryptedExtensions, Step::Handshake(long.clone()));
    let (heard, seen) =
        bring(&world, Buffers::<768, 512>::new(), &identity(&world), &[], &OsEntropy, script());
    assert_eq!(
        heard,
        Err(ConnectError::Record(RecordFault::TooLongForBuffer { len: 1_025, room: 768 }))
    );
    assert!(seen.nothing_but_client_hello());

    let (twin, _) = bring(&world, large(), &identity(&world), &[], &OsEntropy, script());
    assert_eq!(twin.as_deref(), Ok(WORDS));
}

#[test]
fn protocols_that_cannot_be_written() {
    let world = World::new();
    for protocol in [&[][..], &[b'a'; 256]] {
        let (heard, seen) =
            bring(&world, large(), &identity(&world), &[protocol], &OsEntropy, Script::honest());
        assert_eq!(heard, Err(ConnectError::BadAlpn));
        assert_eq!(seen, Seen::default());
    }
}
