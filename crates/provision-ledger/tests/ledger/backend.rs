//! The two databases that a ledger can be kept in: the same tests run on both.

use std::path::{Path, PathBuf};

use postgres::{Client, NoTls};
use provision_ledger::SqlLedger;
use provision_testkit::servers::Postgres;
use rusqlite::Connection;
use tempfile::TempDir;

/// A database, and as many connections to its ledger as a test wants.
pub(crate) trait Backend: Sized {
    fn start() -> Self;
    /// What tells another process where it is.
    fn address(&self) -> String;
    /// Writes past the program, as one does who may do anything with the database: what would
    /// refuse it is out of the way meanwhile, and as it was afterwards.
    fn tamper(&self, statements: &str);

    fn open(&self) -> SqlLedger {
        open_at(&self.address())
    }
}

/// As `provision` does it, in whatever process.
pub(crate) fn open_at(address: &str) -> SqlLedger {
    match address.parse() {
        Ok(url) => SqlLedger::connect(&url, &station_key()).unwrap(),
        Err(_) => SqlLedger::open(Path::new(address)).unwrap(),
    }
}

pub(crate) struct File {
    _dir: TempDir,
    path: PathBuf,
}

impl Backend for File {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.sqlite");
        drop(SqlLedger::create(&path).unwrap());
        Self { _dir: dir, path }
    }

    fn address(&self) -> String {
        self.path.display().to_string()
    }

    fn tamper(&self, statements: &str) {
        let raw = Connection::open(&self.path).unwrap();
        raw.pragma_update(None, "foreign_keys", false).unwrap();
        let triggers: Vec<(String, String)> = raw
            .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
            .unwrap()
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let drop: String =
            triggers.iter().map(|(name, _)| format!("DROP TRIGGER {name};")).collect();
        let make: String = triggers.iter().map(|(_, sql)| format!("{sql};")).collect();
        raw.execute_batch(&format!("BEGIN; {drop} {statements}; {make} COMMIT")).unwrap();
    }
}

pub(crate) struct Server(pub(crate) Postgres);

impl Backend for Server {
    fn start() -> Self {
        let server = Postgres::start().unwrap();
        drop(SqlLedger::create_in(&server.url().parse().unwrap(), &station_key()).unwrap());
        Self(server)
    }

    fn address(&self) -> String {
        self.0.url()
    }

    fn tamper(&self, statements: &str) {
        let mut raw = Client::connect(&self.address(), NoTls).unwrap();
        raw.batch_execute(&format!("SET session_replication_role = replica; {statements}"))
            .unwrap();
    }
}

impl Server {
    /// Another program that writes, and does not come to an end.
    pub(crate) fn held(&self) -> Client {
        let mut raw = Client::connect(&self.address(), NoTls).unwrap();
        raw.batch_execute(
            "BEGIN; SELECT pg_advisory_xact_lock(1347571542, hashtext(current_schema()))",
        )
        .unwrap();
        raw
    }
}

/// One for each process: each is a station.
pub(crate) fn station_key() -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"));
    dir.join(format!("station-{}.key", std::process::id()))
}
