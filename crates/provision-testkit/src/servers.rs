//! Real servers as good counterparts: `openssl s_server`, nginx, mosquitto, PostgreSQL.
//!
//! Each is a child process on the loopback interface, with a directory of its own that is gone when
//! it is: dropping the value kills the process. All of them demand a client certificate and speak
//! TLS 1.3. They run as root and as anybody.

mod mosquitto;
mod nginx;
mod openssl;
mod postgres;
mod started;

use core::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};
use std::{
    ffi::OsStr,
    fs, io,
    net::TcpListener,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

pub use mosquitto::Mosquitto;
pub use nginx::{AccessLine, Nginx};
pub use openssl::OpensslServer;
pub use postgres::Postgres;
pub use started::{Ready, Started};

use crate::pki::{self, Certified};

/// What a server needs to know, in PEM.
#[derive(Clone)]
pub struct ServerFiles {
    /// The server's certificate, then its issuers.
    pub chain_pem: String,
    /// Its private key, PKCS#8.
    pub key_pem: String,
    /// The CAs whose devices are welcome: for nginx every CA of the chain, root included.
    pub device_cas_pem: String,
    /// Revocation lists, one for every CA of the chain; `None` to revoke nobody.
    pub crls_pem: Option<String>,
    /// URL of an OCSP responder that nginx is to ask about every certificate of a client's chain.
    pub ocsp_responder: Option<String>,
    /// A file with revocation lists that nginx reads where it is, and again when it is told to by
    /// [`Nginx::reload_command`].
    pub crl_file: Option<PathBuf>,
}

impl ServerFiles {
    /// Of a server and its issuers, for the devices of some CAs (DER).
    #[must_use]
    pub fn of(server: &Certified, issuers: &[&Certified], device_cas: &[&[u8]]) -> Self {
        let issuers_pem: String = issuers.iter().map(|issuer| issuer.pem()).collect();
        Self {
            chain_pem: server.pem() + &issuers_pem,
            key_pem: server.key_pem(),
            device_cas_pem: device_cas.iter().map(|der| pki::pem(der)).collect(),
            crls_pem: None,
            ocsp_responder: None,
            crl_file: None,
        }
    }

    fn write_to(&self, directory: &Path) -> io::Result<()> {
        fs::write(directory.join(CHAIN), &self.chain_pem)?;
        fs::write(directory.join(KEY), &self.key_pem)?;
        fs::write(directory.join(DEVICE_CAS), &self.device_cas_pem)?;
        if let Some(crls) = &self.crls_pem {
            fs::write(directory.join(CRLS), crls)?;
        }
        Ok(())
    }
}

/// Whether `program` can be started here: tests of real servers are skipped, aloud, without it.
#[must_use]
pub fn is_installed(program: &str) -> bool {
    executable(program).is_some()
}

/// A running server and its directory.
struct Running {
    started: Started,
    directory: TempDir,
}

impl Running {
    /// Starts `program` in a new directory that holds `files` and whatever `prepare` adds, and
    /// waits until the port answers.
    fn start<A: AsRef<OsStr>>(
        program: &str,
        bind: Ipv4Addr,
        files: &ServerFiles,
        prepare: impl FnOnce(&Path, SocketAddr) -> io::Result<Vec<A>>,
    ) -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        files.write_to(directory.path())?;
        let address = SocketAddr::from((bind, free_port(bind)?));
        let arguments = prepare(directory.path(), address)?;
        let started =
            Started::start(program, arguments, directory.path(), address, Ready::Answers)?;
        Ok(Self { started, directory })
    }

    fn address(&self) -> SocketAddr {
        self.started.address()
    }

    /// What the server printed, for messages of failing tests.
    fn output(&self) -> String {
        self.started.output()
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }
}

/// An address of the loopback interface that nobody listens on now.
///
/// # Errors
///
/// The system has none.
pub fn free_address() -> io::Result<SocketAddr> {
    let bind = Ipv4Addr::LOCALHOST;
    Ok(SocketAddr::from((bind, free_port(bind)?)))
}

/// A port nobody listens on now. Somebody may take it before the server does; then the server
/// says so and the test fails loudly.
fn free_port(bind: Ipv4Addr) -> io::Result<u16> {
    Ok(TcpListener::bind((bind, 0))?.local_addr()?.port())
}

/// In PATH, or where administrators' programs are.
fn executable(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")])
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
}

const CHAIN: &str = "chain.pem";
const KEY: &str = "key.pem";
const DEVICE_CAS: &str = "device-cas.pem";
const CRLS: &str = "crls.pem";

const POLL: Duration = Duration::from_millis(20);
