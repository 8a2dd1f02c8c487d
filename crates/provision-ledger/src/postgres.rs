//! A ledger's tables in PostgreSQL, for many stations.

use core::error::Error as _;
use core::fmt;
use core::str::FromStr;
use core::time::Duration;
use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use postgres::config::{Host, SslMode};
use postgres::error::SqlState;
use postgres::fallible_iterator::FallibleIterator as _;
use postgres::types::{IsNull, ToSql, Type, private::BytesMut};
use postgres::{Client, Config, NoTls, Statement};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::database::{Access, Cell, Database, Row, Value, damaged};
use crate::ledger::{StorageError, StorageFault};
use crate::open_error::OpenError;
use crate::schema;

/// Where a ledger in PostgreSQL is: `postgres://user@host/database`, as libpq has it.
///
/// The server is always checked (`sslmode=verify-full`) against the system's CAs, or those of
/// `sslrootcert=FILE`; `sslcert=FILE` and `sslkey=FILE` are shown to it. `sslmode=disable` goes
/// without TLS, and is for Unix sockets and this machine alone. The password, if one is needed, is
/// in PGPASSWORD rather than here, where others can see it.
#[derive(Clone)]
pub struct PostgresUrl {
    config: Config,
    tls: Tls,
    /// Without its password.
    shown: String,
}

#[derive(Debug, Clone)]
enum Tls {
    No,
    Verified { root: Option<PathBuf>, certificate: Option<PathBuf>, key: Option<PathBuf> },
}

/// A text is no [`PostgresUrl`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PostgresUrlError {
    /// It cannot be read.
    #[error("{url} is no address of a PostgreSQL database ({why})")]
    Unreadable {
        /// The text, without a password.
        url: String,
        /// What is wrong.
        why: String,
    },
    /// The server would not be checked.
    #[error(
        "sslmode={mode} does not check the server: verify-full does, and disable is for this machine alone"
    )]
    Unchecked {
        /// What was asked for.
        mode: String,
    },
    /// A certificate without its key, or the other way round.
    #[error("sslcert and sslkey go together")]
    HalfAnIdentity,
}

impl PostgresUrl {
    /// Whether a text is meant to be one.
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        text.starts_with("postgres://") || text.starts_with("postgresql://")
    }
}

impl FromStr for PostgresUrl {
    type Err = PostgresUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let unreadable =
            |why: String| PostgresUrlError::Unreadable { url: without_password(base), why };
        let mut mode = None;
        let (mut root, mut certificate, mut key) = (None, None, None);
        let mut rest = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = percent_decode_str(value).decode_utf8_lossy().into_owned();
            match name {
                "sslmode" => mode = Some(decoded),
                "sslrootcert" => root = Some(PathBuf::from(decoded)),
                "sslcert" => certificate = Some(PathBuf::from(decoded)),
                "sslkey" => key = Some(PathBuf::from(decoded)),
                _ => rest.push(pair),
            }
        }
        let plain = format!("{base}?{}", rest.join("&"));
        let mut config = Config::from_str(plain.trim_end_matches('?'))
            .map_err(|error| unreadable(why(&error)))?;
        if certificate.is_some() != key.is_some() {
            return Err(PostgresUrlError::HalfAnIdentity);
        }
        if config.get_hosts().is_empty() {
            return Err(unreadable("it names no host".into()));
        }
        let tls = match mode.as_deref() {
            _ if !config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(_))) => Tls::No,
            None | Some("verify-full") => Tls::Verified { root, certificate, key },
            Some("disable") if config.get_hosts().iter().all(is_here) => Tls::No,
            Some(other) => return Err(PostgresUrlError::Unchecked { mode: other.into() }),
        };
        config
            .ssl_mode(if matches!(tls, Tls::No) { SslMode::Disable } else { SslMode::Require })
            .application_name("provision")
            .connect_timeout(PATIENCE)
            .tcp_user_timeout(2 * PATIENCE)
            .keepalives_idle(2 * PATIENCE);
        if config.get_password().is_none()
            && let Ok(password) = std::env::var("PGPASSWORD")
        {
            config.password(password);
        }
        Ok(Self { config, tls, shown: without_password(base) })
    }
}

fn is_here(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => {
            name == "localhost"
                || name.parse::<core::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

/// `postgres://user:secret@host/db` without the secret.
fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    match rest.rsplit_once('@') {
        Some((who, at)) => {
            let user = who.split_once(':').map_or(who, |(user, _)| user);
            format!("{scheme}://{user}@{at}")
        }
        None => url.to_owned(),
    }
}

impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PostgresUrl").field(&self.shown).finish()
    }
}

pub(crate) struct Postgres {
    url: PostgresUrl,
    /// None once it is gone.
    client: Option<Client>,
    /// By the place of the text in memory: statements are part of the program.
    prepared: HashMap<(usize, usize), Statement>,
    patience: Duration,
}

impl Postgres {
    /// Makes the tables, where none are.
    pub(crate) fn create(url: &PostgresUrl) -> Result<(), OpenError> {
        let mut database = Self::connect(url)?;
        let made = database.make_tables();
        made.map_err(|fault| StorageError { place: url.to_string(), fault })?
            .then_some(())
            .ok_or_else(|| OpenError::AlreadyExists { path: url.to_string().into() })
    }

    /// False if there are some.
    fn make_tables(&mut self) -> Result<bool, StorageFault> {
        self.begin(Access::Write)?;
        let made = self.has_tables().and_then(|there| {
            if there {
                return Ok(false);
            }
            self.batch(include_str!("postgres.sql"))?;
            let version = format!("INSERT INTO ledger_version VALUES ({})", schema::VERSION);
            self.batch(&version)?;
            Ok(true)
        });
        match made {
            Ok(true) => self.commit().map(|()| true),
            other => {
                self.rollback();
                other
            }
        }
    }

    fn has_tables(&mut self) -> Result<bool, StorageFault> {
        let mut there = false;
        let which = "SELECT count(*) FROM pg_class
            WHERE relname = 'ledger_version' AND pg_table_is_visible(oid)";
        self.run(which, &[], &mut |row| {
            there = row.int(0)? > 0;
            Ok(())
        })?;
        Ok(there)
    }

    pub(crate) fn open(url: &PostgresUrl) -> Result<Self, OpenError> {
        let mut database = Self::connect(url)?;
        let failed = |fault| StorageError { place: url.to_string(), fault };
        if !database.has_tables().map_err(failed)? {
            return Err(OpenError::NotFound { path: url.to_string().into() });
        }
        let mut found = 0;
        let version = "SELECT max(version) FROM ledger_version";
        let read = database.run(version, &[], &mut |row| {
            found = row.int(0)?;
            Ok(())
        });
        read.map_err(failed)?;
        if found != i64::from(schema::VERSION) {
            return Err(OpenError::NewerSchema {
                place: url.to_string(),
                found: i32::try_from(found).unwrap_or(i32::MAX),
                known: schema::VERSION,
            });
        }
        let mut synced = String::new();
        let read = database.run("SELECT current_setting('fsync')", &[], &mut |row| {
            synced = row.text(0)?;
            Ok(())
        });
        read.map_err(failed)?;
        if synced != "on" {
            return Err(OpenError::NotDurable { place: url.to_string() });
        }
        Ok(database)
    }

    fn connect(url: &PostgresUrl) -> Result<Self, OpenError> {
        let mut database =
            Self { url: url.clone(), client: None, prepared: HashMap::new(), patience: PATIENCE };
        let connected = database.reconnect();
        connected.map_err(|fault| StorageError { place: url.to_string(), fault })?;
        Ok(database)
    }

    fn reconnect(&mut self) -> Result<(), StorageFault> {
        self.client = None;
        self.prepared.clear();
        let connected = match &self.url.tls {
            Tls::No => self.url.config.connect(NoTls),
            Tls::Verified { root, certificate, key } => {
                let tls = tls_config(root.as_ref(), certificate.as_ref(), key.as_ref())?;
                self.url.config.connect(MakeRustlsConnect::new(tls))
            }
        };
        let mut client =
            connected.map_err(|error| StorageFault::Unreachable { detail: why(&error) })?;
        let settings = format!(
            "SET lock_timeout = {}; SET synchronous_commit = on;
             SET idle_in_transaction_session_timeout = 60000; SET client_min_messages = warning;",
            self.patience.as_millis().max(1)
        );
        client.batch_execute(&settings).map_err(|error| fault_of(&error))?;
        self.client = Some(client);
        Ok(())
    }

    fn client(&mut self) -> Result<&mut Client, StorageFault> {
        self.client.as_mut().ok_or_else(gone)
    }

    /// A connection that failed is not used again.
    fn judged<T>(&mut self, result: Result<T, postgres::Error>) -> Result<T, StorageFault> {
        let error = match result {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let fault = fault_of(&error);
        if matches!(fault, StorageFault::Unreachable { .. }) {
            self.client = None;
        }
        Err(fault)
    }

    fn begin_once(&mut self, access: Access) -> Result<(), StorageFault> {
        if self.client.as_ref().is_none_or(Client::is_closed) {
            self.reconnect()?;
        }
        self.batch(match access {
            Access::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            // Whoever writes holds this lock until the end: what is read after it is what the last
            // writer committed, and nobody comes between.
            Access::Write => {
                "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
                 SELECT pg_advisory_xact_lock(1347571542, hashtext(current_schema()))"
            }
        })
    }
}

impl Database for Postgres {
    fn begin(&mut self, access: Access) -> Result<(), StorageFault> {
        let begun = match self.begin_once(access) {
            // The server went away since the last call; nothing is under way yet.
            Err(StorageFault::Unreachable { .. }) => self.begin_once(access),
            begun => begun,
        };
        if begun.is_err() {
            self.rollback();
        }
        begun
    }

    fn commit(&mut self) -> Result<(), StorageFault> {
        self.batch("COMMIT")
    }

    fn rollback(&mut self) {
        if self.client.is_some() && self.batch("ROLLBACK").is_err() {
            self.client = None;
        }
    }

    fn run(
        &mut self,
        statement: &'static str,
        values: &[Value<'_>],
        each: &mut dyn FnMut(&mut Row) -> Result<(), StorageFault>,
    ) -> Result<u64, StorageFault> {
        let place = (statement.as_ptr() as usize, statement.len());
        let prepared = match self.prepared.get(&place) {
            Some(prepared) => prepared.clone(),
            None => {
                let prepared = self.client()?.prepare(&statement.replace('?', "$"));
                let prepared = self.judged(prepared)?;
                self.prepared.insert(place, prepared.clone());
                prepared
            }
        };
        let streamed = stream(self.client()?, &prepared, values, each);
        self.judged(streamed)?
    }

    fn batch(&mut self, statements: &str) -> Result<(), StorageFault> {
        let done = self.client()?.batch_execute(statements);
        self.judged(done)
    }

    fn set_patience(&mut self, patience: Duration) -> Result<(), StorageFault> {
        self.patience = patience;
        self.batch(&format!("SET lock_timeout = {}", patience.as_millis().max(1)))
    }
}

/// Hands over rows as they come: a million of them are never here at once.
fn stream(
    client: &mut Client,
    prepared: &Statement,
    values: &[Value<'_>],
    each: &mut dyn FnMut(&mut Row) -> Result<(), StorageFault>,
) -> Result<Result<u64, StorageFault>, postgres::Error> {
    let mut rows = client.query_raw(prepared, values.iter().copied().map(Parameter))?;
    let mut count = 0;
    let mut row = Row::default();
    while let Some(stored) = rows.next()? {
        row.cells.clear();
        for column in 0..stored.len() {
            match cell(&stored, column) {
                Ok(cell) => row.cells.push(cell),
                Err(fault) => return Ok(Err(fault)),
            }
        }
        if let Err(fault) = each(&mut row) {
            return Ok(Err(fault));
        }
        count += 1;
    }
    Ok(Ok(count))
}

#[derive(Debug)]
struct Parameter<'a>(Value<'a>);

impl ToSql for Parameter<'_> {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn core::error::Error + Sync + Send>> {
        match self.0 {
            Value::Null => Ok(IsNull::Yes),
            Value::Int(number) => number.to_sql(kind, out),
            Value::Text(text) => text.to_sql(kind, out),
            Value::Blob(bytes) => bytes.to_sql(kind, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn core::error::Error + Sync + Send>> {
        let fits = match self.0 {
            Value::Null => true,
            Value::Int(_) => *kind == Type::INT8,
            Value::Text(_) => matches!(*kind, Type::TEXT | Type::VARCHAR),
            Value::Blob(_) => *kind == Type::BYTEA,
        };
        if fits {
            self.to_sql(kind, out)
        } else {
            Err(format!("a parameter of type {kind}").into())
        }
    }
}

fn cell(row: &postgres::Row, column: usize) -> Result<Cell, StorageFault> {
    let read = match *row.columns()[column].type_() {
        Type::INT8 => row.try_get::<_, Option<i64>>(column).map(|value| value.map(Cell::Int)),
        Type::INT4 => row
            .try_get::<_, Option<i32>>(column)
            .map(|value| value.map(|number| Cell::Int(number.into()))),
        Type::BYTEA => row.try_get::<_, Option<Vec<u8>>>(column).map(|value| value.map(Cell::Blob)),
        Type::TEXT | Type::VARCHAR => {
            row.try_get::<_, Option<String>>(column).map(|value| value.map(Cell::Text))
        }
        ref other => return Err(damaged(&format!("a column of type {other}"))),
    };
    read.map(|value| value.unwrap_or(Cell::Null)).map_err(|error| damaged(&error))
}

fn tls_config(
    root: Option<&PathBuf>,
    certificate: Option<&PathBuf>,
    key: Option<&PathBuf>,
) -> Result<ClientConfig, StorageFault> {
    let wrong = |path: &PathBuf, error: &dyn fmt::Display| StorageFault::Unreachable {
        detail: format!("{}: {error}", path.display()),
    };
    let chain = |path: &PathBuf| -> Result<Vec<CertificateDer<'static>>, StorageFault> {
        let pem = fs::read(path).map_err(|error| wrong(path, &error))?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let chain = chain.map_err(|error| wrong(path, &error))?;
        if chain.is_empty() { Err(wrong(path, &"it holds no certificate")) } else { Ok(chain) }
    };
    let mut roots = RootCertStore::empty();
    match root {
        Some(path) => {
            for root in chain(path)? {
                roots.add(root).map_err(|error| wrong(path, &error))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let failed = |error: rustls::Error| StorageFault::Unreachable { detail: error.to_string() };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_root_certificates(roots);
    match (certificate, key) {
        (Some(certificate), Some(key)) => {
            let read = fs::read(key).map_err(|error| wrong(key, &error))?;
            let read = PrivateKeyDer::from_pem_slice(&read).map_err(|error| wrong(key, &error))?;
            config.with_client_auth_cert(chain(certificate)?, read).map_err(failed)
        }
        _ => Ok(config.with_no_client_auth()),
    }
}

fn fault_of(error: &postgres::Error) -> StorageFault {
    let detail = why(error);
    let Some(code) = error.code() else {
        return StorageFault::Unreachable { detail };
    };
    match *code {
        SqlState::UNIQUE_VIOLATION
        | SqlState::CHECK_VIOLATION
        | SqlState::FOREIGN_KEY_VIOLATION
        | SqlState::NOT_NULL_VIOLATION
        | SqlState::RAISE_EXCEPTION => StorageFault::Rule { detail },
        SqlState::LOCK_NOT_AVAILABLE | SqlState::T_R_SERIALIZATION_FAILURE => StorageFault::Locked,
        SqlState::READ_ONLY_SQL_TRANSACTION | SqlState::INSUFFICIENT_PRIVILEGE => {
            StorageFault::ReadOnly
        }
        SqlState::DISK_FULL => StorageFault::DiskFull,
        SqlState::UNDEFINED_TABLE | SqlState::UNDEFINED_COLUMN => StorageFault::NotALedger,
        SqlState::DATA_CORRUPTED | SqlState::INDEX_CORRUPTED => StorageFault::Corrupt { detail },
        SqlState::ADMIN_SHUTDOWN
        | SqlState::CRASH_SHUTDOWN
        | SqlState::CANNOT_CONNECT_NOW
        | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => StorageFault::Unreachable { detail },
        _ if code.code().starts_with("08") => StorageFault::Unreachable { detail },
        _ => StorageFault::Other(detail.into()),
    }
}

/// What the server says, or what lies beneath: the crate's own words are few.
fn why(error: &postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return said.message().to_owned();
    }
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

fn gone() -> StorageFault {
    StorageFault::Unreachable { detail: "the connection is gone".into() }
}

/// A server that does not answer for so long is not there.
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let tls = |url: &str| url.parse::<PostgresUrl>().map(|url| matches!(url.tls, Tls::No));
        assert_eq!(tls("postgres://me@db.acme.com/ledger"), Ok(false));
        assert_eq!(
            tls("postgres://me@db.acme.com/ledger?sslmode=verify-full&sslrootcert=a"),
            Ok(false)
        );
        assert_eq!(tls("postgres://me@127.0.0.1:5433/ledger?sslmode=disable"), Ok(true));
        assert_eq!(tls("postgres://me@localhost/ledger?sslmode=disable"), Ok(true));
        assert_eq!(tls("postgresql:///ledger?host=/run/postgresql"), Ok(true));
        for mode in ["prefer", "allow", "require", "verify-ca", "disable"] {
            let url = format!("postgres://me@db.acme.com/ledger?sslmode={mode}");
            assert_eq!(tls(&url), Err(PostgresUrlError::Unchecked { mode: mode.into() }));
        }
        let half = tls("postgres://me@db.acme.com/ledger?sslcert=a.crt");
        assert_eq!(half, Err(PostgresUrlError::HalfAnIdentity));
        for bad in ["postgres://", "postgres://a:b@c:x/", "postgres://me@h/d?nonsense=1"] {
            assert!(matches!(tls(bad), Err(PostgresUrlError::Unreadable { .. })), "{bad}");
        }
    }

    #[test]
    fn a_password_is_never_shown() {
        for url in ["postgres://me:secret@db/ledger", "postgres://me:secret@db:x/ledger"] {
            let shown = match url.parse::<PostgresUrl>() {
                Ok(url) => format!("{url} {url:?}"),
                Err(error) => error.to_string(),
            };
            assert!(shown.contains("me@db") && !shown.contains("secret"), "{shown}");
        }
    }
}
