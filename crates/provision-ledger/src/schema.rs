//! The tables of a ledger in SQLite.

/// Says in the file's header that it is a ledger: "PROV".
pub(crate) const APPLICATION_ID: i32 = 0x5052_4f56;

/// Version of the tables below, kept in the file's header (`user_version`).
pub(crate) const VERSION: i32 = 1;

/// Version 1. The rules of [`Ledger`](crate::Ledger) are the database's own: whatever writes to
/// it, and however many at once, a second certificate for a device cannot be stored.
///
/// Rows are added, never changed: what was recorded can be shown to an auditor as it was.
pub(crate) const CREATE: &str = "
    -- Everything above the leaf, the same for thousands of devices.
    CREATE TABLE upper_chain (
        id          INTEGER PRIMARY KEY,
        issuers     BLOB NOT NULL,      -- certificates in DER, end to end, issuing CA first
        anchor      BLOB NOT NULL,      -- device root in DER
        CONSTRAINT upper_chain_once UNIQUE (issuers, anchor)
    ) STRICT;

    -- One certificate. Its device is enrolled if there is a proof.
    CREATE TABLE entry (
        id          INTEGER PRIMARY KEY,
        device      TEXT    NOT NULL CHECK (length(device) BETWEEN 1 AND 64),
        public_key  BLOB    NOT NULL CHECK (length(public_key) = 65),
        cert_serial BLOB    NOT NULL CHECK (length(cert_serial) BETWEEN 1 AND 20),
        leaf        BLOB    NOT NULL,
        leaf_sha256 BLOB    NOT NULL CHECK (length(leaf_sha256) = 32),
        upper_chain INTEGER NOT NULL REFERENCES upper_chain (id),
        not_after_s INTEGER NOT NULL,
        issued_at_s INTEGER NOT NULL
    ) STRICT;
    CREATE UNIQUE INDEX one_certificate_per_device ON entry (device);
    CREATE UNIQUE INDEX one_device_per_key         ON entry (public_key);
    CREATE UNIQUE INDEX one_certificate_per_serial ON entry (cert_serial);

    -- A device has proven what it stores.
    CREATE TABLE proof (
        id              INTEGER PRIMARY KEY,
        entry           INTEGER NOT NULL REFERENCES entry (id),
        delivery_sha256 BLOB    NOT NULL CHECK (length(delivery_sha256) = 32),
        proven_at_s     INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX proofs_of_entry ON proof (entry);

    CREATE TRIGGER entry_stays  BEFORE UPDATE ON entry
        BEGIN SELECT RAISE(ABORT, 'a ledger entry cannot be changed'); END;
    CREATE TRIGGER entry_kept   BEFORE DELETE ON entry
        BEGIN SELECT RAISE(ABORT, 'a ledger entry cannot be removed'); END;
    CREATE TRIGGER proof_stays  BEFORE UPDATE ON proof
        BEGIN SELECT RAISE(ABORT, 'a proof cannot be changed'); END;
    CREATE TRIGGER proof_kept   BEFORE DELETE ON proof
        BEGIN SELECT RAISE(ABORT, 'a proof cannot be removed'); END;
    CREATE TRIGGER upper_stays  BEFORE UPDATE ON upper_chain
        BEGIN SELECT RAISE(ABORT, 'an issuer on record cannot be changed'); END;
    CREATE TRIGGER upper_kept   BEFORE DELETE ON upper_chain
        BEGIN SELECT RAISE(ABORT, 'an issuer on record cannot be removed'); END;
";

/// An entry with its first and its latest proof.
macro_rules! concat_entry {
    ($which:literal) => {
        concat!(
            "SELECT entry.id, entry.device, entry.public_key, entry.cert_serial,
                    entry.leaf_sha256, entry.not_after_s, entry.issued_at_s,
                    (SELECT proven_at_s FROM proof
                     WHERE proof.entry = entry.id ORDER BY proof.id LIMIT 1),
                    (SELECT delivery_sha256 FROM proof
                     WHERE proof.entry = entry.id ORDER BY proof.id DESC LIMIT 1)
             FROM entry ",
            $which
        )
    };
}

pub(crate) const ENTRY_BY_DEVICE: &str = concat_entry!("WHERE entry.device = ?1");
pub(crate) const ENTRY_BY_KEY: &str = concat_entry!("WHERE entry.public_key = ?1");
pub(crate) const ENTRY_BY_SERIAL: &str = concat_entry!("WHERE entry.cert_serial = ?1");
pub(crate) const ENTRIES: &str = concat_entry!("ORDER BY entry.id");

/// Leaf, issuers and anchor of an entry.
pub(crate) const CHAIN: &str = "
    SELECT entry.leaf, upper_chain.issuers, upper_chain.anchor
    FROM entry JOIN upper_chain ON upper_chain.id = entry.upper_chain
    WHERE entry.id = ?1";

pub(crate) const FIND_UPPER_CHAIN: &str =
    "SELECT id FROM upper_chain WHERE issuers = ?1 AND anchor = ?2";

pub(crate) const ADD_UPPER_CHAIN: &str =
    "INSERT INTO upper_chain (issuers, anchor) VALUES (?1, ?2)";

pub(crate) const ADD_ENTRY: &str = "
    INSERT INTO entry
        (device, public_key, cert_serial, leaf, leaf_sha256, upper_chain, not_after_s, issued_at_s)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

pub(crate) const LATEST_PROOF: &str = "
    SELECT delivery_sha256, proven_at_s FROM proof WHERE entry = ?1 ORDER BY id DESC LIMIT 1";

pub(crate) const ADD_PROOF: &str =
    "INSERT INTO proof (entry, delivery_sha256, proven_at_s) VALUES (?1, ?2, ?3)";
