//! What only a server can do: go away, be somebody else, be somebody else's.

use core::time::Duration;
use std::time::Instant;

use ::postgres::{Client, NoTls};
use provision_ledger::{
    AuditError, DatabaseRefusal, Expected, Ledger as _, OpenError, PostgresUrl, RecordIssuedError,
    SqlLedger, StorageError, StorageFault, Tampering,
};
use provision_testkit::relay::{Network, Relay};
use provision_testkit::servers::Postgres;

use crate::backend::{Backend as _, Server, station_key};
use crate::support::{Ca, Key, NOW_S, serial};

fn url(text: &str) -> PostgresUrl {
    text.parse().unwrap()
}

fn connect(text: &str) -> Result<SqlLedger, OpenError> {
    SqlLedger::connect(&url(text), &station_key())
}

fn fault(error: &OpenError) -> String {
    error.to_string()
}

#[test]
fn a_server_that_goes_away_is_named_and_found_again() {
    let mut server = Server::start();
    let (mut ca, mut ledger) = (Ca::new(), server.open());
    ledger.record_issued(&ca.certify("d1", &Key::new()), NOW_S).unwrap();
    server.0.crash();
    let chain = ca.certify("d2", &Key::new());
    let gone = ledger.record_issued(&chain, NOW_S).unwrap_err();
    assert!(
        matches!(&gone, RecordIssuedError::Storage(error)
            if matches!(error.fault, StorageFault::Unreachable { .. })),
        "{gone:?}"
    );
    assert!(gone.to_string().contains("the database cannot be reached"), "{gone}");
    assert!(connect(&server.address()).is_err());

    server.0.go_on().unwrap();
    ledger.record_issued(&chain, NOW_S).unwrap();
    assert_eq!(ledger.entries().unwrap().len(), 2, "what was acknowledged is there");
    // Cut off behind the ledger's back: the next call makes a connection of its own accord.
    let mut other = Client::connect(&server.address(), NoTls).unwrap();
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'provision'";
    other.execute(cut, &[]).unwrap();
    ledger.record_issued(&ca.certify("d3", &Key::new()), NOW_S).unwrap();
    ledger.audit(&Expected::default()).unwrap();
}

/// Nobody waits for a server that takes connections and says nothing, and those who come next hear
/// it at once.
#[test]
fn a_server_that_says_nothing_is_named_within_ten_seconds() {
    let server = Server::start();
    let (mut ca, mut ledger) = (Ca::new(), server.open());
    ledger.record_issued(&ca.certify("d1", &Key::new()), NOW_S).unwrap();
    let chain = ca.certify("d2", &Key::new());
    server.0.freeze().unwrap();
    let mut named = |within_s: f64| {
        let began = Instant::now();
        let gone = ledger.record_issued(&chain, NOW_S).unwrap_err().to_string();
        let took_s = began.elapsed().as_secs_f64();
        assert!(gone.contains("the database cannot be reached (no answer within"), "{gone}");
        assert!(took_s < within_s, "{took_s} s");
        took_s
    };
    assert!(named(10.0) > 1.0, "the connection that is there is tried");
    named(0.5);
    std::thread::sleep(Duration::from_secs(3));
    assert!(named(7.0) > 1.0, "after a while it is asked again");
    let began = Instant::now();
    let opening = connect(&server.address()).unwrap_err().to_string();
    assert!(opening.contains("no answer within"), "{opening}");
    assert!(began.elapsed() < Duration::from_secs(7));
    server.0.thaw().unwrap();
    std::thread::sleep(Duration::from_secs(2));
    ledger.record_issued(&chain, NOW_S).unwrap();
    assert_eq!(ledger.entries().unwrap().len(), 2);
    ledger.audit(&Expected::default()).unwrap();
}

/// As a firewall that drops what it should refuse, in the middle of TLS.
#[test]
fn a_way_to_the_server_that_falls_silent_is_named_within_ten_seconds() {
    let server = Server::start();
    let relay = Relay::to(server.0.address()).unwrap();
    let mut ledger = connect(&server.0.tls_url_by(relay.address())).unwrap();
    let mut ca = Ca::new();
    ledger.record_issued(&ca.certify("d1", &Key::new()), NOW_S).unwrap();
    relay.set(Network::Silent);
    let (chain, began) = (ca.certify("d2", &Key::new()), Instant::now());
    let gone = ledger.record_issued(&chain, NOW_S).unwrap_err().to_string();
    assert!(gone.contains("cannot be reached (no answer within"), "{gone}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    relay.set(Network::Up);
    std::thread::sleep(Duration::from_secs(2));
    ledger.record_issued(&chain, NOW_S).unwrap();
    ledger.audit(&Expected::default()).unwrap();
    assert_eq!(ledger.entries().unwrap().len(), 2);
}

#[test]
fn a_ledger_is_made_once_and_never_by_mistake() {
    let server = Postgres::start().unwrap();
    let none = connect(&server.url()).unwrap_err();
    assert!(matches!(none, OpenError::NotFound { .. }), "{none:?}");
    drop(SqlLedger::create_in(&url(&server.url()), &station_key()).unwrap());
    let again = SqlLedger::create_in(&url(&server.url()), &station_key()).unwrap_err();
    assert!(matches!(again, OpenError::AlreadyExists { .. }), "{again:?}");
    let mut raw = Client::connect(&server.url(), NoTls).unwrap();
    raw.batch_execute("INSERT INTO ledger_version VALUES (6)").unwrap();
    let newer = connect(&server.url()).unwrap_err();
    assert!(matches!(newer, OpenError::NewerSchema { found: 6, known: 5, .. }), "{newer:?}");
    let newer = SqlLedger::upgrade_in(&url(&server.url())).unwrap_err();
    assert!(matches!(newer, OpenError::NewerSchema { found: 6, known: 5, .. }), "{newer:?}");
}

/// What version 5 added is taken away again, word by word.
const BACK_TO_VERSION_4: &str = "
    DROP TRIGGER place_in_lot ON lot_member; DROP FUNCTION place_in_lot;
    DROP VIEW leased; DROP TABLE lease_use, lease_end, lease, conflict, fallback, forwarded;
    DROP FUNCTION lease_of_free_places; DROP FUNCTION use_of_lease;
    DELETE FROM ledger_version WHERE version = 5;";

fn to_version_4(raw: &mut Client) {
    raw.batch_execute(BACK_TO_VERSION_4).unwrap();
    // Of the tables of version 4, the one statement that version 5 replaced.
    let made = include_str!("../../src/postgres.sql");
    let from = made.find("CREATE FUNCTION place_in_lot").unwrap();
    let to = made.find("CREATE FUNCTION one_after_the_other").unwrap();
    raw.batch_execute(&made[from..to]).unwrap();
}

/// Names of tables, columns, triggers, functions and indices, with what makes them.
fn schema(raw: &mut Client) -> Vec<String> {
    let parts = "
        SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable
            FROM information_schema.columns WHERE table_schema = 'public'
        UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
        UNION ALL SELECT proname || prosrc FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT tgname || tgrelid::regclass || tgtype FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL SELECT conname || pg_get_constraintdef(oid) FROM pg_constraint
            WHERE connamespace = 'public'::regnamespace
        ORDER BY 1";
    raw.query(parts, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

#[test]
fn an_older_ledger_is_brought_to_this_version_by_its_owner_and_nobody_else() {
    let server = Server::start();
    let (mut ca, mut ledger) = (Ca::new(), server.open());
    ledger.create_lot(&crate::lots::terms("W47", 3), NOW_S).unwrap();
    let w47 = crate::lots::lot("W47");
    let chains = ["d1", "d2"].map(|device| ca.certify(device, &Key::new()));
    for chain in &chains {
        ledger.record_issued_in(Some(&w47), chain, NOW_S).unwrap();
    }
    let (entries, head) = (ledger.entries().unwrap(), ledger.signed_head().unwrap());
    drop(ledger);
    let mut raw = Client::connect(&server.address(), NoTls).unwrap();
    let as_made = schema(&mut raw);
    to_version_4(&mut raw);
    let of_version_4 = schema(&mut raw);
    assert_ne!(of_version_4, as_made);
    raw.batch_execute(
        "CREATE ROLE line LOGIN; GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO line",
    )
    .unwrap();

    let older = connect(&server.address()).unwrap_err();
    assert!(matches!(older, OpenError::OlderSchema { found: 4, needed: 5, .. }), "{older:?}");
    let line = url(&server.address().replace("postgres@", "line@"));
    let refused = SqlLedger::upgrade_in(&line).unwrap_err();
    assert!(refused.to_string().contains("the role lacks a right in the database"), "{refused}");
    assert_eq!(schema(&mut raw), of_version_4, "all or nothing");

    // Two owners at once: one of them does it, the other finds it done.
    let owner = url(&server.address());
    let other = owner.clone();
    let at_once = std::thread::spawn(move || SqlLedger::upgrade_in(&other).unwrap());
    let mut before = [SqlLedger::upgrade_in(&owner).unwrap(), at_once.join().unwrap()];
    before.sort_unstable();
    assert_eq!(before, [4, 5]);
    assert_eq!(schema(&mut raw), as_made, "as one that was made new");
    let mut ledger = server.open();
    assert_eq!(ledger.entries().unwrap(), entries);
    let expected = Expected { head, stations: Vec::new() };
    ledger.audit(&expected).unwrap();
    ledger.record_issued_in(Some(&w47), &ca.certify("d3", &Key::new()), NOW_S).unwrap();
    ledger.record_issued_in(Some(&w47), &ca.certify("d4", &Key::new()), NOW_S).unwrap_err();
    ledger.audit(&expected).unwrap();
}

/// The server is asked who it is, and asks back.
#[test]
fn tls_is_mutual() {
    let server = Server::start();
    let good = server.0.tls_url();
    connect(&good).unwrap().record_issued(&Ca::new().certify("d1", &Key::new()), NOW_S).unwrap();
    let mut raw = Client::connect(&server.address(), NoTls).unwrap();
    let ledger = connect(&good).unwrap();
    let tls = "SELECT version FROM pg_stat_ssl JOIN pg_stat_activity USING (pid)
        WHERE ssl AND application_name = 'provision'";
    assert_eq!(raw.query_one(tls, &[]).unwrap().get::<_, String>(0), "TLSv1.3");
    drop(ledger);

    let dir = server.0.path();
    let other =
        provision_testkit::pki::Certified::self_signed(provision_testkit::pki::root("Other"));
    std::fs::write(dir.join("other.crt"), other.pem()).unwrap();
    let impostor = connect(&good.replace("root.crt", "other.crt")).unwrap_err();
    assert!(fault(&impostor).contains("invalid peer certificate"), "{impostor}");
    let wrong_name = connect(&good.replace("@localhost", "@db.example")).unwrap_err();
    assert!(fault(&wrong_name).contains("not valid for name"), "{wrong_name}");
    let no_certificate = connect(good.split("&sslcert").next().unwrap()).unwrap_err();
    assert!(fault(&no_certificate).contains("certificate"), "{no_certificate}");
    let no_tls = good.split("&sslroot").next().unwrap().to_owned() + "&sslmode=disable";
    let no_tls = connect(&no_tls).unwrap_err();
    assert!(fault(&no_tls).contains("no encryption"), "{no_tls}");
    let no_file = connect(&good.replace("client.crt", "none.crt")).unwrap_err();
    assert!(fault(&no_file).contains("none.crt"), "{no_file}");
    let no_root = connect(&good.replace("root.crt", "none.crt")).unwrap_err();
    assert!(fault(&no_root).contains("none.crt"), "{no_root}");
    // Each by its name: the server is up, and can be reached.
    for error in [&impostor, &wrong_name] {
        let OpenError::Storage(StorageError { fault, .. }) = error else { panic!("{error:?}") };
        assert!(matches!(fault, StorageFault::Tls { .. }), "{error:?}");
    }
    for error in [&no_file, &no_root] {
        let OpenError::Storage(StorageError { fault, .. }) = error else { panic!("{error:?}") };
        assert!(matches!(fault, StorageFault::TlsFile { .. }), "{error:?}");
    }
}

/// Even whoever owns the database cannot change it unseen.
#[test]
fn what_an_administrator_does_is_found() {
    let server = Server::start();
    let (mut ca, mut ledger) = (Ca::new(), server.open());
    for device in ["d1", "d2", "d3"] {
        ledger.record_issued(&ca.certify(device, &Key::new()), NOW_S).unwrap();
    }
    let head = ledger.signed_head().unwrap();
    let mut raw = Client::connect(&server.address(), NoTls).unwrap();
    let refused = raw.batch_execute("UPDATE entry SET device = 'd9' WHERE id = 2").unwrap_err();
    let said = refused.as_db_error().unwrap().message().to_owned();
    assert_eq!(said, "what is on record in entry cannot be changed or removed");
    raw.batch_execute("TRUNCATE entry CASCADE").unwrap_err();

    raw.batch_execute("SET session_replication_role = replica").unwrap();
    for (change, undo, named) in [
        (
            "UPDATE entry SET device = 'd9' WHERE id = 2",
            "UPDATE entry SET device = 'd2' WHERE id = 2",
            "entry 2 (d9)",
        ),
        (
            "UPDATE head SET at_s = at_s - 1 WHERE seq = 3",
            "UPDATE head SET at_s = at_s + 1 WHERE seq = 3",
            "the signature at link 3",
        ),
        (
            "DELETE FROM head WHERE seq = 5; DELETE FROM chain WHERE seq = 5;
             DELETE FROM entry WHERE id = 3",
            "",
            "put back to an earlier state",
        ),
    ] {
        raw.batch_execute(change).unwrap();
        let expected = Expected { head: head.clone(), stations: Vec::new() };
        match ledger.audit(&expected) {
            Err(AuditError::Tampered(tampering)) => {
                assert!(tampering.to_string().contains(named), "{tampering}");
                assert_ne!(tampering, Tampering::HeadForged);
            }
            other => panic!("{change}: {other:?}"),
        }
        raw.batch_execute(undo).unwrap();
    }
}

/// A station needs to read and to add. More it need not be given.
#[test]
fn a_role_that_may_read_and_add_is_enough() {
    let server = Server::start();
    let mut raw = Client::connect(&server.address(), NoTls).unwrap();
    raw.batch_execute(
        "CREATE ROLE line LOGIN; GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO line;
         CREATE ROLE auditor LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO auditor;",
    )
    .unwrap();
    let as_role = |role: &str| connect(&server.address().replace("postgres@", &format!("{role}@")));
    let (mut ca, mut line) = (Ca::new(), as_role("line").unwrap());
    line.record_issued(&ca.certify("d1", &Key::new()), NOW_S).unwrap();
    line.create_lot(&crate::lots::terms("W47", 10), NOW_S).unwrap();
    let w47 = crate::lots::lot("W47");
    let wanted = provision_ledger::LeaseTerms {
        holder: provision_ledger::LeaseHolder([7; 16]),
        lot: &w47,
        profile: "device",
        places: 2,
        lasts_s: 60,
    };
    let lease = line.lease(&wanted, NOW_S).unwrap().unwrap();
    line.end_lease(lease.id, NOW_S).unwrap();
    // One that only looks needs less, and is told so before it has anything to record.
    let auditor = url(&server.address().replace("postgres@", "auditor@"));
    let mut looks = SqlLedger::connect_to_read(&auditor, &station_key()).unwrap();
    looks.audit(&Expected::default()).unwrap();
    let d2 = ca.certify("d2", &Key::new());
    let refused = looks.record_issued_in(Some(&w47), &d2, NOW_S).unwrap_err();
    assert!(refused.to_string().contains("the role lacks a right"), "{refused}");
    let (refusal, said) = refusal_of(as_role("auditor").unwrap_err());
    assert_eq!(refusal, DatabaseRefusal::NoRight);
    assert!(said.contains("auditor may not add to chain, auditor may not add to head"), "{said}");
}

fn refusal_of(error: OpenError) -> (DatabaseRefusal, String) {
    match error {
        OpenError::Storage(StorageError {
            fault: StorageFault::Refused { refusal, .. }, ..
        }) => (refusal, error.to_string()),
        other => panic!("{other:?}"),
    }
}

/// A server that is there is not "out of reach", whatever it has against us; and nobody reads the
/// password.
#[test]
fn a_server_that_refuses_says_why() {
    let server = Server::start();
    let mut raw = Client::connect(&server.address(), NoTls).unwrap();
    raw.batch_execute(
        "CREATE ROLE with_password;
         CREATE ROLE line LOGIN PASSWORD 'right' IN ROLE with_password;
         CREATE ROLE bare LOGIN; CREATE ROLE nologin NOLOGIN;
         CREATE ROLE one LOGIN CONNECTION LIMIT 1;
         CREATE ROLE shut LOGIN;
         CREATE SCHEMA hidden; CREATE TABLE hidden.ledger_version (version integer);
         GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO line, one;
         ALTER ROLE shut SET search_path = hidden",
    )
    .unwrap();
    raw.batch_execute("CREATE DATABASE closed").unwrap();
    raw.batch_execute("REVOKE CONNECT ON DATABASE closed FROM PUBLIC").unwrap();
    let at = |role: &str| server.0.url_as(role);
    drop(connect(&at("line:right")).unwrap());
    let _one = connect(&at("one")).unwrap();
    let closed = at("bare").replacen("/ledger", "/closed", 1);
    let missing = at("postgres").replacen("/ledger", "/nowhere", 1);
    let by_certificate = server.0.tls_url().replacen("postgres@", "line@", 1);
    for (url, expected, said) in [
        (at("line:wrong"), DatabaseRefusal::Password, "password (password authentication failed"),
        (at("line"), DatabaseRefusal::Password, "none is given"),
        (at("nobody"), DatabaseRefusal::Role, "\"nobody\" does not exist"),
        (at("nologin"), DatabaseRefusal::Role, "not permitted to log in"),
        (by_certificate, DatabaseRefusal::Role, "certificate authentication failed"),
        (missing, DatabaseRefusal::NoDatabase, "\"nowhere\" does not exist"),
        (closed, DatabaseRefusal::NoRight, "permission denied for database"),
        (at("bare"), DatabaseRefusal::NoRight, "permission denied for table ledger_version"),
        (at("shut"), DatabaseRefusal::NoRight, "shut may not use the schema hidden"),
        (at("one"), DatabaseRefusal::TooManyConnections, "too many connections for role"),
    ] {
        let (refusal, text) = refusal_of(connect(&url).expect_err(&url));
        assert_eq!(refusal, expected, "{text}");
        assert!(text.contains(said), "{text}");
        assert!(!text.contains("wrong") && !text.contains("cannot be reached"), "{text}");
    }
}

#[test]
fn one_who_holds_the_ledger_too_long_is_named() {
    let server = Server::start();
    let (mut ca, mut ledger) = (Ca::new(), server.open());
    ledger.set_patience(Duration::from_millis(50)).unwrap();
    let mut raw = server.held();
    let chain = ca.certify("d1", &Key::new());
    let locked = ledger.record_issued(&chain, NOW_S).unwrap_err();
    assert!(locked.to_string().contains("it is locked by another program"), "{locked}");
    assert_eq!(ledger.find(&serial("d1")).unwrap(), None, "reading goes on");
    raw.batch_execute("ROLLBACK").unwrap();
    ledger.record_issued(&chain, NOW_S).unwrap();
}
