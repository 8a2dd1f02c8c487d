//! How long it takes to record and to look up, with few entries and with many.
//!
//! `cargo nextest run -p provision-ledger --run-ignored only measure --no-capture`

use std::env;
use std::path::Path;
use std::time::Instant;

use provision_ledger::{Certificates as _, Ledger as _, NewCertificate, SqliteLedger};
use rusqlite::Connection;

use crate::support::{Ca, Key, NOW_S, serial};

/// Entries as they are on a line, but for who signed them and for their links: straight into the
/// tables, for one after the other it would be a million waits for the disk.
pub(crate) fn fill(path: &Path, from: u64, to: u64) {
    let raw = Connection::open(path).unwrap();
    raw.execute_batch("PRAGMA synchronous = OFF; PRAGMA cache_size = -1000000; BEGIN").unwrap();
    let numbers = format!(
        "WITH RECURSIVE n(i) AS (SELECT {} UNION ALL SELECT i + 1 FROM n WHERE i < {to})",
        from + 1
    );
    raw.execute_batch(&format!(
        "INSERT INTO entry (device, public_key, cert_serial, leaf, leaf_sha256, upper_chain,
             not_after_s, issued_at_s, issuer_key_id)
         {numbers} SELECT printf('filled-%08d', i),
             CAST(unhex('04' || hex(randomblob(64))) AS BLOB), randomblob(20), zeroblob(500),
             randomblob(32), 1, {NOW_S} + 99999, {NOW_S}, zeroblob(20) FROM n;
         INSERT INTO chain (seq, table_name, row_id, hash)
         {numbers} SELECT (SELECT max(seq) FROM chain) + i - {from}, 'entry', i, randomblob(32) FROM n;
         INSERT INTO proof (entry, delivery_sha256, proven_at_s)
         {numbers} SELECT i, randomblob(32), {NOW_S} FROM n;
         COMMIT"
    ))
    .unwrap();
}

#[test]
#[ignore = "a measurement: a minute, and half a gigabyte"]
fn append_and_lookup() {
    const RUNS: u64 = 400;
    let most: u64 = env::var("ENTRIES").map_or(1_000_000, |text| text.parse().unwrap());
    // On the disk that holds the build, not in a file system in memory.
    let dir = tempfile::tempdir_in(env::current_exe().unwrap().parent().unwrap()).unwrap();
    let path = dir.path().join("ledger.sqlite");
    let (mut ca, mut ledger) = (Ca::new(), SqliteLedger::create(&path).unwrap());
    ledger.record_issued(&ca.certify("first", &Key::new()), NOW_S).unwrap();
    let mut have = 1;
    for entries in [1000, most] {
        fill(&path, have, entries);
        let chains: Vec<_> =
            (0..RUNS).map(|n| ca.certify(&format!("new-{entries}-{n}"), &Key::new())).collect();
        let started = Instant::now();
        for chain in &chains {
            ledger.record_issued(chain, NOW_S).unwrap();
        }
        let append = started.elapsed() / u32::try_from(RUNS).unwrap();
        let started = Instant::now();
        for n in 0..RUNS {
            // Those that were filled in, spread over all of them.
            let device = format!("filled-{:08}", have + 1 + n * (entries - have - 1) / RUNS);
            assert!(ledger.find(&serial(&device)).unwrap().is_some(), "{device}");
        }
        let lookup = started.elapsed() / u32::try_from(RUNS).unwrap();
        // A batch shares one wait for the disk, and one signature.
        let leaf = chains[0].leaf();
        let bytes = chains[0].cert_serial().as_bytes();
        let at = leaf.windows(bytes.len()).position(|window| window == bytes).unwrap();
        let batch: Vec<Vec<u8>> = (0..1000_u16)
            .map(|n| {
                let mut leaf = leaf.to_vec();
                leaf[at + 2..at + 4].copy_from_slice(&n.to_be_bytes());
                leaf
            })
            .collect();
        let new = |der| NewCertificate { der, name: "host", profile: "client" };
        let batch: Vec<_> = batch.iter().map(|der| new(der.as_slice())).collect();
        let started = Instant::now();
        ledger.record_certificates(&batch, NOW_S).unwrap();
        let batched = started.elapsed() / 1000;
        println!(
            "{entries} entries: append {append:?}, lookup {lookup:?}, in a batch of 1000 {batched:?}"
        );
        have = entries + RUNS;
    }
}
