//! A station whose server goes away: it goes on within its lease, and nothing is lost, doubled or
//! left out when the server is there again.

use core::time::Duration;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Instant;

use ::postgres::NoTls;
use provision_ledger::{
    Certificates as _, ConflictCause, Expected, Fallback, FallbackError, LeaseWish, Ledger as _,
    LotCheckError, LotRefusal, Merged, News, OpenError, RecordIssuedError, SqlLedger, State,
    StorageError, StorageFault, StoreAndForward,
};
use provision_station::evidence::{Chain, Enrolled, Standing};
use tempfile::TempDir;

use crate::backend::{Backend as _, Server, open_at, station_key};
use crate::lots::{lot, terms};
use crate::support::{Ca, Key, NOW_S, enrolled, serial};

const HOUR_S: u64 = 3600;

/// A server with a lot, and the files of stations.
struct Factory {
    server: Server,
    ca: Ca,
    dir: TempDir,
    /// Whether stations keep their leases when they end.
    keep: bool,
    /// As whom they come.
    role: &'static str,
}

impl Factory {
    fn with_quota(quota: u64) -> Self {
        let (server, dir) = (Server::start(), tempfile::tempdir().unwrap());
        server.open().create_lot(&terms("W47", quota), NOW_S).unwrap();
        Self { server, ca: Ca::new(), dir, keep: false, role: "postgres" }
    }

    fn file(&self, station: &str) -> PathBuf {
        self.dir.path().join(format!("{station}.db"))
    }

    fn try_station(
        &self,
        name: &str,
        places: u64,
        at_s: u64,
    ) -> Result<StoreAndForward, FallbackError> {
        let wish = LeaseWish {
            lot: lot("W47"),
            profile: "device".into(),
            places,
            lasts_s: 72 * HOUR_S,
            keep: self.keep,
        };
        let server = self.server.0.url_as(self.role).parse().unwrap();
        let key = self.dir.path().join(format!("{name}.key"));
        StoreAndForward::open(&server, &key, &self.file(name), wish, false, at_s)
    }

    fn station(&self, name: &str, places: u64, at_s: u64) -> StoreAndForward {
        self.try_station(name, places, at_s).unwrap()
    }

    fn fallback(&self, name: &str) -> Fallback {
        let key = self.dir.path().join(format!("{name}.key"));
        Fallback::open(&self.file(name), &key).unwrap()
    }

    /// A device from the first question to the last.
    fn make(
        &mut self,
        station: &mut StoreAndForward,
        device: &str,
        key: &Key,
        at_s: u64,
    ) -> Result<(), RecordIssuedError> {
        let standing = station.standing(&serial(device), &key.public(), at_s)?;
        assert_eq!(standing, Standing::Unknown);
        station.check_lot(at_s)?;
        let chain = self.ca.certify(device, key);
        station.record(&chain, false, at_s)?;
        station.record_enrolled(&enrolled(&chain, key, [1; 32]), at_s).unwrap();
        Ok(())
    }

    fn used_and_leased(&self) -> (u64, u64) {
        let record = self.server.open().lot(&lot("W47")).unwrap();
        (record.used, record.leased)
    }

    /// Devices on record at the server, all of them enrolled.
    fn enrolled(&self) -> Vec<String> {
        let entries = self.server.open().entries().unwrap();
        for entry in &entries {
            assert!(matches!(entry.state, State::Enrolled { .. }), "{entry:?}");
        }
        entries.iter().map(|entry| entry.device.to_string()).collect()
    }

    fn assert_sound(&self, stations: &[&str]) {
        self.server.open().audit(&Expected::default()).unwrap();
        for station in stations {
            self.fallback(station).ledger().audit(&Expected::default()).unwrap();
        }
    }
}

fn refusal<T: core::fmt::Debug>(result: Result<T, RecordIssuedError>) -> LotRefusal {
    match result {
        Err(RecordIssuedError::Lot(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

fn merged(station: &mut StoreAndForward) -> Merged {
    let news = station.news();
    let merged = news.iter().find_map(|news| match news {
        News::Merged(merged) => Some(merged.clone()),
        News::Alone { .. } | News::Waiting { .. } => None,
    });
    merged.unwrap_or_else(|| panic!("{news:?}"))
}

/// What a station on many ports records in one go; of each, whether it was accepted, or why not.
fn together(
    station: &mut StoreAndForward,
    issued: &[Chain],
    proven: &[Enrolled],
    at_s: u64,
) -> Vec<String> {
    let said = |result: Result<(), String>| result.err().unwrap_or_default();
    let chains: Vec<&Chain> = issued.iter().collect();
    let recorded = station.together(&chains, at_s, |forwarding| {
        let mut each = Vec::new();
        for chain in issued {
            each.push(said(forwarding.record(chain)?.map_err(|error| error.to_string())));
        }
        for enrolled in proven {
            let recorded = forwarding.record_enrolled(enrolled)?;
            each.push(said(recorded.map_err(|error| error.to_string())));
        }
        Ok(each)
    });
    recorded.unwrap()
}

/// Devices of these numbers, and what they prove.
fn devices(
    factory: &mut Factory,
    numbers: core::ops::RangeInclusive<u32>,
) -> (Vec<Chain>, Vec<Enrolled>) {
    numbers
        .map(|number| {
            let key = Key::new();
            let chain = factory.ca.certify(&format!("d{number}"), &key);
            let proven = enrolled(&chain, &key, [1; 32]);
            (chain, proven)
        })
        .unzip()
}

#[test]
fn records_of_many_ports_share_a_transaction_at_the_server_and_in_the_file() {
    let mut factory = Factory::with_quota(100);
    let mut station = factory.station("a", 4, NOW_S);
    let heads = |factory: &Factory| {
        let at_server = factory.server.open().audit(&Expected::default()).unwrap().heads;
        let in_file = factory.fallback("a").ledger().audit(&Expected::default()).unwrap().heads;
        (at_server, in_file)
    };
    let (chains, proofs) = devices(&mut factory, 1..=5);
    let before = heads(&factory);
    assert_eq!(together(&mut station, &chains, &[], NOW_S), [""; 5]);
    let issued = heads(&factory);
    assert_eq!((issued.0 - before.0, issued.1 - before.1), (1, 1));
    // Again changes nothing: a run may be repeated.
    assert_eq!(together(&mut station, &chains, &[], NOW_S + 1), [""; 5]);
    assert_eq!(heads(&factory), issued);
    assert_eq!(together(&mut station, &[], &proofs, NOW_S + 2), [""; 5]);
    let proven = heads(&factory);
    assert_eq!((proven.0 - issued.0, proven.1 - issued.1), (1, 1));

    // Alone: in the file, and a clone among them stops nobody else's record.
    factory.server.0.crash();
    let (mut more, _) = devices(&mut factory, 6..=7);
    let (clone, _) = devices(&mut factory, 8..=8);
    let key = Key::new();
    more.insert(1, factory.ca.certify("d9", &key));
    more.insert(2, factory.ca.certify("clone", &key));
    more.extend(clone);
    let said = together(&mut station, &more, &[], NOW_S + 3);
    assert_eq!([&said[0], &said[1], &said[3], &said[4]], [""; 4]);
    assert!(said[2].contains("d9 has the key of device clone"), "{said:?}");
    assert_eq!(alone(&mut station), [("unreachable", 4)]);
    let (over, _) = devices(&mut factory, 10..=11);
    let said = together(&mut station, &over, &[], NOW_S + 4);
    assert!(said.iter().all(|said| said.contains("all 4 places")), "{said:?}");
    factory.server.0.go_on().unwrap();
    station.look_for_server(NOW_S + 60).unwrap();
    assert_eq!(merged(&mut station).certificates, 4);
    let devices: Vec<_> = factory.server.open().entries().unwrap();
    assert_eq!(devices.len(), 9, "{devices:?}");
    station.end(NOW_S + 61).unwrap();
    assert_eq!(factory.used_and_leased(), (9, 0));
    factory.assert_sound(&["a"]);
}

/// A station that dies while it asks the server, and starts without it, must know what it asked.
#[test]
fn what_many_ports_ask_the_server_to_record_is_in_the_file_before() {
    let mut factory = Factory::with_quota(100);
    let mut station = factory.station("a", 4, NOW_S);
    let (chains, _) = devices(&mut factory, 1..=3);
    let issued: Vec<&Chain> = chains.iter().collect();
    let died = station.together(&issued, NOW_S, |forwarding| -> Result<(), StorageError> {
        for chain in &chains {
            forwarding.record(chain)?.unwrap();
        }
        assert_eq!(factory.fallback("a").ledger().entries().unwrap().len(), 3);
        // As if it died: the server rolls all of it back.
        Err(StorageError { place: String::new(), fault: StorageFault::Locked })
    });
    died.unwrap_err();
    assert_eq!(factory.server.open().entries().unwrap(), []);
    drop(station);
    // Two are run again, alone, with what they have; the last one is brought to the server as well.
    factory.server.0.crash();
    let mut station = factory.station("a", 4, NOW_S + 1);
    assert_eq!(together(&mut station, &chains[..2], &[], NOW_S + 1), [""; 2]);
    factory.server.0.go_on().unwrap();
    station.look_for_server(NOW_S + 60).unwrap();
    assert_eq!(merged(&mut station).certificates, 3);
    assert_eq!(factory.server.open().entries().unwrap().len(), 3);
    station.end(NOW_S + 61).unwrap();
    assert_eq!(factory.used_and_leased(), (3, 0));
    factory.assert_sound(&["a"]);
}

/// One that the server refuses takes nothing of the others with it, and what the file knows of it is
/// not what the server knows.
#[test]
fn of_many_records_each_is_refused_by_itself() {
    let mut factory = Factory::with_quota(100);
    let mut station = factory.station("a", 4, NOW_S);
    let key = Key::new();
    let known = factory.ca.certify("known", &key);
    factory.server.open().record_issued_in(Some(&lot("W47")), &known, NOW_S).unwrap();
    let (mut chains, _) = devices(&mut factory, 1..=2);
    chains.insert(1, factory.ca.certify("clone", &key));
    let (_, unknown) = devices(&mut factory, 3..=3);
    let said = together(&mut station, &chains, &unknown, NOW_S);
    assert_eq!((said[0].as_str(), said[2].as_str()), ("", ""));
    assert!(said[1].contains("known has the key of device clone"), "{said:?}");
    assert!(said[3].contains("d3"), "{said:?}");
    let known: Vec<_> = factory.server.open().entries().unwrap();
    let known: Vec<_> = known.iter().map(|entry| entry.device.to_string()).collect();
    assert_eq!(known, ["known", "d1", "d2"]);
    station.end(NOW_S + 1).unwrap();
    factory.assert_sound(&["a"]);
}

/// The last places are those that the station itself has leased: it gives them back, and all of it is
/// recorded, once.
#[test]
fn many_records_for_the_last_places_of_a_lot() {
    let mut factory = Factory::with_quota(5);
    let mut station = factory.station("a", 4, NOW_S);
    assert_eq!(factory.used_and_leased(), (0, 2));
    let (chains, proofs) = devices(&mut factory, 1..=6);
    let said = together(&mut station, &chains, &[], NOW_S);
    assert_eq!(said[..5], [""; 5], "{said:?}");
    assert!(said[5].contains("is full"), "{said:?}");
    assert_eq!(together(&mut station, &[], &proofs[..5], NOW_S + 1), [""; 5]);
    assert_eq!(factory.enrolled().len(), 5);
    station.end(NOW_S + 2).unwrap();
    assert_eq!(factory.used_and_leased(), (5, 0));
    factory.assert_sound(&["a"]);
}

/// The server refuses one of several, and goes away after the station gave its lease back and before
/// all of it was recorded again: what it refused does not pass because it is away.
#[test]
fn what_the_server_refused_does_not_pass_without_it() {
    let mut factory = Factory::with_quota(3);
    let mut station = factory.station("a", 4, NOW_S);
    assert_eq!(factory.used_and_leased(), (0, 1));
    let cloned = Key::new();
    let elsewhere = factory.ca.certify("elsewhere", &cloned);
    factory.server.open().record_issued_in(Some(&lot("W47")), &elsewhere, NOW_S).unwrap();
    let first = factory.ca.certify("first", &Key::new());
    factory.server.open().record_issued_in(Some(&lot("W47")), &first, NOW_S).unwrap();
    assert_eq!(factory.used_and_leased(), (2, 1));

    let chains = [factory.ca.certify("good", &Key::new()), factory.ca.certify("clone", &cloned)];
    let issued: Vec<&Chain> = chains.iter().collect();
    let mut said = Vec::new();
    station
        .together(&issued, NOW_S + 1, |forwarding| {
            if said.len() == 1 {
                factory.server.0.crash();
            }
            said.push(Vec::new());
            for chain in &chains {
                let recorded = forwarding.record(chain)?;
                said.last_mut().unwrap().push(recorded.map_err(|error| error.to_string()));
            }
            Ok(())
        })
        .unwrap();
    let [at_server, cut_off, alone] = &said[..] else { panic!("{said:?}") };
    let [Err(leased), Err(clone)] = &at_server[..] else { panic!("{at_server:?}") };
    assert!(leased.contains("leased to stations") && clone.contains("stop the line"), "{said:?}");
    assert!(cut_off.is_empty(), "{cut_off:?}");
    let [Ok(()), Err(refused)] = &alone[..] else { panic!("{alone:?}") };
    assert!(refused.contains("has leased no places"), "{refused}");

    factory.server.0.go_on().unwrap();
    station.look_for_server(NOW_S + 60).unwrap();
    station.end(NOW_S + 61).unwrap();
    let entries = factory.server.open().entries().unwrap();
    let known: Vec<_> = entries.iter().map(|entry| entry.device.to_string()).collect();
    assert_eq!(known, ["elsewhere", "first", "good"]);
    assert_eq!(factory.used_and_leased(), (3, 0));
    factory.assert_sound(&["a"]);
}

#[test]
fn a_station_goes_on_within_its_lease_and_merges() {
    let mut factory = Factory::with_quota(100);
    let mut station = factory.station("a", 4, NOW_S);
    factory.make(&mut station, "d1", &Key::new(), NOW_S).unwrap();
    assert_eq!(factory.used_and_leased(), (1, 4), "at the server no leased place is taken");
    // One that is certified when the server goes, and proven when it is gone.
    let (key, halfway) = (Key::new(), "d2");
    let chain = factory.ca.certify(halfway, &key);
    station.record(&chain, false, NOW_S).unwrap();

    factory.server.0.crash();
    station.record_enrolled(&enrolled(&chain, &key, [2; 32]), NOW_S + 1).unwrap();
    assert!(station.is_alone());
    match station.news().as_slice() {
        [News::Alone { why, cause: "unreachable", left: 4, expires_at_s }] => {
            assert!(why.contains("the database cannot be reached"), "{why}");
            assert_eq!(*expires_at_s, NOW_S + 72 * HOUR_S);
        }
        news => panic!("{news:?}"),
    }
    for device in ["d3", "d4", "d5", "d6"] {
        factory.make(&mut station, device, &Key::new(), NOW_S + 2).unwrap();
    }
    let used_up = refusal(factory.make(&mut station, "d7", &Key::new(), NOW_S + 2));
    assert_eq!(used_up, LotRefusal::LeaseUsedUp { lot: lot("W47"), places: 4 });
    let said = "the server is away, and all 4 places of lot W47 that this station leased are taken";
    assert_eq!(used_up.to_string(), said);
    // The same devices again are known, and take no more places.
    let live = station.live(&serial("d3"), NOW_S + 2).unwrap().unwrap();
    let again = station.standing(&serial("d3"), live.chain.public_key(), NOW_S + 2).unwrap();
    assert!(matches!(again, Standing::Live(_)), "{again:?}");
    // A clone among its own is found by itself.
    let clone = factory.ca.certify("clone", &key);
    assert!(matches!(
        station.record(&clone, false, NOW_S + 2),
        Err(RecordIssuedError::KeyElsewhere { other, .. }) if other.as_str() == "d2"
    ));

    factory.server.0.go_on().unwrap();
    station.look_for_server(NOW_S + 3).unwrap();
    assert!(station.is_alone(), "not so soon");
    station.look_for_server(NOW_S + 60).unwrap();
    let done = merged(&mut station);
    assert_eq!((done.certificates, done.proofs), (4, 5));
    assert_eq!((done.conflicts, done.returned), (vec![], 0));
    assert_eq!(factory.enrolled(), ["d1", "d2", "d3", "d4", "d5", "d6"]);
    assert_eq!(factory.used_and_leased(), (6, 4), "and leased anew");
    factory.make(&mut station, "d7", &Key::new(), NOW_S + 61).unwrap();
    station.end(NOW_S + 62).unwrap();
    assert_eq!(factory.used_and_leased(), (7, 0));
    drop(station);

    let mut server = factory.server.open();
    let before = server.signed_head().unwrap();
    let again = factory.fallback("a").merge(&mut server, NOW_S + 70).unwrap();
    assert_eq!(again, Merged::default(), "again changes nothing");
    assert_eq!(server.signed_head().unwrap(), before);
    factory.assert_sound(&["a"]);
}

#[test]
fn a_station_begins_alone_if_it_has_a_lease_and_not_otherwise() {
    let mut factory = Factory::with_quota(100);
    // As one that was killed: it gave nothing back.
    drop(factory.station("a", 4, NOW_S));
    factory.server.0.crash();
    let mut station = factory.station("a", 4, NOW_S + 5);
    assert!(station.is_alone());
    factory.make(&mut station, "d1", &Key::new(), NOW_S + 6).unwrap();
    drop(station);
    let later_s = NOW_S + 73 * HOUR_S;
    let unreachable = |result: Result<StoreAndForward, FallbackError>| match result {
        Err(FallbackError::Storage(error)) => {
            assert!(matches!(error.fault, StorageFault::Unreachable { .. }), "{error}");
        }
        other => panic!("{other:?}"),
    };
    unreachable(factory.try_station("a", 4, later_s));
    unreachable(factory.try_station("b", 4, NOW_S + 6));
    // One that was begun in time finds it out by itself.
    let mut station = factory.station("a", 4, NOW_S + 7);
    let expired = refusal(factory.make(&mut station, "d2", &Key::new(), later_s));
    assert!(matches!(expired, LotRefusal::LeaseExpired { .. }), "{expired:?}");
    factory.server.0.go_on().unwrap();
    drop(station);
    let mut station = factory.station("a", 4, later_s);
    assert_eq!(merged(&mut station).certificates, 1);
    assert_eq!(factory.enrolled(), ["d1"]);

    // A ledger in its own right is none to go on in.
    let own = factory.dir.path().join("own.db");
    let mut ledger = SqlLedger::create(&own).unwrap();
    ledger.record_issued(&factory.ca.certify("d9", &Key::new()), NOW_S).unwrap();
    let key = factory.dir.path().join("own.key");
    for refused in [
        Fallback::open(&own, &key).unwrap_err(),
        Fallback::open_or_create(&own, &key, "there", NOW_S).unwrap_err(),
    ] {
        assert!(matches!(refused, FallbackError::NotAFallback { .. }), "{refused:?}");
    }
    assert!(matches!(
        Fallback::open(&factory.dir.path().join("none.db"), &key),
        Err(FallbackError::Open(OpenError::NotFound { .. }))
    ));
}

/// What an administrator does to the role that stations come as.
fn administer(factory: &Factory, statements: &str) {
    let mut raw = ::postgres::Client::connect(&factory.server.address(), NoTls).unwrap();
    raw.batch_execute(statements).unwrap();
}

const CUT: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'line'";

/// Stations come as `line`, by password.
fn by_password() -> Factory {
    let mut factory = Factory::with_quota(100);
    let made = "CREATE ROLE with_password;
        CREATE ROLE line LOGIN PASSWORD 'right' IN ROLE with_password;
        GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO line";
    administer(&factory, made);
    factory.role = "line:right";
    factory
}

/// (cause, places left) of each time that the station said it is alone.
fn alone(station: &mut StoreAndForward) -> Vec<(&'static str, u64)> {
    let told = station.news().into_iter();
    told.filter_map(|news| match news {
        News::Alone { cause, left, why, .. } => {
            assert!(!why.contains("right)") && !why.contains("wrong"), "{why}");
            Some((cause, left))
        }
        News::Merged(_) | News::Waiting { .. } => None,
    })
    .collect()
}

/// Somebody changes a password or a right during the shift: the line does not stand still, and the
/// operator hears it, once.
#[test]
fn a_station_that_is_refused_while_it_runs_goes_on_and_says_why() {
    let wrong = format!("ALTER ROLE line PASSWORD 'wrong'; {CUT}");
    let no_more = "REVOKE INSERT ON ALL TABLES IN SCHEMA public FROM line";
    let again = "GRANT INSERT ON ALL TABLES IN SCHEMA public TO line";
    for (breaks, mends, cause) in [
        (wrong.as_str(), "ALTER ROLE line PASSWORD 'right'", "password"),
        (&format!("ALTER ROLE line NOLOGIN; {CUT}"), "ALTER ROLE line LOGIN", "role"),
        (no_more, again, "no-right"),
        (
            &format!("ALTER ROLE line CONNECTION LIMIT 0; {CUT}"),
            "ALTER ROLE line CONNECTION LIMIT -1",
            "too-many-connections",
        ),
    ] {
        let mut factory = by_password();
        let mut station = factory.station("a", 4, NOW_S);
        factory.make(&mut station, "d1", &Key::new(), NOW_S).unwrap();
        administer(&factory, breaks);
        factory.make(&mut station, "d2", &Key::new(), NOW_S + 1).unwrap();
        assert_eq!(alone(&mut station), [(cause, 4)]);
        // Looked for, and refused again: nothing is lost by that, and nothing said twice.
        station.look_for_server(NOW_S + 60).unwrap();
        assert_eq!(alone(&mut station), [], "{cause}");
        for device in ["d3", "d4", "d5"] {
            factory.make(&mut station, device, &Key::new(), NOW_S + 61).unwrap();
        }
        station.end(NOW_S + 62).unwrap();
        match station.news().as_slice() {
            [News::Waiting { why, devices: 4, places: 0, .. }] => {
                assert!(!why.contains("cannot be reached"), "{why}");
            }
            news => panic!("{news:?}"),
        }
        administer(&factory, mends);
        station.look_for_server(NOW_S + 1000).unwrap();
        assert_eq!(merged(&mut station).certificates, 4, "{cause}");
        assert_eq!(factory.enrolled(), ["d1", "d2", "d3", "d4", "d5"]);
        factory.assert_sound(&["a"]);
    }
}

/// After a failover the address may lead to what is a standby now, until somebody promotes it.
#[test]
fn a_server_that_becomes_a_standby_is_gone_on_without() {
    let mut factory = by_password();
    factory.keep = true;
    let mut station = factory.station("a", 4, NOW_S);
    factory.make(&mut station, "d1", &Key::new(), NOW_S).unwrap();
    factory.server.0.stand_by().unwrap();
    factory.make(&mut station, "d2", &Key::new(), NOW_S + 1).unwrap();
    assert_eq!(alone(&mut station), [("read-only", 4)]);
    station.look_for_server(NOW_S + 60).unwrap();
    assert_eq!(alone(&mut station), [], "it is said once");
    drop(station);
    match factory.try_station("a", 4, NOW_S + 61) {
        Err(FallbackError::Open(OpenError::Storage(error)) | FallbackError::Storage(error)) => {
            assert!(error.to_string().contains("(it is a standby"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    administer(&factory, "SELECT pg_promote()");
    let mut station = factory.station("a", 4, NOW_S + 62);
    assert_eq!(merged(&mut station).certificates, 1);
    assert_eq!(factory.enrolled(), ["d1", "d2"]);
    factory.assert_sound(&["a"]);
}

#[test]
fn a_server_that_comes_back_and_refuses_is_told_of_once() {
    let mut factory = by_password();
    let mut station = factory.station("a", 4, NOW_S);
    factory.server.0.crash();
    factory.make(&mut station, "d1", &Key::new(), NOW_S + 1).unwrap();
    assert_eq!(alone(&mut station), [("unreachable", 4)]);
    station.look_for_server(NOW_S + 60).unwrap();
    assert_eq!(alone(&mut station), []);
    factory.server.0.go_on().unwrap();
    administer(&factory, "ALTER ROLE line PASSWORD 'wrong'");
    for expected in [&[("password", 3)][..], &[]] {
        station.look_for_server(NOW_S + 600 * (2 - expected.len() as u64)).unwrap();
        assert_eq!(alone(&mut station), expected);
    }
    factory.make(&mut station, "d2", &Key::new(), NOW_S + 1201).unwrap();
}

/// At the start there is somebody who can mend it, and nothing is lost yet: only what passes by
/// itself has the station begin alone.
#[test]
fn a_station_begins_alone_where_it_may_pass_and_not_where_somebody_has_to_mend_it() {
    let mut factory = by_password();
    factory.keep = true;
    factory.station("a", 4, NOW_S).end(NOW_S).unwrap();
    let refused = |factory: &Factory, expected: &str| match factory.try_station("a", 4, NOW_S + 5) {
        Err(FallbackError::Open(OpenError::Storage(error)) | FallbackError::Storage(error)) => {
            assert_eq!(error.fault.word(), expected, "{error}")
        }
        other => panic!("{other:?}"),
    };
    administer(&factory, "ALTER ROLE line PASSWORD 'wrong'");
    refused(&factory, "password");
    administer(&factory, "ALTER ROLE line PASSWORD 'right' NOLOGIN");
    refused(&factory, "role");
    administer(
        &factory,
        "ALTER ROLE line LOGIN; REVOKE INSERT ON ALL TABLES IN SCHEMA public FROM line",
    );
    refused(&factory, "no-right");
    administer(&factory, "GRANT INSERT ON ALL TABLES IN SCHEMA public TO line");
    administer(&factory, "ALTER ROLE line CONNECTION LIMIT 0");
    let mut station = factory.station("a", 4, NOW_S + 6);
    assert_eq!(alone(&mut station), [("too-many-connections", 4)]);
    factory.make(&mut station, "d1", &Key::new(), NOW_S + 6).unwrap();
}

#[test]
fn two_stations_with_leases_never_exceed_the_quota() {
    let mut factory = Factory::with_quota(16);
    let mut stations = [factory.station("a", 4, NOW_S), factory.station("b", 5, NOW_S)];
    factory.make(&mut stations[0], "a0", &Key::new(), NOW_S).unwrap();
    factory.server.0.crash();
    let mut made = 1;
    for (at, station) in stations.iter_mut().enumerate() {
        for n in 1.. {
            match factory.make(station, &format!("{at}-{n}"), &Key::new(), NOW_S + 1) {
                Ok(()) => made += 1,
                Err(RecordIssuedError::Lot(LotRefusal::LeaseUsedUp { .. })) => break,
                Err(other) => panic!("{other}"),
            }
        }
    }
    assert_eq!(made, 1 + 4 + 5);
    factory.server.0.go_on().unwrap();
    // Others take all that is free before these two are back.
    let mut server = factory.server.open();
    for n in 0.. {
        let chain = factory.ca.certify(&format!("other-{n}"), &Key::new());
        match server.record_issued_in(Some(&lot("W47")), &chain, NOW_S + 2) {
            Ok(()) => made += 1,
            Err(RecordIssuedError::Lot(LotRefusal::Leased { leased: 9, .. })) => break,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(made, 16);
    server.close_lot(&lot("W47"), NOW_S + 3).unwrap();
    for (station, brought) in stations.iter_mut().zip([4, 5]) {
        station.look_for_server(NOW_S + 60).unwrap();
        let done = merged(station);
        // Whatever became of the lot meanwhile: these were made, within their lease.
        assert_eq!((done.certificates, done.conflicts), (brought, vec![]));
    }
    assert_eq!(factory.used_and_leased(), (16, 0));
    factory.assert_sound(&["a", "b"]);
}

#[test]
fn the_last_places_are_for_those_who_make_devices() {
    let mut factory = Factory::with_quota(8);
    let (mut a, b) = (factory.station("a", 4, NOW_S), factory.station("b", 2, NOW_S));
    assert_eq!(factory.used_and_leased(), (0, 6));
    for n in 0..6 {
        factory.make(&mut a, &format!("d{n}"), &Key::new(), NOW_S).unwrap();
    }
    assert_eq!(factory.used_and_leased(), (6, 2), "a gave back what it had, b did not");
    let leased = refusal(factory.make(&mut a, "d6", &Key::new(), NOW_S));
    assert_eq!(leased, LotRefusal::Leased { lot: lot("W47"), leased: 2 });
    drop(b);
    // One that never comes back.
    let mut server = factory.server.open();
    let lease = server.leases().unwrap().into_iter().find(|lease| lease.ended_at_s.is_none());
    server.end_lease(lease.unwrap().id, NOW_S).unwrap();
    for n in 6..8 {
        factory.make(&mut a, &format!("d{n}"), &Key::new(), NOW_S).unwrap();
    }
    let full = refusal(factory.make(&mut a, "d8", &Key::new(), NOW_S));
    assert_eq!(full, LotRefusal::Full { lot: lot("W47"), quota: 8 });
    assert!(a.lease().unwrap().is_none());
    factory.assert_sound(&["a", "b"]);
}

/// When all stations come back at once, one that finds no turn keeps its lease, and goes on.
#[test]
fn a_server_that_has_no_turn_is_as_one_that_is_away() {
    let mut factory = Factory::with_quota(100);
    let mut station = factory.station("a", 4, NOW_S);
    factory.server.0.crash();
    factory.make(&mut station, "d1", &Key::new(), NOW_S + 1).unwrap();
    factory.server.0.go_on().unwrap();

    let other = factory.server.held();
    station.look_for_server(NOW_S + 60).unwrap();
    assert!(station.is_alone());
    assert_eq!(station.lease().unwrap().unwrap().left(), 3);
    factory.make(&mut station, "d2", &Key::new(), NOW_S + 61).unwrap();
    drop(station);
    let mut station = factory.station("a", 4, NOW_S + 62);
    assert!(station.is_alone(), "begun while there is no turn");
    factory.make(&mut station, "d3", &Key::new(), NOW_S + 63).unwrap();
    drop(other);

    station.look_for_server(NOW_S + 200).unwrap();
    assert!(!station.is_alone());
    assert_eq!(merged(&mut station).certificates, 3);
    assert_eq!(factory.used_and_leased(), (3, 4));

    let other = factory.server.held();
    station.end(NOW_S + 201).unwrap();
    drop(other);
    assert_eq!(factory.used_and_leased(), (3, 4), "kept, for the next time");
    factory.assert_sound(&["a"]);
}

/// A station that runs for longer than its lease lasts has one all the time.
#[test]
fn a_lease_is_renewed_at_half_its_time() {
    let mut factory = Factory::with_quota(100);
    let mut station = factory.station("a", 4, NOW_S);
    station.look_for_server(NOW_S + 35 * HOUR_S).unwrap();
    assert_eq!(station.lease().unwrap().unwrap().number, 1);
    station.look_for_server(NOW_S + 36 * HOUR_S).unwrap();
    let lease = station.lease().unwrap().unwrap();
    assert_eq!((lease.number, lease.expires_at_s), (2, NOW_S + 108 * HOUR_S));
    assert_eq!(factory.used_and_leased(), (0, 4), "one at a time");

    // One that finds no turn goes on with what it has.
    let other = factory.server.held();
    station.look_for_server(NOW_S + 72 * HOUR_S).unwrap();
    assert!(station.is_alone());
    factory.make(&mut station, "d1", &Key::new(), NOW_S + 73 * HOUR_S).unwrap();
    drop(other);
    station.look_for_server(NOW_S + 74 * HOUR_S).unwrap();
    let lease = station.lease().unwrap().unwrap();
    assert_eq!((lease.number, lease.expires_at_s), (3, NOW_S + 146 * HOUR_S));
    assert_eq!(factory.enrolled(), ["d1"]);
    factory.assert_sound(&["a"]);
}

#[test]
fn a_station_that_keeps_its_lease_begins_the_next_day_without_its_server() {
    let mut factory = Factory::with_quota(100);
    factory.keep = true;
    let mut station = factory.station("a", 4, NOW_S);
    factory.make(&mut station, "d1", &Key::new(), NOW_S).unwrap();
    station.end(NOW_S + HOUR_S).unwrap();
    drop(station);
    assert_eq!(factory.used_and_leased(), (1, 4));
    factory.server.0.crash();
    let next_s = NOW_S + 72 * HOUR_S;
    let mut station = factory.station("a", 4, next_s);
    assert!(station.is_alone());
    factory.make(&mut station, "d2", &Key::new(), next_s).unwrap();
    station.end(next_s + 1).unwrap();
    factory.server.0.go_on().unwrap();
    // The next that keeps nothing gives back what is left.
    factory.keep = false;
    drop(station);
    factory.station("a", 4, next_s + 60).end(next_s + 61).unwrap();
    assert_eq!(factory.used_and_leased(), (2, 0));
    factory.assert_sound(&["a"]);
}

/// What is known to be at the server takes no place when the server is away.
#[test]
fn a_device_that_the_server_knows_needs_no_place() {
    let mut factory = Factory::with_quota(100);
    let mut station = factory.station("a", 1, NOW_S);
    let key = Key::new();
    // As one that was cut off before its proof.
    station.record(&factory.ca.certify("d1", &key), false, NOW_S).unwrap();
    let standing = station.standing(&serial("d1"), &key.public(), NOW_S).unwrap();
    assert!(matches!(standing, Standing::Live(_)), "{standing:?}");
    factory.server.0.crash();
    let standing = station.standing(&serial("d1"), &key.public(), NOW_S + 1).unwrap();
    assert!(matches!(standing, Standing::Live(_)), "{standing:?}");
    assert!(station.is_alone());
    assert_eq!(station.lease().unwrap().unwrap().left(), 1);
}

/// Which certificate ends when a key is replaced is the server's to say.
#[test]
fn a_key_is_not_replaced_without_the_server() {
    let mut factory = Factory::with_quota(100);
    let mut station = factory.station("a", 4, NOW_S);
    factory.make(&mut station, "d1", &Key::new(), NOW_S).unwrap();
    let second = factory.ca.certify("d1", &Key::new());
    factory.server.0.crash();
    let away = station.record(&second, true, NOW_S + 1);
    assert!(
        matches!(&away, Err(RecordIssuedError::Storage(error))
            if matches!(error.fault, StorageFault::Unreachable { .. })),
        "{away:?}"
    );
    let known = station.record(&second, true, NOW_S + 2);
    assert!(matches!(known, Err(RecordIssuedError::DeviceHasCertificate { .. })), "{known:?}");
    factory.server.0.go_on().unwrap();

    station.look_for_server(NOW_S + 60).unwrap();
    station.record(&second, true, NOW_S + 61).unwrap();
    factory.server.0.crash();
    let live = station.live(&serial("d1"), NOW_S + 62).unwrap().unwrap();
    assert_eq!(live.chain.leaf_sha256(), second.leaf_sha256(), "known here too");
    factory.server.0.go_on().unwrap();
    station.look_for_server(NOW_S + 120).unwrap();
    assert_eq!(factory.server.open().conflicts().unwrap(), []);
    assert_eq!(factory.used_and_leased(), (1, 4));
    factory.assert_sound(&["a"]);
}

/// The operator's word for a whole run does not hold up devices that have nothing to replace.
#[test]
fn a_new_device_is_made_alone_even_where_keys_may_be_replaced() {
    let mut factory = Factory::with_quota(100);
    let mut station = factory.station("a", 4, NOW_S);
    // Made by another station.
    let old = factory.ca.certify("d1", &Key::new());
    factory.server.open().record_issued_in(Some(&lot("W47")), &old, NOW_S).unwrap();
    let key = Key::new();
    let standing = station.standing(&serial("d1"), &key.public(), NOW_S).unwrap();
    assert!(matches!(standing, Standing::OtherKey { .. }), "{standing:?}");
    let (new, other) = (factory.ca.certify("d1", &key), factory.ca.certify("d2", &Key::new()));
    factory.server.0.crash();
    let away = station.record(&new, true, NOW_S + 1);
    assert!(matches!(away, Err(RecordIssuedError::Storage(_))), "{away:?}");
    factory.server.0.go_on().unwrap();
    station.look_for_server(NOW_S + 60).unwrap();
    factory.server.0.crash();
    station.record(&other, true, NOW_S + 61).unwrap();
    assert!(station.is_alone());
    factory.server.0.go_on().unwrap();
    station.look_for_server(NOW_S + 120).unwrap();
    assert_eq!(merged(&mut station).certificates, 1);
    assert_eq!(factory.server.open().conflicts().unwrap(), []);
    factory.assert_sound(&["a"]);
}

/// Somebody copied a file, and two stations use the same places.
#[test]
fn a_copied_file_does_not_exceed_the_quota() {
    let mut factory = Factory::with_quota(6);
    drop(factory.station("a", 3, NOW_S));
    fs::copy(factory.file("a"), factory.file("b")).unwrap();
    let key = |name: &str| factory.file(name).with_extension("key");
    fs::copy(key("a"), key("b")).unwrap();
    factory.server.0.crash();
    for name in ["a", "b"] {
        let mut station = factory.station(name, 3, NOW_S + 1);
        for n in 0..3 {
            factory.make(&mut station, &format!("{name}{n}"), &Key::new(), NOW_S + 1).unwrap();
        }
    }
    factory.server.0.go_on().unwrap();
    let mut server = factory.server.open();
    for n in 0..3 {
        let chain = factory.ca.certify(&format!("other-{n}"), &Key::new());
        server.record_issued_in(Some(&lot("W47")), &chain, NOW_S + 2).unwrap();
    }
    let first = factory.fallback("a").merge(&mut server, NOW_S + 3).unwrap();
    assert_eq!((first.certificates, first.conflicts), (3, vec![]));
    let second = factory.fallback("b").merge(&mut server, NOW_S + 4).unwrap();
    assert_eq!(second.certificates, 0);
    let causes: Vec<_> = second.conflicts.iter().map(|one| one.cause).collect();
    assert_eq!(causes, [ConflictCause::Lot; 3]);
    let said = second.conflicts[0].to_string();
    assert_eq!(said, "device b0 has no place: the lease was ended, and its lot takes no more");
    assert_eq!(factory.used_and_leased(), (6, 0));
    factory.assert_sound(&["a", "b"]);
}

/// What nobody can see without the server is seen when it is there again, and named.
#[test]
fn what_was_given_elsewhere_meanwhile_is_a_conflict() {
    let mut factory = Factory::with_quota(100);
    let mut station = factory.station("a", 10, NOW_S);
    let (cloned, honest) = (Key::new(), Key::new());
    let revoked = factory.ca.certify("revoked", &honest);
    station.record(&revoked, false, NOW_S).unwrap();
    factory.server.0.crash();
    factory.make(&mut station, "clone-a", &cloned, NOW_S + 1).unwrap();
    factory.make(&mut station, "twice", &Key::new(), NOW_S + 1).unwrap();
    factory.make(&mut station, "good", &Key::new(), NOW_S + 1).unwrap();
    station.record_enrolled(&enrolled(&revoked, &honest, [3; 32]), NOW_S + 1).unwrap();
    factory.server.0.go_on().unwrap();
    let mut server = factory.server.open();
    for (device, key) in [("clone-b", &cloned), ("twice", &Key::new())] {
        let chain = factory.ca.certify(device, key);
        server.record_issued_in(Some(&lot("W47")), &chain, NOW_S + 2).unwrap();
    }
    server.revoke(&provision_ledger::Which::OfDevice(serial("revoked")), 1, NOW_S + 2).unwrap();

    station.look_for_server(NOW_S + 60).unwrap();
    let done = merged(&mut station);
    assert_eq!((done.certificates, done.proofs, done.returned), (1, 1, 9));
    let found: Vec<_> = done
        .conflicts
        .iter()
        .map(|one| (one.device.as_str(), one.cause, one.other.as_str()))
        .collect();
    let expected = [
        ("clone-a", ConflictCause::KeyElsewhere, "clone-b"),
        ("twice", ConflictCause::DeviceHasCertificate, "twice"),
        ("revoked", ConflictCause::Revoked, "revoked"),
    ];
    assert_eq!(found, expected);
    let said = done.conflicts[0].to_string();
    assert_eq!(said, "device clone-a has the key of device clone-b: stop the line");
    assert_eq!(server.conflicts().unwrap(), done.conflicts, "on record");
    // One certificate in force for each device: those in conflict are on the next CRL.
    for conflict in &done.conflicts {
        let which = provision_ledger::Which::This(conflict.leaf.clone());
        let revoked = server.revocable(&which).unwrap().remove(0).revoked;
        assert!(revoked.is_some(), "{conflict}");
    }
    assert!(server.revocation_of(&serial("twice")).unwrap().is_none());
    assert!(server.revocation_of(&serial("clone-b")).unwrap().is_none());
    // Nor does the station deliver them again when it is alone.
    factory.server.0.crash();
    assert!(station.revocation_of(&serial("clone-a"), NOW_S + 61).unwrap().is_some());
    factory.server.0.go_on().unwrap();
    drop(station);
    let again = factory.fallback("a").merge(&mut factory.server.open(), NOW_S + 70).unwrap();
    assert!(again.is_nothing(), "told once: {again:?}");
    assert_eq!(factory.server.open().conflicts().unwrap().len(), 3);
    factory.assert_sound(&["a"]);
}

/// A certificate leaves the station once the server has it, or a place is taken for it.
#[test]
fn a_certificate_that_the_server_may_not_have_is_not_delivered_without_a_place() {
    let mut factory = Factory::with_quota(100);
    let mut station = factory.station("a", 1, NOW_S);
    let later_s = NOW_S + 73 * HOUR_S;
    let key = Key::new();
    let chain = factory.ca.certify("d1", &key);
    factory.server.0.crash();
    // Noted here, then the server is asked and is away, and the lease has expired.
    let refused = refusal(station.record(&chain, false, later_s));
    assert!(matches!(refused, LotRefusal::LeaseExpired { .. }), "{refused:?}");
    match station.standing(&serial("d1"), &key.public(), later_s) {
        Err(LotCheckError::Lot(LotRefusal::LeaseExpired { .. })) => {}
        other => panic!("{other:?}"),
    }
    drop(station);
    factory.server.0.go_on().unwrap();
    let mut station = factory.station("a", 1, later_s + 1);
    let known = station.standing(&serial("d1"), &key.public(), later_s + 1).unwrap();
    assert!(matches!(known, Standing::Live(_)), "it gets the one that was made for it: {known:?}");
    assert_eq!(factory.used_and_leased(), (1, 1));

    // With a place it leaves, and is known again without the server.
    factory.server.0.crash();
    let other = Key::new();
    station.record(&factory.ca.certify("d2", &other), false, later_s + 2).unwrap();
    let known = station.standing(&serial("d2"), &other.public(), later_s + 2).unwrap();
    assert!(matches!(known, Standing::Live(_)), "{known:?}");
}

/// The moments at which a station may die, one after the other: what the file was then is put back.
#[test]
fn a_station_may_die_between_the_server_and_its_file() {
    let mut factory = Factory::with_quota(100);
    let copy = factory.file("copy");
    // Leased at the server, not noted in the file.
    drop(factory.station("a", 4, NOW_S));
    let mut fallback = factory.fallback("a");
    fallback.merge(&mut factory.server.open(), NOW_S).unwrap();
    drop(fallback);
    fs::copy(factory.file("a"), &copy).unwrap();
    drop(factory.station("a", 4, NOW_S));
    assert_eq!(factory.used_and_leased(), (0, 4));
    fs::copy(&copy, factory.file("a")).unwrap();
    factory.server.0.crash();
    assert!(factory.try_station("a", 4, NOW_S).is_err(), "what is not noted is not used");
    factory.server.0.go_on().unwrap();
    let mut station = factory.station("a", 4, NOW_S + 1);
    assert_eq!(factory.used_and_leased(), (0, 4), "the other one ended");

    // Merged at the server, not noted in the file.
    factory.server.0.crash();
    for device in ["d1", "d2"] {
        factory.make(&mut station, device, &Key::new(), NOW_S + 2).unwrap();
    }
    drop(station);
    factory.server.0.go_on().unwrap();
    fs::copy(factory.file("a"), &copy).unwrap();
    let first = factory.fallback("a").merge(&mut factory.server.open(), NOW_S + 3).unwrap();
    assert_eq!((first.certificates, first.proofs, first.returned), (2, 2, 2));
    fs::copy(&copy, factory.file("a")).unwrap();
    let second = factory.fallback("a").merge(&mut factory.server.open(), NOW_S + 4).unwrap();
    assert_eq!(second, Merged::default());
    assert_eq!(factory.enrolled(), ["d1", "d2"]);
    assert_eq!(factory.used_and_leased(), (2, 0));
    factory.assert_sound(&["a"]);
}

/// A process that merges is killed again and again; then one is let be.
#[test]
fn a_merge_may_be_killed_at_any_moment() {
    const DEVICES: usize = 40;
    let mut factory = Factory::with_quota(1000);
    let mut made = Vec::new();
    let mut kills = 0;
    for round in 0..6_u64 {
        let at_s = NOW_S + 1000 * round;
        let mut station = factory.station("a", DEVICES as u64, at_s);
        factory.server.0.crash();
        for n in 0..DEVICES {
            let device = format!("d{round}-{n}");
            factory.make(&mut station, &device, &Key::new(), at_s).unwrap();
            made.push(device);
        }
        drop(station);
        factory.server.0.go_on().unwrap();
        // Long enough for it to come anywhere: it takes some tenths of a second.
        for n in 0..4_u64 {
            let mut merger = merger(&factory, at_s + 10);
            sleep(Duration::from_millis(15 + 37 * n + 11 * round));
            kills += u32::from(merger.try_wait().unwrap().is_none());
            merger.kill().unwrap();
            merger.wait().unwrap();
        }
        assert!(merger(&factory, at_s + 20).wait().unwrap().success());
        assert_eq!(factory.enrolled(), made);
        assert_eq!(factory.used_and_leased(), (made.len() as u64, 0));
    }
    assert!(kills >= 6, "{kills}");
    assert_eq!(factory.server.open().conflicts().unwrap(), []);
    factory.assert_sound(&["a"]);
}

/// `cargo nextest run -p provision-ledger --run-ignored only what_a_file_costs --no-capture`
#[test]
#[ignore = "measures, and holds nothing against it: cargo nextest run -p provision-ledger --run-ignored only what_a_file_costs"]
fn what_a_file_costs() {
    const DEVICES: u32 = 300;
    let mut factory = Factory::with_quota(10_000);
    let chains: Vec<_> = (0..3 * DEVICES)
        .map(|n| {
            let key = Key::new();
            (factory.ca.certify(&format!("d{n}"), &key), key)
        })
        .collect();
    let mut chains = chains.chunks(DEVICES as usize);
    let began = Instant::now();
    let mut server = factory.server.open();
    for (chain, key) in chains.next().unwrap() {
        server.record_issued_in(Some(&lot("W47")), chain, NOW_S).unwrap();
        server.record_enrolled(&enrolled(chain, key, [1; 32]), NOW_S).unwrap();
    }
    println!("at the server alone: {:?} a device", began.elapsed() / DEVICES);
    let mut station = factory.station("a", 1000, NOW_S);
    let mut with_file = |station: &mut StoreAndForward, what: &str| {
        let began = Instant::now();
        for (chain, key) in chains.next().unwrap() {
            station.record(chain, false, NOW_S).unwrap();
            station.record_enrolled(&enrolled(chain, key, [1; 32]), NOW_S).unwrap();
        }
        println!("{what}: {:?} a device", began.elapsed() / DEVICES);
    };
    with_file(&mut station, "with a file");
    factory.server.0.crash();
    with_file(&mut station, "alone");
    factory.server.0.go_on().unwrap();
    let began = Instant::now();
    station.look_for_server(NOW_S + 60).unwrap();
    assert_eq!(merged(&mut station).certificates, u64::from(DEVICES));
    println!("merged: {:?} a device", began.elapsed() / DEVICES);
}

fn merger(factory: &Factory, at_s: u64) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--ignored", "--exact", "forward::merges", "--nocapture"])
        .env(FILE, factory.file("a"))
        .env(SERVER, factory.server.address())
        .env(AT_S, at_s.to_string())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "not a test: a child process of the one above"]
fn merges() {
    let of = |name: &str| env::var(name).unwrap();
    let path = of(FILE);
    let key = Path::new(&path).with_extension("key");
    let mut fallback = Fallback::open(Path::new(&path), &key).unwrap();
    fallback.merge(&mut open_at(&of(SERVER)), of(AT_S).parse().unwrap()).unwrap();
    let _ = fs::remove_file(station_key());
}

const FILE: &str = "PROVISION_FORWARD_TEST_FILE";
const SERVER: &str = "PROVISION_FORWARD_TEST_SERVER";
const AT_S: &str = "PROVISION_FORWARD_TEST_AT_S";
