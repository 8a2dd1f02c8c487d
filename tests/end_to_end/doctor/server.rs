//! Servers for the doctor, each started for one row and stopped at its end.

use core::net::{Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use nix::sys::socket::{self, AddressFamily, Backlog, SockFlag, SockType, SockaddrIn};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ConfigBuilder, RootCertStore, ServerConfig, ServerConnection, WantsVerifier};

use super::material::{der_of, key_der_of};

/// What stands behind a port. Words are split at spaces.
#[derive(Debug, Clone, Copy)]
pub(super) enum Serve {
    /// Nobody: the port was just given back.
    Nobody,
    /// Nothing is started; the doctor is sent there.
    At(&'static str),
    /// `openssl s_server` with these options, behind `-www` if there is no other `-W…`, `-HTTP`,
    /// `-rev` or `-quiet` among them.
    Openssl(&'static str),
    /// The same, which sends these bytes once the handshake is made, and nothing else.
    OpensslSays(&'static str, &'static [u8]),
    /// nginx with these directives in a server block that listens by TLS.
    Nginx(&'static str),
    /// nginx without TLS.
    PlainNginx,
    /// mosquitto with these lines beside its listener.
    Mosquitto(&'static str),
    /// A TCP port that says this at once, and then does as told.
    Says(&'static [u8], Then),
    /// A TCP port whose queue is full, so that nobody is let in.
    Full,
    /// rustls with the certificate of the first name and the key of the second.
    WrongKey(&'static str, &'static str),
    /// rustls with a certificate and its key, which asks for a client certificate by the CA of the
    /// third, takes the handshake of anybody, and closes the socket without an alert.
    HangsUp(&'static str, &'static str, &'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    Waits,
    Closes,
    /// Never ends, and never gets anywhere.
    Drips,
}

/// A port with something behind it; dropping it ends that.
pub(super) struct Server {
    pub(super) address: String,
    process: Option<Child>,
    output: Option<PathBuf>,
    open: Vec<Box<dyn core::any::Any>>,
}

impl Serve {
    /// Starts it in `dir`, whose files the words name.
    pub(super) fn start(self, dir: &Path) -> Server {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        match self {
            Self::Nobody => Server::at(address),
            Self::At(endpoint) => Server::with(endpoint.into()),
            Self::Openssl(words) => {
                let answers = ["-www", "-WWW", "-HTTP", "-rev", "-quiet"];
                let silent = !words.split(' ').any(|word| answers.contains(&word));
                let words = if silent { format!("{words} -www") } else { words.to_owned() };
                openssl(dir, address, &words, &[])
            }
            Self::OpensslSays(words, bytes) => {
                openssl(dir, address, &format!("{words} -quiet"), bytes)
            }
            Self::Nginx(directives) => nginx(dir, address, " ssl", directives),
            Self::PlainNginx => nginx(dir, address, "", "return 200 hello;"),
            Self::Mosquitto(lines) => mosquitto(dir, address, lines),
            Self::Says(bytes, then) => says(bytes, then),
            Self::Full => full(),
            Self::WrongKey(certificate, key) => {
                let builder = rustls_builder().with_no_client_auth();
                let config = builder.with_cert_resolver(pair(dir, certificate, key));
                rustls(config, |stream| {
                    let _ = stream.read(&mut [0; 1024]);
                    let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                })
            }
            Self::HangsUp(certificate, key, ca) => {
                let mut roots = RootCertStore::empty();
                roots.add(der_of(&dir.join(ca)).into()).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(roots.into(), provider());
                let verifier = verifier.allow_unauthenticated().build().unwrap();
                let builder = rustls_builder().with_client_cert_verifier(verifier);
                let mut config = builder.with_cert_resolver(pair(dir, certificate, key));
                config.send_tls13_tickets = 0;
                rustls(config, |stream| {
                    while stream.conn.is_handshaking() {
                        if stream.conn.complete_io(stream.sock).is_err() {
                            break;
                        }
                    }
                })
            }
        }
    }
}

impl Server {
    fn with(address: String) -> Self {
        Self { address, process: None, output: None, open: Vec::new() }
    }

    /// By the name that is in the certificates.
    fn at(address: SocketAddr) -> Self {
        Self::with(format!("localhost:{}", address.port()))
    }

    /// What it printed so far, for messages of failing tests.
    pub(super) fn output(&self) -> String {
        self.output.as_ref().and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default()
    }

    fn spawn(dir: &Path, address: SocketAddr, mut command: Command) -> Self {
        let path = dir.join(format!("output-{}.txt", address.port()));
        let output = fs::File::create(&path).unwrap();
        command.current_dir(dir).stdout(output.try_clone().unwrap()).stderr(output);
        let process = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut server = Self::at(address);
        server.process = Some(process);
        server.output = Some(path);
        server
    }

    fn wait(mut self, ready: impl Fn(&str) -> bool) -> Self {
        let deadline = Instant::now() + Duration::from_secs(10);
        while Instant::now() < deadline {
            let ended = self.process.as_mut().and_then(|process| process.try_wait().unwrap());
            assert_eq!(ended, None, "{}", self.output());
            if ready(&self.output()) {
                return self;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("{} does not come up: {}", self.address, self.output());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

fn openssl(dir: &Path, address: SocketAddr, words: &str, says: &[u8]) -> Server {
    let mut command = Command::new("openssl");
    command.args(["s_server", "-accept", &address.to_string()]).args(words.split_whitespace());
    // A server that reads the end of its input ends itself.
    command.stdin(Stdio::piped());
    let quiet = words.contains("-quiet");
    let mut server = Server::spawn(dir, address, command);
    let mut input = server.process.as_mut().unwrap().stdin.take().unwrap();
    input.write_all(says).unwrap();
    server.open.push(Box::new(input));
    if quiet {
        // It says nothing, and a look at its port would be its first client.
        server.wait(|_| listens(address))
    } else {
        server.wait(|output| output.contains("ACCEPT"))
    }
}

/// Whether somebody listens there, as the kernel says without anybody having to connect.
fn listens(address: SocketAddr) -> bool {
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let place = format!("0100007F:{:04X} 00000000:0000 0A", address.port());
    table.contains(&place)
}

fn nginx(dir: &Path, address: SocketAddr, ssl: &str, directives: &str) -> Server {
    let place = dir.join(format!("nginx-{}", address.port()));
    // A port may come back to another row.
    fs::create_dir_all(&place).unwrap();
    let (dir_text, place_text) = (dir.display(), place.display());
    // Paths in the directives are relative to the configuration's place, which is `dir`.
    let configuration = format!(
        "daemon off;
master_process off;
pid {place_text}/pid;
error_log stderr info;
events {{ worker_connections 64; }}
http {{
    client_body_temp_path {place_text}/body;
    proxy_temp_path {place_text}/proxy;
    fastcgi_temp_path {place_text}/fastcgi;
    uwsgi_temp_path {place_text}/uwsgi;
    scgi_temp_path {place_text}/scgi;
    access_log {place_text}/access.log;
    server {{
        listen {address}{ssl};
        {directives}
    }}
}}
"
    );
    let file = dir.join(format!("nginx-{}.conf", address.port()));
    fs::write(&file, configuration).unwrap();
    let mut command = Command::new("nginx");
    command.arg("-p").arg(dir_text.to_string()).arg("-c").arg(&file).args(["-e", "stderr"]);
    command.stdin(Stdio::null());
    Server::spawn(dir, address, command).wait(|_| TcpStream::connect(address).is_ok())
}

fn mosquitto(dir: &Path, address: SocketAddr, lines: &str) -> Server {
    let (ip, port, dir_text) = (address.ip(), address.port(), dir.display());
    let lines = lines.replace("DIR", &dir_text.to_string()).replace("; ", "\n");
    let configuration =
        format!("listener {port} {ip}\nuser root\npersistence false\nlog_type all\n{lines}\n");
    let file = dir.join(format!("mosquitto-{port}.conf"));
    fs::write(&file, configuration).unwrap();
    let mut command = Command::new("mosquitto");
    command.arg("-c").arg(&file).stdin(Stdio::null());
    Server::spawn(dir, address, command).wait(|_| TcpStream::connect(address).is_ok())
}

fn says(bytes: &'static [u8], then: Then) -> Server {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    // Ends with the test, which is a process.
    thread::spawn(move || {
        let mut open = Vec::new();
        for mut socket in listener.incoming().map_while(Result::ok) {
            let _ = socket.write_all(bytes);
            match then {
                Then::Drips => {
                    while socket.write_all(&[0]).is_ok() {
                        thread::sleep(Duration::from_millis(100));
                    }
                }
                Then::Waits => open.push(socket),
                Then::Closes => {
                    let _ = socket.read(&mut [0; 4096]);
                }
            }
        }
    });
    Server::at(address)
}

/// Its queue holds one connection, which is made here; the kernel drops what comes after.
fn full() -> Server {
    let flags = SockFlag::SOCK_CLOEXEC;
    let listener = socket::socket(AddressFamily::Inet, SockType::Stream, flags, None).unwrap();
    let place = SockaddrIn::new(127, 0, 0, 1, 0);
    socket::bind(std::os::fd::AsRawFd::as_raw_fd(&listener), &place).unwrap();
    socket::listen(&listener, Backlog::new(0).unwrap()).unwrap();
    let listener = TcpListener::from(listener);
    let address = listener.local_addr().unwrap();
    let mut server = Server::with(address.to_string());
    let patience = Duration::from_millis(200);
    while let Ok(socket) = TcpStream::connect_timeout(&address, patience) {
        server.open.push(Box::new(socket));
    }
    server.open.push(Box::new(listener));
    server
}

#[derive(Debug)]
struct Always(Arc<CertifiedKey>);

impl ResolvesServerCert for Always {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

fn rustls_builder() -> ConfigBuilder<ServerConfig, WantsVerifier> {
    ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap()
}

/// A certificate and a key, of one pair or not.
fn pair(dir: &Path, certificate: &str, key: &str) -> Arc<Always> {
    let key = PrivateKeyDer::Pkcs8(key_der_of(&dir.join(key)).into());
    let signer = provider().key_provider.load_private_key(key).unwrap();
    let chain = vec![der_of(&dir.join(certificate)).into()];
    Arc::new(Always(Arc::new(CertifiedKey::new(chain, signer))))
}

/// Handles one connection after the other; ends with the test, which is a process.
fn rustls(
    config: ServerConfig,
    handle: impl Fn(&mut rustls::Stream<'_, ServerConnection, TcpStream>) + Send + 'static,
) -> Server {
    let config = Arc::new(config);
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut socket in listener.incoming().map_while(Result::ok) {
            let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            handle(&mut rustls::Stream::new(&mut connection, &mut socket));
        }
    });
    Server::at(address)
}
