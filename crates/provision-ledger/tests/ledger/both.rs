//! What holds on every database, tested on both. Where it is about races, processes race.

use core::fmt::Write as _;
use core::time::Duration;
use std::collections::HashSet;
use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use provision_ledger::{
    AuditError, CertificateStatus, Certificates as _, Expected, Found, Holder, Issuance,
    Ledger as _, LotRefusal, NewCertificate, RecordEnrolledError, RecordIssuedError, Search,
    SqlLedger, State, StorageError, StorageFault, Which,
};
use provision_station::evidence::{CertSerial, Chain, Standing};

use crate::backend::{Backend, File, Server, open_at};
use crate::lots::{lot, terms};
use crate::support::{Ca, Key, NOW_S, enrolled, serial, with_cert_serial_of};

macro_rules! on_both {
    ($($name:ident)*) => {
        mod sqlite {
            $(#[test]
            fn $name() {
                super::$name::<super::File>();
            })*
        }
        mod on_postgres {
            $(#[test]
            fn $name() {
                super::$name::<super::Server>();
            })*
        }
    };
}

on_both! {
    one_device_one_key_one_serial
    what_waits_together_is_judged_one_by_one
    what_ends_in_an_error_was_not_recorded
    certificates_revocations_and_crls
    a_quota_is_exact_however_many_are_killed_over_it
    of_two_that_race_for_a_device_or_a_key_exactly_one_wins
    what_is_recorded_is_found_a_page_at_a_time
    what_was_written_past_the_program_is_not_signed
}

fn one_device_one_key_one_serial<B: Backend>() {
    let backend = B::start();
    let (mut ca, mut ledger) = (Ca::new(), backend.open());
    let (key, other_key) = (Key::new(), Key::new());
    assert_eq!(ledger.standing(&serial("d1"), &key.public()).unwrap(), Standing::Unknown);
    let chain = ca.certify("d1", &key);
    let early = ledger.record_enrolled(&enrolled(&chain, &key, [1; 32]), NOW_S);
    assert!(matches!(early, Err(RecordEnrolledError::NotIssued { .. })), "{early:?}");
    ledger.record_issued(&chain, NOW_S).unwrap();
    ledger.record_issued(&chain, NOW_S + 1).unwrap();
    let refused = ledger.record_issued(&ca.certify("d1", &other_key), NOW_S);
    assert!(matches!(refused, Err(RecordIssuedError::DeviceHasCertificate { .. })), "{refused:?}");
    let refused = ledger.record_issued(&ca.certify("d2", &key), NOW_S);
    assert!(
        matches!(&refused, Err(RecordIssuedError::KeyElsewhere { device, other })
            if device.as_str() == "d2" && other.as_str() == "d1"),
        "{refused:?}"
    );
    let same_serial = with_cert_serial_of(&ca.certify("d2", &other_key), &chain);
    let refused = ledger.record_issued(&same_serial, NOW_S);
    assert!(matches!(refused, Err(RecordIssuedError::CertSerialTaken { .. })), "{refused:?}");

    let receipt = ledger.record_enrolled(&enrolled(&chain, &key, [1; 32]), NOW_S + 2).unwrap();
    assert_eq!(receipt.proven_at_s(), NOW_S + 2);
    let entries = ledger.entries().unwrap();
    assert_eq!(entries.len(), 1);
    let state = State::Enrolled { enrolled_at_s: NOW_S + 2, delivery_sha256: [1; 32] };
    assert_eq!((entries[0].state, entries[0].issued_at_s), (state, NOW_S));
    // Another connection sees it at once, and it comes back whole.
    let standing = backend.open().standing(&serial("d1"), &key.public()).unwrap();
    let Standing::Live(live) = standing else { panic!("{standing:?}") };
    assert_eq!((live.chain, live.delivery_sha256), (chain.clone(), Some([1; 32])));

    // Revoked, it is proven no more; a new key needs the operator's word.
    ledger.revoke(&Which::OfDevice(serial("d1")), 1, NOW_S + 3).unwrap();
    let late = ledger.record_enrolled(&enrolled(&chain, &key, [2; 32]), NOW_S + 4);
    assert!(matches!(late, Err(RecordEnrolledError::Revoked { .. })), "{late:?}");
    let anew = ca.certify("d1", &other_key);
    ledger.record(&Issuance { chain: &anew, lot: None, replace: true }, NOW_S + 5).unwrap();
    assert_eq!(ledger.revocation_of(&serial("d1")).unwrap(), None);
    let standing = ledger.standing(&serial("d1"), &key.public()).unwrap();
    assert_eq!(standing, Standing::OtherKey { known: other_key.public() });
    ledger.record_enrolled(&enrolled(&anew, &other_key, [3; 32]), NOW_S + 6).unwrap();
    ledger.audit(&Expected::default()).unwrap();
}

fn what_waits_together_is_judged_one_by_one<B: Backend>() {
    let backend = B::start();
    let (mut ca, mut ledger) = (Ca::new(), backend.open());
    ledger.create_lot(&terms("W47", 2), NOW_S).unwrap();
    let before = ledger.audit(&Expected::default()).unwrap();
    let w47 = lot("W47");
    let (key, late_key) = (Key::new(), Key::new());
    let [first, second, late] =
        [ca.certify("d1", &key), ca.certify("d3", &Key::new()), ca.certify("d4", &late_key)];
    let clone = ca.certify("d2", &key);
    let issuance = |chain| Issuance { chain, lot: Some(&w47), replace: false };
    let (issued, proven) = ledger
        .together(NOW_S, |together| {
            let mut issued = Vec::new();
            for chain in [&first, &clone, &second, &late, &first] {
                issued.push(together.record(&issuance(chain))?);
            }
            let mut proven = Vec::new();
            for (chain, key) in [(&first, &key), (&late, &late_key)] {
                proven.push(together.record_enrolled(&enrolled(chain, key, [1; 32]))?);
            }
            Ok((issued, proven))
        })
        .unwrap();
    assert!(
        matches!(
            &issued[..],
            [
                Ok(()),
                Err(RecordIssuedError::KeyElsewhere { .. }),
                Ok(()),
                Err(RecordIssuedError::Lot(LotRefusal::Full { .. })),
                Ok(()),
            ]
        ),
        "{issued:?}"
    );
    assert!(
        matches!(&proven[..], [Ok(_), Err(RecordEnrolledError::NotIssued { .. })]),
        "{proven:?}"
    );
    // Another connection sees the accepted ones, and no more; one signature is over all of them.
    let entries = backend.open().entries().unwrap();
    let devices: Vec<&str> = entries.iter().map(|entry| entry.device.as_str()).collect();
    assert_eq!(devices, ["d1", "d3"]);
    assert_eq!(ledger.lot(&w47).unwrap().used, 2);
    let after = ledger.audit(&Expected::default()).unwrap();
    assert_eq!(after.heads, before.heads + 1);
}

fn what_ends_in_an_error_was_not_recorded<B: Backend>() {
    let backend = B::start();
    let (mut ca, mut ledger) = (Ca::new(), backend.open());
    let chains = ["d1", "d2"].map(|name| ca.certify(name, &Key::new()));
    let issuance = |chain| Issuance { chain, lot: None, replace: false };
    let ended = ledger.together(NOW_S, |together| {
        for chain in &chains {
            together.record(&issuance(chain))?.unwrap();
        }
        let fault = StorageFault::Other("the disk is gone".into());
        Err::<(), _>(StorageError { place: "here".into(), fault })
    });
    assert_eq!(ended.unwrap_err().to_string(), "the ledger here: the disk is gone");
    assert_eq!(backend.open().entries().unwrap(), []);
    ledger.together(NOW_S, |together| together.record(&issuance(&chains[1]))).unwrap().unwrap();
    assert_eq!(backend.open().entries().unwrap().len(), 1);
    ledger.audit(&Expected::default()).unwrap();
}

fn certificates_revocations_and_crls<B: Backend>() {
    let backend = B::start();
    let (mut ca, mut ledger) = (Ca::new(), backend.open());
    let [alice, bob] = ["alice", "bob"].map(|name| ca.certify(name, &Key::new()));
    for (chain, name) in [(&alice, "alice"), (&bob, "bob"), (&alice, "alice")] {
        ledger.record_certificate(chain.leaf(), name, "client", NOW_S).unwrap();
    }
    assert_eq!(ledger.certificates().unwrap().len(), 2);
    let mut other = alice.leaf().to_vec();
    *other.last_mut().unwrap() ^= 1;
    ledger.record_certificate(&other, "eve", "client", NOW_S).unwrap_err();
    let which = Which::Serial(alice.cert_serial().clone());
    assert_eq!(ledger.revocable(&which).unwrap()[0].revoked, None);
    let revoked = ledger.revoke(&which, 1, NOW_S + 1).unwrap().remove(0);
    let again = ledger.revoke(&which, 5, NOW_S + 9).unwrap();
    assert_eq!(again, core::slice::from_ref(&revoked), "once");
    let key_id = revoked.issuer_key_id.clone();
    let status =
        |ledger: &mut SqlLedger, serial: &CertSerial| ledger.status(&key_id, serial).unwrap();
    assert_eq!(
        status(&mut ledger, alice.cert_serial()),
        CertificateStatus::Revoked(revoked.clone())
    );
    assert_eq!(status(&mut ledger, bob.cert_serial()), CertificateStatus::InForce);
    assert_eq!(status(&mut ledger, &CertSerial::new(&[9])), CertificateStatus::NotOnRecord);
    for number in 1..=2 {
        let mut on_crl = Vec::new();
        let mut each = |record| on_crl.push(record);
        assert_eq!(ledger.begin_crl(&key_id, NOW_S + 2, NOW_S + 3, &mut each).unwrap(), number);
        assert_eq!(on_crl, core::slice::from_ref(&revoked));
    }
    ledger.revoke(&Which::This(bob.leaf().to_vec()), 0, NOW_S + 3).unwrap();
    let latest = ledger.latest_crl(&key_id).unwrap().unwrap();
    assert_eq!((latest.number, latest.revoked_since), (2, 1));
    assert_eq!(ledger.revocations(&key_id).unwrap().len(), 2);
    assert_eq!(ledger.latest_crl(b"other").unwrap(), None);
    ledger.audit(&Expected::default()).unwrap();
}

/// Four processes race for the places of a lot; each is killed again and again, at moments of
/// nobody's choosing, and started anew. At the end every place is taken, and none twice.
fn a_quota_is_exact_however_many_are_killed_over_it<B: Backend>() {
    const QUOTA: u64 = 120;
    let backend = B::start();
    let mut ledger = backend.open();
    ledger.create_lot(&terms("W47", QUOTA), NOW_S).unwrap();
    let mut kills = 0;
    let spawn = |at: usize| spawn(&backend.address(), "both::racer_for_places", &at.to_string());
    let mut racers: Vec<Child> = (0..4).map(spawn).collect();
    let (mut next, mut used_before) = (racers.len(), 0);
    loop {
        thread::sleep(Duration::from_millis(10 + 7 * (kills % 5)));
        let used = ledger.lot(&lot("W47")).unwrap().used;
        assert!(used <= QUOTA, "{used}");
        if used == QUOTA {
            break;
        }
        // Only while there is something left to race for, and never so often that nobody gets to it.
        if used < QUOTA - 10 && used >= used_before + 4 {
            used_before = used;
            let at = usize::try_from(kills).unwrap() % racers.len();
            racers[at].kill().unwrap();
            racers[at].wait().unwrap();
            kills += 1;
            racers[at] = spawn(next);
            next += 1;
        }
    }
    for racer in &mut racers {
        assert!(racer.wait().unwrap().success(), "a racer did not hear that the lot is full");
    }
    assert!(kills >= 5, "{kills}");
    let members = ledger.revocable(&Which::OfLot(lot("W47"))).unwrap();
    let names: HashSet<&str> = members.iter().map(|one| one.name.as_str()).collect();
    assert_eq!((members.len() as u64, names.len() as u64), (QUOTA, QUOTA));
    assert_eq!(ledger.entries().unwrap().len() as u64, QUOTA, "none without a place");
    ledger.audit(&Expected::default()).unwrap();
}

/// Records until the lot is full.
#[test]
#[ignore = "not a test: a child process of the one above"]
fn racer_for_places() {
    let (mut ca, mut ledger) = (Ca::new(), open_at(&env::var(LEDGER).unwrap()));
    let who = env::var(WHO).unwrap();
    for n in 0.. {
        let chain = ca.certify(&format!("r{who}-d{n}"), &Key::new());
        match ledger.record_issued_in(Some(&lot("W47")), &chain, NOW_S) {
            Ok(()) => {}
            Err(RecordIssuedError::Lot(LotRefusal::Full { .. })) => return,
            Err(error) => panic!("{error}"),
        }
    }
}

/// Two stations, a process each, have certificates ready for the same devices and of the same keys.
fn of_two_that_race_for_a_device_or_a_key_exactly_one_wins<B: Backend>() {
    const RACES: usize = 60;
    let backend = B::start();
    let (dir, mut ca) = (tempfile::tempdir().unwrap(), Ca::new());
    let mut chains = [String::new(), String::new()];
    for n in 0..RACES {
        let key = Key::new();
        for (at, chains) in chains.iter_mut().enumerate() {
            // First the same device with two keys, then two devices with the same key.
            for chain in [
                ca.certify(&format!("device-{n}"), &Key::new()),
                ca.certify(&format!("clone-{at}-{n}"), &key),
            ] {
                let parts = [chain.leaf(), &chain.issuers()[0], chain.anchor()].map(hex);
                writeln!(chains, "{}", parts.join(" ")).unwrap();
            }
        }
    }
    let racers: Vec<Child> = chains
        .iter()
        .enumerate()
        .map(|(at, chains)| {
            let path = dir.path().join(at.to_string());
            fs::write(&path, chains).unwrap();
            spawn(&backend.address(), "both::racer_for_devices", path.to_str().unwrap())
        })
        .collect();
    let won: Vec<HashSet<usize>> = racers
        .into_iter()
        .map(|mut racer| {
            let lines = BufReader::new(racer.stdout.take().unwrap()).lines();
            let won = lines
                .filter_map(|line| {
                    line.unwrap().split_once("won ")?.1.trim_end_matches('.').parse().ok()
                })
                .collect();
            assert!(racer.wait().unwrap().success());
            won
        })
        .collect();
    for n in 0..2 * RACES {
        assert!(won[0].contains(&n) != won[1].contains(&n), "race {n} was won by both or nobody");
    }
    let mut ledger = backend.open();
    assert_eq!(ledger.entries().unwrap().len(), 2 * RACES);
    ledger.audit(&Expected::default()).unwrap();
}

#[test]
#[ignore = "not a test: a child process of the one above"]
fn racer_for_devices() {
    let mut ledger = open_at(&env::var(LEDGER).unwrap());
    let chains = fs::read_to_string(Path::new(&env::var(WHO).unwrap())).unwrap();
    for (n, line) in chains.lines().enumerate() {
        let parts: Vec<Vec<u8>> = line.split(' ').map(unhex).collect();
        let [leaf, issuer, anchor] = parts.try_into().unwrap();
        let chain = Chain::from_der(leaf, vec![issuer], anchor).unwrap();
        match ledger.record_issued(&chain, NOW_S) {
            Ok(()) => println!("won {n}."),
            Err(RecordIssuedError::DeviceHasCertificate { .. }) if n % 2 == 0 => {}
            Err(RecordIssuedError::KeyElsewhere { .. }) if n % 2 == 1 => {}
            Err(error) => panic!("{n}: {error}"),
        }
    }
}

fn what_is_recorded_is_found_a_page_at_a_time<B: Backend>() {
    const HOSTS: u16 = 2300;
    let backend = B::start();
    let (mut ca, mut ledger, key) = (Ca::new(), backend.open(), Key::new());
    let device = ca.certify("d1", &key);
    ledger.record_issued_in(Some(&lot("a")), &device, NOW_S).unwrap();
    ledger.record_issued_in(Some(&lot("b")), &ca.certify("d2", &Key::new()), NOW_S + 1).unwrap();
    ledger.record_enrolled(&enrolled(&device, &key, [1; 32]), NOW_S + 2).unwrap();
    // One certificate with many serial numbers. (Nobody signed them; nobody looks.)
    let host = ca.certify("host", &Key::new());
    let bytes = host.cert_serial().as_bytes();
    let at = host.leaf().windows(bytes.len()).position(|window| window == bytes).unwrap();
    let hosts: Vec<Vec<u8>> = (0..HOSTS)
        .map(|n| {
            let mut leaf = host.leaf().to_vec();
            leaf[at + 2..at + 4].copy_from_slice(&n.to_be_bytes());
            leaf
        })
        .collect();
    let new = |der| NewCertificate { der, name: "host", profile: "client" };
    let news: Vec<_> = hosts.iter().map(|der| new(der.as_slice())).collect();
    ledger.record_certificates(&news, NOW_S + 3).unwrap();
    ledger.revoke(&Which::This(hosts[7].clone()), 4, NOW_S + 4).unwrap();

    let mut find = |search: Search| {
        let mut found: Vec<Found> = Vec::new();
        ledger
            .search(&search, &mut |one| {
                found.push(one);
                core::ops::ControlFlow::Continue(())
            })
            .unwrap();
        found
    };
    let all = find(Search::All);
    assert_eq!(all.len(), 2 + usize::from(HOSTS));
    assert!(all[2..].iter().zip(&hosts).all(|(found, der)| found.der == *der), "in order");
    let states: Vec<&str> = all.iter().map(Found::state).collect();
    assert_eq!(states[..3], ["enrolled", "issued", "host"]);
    assert_eq!(states[9], "revoked");
    assert!(
        matches!(&all[0].holder, Holder::Device { device, lot: Some(lot), generation: 1, .. }
            if device.as_str() == "d1" && lot.as_str() == "a"),
        "{:?}",
        all[0].holder
    );
    for (search, expected) in [
        (Search::Device(serial("d1")), &all[..1]),
        (Search::PublicKey(key.public()), &all[..1]),
        (Search::CertSerial(device.cert_serial().clone()), &all[..1]),
        (Search::Sha256(device.leaf_sha256()), &all[..1]),
        (Search::Lot(lot("b")), &all[1..2]),
        (Search::Time { from_s: NOW_S + 1, to_s: NOW_S + 1 }, &all[1..2]),
        (Search::Time { from_s: NOW_S + 3, to_s: u64::MAX }, &all[2..]),
        (Search::Sha256(all[99].sha256), &all[99..100]),
        (Search::CertSerial(all[2301].cert_serial.clone()), &all[2301..]),
        (Search::Device(serial("d3")), &[]),
    ] {
        assert_eq!(find(search.clone()), expected, "{search:?}");
    }
    let mut seen = 0;
    ledger
        .search(&Search::All, &mut |_| {
            seen += 1;
            if seen == 5 {
                core::ops::ControlFlow::Break(())
            } else {
                core::ops::ControlFlow::Continue(())
            }
        })
        .unwrap();
    assert_eq!(seen, 5);
    assert_eq!(ledger.audit(&Expected::default()).unwrap().heads, 5);
}

/// Who may write to the database can make links, but not sign them. The next entry of a station must
/// not do it for them: its signature is over all that is before.
fn what_was_written_past_the_program_is_not_signed<B: Backend>() {
    let backend = B::start();
    let (mut ca, mut ledger) = (Ca::new(), backend.open());
    // Lot and station; upper chain, entry and place; entry and place: seven links, heads at 2, 5, 7.
    ledger.create_lot(&terms("W47", 5), NOW_S).unwrap();
    for device in ["d1", "d2"] {
        let chain = ca.certify(device, &Key::new());
        ledger.record_issued_in(Some(&lot("W47")), &chain, NOW_S).unwrap();
    }
    backend.tamper(
        "CREATE TABLE kept_chain AS SELECT * FROM chain;
         CREATE TABLE kept_head AS SELECT * FROM head",
    );
    let new = ca.certify("d3", &Key::new());
    for (forgery, named) in [
        ("DELETE FROM head WHERE seq > 2", "links 3 to 7 are not signed"),
        ("DELETE FROM head", "links 1 to 7 are not signed"),
        (
            "INSERT INTO chain SELECT 8, table_name, 9, hash FROM chain WHERE seq = 7",
            "links 8 to 8 are not signed",
        ),
        (
            "UPDATE chain SET hash = (SELECT hash FROM kept_chain WHERE seq = 1) WHERE seq = 7",
            "the signature at link 7 is not its station's",
        ),
        ("UPDATE head SET at_s = at_s - 1 WHERE seq = 7", "the signature at link 7"),
        (
            "UPDATE head SET signature = (SELECT signature FROM kept_head WHERE seq = 2)
             WHERE seq = 7",
            "the signature at link 7",
        ),
        ("DELETE FROM chain WHERE seq = 7", "a station signed 7 links, and 6 are there"),
    ] {
        backend.tamper(forgery);
        // The one that signed the last head itself, and one that never saw it.
        for ledger in [&mut ledger, &mut backend.open()] {
            let refused = ledger.record_issued_in(Some(&lot("W47")), &new, NOW_S).unwrap_err();
            let RecordIssuedError::Storage(StorageError { fault, .. }) = &refused else {
                panic!("{forgery}: {refused:?}")
            };
            assert!(matches!(fault, StorageFault::Tampered(_)), "{forgery}: {refused:?}");
            assert!(fault.to_string().contains(named), "{forgery}: {refused}");
            assert_eq!(ledger.entries().unwrap().len(), 2);
            let seen = ledger.audit(&Expected::default());
            assert!(matches!(seen, Err(AuditError::Tampered(_))), "{forgery}: {seen:?}");
        }
        backend.tamper(
            "DELETE FROM head; DELETE FROM chain;
             INSERT INTO chain SELECT * FROM kept_chain; INSERT INTO head SELECT * FROM kept_head",
        );
    }
    ledger.record_issued_in(Some(&lot("W47")), &new, NOW_S).unwrap();
    assert_eq!(ledger.audit(&Expected::default()).unwrap().heads, 4);
}

fn spawn(address: &str, test: &str, who: &str) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", test, "--nocapture"])
        .env(LEDGER, address)
        .env(WHO, who)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

const LEDGER: &str = "PROVISION_LEDGER_TEST_ADDRESS";
const WHO: &str = "PROVISION_LEDGER_TEST_WHO";
