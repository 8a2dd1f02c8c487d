//! The two databases that a ledger can be kept in: the same tests run on both.

use std::path::{Path, PathBuf};

use postgres::{Client, NoTls};
use provision_ledger::SqlLedger;
use provision_testkit::servers::Postgres;
use tempfile::TempDir;

/// A database, and as many connections to its ledger as a test wants.
pub(crate) trait Backend: Sized {
    fn start() -> Self;
    /// What tells another process where it is.
    fn address(&self) -> String;

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
