//! What one more entry takes, and a look at one, where the ledger has few and where it has many.

use core::error::Error;
use core::time::Duration;
use std::env;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Instant;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::DecodePrivateKey as _;
use provision_ledger::{Ledger as _, SqliteLedger};
use provision_testkit::ca::{ca, certified};
use provision_wire::DeviceSerial;
use rusqlite::Connection;
use serde::Serialize;

use crate::process::{Fault, While as _};

/// Rounds; the ledgers take turns in each.
const ROUNDS: u64 = 25;
/// Entries that are added in a turn.
const APPENDS: u64 = 20;
/// Devices that are looked up in a turn: enough of them that the first, for which a processor that
/// has just waited for the disk must read its own caches anew, does not count for much.
const LOOKS: u64 = 100;
/// Made up: 2027.
const NOW_S: u64 = 1_800_000_000;

/// A ledger of this many entries.
#[derive(Debug, Serialize)]
pub(super) struct Sized {
    pub(super) entries: u64,
    /// Mean microseconds for one more, until it is durable.
    pub(super) append_us: f64,
    /// Mean microseconds to find a device, while the system has the file in memory.
    pub(super) lookup_us: f64,
    /// The same while it has nothing of it in memory, so that the disk is read.
    pub(super) lookup_from_disk_us: f64,
    pub(super) gigabytes: f64,
}

/// Measures each size beside the others: what else the machine does slows all of them.
pub(super) fn measure(sizes: &[u64]) -> Result<Vec<Sized>, Fault> {
    // On the disk that holds the build, not in a file system in memory.
    let program = env::current_exe().while_doing("where is this program")?;
    let place = tempfile::tempdir_in(program.parent().unwrap_or(Path::new(".")))
        .while_doing("a directory for the measurement")?;
    let (mut issuer, _) = ca(NOW_S).while_doing("a CA")?;
    let mut seed = 0;
    let mut certify = |name: &str| {
        seed += 1;
        let device = DeviceSerial::new(name).while_doing("a device's name")?;
        certified(&mut issuer, &device, seed, NOW_S).while_doing("a certificate")
    };
    let first = certify("first")?;
    let mut ledgers = Vec::new();
    for &entries in sizes {
        let path = place.path().join(format!("{entries}.sqlite"));
        SqliteLedger::create(&path)
            .while_doing("a ledger")?
            .record_issued(&first, NOW_S)
            .while_doing("the first entry")?;
        fill(&path, entries)?;
        // What was filled in is not to be written while others wait for the disk.
        fs::File::open(&path).and_then(|file| file.sync_all()).while_doing("the disk")?;
        ledgers.push((entries, path));
    }
    let mut ledgers = ledgers
        .into_iter()
        .map(|(entries, path)| {
            in_memory(&path).while_doing("reading a ledger")?;
            let ledger = SqliteLedger::open(&path).while_doing("the ledger")?;
            Ok((entries, path, ledger, [Duration::ZERO; 2]))
        })
        .collect::<Result<Vec<_>, Fault>>()?;
    for round in 0..ROUNDS {
        for (entries, _, ledger, [append, lookup]) in &mut ledgers {
            let new = |turn| format!("new-{entries}-{round}-{turn}");
            let chains: Vec<_> =
                (0..APPENDS).map(|turn| certify(&new(turn))).collect::<Result<_, _>>()?;
            let started = Instant::now();
            for chain in &chains {
                ledger.record_issued(chain, NOW_S).while_doing("an entry")?;
            }
            *append += started.elapsed();
            *lookup += look(ledger, &spread(*entries, round, 2)?)?;
        }
    }
    let each_us = |time: Duration, a_turn| time.as_secs_f64() * 1e6 / (ROUNDS * a_turn) as f64;
    ledgers
        .into_iter()
        .map(|(entries, path, ledger, [append, lookup])| {
            drop(ledger);
            let bytes = fs::metadata(&path).while_doing("the ledger's file")?.len();
            Ok(Sized {
                entries,
                append_us: each_us(append, APPENDS),
                lookup_us: each_us(lookup, LOOKS),
                lookup_from_disk_us: each_us(from_disk(&path, entries)?, LOOKS),
                gigabytes: bytes as f64 / 1e9,
            })
        })
        .collect()
}

/// A turn's devices of those that were filled in: from `first` on, all turns spread over all of them.
fn spread(entries: u64, round: u64, first: u64) -> Result<Vec<DeviceSerial>, Fault> {
    let among = entries - first;
    let step = (among / (ROUNDS * LOOKS)).max(1);
    (0..LOOKS)
        .map(|turn| filled(first + (round * LOOKS + turn) * step % among))
        .map(|name| DeviceSerial::new(&name).while_doing("a device's name"))
        .collect()
}

fn look(ledger: &mut SqliteLedger, devices: &[DeviceSerial]) -> Result<Duration, Fault> {
    let started = Instant::now();
    for device in devices {
        if ledger.find(device).while_doing("a look")?.is_none() {
            return Err(Fault::new(format!("{device} is not in the ledger")));
        }
    }
    Ok(started.elapsed())
}

/// All of a file, so that the system has it in memory as far as there is room: how much of what was
/// written a while ago is still there differs from run to run, and a page from the disk takes as
/// long as all the rest of a look.
fn in_memory(path: &Path) -> io::Result<()> {
    io::copy(&mut fs::File::open(path)?, &mut io::sink()).map(drop)
}

/// Other devices looked up, with nothing in memory.
fn from_disk(path: &Path, entries: u64) -> Result<Duration, Fault> {
    let file = fs::File::open(path).while_doing("a ledger")?;
    // What has not been written yet would stay.
    file.sync_all().while_doing("the disk")?;
    posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)
        .while_doing("taking a file out of memory")?;
    let mut ledger = SqliteLedger::open(path).while_doing("the ledger")?;
    (0..ROUNDS).map(|round| look(&mut ledger, &spread(entries, round, 3)?)).sum()
}

/// As many entries as a ledger of that size has, and an end that is signed.
fn fill(path: &Path, to: u64) -> Result<(), Fault> {
    fill_tables(path, to).while_doing("filling a ledger")?;
    sign_end(path).while_doing("signing its end")
}

/// Signs the end of the chain as the station does, which records nothing after one that is not signed.
fn sign_end(ledger: &Path) -> Result<(), Box<dyn Error>> {
    let key = fs::read_to_string(ledger.with_file_name("station.key"))?;
    let key = SigningKey::from_pkcs8_pem(&key)?;
    let raw = Connection::open(ledger)?;
    let last = "SELECT seq, hash FROM chain ORDER BY seq DESC LIMIT 1";
    let (seq, hash): (i64, Vec<u8>) =
        raw.query_row(last, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    // docs/ledger.md has these bytes.
    let signed =
        [&b"provision ledger head v1\0"[..], &seq.to_be_bytes(), &hash, &NOW_S.to_be_bytes()];
    let signature: DerSignature = key.sign(&signed.concat());
    let head = (seq, NOW_S as i64, signature.as_bytes());
    raw.execute("INSERT INTO head (seq, station, at_s, signature) VALUES (?1, 1, ?2, ?3)", head)?;
    Ok(())
}

fn filled(number: u64) -> String {
    format!("filled-{number:08}")
}

/// So many hundredths of the entries are there before the indexes are made. The others leave them
/// as full as if all had come one by one: of a million keys' pages 88 hundredths are in use, either
/// way (SQLite's `dbstat`); where all are there before, 99.
const AT_ONCE_PERCENT: u64 = 70;

/// Entries as they are on a line, but for their links: straight into the tables, for one after the
/// other it would be ten million waits for the disk.
///
/// Indexes are not made of all of them at once: that leaves no room in a page, so that each key to
/// come splits one, and an append costs more than in any ledger that grew.
fn fill_tables(path: &Path, to: u64) -> rusqlite::Result<()> {
    let raw = Connection::open(path)?;
    // With less memory than the indexes take, each key would be a wait for the disk.
    raw.execute_batch(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -3000000;
         PRAGMA locking_mode = EXCLUSIVE",
    )?;
    let indexes = "SELECT name, sql FROM sqlite_schema
        WHERE type = 'index' AND sql IS NOT NULL AND tbl_name IN ('entry', 'proof')";
    let indexes: Vec<(String, String)> = raw
        .prepare(indexes)?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    for (name, _) in &indexes {
        raw.execute_batch(&format!("DROP INDEX {name}"))?;
    }
    let at_once = to * AT_ONCE_PERCENT / 100;
    add(&raw, 2, at_once)?;
    for (_, sql) in &indexes {
        raw.execute_batch(sql)?;
    }
    add(&raw, at_once + 1, to)
}

fn add(raw: &Connection, from: u64, to: u64) -> rusqlite::Result<()> {
    let numbers = format!(
        "WITH RECURSIVE n(i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {to})"
    );
    raw.execute_batch(&format!(
        "BEGIN;
         INSERT INTO entry (device, public_key, cert_serial, leaf, leaf_sha256, upper_chain,
             not_after_s, issued_at_s, issuer_key_id)
         {numbers} SELECT printf('filled-%08d', i),
             CAST(unhex('04' || hex(randomblob(64))) AS BLOB), randomblob(20), zeroblob(500),
             randomblob(32), 1, {NOW_S} + 99999, {NOW_S}, zeroblob(20) FROM n;
         INSERT INTO chain (seq, table_name, row_id, hash)
         {numbers} SELECT (SELECT max(seq) FROM chain) + i - {from} + 1, 'entry', i, randomblob(32)
             FROM n;
         INSERT INTO proof (entry, delivery_sha256, proven_at_s)
         {numbers} SELECT i, randomblob(32), {NOW_S} FROM n;
         COMMIT"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_that_was_filled_can_be_written_on() {
        let (place, (mut issuer, _)) = (tempfile::tempdir().unwrap(), ca(NOW_S).unwrap());
        let path = place.path().join("ledger.sqlite");
        let mut certify = |name: &str, seed| {
            certified(&mut issuer, &DeviceSerial::new(name).unwrap(), seed, NOW_S).unwrap()
        };
        SqliteLedger::create(&path).unwrap().record_issued(&certify("first", 1), NOW_S).unwrap();
        fill(&path, 50).unwrap();
        let mut ledger = SqliteLedger::open(&path).unwrap();
        ledger.record_issued(&certify("new", 2), NOW_S).unwrap();
        assert_eq!(ledger.entries().unwrap().len(), 51);
    }
}
