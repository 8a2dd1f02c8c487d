//! OpenSSL, nginx and mosquitto, as they are deployed.
#![cfg(unix)]

use core::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use embedded_io::{Read as _, Write as _};
use provision_csr::{IdentityKey as _, PortableKey, SoftwareKey as _};
use provision_testkit::{
    pki::{self, Certified},
    servers::{Mosquitto, Nginx, OpensslServer, ServerFiles, is_installed},
    tcp::Tcp,
};
use provision_tls::{
    Buffers, ClientIdentity, ConnectError, Endpoint, ServerFault, ServerName, StreamError,
    UnixSeconds,
};

use crate::half::{Half, Stream};
use crate::world::{Device, OsEntropy, World};

/// The server's files: both CAs of the devices, or its verification finds no path.
fn files(world: &World) -> ServerFiles {
    let issuer = world.server_root.issue(pki::server_issuer("Server Issuer"));
    let server = issuer.issue(pki::server(&["localhost", "127.0.0.1"]));
    ServerFiles::of(&server, &[&issuer], &[world.device_root.der(), world.device_issuer.der()])
}

/// A device of somebody else's.
fn stranger() -> Device<PortableKey> {
    let issuer = Certified::self_signed(pki::root("Somebody Else"));
    let key = PortableKey::generate(&mut OsEntropy).expect("entropy");
    Device { leaf_der: issuer.issue_for(&pki::device("SN-0001"), &key.public_key()), key }
}

fn open<'a, const READ: usize>(
    half: Half,
    world: &World,
    device: &Device<PortableKey>,
    name: &str,
    address: SocketAddr,
    buffers: &'a mut Buffers<READ, 1_024>,
) -> Result<Stream<'a>, ConnectError> {
    let endpoint = Endpoint {
        name: ServerName::parse(name).expect("a name"),
        anchors: &[world.server_root.der()],
        alpn: &[],
    };
    let transport = Tcp::connect(address, Duration::from_secs(10)).expect("a connection");
    let identity = ClientIdentity { leaf_der: &device.leaf_der, key: &device.key };
    half.connect(transport, buffers, &endpoint, &identity, UnixSeconds(world.now), &mut OsEntropy)
}

fn ask(
    stream: &mut Stream<'_>,
    question: &[u8],
    answer_len_max: usize,
) -> Result<Vec<u8>, StreamError> {
    stream.write_all(question)?;
    stream.flush()?;
    let mut answer = vec![0; answer_len_max];
    let len = stream.read(&mut answer)?;
    answer.truncate(len);
    Ok(answer)
}

/// Says so, and passes, where a server is not installed.
macro_rules! needs {
    ($program:literal) => {
        if !is_installed($program) {
            println!("skipped: {} is not installed", $program);
            return;
        }
    };
}

#[test]
fn openssl() {
    needs!("openssl");
    for half in Half::BOTH {
        let world = World::new();
        let server = OpensslServer::start(&files(&world)).expect("openssl s_server");
        for name in ["localhost", "127.0.0.1"] {
            let mut buffers = Buffers::<16_640, 1_024>::new();
            let mut stream =
                open(half, &world, &world.device, name, server.address(), &mut buffers)
                    .unwrap_or_else(|error| panic!("{name}: {error}\n{}", server.output()));
            let answer = ask(&mut stream, b"stressed\n", 16).expect("an answer");
            assert_eq!(answer, b"desserts\n");
            assert!(stream.close().is_ok());
        }
    }
}

#[test]
fn openssl_with_small_records() {
    needs!("openssl");
    for half in Half::BOTH {
        let world = World::new();
        let server = OpensslServer::start(&files(&world)).expect("openssl s_server");
        let mut buffers = Buffers::<2_304, 1_024>::new();
        let mut stream =
            open(half, &world, &world.device, "localhost", server.address(), &mut buffers)
                .unwrap_or_else(|error| panic!("{error}\n{}", server.output()));
        // Longer than a record of ours, and the answer longer than a record of theirs.
        let mut question = vec![b'a'; 5_000];
        question.push(b'\n');
        stream.write_all(&question).expect("to be heard");
        stream.flush().expect("to be heard");
        let mut answer = vec![0; question.len()];
        stream.read_exact(&mut answer).expect("an answer");
        assert_eq!(answer, question);
    }
}

#[test]
fn openssl_by_another_name() {
    needs!("openssl");
    for half in Half::BOTH {
        let world = World::new();
        let server = OpensslServer::start(&files(&world)).expect("openssl s_server");
        let mut buffers = Buffers::<16_640, 1_024>::new();
        let refused =
            open(half, &world, &world.device, "cloud.example", server.address(), &mut buffers)
                .map(drop);
        assert_eq!(refused, Err(ConnectError::Server(ServerFault::WrongName)));
    }
}

#[test]
fn openssl_refuses_a_stranger_and_says_why() {
    needs!("openssl");
    for half in Half::BOTH {
        let world = World::new();
        let server = OpensslServer::start(&files(&world)).expect("openssl s_server");
        let mut buffers = Buffers::<16_640, 1_024>::new();
        let mut stream =
            open(half, &world, &stranger(), "localhost", server.address(), &mut buffers)
                .expect("TLS 1.3 tells the refused only later");
        let mut answer = [0; 16];
        // 48, unknown_ca.
        assert_eq!(stream.read(&mut answer), Err(StreamError::Alert { description: 48 }));
    }
}

#[test]
fn nginx() {
    needs!("nginx");
    for half in Half::BOTH {
        let world = World::new();
        let server = Nginx::start(Ipv4Addr::LOCALHOST, &files(&world)).expect("nginx");
        let mut buffers = Buffers::<16_640, 1_024>::new();
        let mut stream =
            open(half, &world, &world.device, "localhost", server.address(), &mut buffers)
                .unwrap_or_else(|error| panic!("{error}\n{}", server.errors()));
        let answer = ask(&mut stream, REQUEST, 1_024).expect("an answer");
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&answer));

        let lines = server.access_log(1);
        let [line] = &lines[..] else { panic!("{lines:?}\n{}", server.errors()) };
        assert_eq!((line.status, line.verify.as_str()), (200, "SUCCESS"));
        assert_eq!(line.subject, "CN=SN-0001");
    }
}

#[test]
fn nginx_refuses_a_stranger_over_http() {
    needs!("nginx");
    for half in Half::BOTH {
        let world = World::new();
        let server = Nginx::start(Ipv4Addr::LOCALHOST, &files(&world)).expect("nginx");
        let mut buffers = Buffers::<16_640, 1_024>::new();
        let mut stream =
            open(half, &world, &stranger(), "localhost", server.address(), &mut buffers)
                .expect("TLS 1.3 tells the refused only later");
        let answer = ask(&mut stream, REQUEST, 1_024).expect("an answer");
        assert!(answer.starts_with(b"HTTP/1.1 400 "), "{}", String::from_utf8_lossy(&answer));

        let lines = server.access_log(1);
        let [line] = &lines[..] else { panic!("{lines:?}\n{}", server.errors()) };
        assert_eq!(line.status, 400);
        assert!(line.verify.starts_with("FAILED:"), "{line:?}");
    }
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[test]
fn mosquitto() {
    needs!("mosquitto");
    for half in Half::BOTH {
        let world = World::new();
        let server = Mosquitto::start(Ipv4Addr::LOCALHOST, &files(&world)).expect("mosquitto");
        let mut buffers = Buffers::<16_640, 1_024>::new();
        let mut stream =
            open(half, &world, &world.device, "localhost", server.address(), &mut buffers)
                .unwrap_or_else(|error| panic!("{error}\n{}", server.output()));
        let answer = ask(&mut stream, MQTT_CONNECT, 16).expect("an answer");
        // CONNACK, no session, accepted.
        assert_eq!(answer, [0x20, 2, 0, 0], "{}", server.output());
        assert!(server.output().contains("u'SN-0001'"), "{}", server.output());
    }
}

#[test]
fn mosquitto_refuses_a_stranger_and_says_why() {
    needs!("mosquitto");
    for half in Half::BOTH {
        let world = World::new();
        let server = Mosquitto::start(Ipv4Addr::LOCALHOST, &files(&world)).expect("mosquitto");
        let mut buffers = Buffers::<16_640, 1_024>::new();
        let mut stream =
            open(half, &world, &stranger(), "localhost", server.address(), &mut buffers)
                .expect("TLS 1.3 tells the refused only later");
        let mut answer = [0; 16];
        assert_eq!(stream.read(&mut answer), Err(StreamError::Alert { description: 48 }));
    }
}

/// MQTT 3.1.1, clean session, keep alive 60 s, client "d".
const MQTT_CONNECT: &[u8] = &[0x10, 13, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60, 0, 1, b'd'];
