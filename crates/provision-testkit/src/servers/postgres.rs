//! PostgreSQL, in a directory of its own, on a Unix socket and a port of the loopback interface.

use core::net::{Ipv4Addr, SocketAddr};
use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User, geteuid};
use tempfile::TempDir;

use super::started::{Ready, Started};
use super::{executable, free_port};
use crate::pki::{self, Certified};

/// A running PostgreSQL with one empty database, `ledger`. On the Unix socket it takes everybody, but
/// asks members of a role `with_password`, if somebody makes one, for theirs; on TCP, TLS alone, with
/// a client's certificate for the role `postgres`.
///
/// Dropping it ends the server.
pub struct Postgres {
    directory: TempDir,
    address: SocketAddr,
    started: Option<Started>,
}

impl Postgres {
    /// Whether it can be started here.
    #[must_use]
    pub fn is_installed() -> bool {
        program("initdb").is_some() && program("postgres").is_some()
    }

    /// Makes a database cluster and starts it. As root, it runs as the user `postgres`.
    ///
    /// # Errors
    ///
    /// It is not installed, or does not come up.
    pub fn start() -> io::Result<Self> {
        let directory = tempfile::tempdir()?;
        let dir = directory.path();
        fs::set_permissions(dir, fs::Permissions::from_mode(0o755))?;
        let root = Certified::self_signed(pki::root("Database Root"));
        let server = root.issue(pki::server(&["localhost", "127.0.0.1"]));
        let client = root.issue(pki::device("postgres"));
        for (name, text) in [
            ("root.crt", root.pem()),
            ("server.crt", server.pem()),
            ("server.key", server.key_pem()),
            ("client.crt", client.pem()),
            ("client.key", client.key_pem()),
        ] {
            fs::write(dir.join(name), text)?;
            fs::set_permissions(dir.join(name), fs::Permissions::from_mode(0o600))?;
        }
        if let Some(user) = user()? {
            chown(dir, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
            for name in ["root.crt", "server.crt", "server.key"] {
                chown(dir.join(name), Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
            }
        }
        let words = ["-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale"];
        let made = command("initdb")?.args(words).arg("--no-sync").current_dir(dir).output()?;
        if !made.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&made.stderr)));
        }
        let hba = "local all +with_password scram-sha-256\nlocal all all trust\n\
                   hostssl all all 127.0.0.1/32 cert clientcert=verify-full\n";
        fs::write(dir.join("data/pg_hba.conf"), hba)?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port(Ipv4Addr::LOCALHOST)?));
        let mut postgres = Self { directory, address, started: None };
        postgres.go_on()?;
        let dir = postgres.directory.path().to_owned();
        let port = postgres.address.port().to_string();
        let mut createdb = command("createdb")?;
        createdb.args(["-h"]).arg(&dir).args(["-p", &port, "-U", "postgres", "ledger"]);
        let made = createdb.current_dir(&dir).output()?;
        if made.status.success() {
            Ok(postgres)
        } else {
            Err(io::Error::other(String::from_utf8_lossy(&made.stderr)))
        }
    }

    /// Ends the server as if its machine lost its power.
    pub fn crash(&mut self) {
        self.end(Signal::SIGQUIT);
    }

    /// Stops every process of the server where it is (SIGSTOP): it takes connections, and says
    /// nothing.
    ///
    /// # Errors
    ///
    /// Its processes cannot be listed.
    pub fn freeze(&self) -> io::Result<()> {
        self.signal_all(Signal::SIGSTOP)
    }

    /// Lets it go on after [`freeze`](Self::freeze).
    ///
    /// # Errors
    ///
    /// Its processes cannot be listed.
    pub fn thaw(&self) -> io::Result<()> {
        self.signal_all(Signal::SIGCONT)
    }

    fn signal_all(&self, signal: Signal) -> io::Result<()> {
        let Some(started) = &self.started else { return Ok(()) };
        let first = started.id();
        let send = |id: u32, signal| {
            if let Ok(id) = i32::try_from(id) {
                let _ = kill(Pid::from_raw(id), signal);
            }
        };
        // First the one that starts others: it is not to start one more while they are listed.
        send(first, signal);
        for process in fs::read_dir("/proc")? {
            let name = process?.file_name();
            let Some(id) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
                continue;
            };
            // "4711 (postgres: writer) S 4700 …"; it may have ended meanwhile.
            let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
            let parent = stat.rsplit_once(") ").and_then(|(_, rest)| rest.split(' ').nth(1));
            if parent == Some(first.to_string().as_str()) {
                send(id, signal);
            }
        }
        Ok(())
    }

    /// Starts it again, where it was.
    ///
    /// # Errors
    ///
    /// It does not come up.
    pub fn go_on(&mut self) -> io::Result<()> {
        self.go_on_until("database system is ready to accept connections")
    }

    /// Goes on as a standby, which waits for what a primary would write; `SELECT pg_promote()` ends
    /// that.
    ///
    /// # Errors
    ///
    /// It does not come up.
    pub fn stand_by(&mut self) -> io::Result<()> {
        self.end(Signal::SIGINT);
        fs::write(self.path().join("data/standby.signal"), "")?;
        self.go_on_until("database system is ready to accept read-only connections")
    }

    fn go_on_until(&mut self, said: &str) -> io::Result<()> {
        let dir = self.directory.path();
        let setting =
            |name: &str, value: &str| [OsString::from("-c"), format!("{name}={value}").into()];
        let in_dir = |name: &str| dir.join(name).display().to_string();
        let mut words: Vec<OsString> = become_postgres()?;
        words.push(path_of("postgres")?.into());
        words.extend(["-D", "data", "-p", &self.address.port().to_string()].map(OsString::from));
        for (name, value) in [
            ("listen_addresses", "127.0.0.1"),
            ("unix_socket_directories", &in_dir("")),
            ("ssl", "on"),
            ("ssl_cert_file", &in_dir("server.crt")),
            ("ssl_key_file", &in_dir("server.key")),
            ("ssl_ca_file", &in_dir("root.crt")),
            ("max_connections", "40"),
        ] {
            words.extend(setting(name, value));
        }
        let program = words.remove(0);
        let ready = Ready::Says(said);
        let program = program.to_string_lossy().into_owned();
        self.started = Some(Started::start(&program, words, dir, self.address, ready)?);
        Ok(())
    }

    /// Address of the database on the Unix socket.
    #[must_use]
    pub fn url(&self) -> String {
        let dir = self.directory.path().display().to_string().replace('/', "%2F");
        format!("postgres://postgres@/ledger?host={dir}&port={}", self.address.port())
    }

    /// The same for another role, and a password if there is a `:` in it.
    #[must_use]
    pub fn url_as(&self, role: &str) -> String {
        self.url().replacen("postgres@", &format!("{role}@"), 1)
    }

    /// Address of the database on TCP, with a server and a client that are who they say.
    #[must_use]
    pub fn tls_url(&self) -> String {
        self.tls_url_by(self.address)
    }

    /// Where it takes TLS.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// As [`tls_url`](Self::tls_url), by way of another port of the loopback interface.
    #[must_use]
    pub fn tls_url_by(&self, relay: SocketAddr) -> String {
        let file = |name: &str| self.directory.path().join(name).display().to_string();
        format!(
            "postgres://postgres@localhost:{}/ledger?hostaddr=127.0.0.1&sslrootcert={}&sslcert={}&sslkey={}",
            relay.port(),
            file("root.crt"),
            file("client.crt"),
            file("client.key")
        )
    }

    /// Has the database's owner run statements.
    ///
    /// # Errors
    ///
    /// What psql said.
    pub fn psql(&self, statements: &str) -> io::Result<()> {
        let mut psql = command("psql")?;
        psql.args(["-h"]).arg(self.path()).args(["-p", &self.address.port().to_string()]);
        psql.args(["-U", "postgres", "-v", "ON_ERROR_STOP=1", "-c", statements, "ledger"]);
        let ran = psql.current_dir(self.path()).output()?;
        if ran.status.success() {
            Ok(())
        } else {
            Err(io::Error::other(String::from_utf8_lossy(&ran.stderr)))
        }
    }

    /// Where its files are.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// What it logged since it was started.
    #[must_use]
    pub fn output(&self) -> String {
        self.started.as_ref().map(Started::output).unwrap_or_default()
    }

    fn end(&mut self, signal: Signal) {
        // One that was stopped hears nothing else.
        let _ = self.thaw();
        if let Some(started) = self.started.take()
            && let Ok(id) = i32::try_from(started.id())
        {
            let _ = kill(Pid::from_raw(id), signal);
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Does not wait for those who are connected.
        self.end(Signal::SIGINT);
    }
}

/// Whom it runs as: it refuses to be root.
fn user() -> io::Result<Option<User>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let user = User::from_name("postgres")?;
    user.map(Some).ok_or_else(|| io::Error::other("there is no user postgres"))
}

/// Words before a command that run it as that user.
fn become_postgres() -> io::Result<Vec<OsString>> {
    let Some(user) = user()? else { return Ok(vec!["env".into()]) };
    Ok(vec![
        "setpriv".into(),
        format!("--reuid={}", user.uid).into(),
        format!("--regid={}", user.gid).into(),
        "--clear-groups".into(),
    ])
}

fn command(name: &str) -> io::Result<Command> {
    let mut words = become_postgres()?.into_iter();
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).arg(path_of(name)?);
    Ok(command)
}

fn path_of(name: &str) -> io::Result<PathBuf> {
    program(name)
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("{name} is not installed")))
}

/// In PATH, or where Debian has it.
fn program(name: &str) -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut there: Vec<PathBuf> = versions
        .map(|version| version.path().join("bin").join(name))
        .filter(|path| path.exists())
        .collect();
    there.sort();
    there.pop().or_else(|| executable(name))
}
