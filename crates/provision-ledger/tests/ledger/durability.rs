//! What was acknowledged is there, however the program ended.

use std::collections::HashSet;
use std::env;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use provision_ledger::{Ledger as _, SqliteLedger};
use provision_station::evidence::Standing;

use crate::support::{Ca, Key, NOW_S, serial};

/// A child process records one certificate after the other and says so after each; at a moment of
/// nobody's choosing it is killed. Ten times on the same ledger.
#[test]
fn every_acknowledged_entry_survives_kill() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ledger.db");
    drop(SqliteLedger::create(&path).unwrap());
    let mut acknowledged = HashSet::new();
    for round in 0..10 {
        let mut writer = spawn_writer(&path, round);
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        // Not the same moment each time.
        let enough = 5 + 3 * round;
        let mut said = 0;
        while said < enough {
            let line = lines.next().expect("the writer ended by itself").unwrap();
            if let Some(device) = line.split_once(ACKNOWLEDGED).map(|(_, device)| device) {
                said += 1;
                acknowledged.insert(device.to_owned());
            }
        }
        writer.kill().unwrap();
        assert_eq!(writer.wait().unwrap().signal(), Some(SIGKILL));
        // What it said between the last line read and its end.
        for line in lines.map_while(Result::ok) {
            // The last line may be cut off; then its device is unknown, and its entry may be there.
            if let Some((_, device)) = line.split_once(ACKNOWLEDGED)
                && device.ends_with('.')
            {
                acknowledged.insert(device.to_owned());
            }
        }

        let mut ledger = SqliteLedger::open(&path).unwrap();
        let recorded: HashSet<String> =
            ledger.entries().unwrap().iter().map(|entry| format!("{}.", entry.device)).collect();
        let lost: Vec<_> = acknowledged.difference(&recorded).collect();
        assert!(lost.is_empty(), "acknowledged but not there: {lost:?}");
        // At most one per round was recorded without a word.
        let unsaid = recorded.len() - acknowledged.len();
        assert!(unsaid <= round + 1, "{unsaid} entries nobody spoke of");
    }
    // They come back whole.
    let mut ledger = SqliteLedger::open(&path).unwrap();
    for entry in ledger.entries().unwrap() {
        let standing = ledger.standing(&entry.device, &entry.public_key).unwrap();
        assert!(
            matches!(&standing, Standing::Live(live)
                if live.chain.leaf_sha256() == entry.leaf_sha256
                    && live.chain.issuers().len() == 1),
            "{standing:?}"
        );
    }
}

/// Records until it is killed.
#[test]
#[ignore = "not a test: the child process of the one above"]
fn writer() {
    let (path, round) = (env::var(LEDGER).unwrap(), env::var(ROUND).unwrap());
    let (mut ca, mut ledger) = (Ca::new(), SqliteLedger::open(Path::new(&path)).unwrap());
    for n in 0.. {
        let device = format!("r{round}-d{n}");
        ledger.record_issued(&ca.certify(&device, &Key::new()), NOW_S).unwrap();
        println!("{ACKNOWLEDGED}{device}.");
    }
}

/// Another connection sees a record as soon as the call has returned.
#[test]
fn a_record_is_there_for_others_at_once() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("ledger.db");
    let (mut ca, mut ledger) = (Ca::new(), SqliteLedger::create(&path).unwrap());
    let mut other = SqliteLedger::open(&path).unwrap();
    ledger.record_issued(&ca.certify("d1", &Key::new()), NOW_S).unwrap();
    assert!(other.find(&serial("d1")).unwrap().is_some());
}

fn spawn_writer(path: &Path, round: usize) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "durability::writer", "--nocapture"])
        .env(LEDGER, path)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

const LEDGER: &str = "PROVISION_LEDGER_TEST_WRITER_PATH";
const ROUND: &str = "PROVISION_LEDGER_TEST_WRITER_ROUND";
/// Each line ends in a full stop, so that one cut off is seen to be.
const ACKNOWLEDGED: &str = "recorded ";
const SIGKILL: i32 = 9;
