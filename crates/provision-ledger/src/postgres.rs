//! A ledger's tables in PostgreSQL, for many stations.

use core::cmp::Ordering;
use core::error::Error as _;
use core::fmt;
use core::ops::ControlFlow;
use core::str::FromStr;
use core::time::Duration;
use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use percent_encoding::percent_decode_str;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{IsNull, ToSql, Type, private::BytesMut};
use tokio_postgres::{Config, NoTls, Statement};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::connection::{Connection, NoAnswer};
use crate::database::{Access, Cell, Database, Row, Value, damaged};
use crate::ledger::{DatabaseRefusal, StorageError, StorageFault};
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
            .tcp_user_timeout(2 * PATIENCE)
            // Often enough that no firewall on the way forgets a connection that rests over lunch.
            .keepalives_idle(2 * PATIENCE)
            .keepalives_interval(PATIENCE)
            .keepalives_retries(2);
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
    connection: Option<Connection>,
    /// By the place of the text in memory: statements are part of the program.
    prepared: HashMap<(usize, usize), Statement>,
    patience: Duration,
    /// Since when the server says nothing.
    silent: Option<Instant>,
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
            self.add_versions(0)?;
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

    /// Adds what came after a version, and says so in the table of versions.
    fn add_versions(&mut self, after: i64) -> Result<(), StorageFault> {
        for (version, add) in VERSIONS {
            if version > after {
                self.batch(add)?;
                self.batch(&format!("INSERT INTO ledger_version VALUES ({version})"))?;
            }
        }
        Ok(())
    }

    /// Brings the tables to the version that is known here, all or nothing, one at a time. Returns
    /// the version that they had.
    pub(crate) fn upgrade(url: &PostgresUrl) -> Result<i32, OpenError> {
        let mut database = Self::connect(url)?;
        let failed = |fault| StorageError { place: url.to_string(), fault };
        if !database.has_tables().map_err(failed)? {
            return Err(OpenError::NotFound { path: url.to_string().into() });
        }
        database.begin(Access::Write).map_err(failed)?;
        let found = database.version().map_err(failed)?;
        let known = schema::VERSION;
        if found >= known {
            database.rollback();
            return match found > known {
                true => Err(OpenError::NewerSchema { place: url.to_string(), found, known }),
                false => Ok(found),
            };
        }
        let added = database.add_versions(found.into()).and_then(|()| database.commit());
        if added.is_err() {
            database.rollback();
        }
        added.map_err(failed)?;
        Ok(found)
    }

    fn version(&mut self) -> Result<i32, StorageFault> {
        let mut found = 0;
        self.run("SELECT max(version) FROM ledger_version", &[], &mut |row| {
            found = row.int(0)?;
            Ok(())
        })?;
        Ok(i32::try_from(found).unwrap_or(i32::MAX))
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

    /// For what has to write, only if it may: a device should not have made its key by the time that
    /// shows.
    pub(crate) fn open(url: &PostgresUrl, access: Access) -> Result<Self, OpenError> {
        let mut database = Self::connect(url)?;
        let failed = |fault| StorageError { place: url.to_string(), fault };
        if !database.has_tables().map_err(failed)? {
            database.check_schema_is_open().map_err(failed)?;
            return Err(OpenError::NotFound { path: url.to_string().into() });
        }
        let (found, known) = (database.version().map_err(failed)?, schema::VERSION);
        let place = || url.to_string();
        match found.cmp(&known) {
            Ordering::Equal => {}
            Ordering::Greater => {
                return Err(OpenError::NewerSchema { place: place(), found, known });
            }
            Ordering::Less => {
                return Err(OpenError::OlderSchema { place: place(), found, needed: known });
            }
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
        if access == Access::Write {
            database.check_takes_rows().map_err(failed)?;
            database.check_right_to_add().map_err(failed)?;
        }
        Ok(database)
    }

    /// A standby has all roles and rights that its primary has.
    fn check_takes_rows(&mut self) -> Result<(), StorageFault> {
        self.none_of(
            DatabaseRefusal::ReadOnly,
            "SELECT 'it is a standby, a copy of another server' WHERE pg_is_in_recovery()",
        )
    }

    /// Whether rows can be added to the tables to which whatever is recorded adds some.
    fn check_right_to_add(&mut self) -> Result<(), StorageFault> {
        self.none_of(
            DatabaseRefusal::NoRight,
            "SELECT current_user || ' may not add to ' || relname FROM pg_class
                WHERE relname IN ('chain', 'head') AND pg_table_is_visible(oid)
                    AND NOT has_table_privilege(oid, 'INSERT')",
        )
    }

    /// A schema that the role may not use looks as if it were empty.
    fn check_schema_is_open(&mut self) -> Result<(), StorageFault> {
        self.none_of(
            DatabaseRefusal::NoRight,
            "SELECT current_user || ' may not use the schema ' || nspname
                FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                WHERE relname = 'ledger_version' AND NOT has_schema_privilege(n.oid, 'USAGE')
                    AND (nspname = current_user
                        OR position(nspname in current_setting('search_path')) > 0)",
        )
    }

    /// Each row says what there is against us.
    fn none_of(
        &mut self,
        refusal: DatabaseRefusal,
        against: &'static str,
    ) -> Result<(), StorageFault> {
        let mut found = Vec::new();
        self.run(against, &[], &mut |row| {
            found.push(row.text(0)?);
            Ok(())
        })?;
        match found.is_empty() {
            true => Ok(()),
            false => Err(refused(refusal, found.join(", "))),
        }
    }

    fn connect(url: &PostgresUrl) -> Result<Self, OpenError> {
        let mut database = Self {
            url: url.clone(),
            connection: None,
            prepared: HashMap::new(),
            patience: PATIENCE,
            silent: None,
        };
        let connected = database.reconnect();
        connected.map_err(|fault| StorageError { place: url.to_string(), fault })?;
        Ok(database)
    }

    fn reconnect(&mut self) -> Result<(), StorageFault> {
        self.connection = None;
        self.prepared.clear();
        // Those who waited for their turn while the server was silent need not find it out again one
        // after the other.
        if self.silent.is_some_and(|since| since.elapsed() < SILENCE_BELIEVED) {
            return Err(silent(CONNECT_WITHIN));
        }
        let config = &self.url.config;
        let opened = match &self.url.tls {
            Tls::No => Connection::open(config, NoTls, CONNECT_WITHIN),
            Tls::Verified { root, certificate, key } => {
                let tls = tls_config(root.as_ref(), certificate.as_ref(), key.as_ref())?;
                Connection::open(config, MakeRustlsConnect::new(tls), CONNECT_WITHIN)
            }
        };
        let mut connection = match opened {
            Ok(connection) => connection,
            Err(NoAnswer::Failed(error)) => return Err(fault_of_connecting(&error)),
            Err(other) => return self.judged(Err(other)),
        };
        let patience = self.patience;
        connection.answer_within(patience + ANSWER_WITHIN);
        // A station that is stopped in the middle must not hold the others; and a server that works
        // for one that went away should find out (since version 14).
        let settings = format!(
            "SET lock_timeout = {}; SET synchronous_commit = on;
             SET idle_in_transaction_session_timeout = {}; SET client_min_messages = warning;
             SELECT set_config(name, '{}', false) FROM pg_settings
                 WHERE name = 'client_connection_check_interval'",
            patience.as_millis().max(1),
            IDLE_WITHIN.as_millis(),
            PATIENCE.as_millis(),
        );
        let set = connection.batch(&settings);
        self.judged(set)?;
        self.connection = Some(connection);
        Ok(())
    }

    fn connection(&self) -> Result<&Connection, StorageFault> {
        self.connection.as_ref().ok_or_else(gone)
    }

    /// A connection that failed is not used again.
    fn judged<T>(&mut self, result: Result<T, NoAnswer>) -> Result<T, StorageFault> {
        let fault = match result {
            Ok(value) => {
                self.silent = None;
                return Ok(value);
            }
            Err(NoAnswer::Failed(error)) => fault_of(&error),
            Err(NoAnswer::Silent(within)) => {
                self.silent = Some(Instant::now());
                silent(within)
            }
            Err(NoAnswer::NoRuntime(error)) => StorageFault::Other(error.into()),
        };
        if matches!(fault, StorageFault::Unreachable { .. }) {
            self.connection = None;
        }
        Err(fault)
    }

    fn begin_once(&mut self, access: Access) -> Result<(), StorageFault> {
        if self.connection.as_ref().is_none_or(Connection::is_closed) {
            self.reconnect()?;
        }
        let begun = self.batch(match access {
            Access::Read => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            // Whoever writes holds this lock until the end: what is read after it is what the last
            // writer committed, and nobody comes between.
            Access::Write => {
                "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
                 SELECT pg_advisory_xact_lock(1347571542, hashtext(current_schema()))"
            }
        });
        // What was a primary a moment ago may have become a standby; the code that it refuses with
        // is used for other things too.
        if matches!(begun, Err(StorageFault::Other(_)))
            && access == Access::Write
            && let Err(standby @ StorageFault::Refused { .. }) = self.check_takes_rows()
        {
            return Err(standby);
        }
        begun
    }
}

impl Database for Postgres {
    fn begin(&mut self, access: Access) -> Result<(), StorageFault> {
        let was_connected = self.connection.is_some();
        let begun = match self.begin_once(access) {
            // The server went away since the last call; nothing is under way yet.
            Err(StorageFault::Unreachable { .. }) if was_connected && self.silent.is_none() => {
                self.begin_once(access)
            }
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
        if self.connection.is_some() && self.batch("ROLLBACK").is_err() {
            self.connection = None;
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
                let prepared = self.connection()?.prepare(&statement.replace('?', "$"));
                let prepared = self.judged(prepared)?;
                self.prepared.insert(place, prepared.clone());
                prepared
            }
        };
        let streamed = stream(self.connection()?, &prepared, values, each);
        self.judged(streamed)?
    }

    fn batch(&mut self, statements: &str) -> Result<(), StorageFault> {
        let done = self.connection()?.batch(statements);
        self.judged(done)
    }

    fn set_patience(&mut self, patience: Duration) -> Result<(), StorageFault> {
        self.patience = patience;
        if let Some(connection) = &mut self.connection {
            connection.answer_within(patience + ANSWER_WITHIN);
        }
        self.batch(&format!("SET lock_timeout = {}", patience.as_millis().max(1)))
    }
}

/// Hands over rows as they come: a million of them are never here at once.
fn stream(
    connection: &Connection,
    prepared: &Statement,
    values: &[Value<'_>],
    each: &mut dyn FnMut(&mut Row) -> Result<(), StorageFault>,
) -> Result<Result<u64, StorageFault>, NoAnswer> {
    let (mut count, mut done) = (0, Ok(()));
    let mut row = Row::default();
    let mut take = |stored: &tokio_postgres::Row| -> Result<(), StorageFault> {
        row.cells.clear();
        for column in 0..stored.len() {
            row.cells.push(cell(stored, column)?);
        }
        each(&mut row)
    };
    connection.stream(prepared, values.iter().copied().map(Parameter), |stored| {
        count += 1;
        done = take(stored);
        if done.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    })?;
    Ok(done.map(|()| count))
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

fn cell(row: &tokio_postgres::Row, column: usize) -> Result<Cell, StorageFault> {
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
    let wrong = |path: &PathBuf, error: &dyn fmt::Display| StorageFault::TlsFile {
        path: path.clone(),
        detail: error.to_string(),
    };
    let chain = |path: &PathBuf| -> Result<Vec<CertificateDer<'static>>, StorageFault> {
        let pem = fs::read(path).map_err(|error| wrong(path, &error))?;
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        // The error quotes the line at fault, and that may be a key's.
        let chain = chain.map_err(|_| wrong(path, &"its PEM is broken"))?;
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
    let failed = |error: rustls::Error| StorageFault::Tls { detail: error.to_string() };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_root_certificates(roots);
    match (certificate, key) {
        (Some(certificate), Some(key)) => {
            let read = fs::read(key).map_err(|error| wrong(key, &error))?;
            let read = PrivateKeyDer::from_pem_slice(&read)
                .map_err(|_| wrong(key, &"it holds no private key in PEM"))?;
            config.with_client_auth_cert(chain(certificate)?, read).map_err(failed)
        }
        _ => Ok(config.with_no_client_auth()),
    }
}

/// Why there is no connection: one that could not be made for any other reason may be made later.
fn fault_of_connecting(error: &tokio_postgres::Error) -> StorageFault {
    let detail = why(error);
    if is_of_tls(error) {
        return StorageFault::Tls { detail };
    }
    // What the crate finds out by itself has no code.
    match error.to_string().as_str() {
        "invalid configuration" if detail.ends_with(PASSWORD_MISSING) => {
            let detail = "it asks for one, and none is given".to_owned();
            return refused(DatabaseRefusal::Password, detail);
        }
        "authentication error" => return refused(DatabaseRefusal::Role, detail),
        _ => {}
    }
    match fault_of(error) {
        refused @ StorageFault::Refused { .. } => refused,
        _ => StorageFault::Unreachable { detail },
    }
}

const fn refused(refusal: DatabaseRefusal, detail: String) -> StorageFault {
    StorageFault::Refused { refusal, detail }
}

fn fault_of(error: &tokio_postgres::Error) -> StorageFault {
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
        SqlState::READ_ONLY_SQL_TRANSACTION => refused(DatabaseRefusal::ReadOnly, detail),
        SqlState::INVALID_PASSWORD => refused(DatabaseRefusal::Password, detail),
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION => refused(DatabaseRefusal::Role, detail),
        SqlState::INVALID_CATALOG_NAME => refused(DatabaseRefusal::NoDatabase, detail),
        SqlState::INSUFFICIENT_PRIVILEGE => refused(DatabaseRefusal::NoRight, detail),
        SqlState::TOO_MANY_CONNECTIONS => refused(DatabaseRefusal::TooManyConnections, detail),
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
fn why(error: &tokio_postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return said.message().to_owned();
    }
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

/// Whether it is what TLS said: an error of the connection has that inside.
fn is_of_tls(error: &tokio_postgres::Error) -> bool {
    let mut cause = error.source();
    while let Some(next) = cause {
        if let Some(found) = next.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref)
            && found.is::<rustls::Error>()
        {
            return true;
        }
        cause = next.source();
    }
    false
}

/// In the crate's words.
const PASSWORD_MISSING: &str = "password missing";

fn gone() -> StorageFault {
    StorageFault::Unreachable { detail: "the connection is gone".into() }
}

fn silent(within: Duration) -> StorageFault {
    let detail = format!("no answer within {} s", within.as_secs_f64());
    StorageFault::Unreachable { detail }
}

/// Each version that there was for PostgreSQL, and what it adds.
const VERSIONS: [(i64, &str); 2] =
    [(4, include_str!("postgres.sql")), (5, include_str!("postgres_5.sql"))];

/// How long to wait for one's turn, unless somebody says otherwise.
const PATIENCE: Duration = Duration::from_secs(5);

/// A server that cannot be connected to within this is not there.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// Nor is one that does not answer within this and the time that one waits for one's turn.
const ANSWER_WITHIN: Duration = Duration::from_secs(3);

/// For so long a silent server is not asked again.
const SILENCE_BELIEVED: Duration = Duration::from_secs(2);

/// A transaction in which nothing comes for so long is taken back by the server. Longer than a
/// station ever computes in one.
const IDLE_WITHIN: Duration = Duration::from_secs(20);

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
