//! The tables of a ledger in SQLite.

/// Says in the file's header that it is a ledger: "PROV".
pub(crate) const APPLICATION_ID: i32 = 0x5052_4f56;

/// Version of the tables below, kept in the file's header (`user_version`).
pub(crate) const VERSION: i32 = 3;

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

/// What version 2 adds: certificates of anything but devices on the line, what was revoked, and the
/// CRLs that said so. The same rules: rows are added, never changed.
///
/// A certificate is named by its issuer's key identifier and its serial number, as CRLs do it. One
/// that was revoked need not be on record: a CA that was taken over has issued others before.
pub(crate) const ADD_VERSION_2: &str = "
    CREATE TABLE certificate (
        id            INTEGER PRIMARY KEY,
        issuer_key_id BLOB    NOT NULL CHECK (length(issuer_key_id) BETWEEN 1 AND 64),
        cert_serial   BLOB    NOT NULL CHECK (length(cert_serial) BETWEEN 1 AND 20),
        name          TEXT    NOT NULL,      -- whom it is for, for people
        profile       TEXT    NOT NULL,
        der           BLOB    NOT NULL,
        sha256        BLOB    NOT NULL CHECK (length(sha256) = 32),
        not_after_s   INTEGER NOT NULL,
        issued_at_s   INTEGER NOT NULL,
        CONSTRAINT certificate_once UNIQUE (issuer_key_id, cert_serial)
    ) STRICT;

    CREATE TABLE revocation (
        id            INTEGER PRIMARY KEY,
        issuer_key_id BLOB    NOT NULL CHECK (length(issuer_key_id) BETWEEN 1 AND 64),
        cert_serial   BLOB    NOT NULL CHECK (length(cert_serial) BETWEEN 1 AND 20),
        name          TEXT    NOT NULL,
        reason        INTEGER NOT NULL CHECK (reason BETWEEN 0 AND 10),  -- CRLReason, RFC 5280 5.3.1
        revoked_at_s  INTEGER NOT NULL,
        not_after_s   INTEGER NOT NULL,
        CONSTRAINT revoked_once UNIQUE (issuer_key_id, cert_serial)
    ) STRICT;

    CREATE TABLE crl (
        id            INTEGER PRIMARY KEY,
        issuer_key_id BLOB    NOT NULL CHECK (length(issuer_key_id) BETWEEN 1 AND 64),
        number        INTEGER NOT NULL CHECK (number > 0),
        this_update_s INTEGER NOT NULL,
        next_update_s INTEGER NOT NULL,
        revocations   INTEGER NOT NULL,      -- how many rows of `revocation` it was made from
        CONSTRAINT number_once UNIQUE (issuer_key_id, number)
    ) STRICT;

    CREATE TRIGGER certificate_stays BEFORE UPDATE ON certificate
        BEGIN SELECT RAISE(ABORT, 'a certificate on record cannot be changed'); END;
    CREATE TRIGGER certificate_kept  BEFORE DELETE ON certificate
        BEGIN SELECT RAISE(ABORT, 'a certificate on record cannot be removed'); END;
    CREATE TRIGGER revocation_stays  BEFORE UPDATE ON revocation
        BEGIN SELECT RAISE(ABORT, 'a revocation cannot be changed'); END;
    CREATE TRIGGER revocation_kept   BEFORE DELETE ON revocation
        BEGIN SELECT RAISE(ABORT, 'a revocation cannot be taken back'); END;
    CREATE TRIGGER crl_stays         BEFORE UPDATE ON crl
        BEGIN SELECT RAISE(ABORT, 'a CRL on record cannot be changed'); END;
    CREATE TRIGGER crl_kept          BEFORE DELETE ON crl
        BEGIN SELECT RAISE(ABORT, 'a CRL on record cannot be removed'); END;
";

/// What version 3 adds: which devices were made in one lot, so that one can revoke a lot.
pub(crate) const ADD_VERSION_3: &str = "
    CREATE TABLE lot_member (
        id    INTEGER PRIMARY KEY,
        entry INTEGER NOT NULL UNIQUE REFERENCES entry (id),
        lot   TEXT    NOT NULL CHECK (length(lot) BETWEEN 1 AND 64)
    ) STRICT;
    CREATE INDEX members_of_lot ON lot_member (lot);

    CREATE TRIGGER lot_member_stays BEFORE UPDATE ON lot_member
        BEGIN SELECT RAISE(ABORT, 'the lot of a device cannot be changed'); END;
    CREATE TRIGGER lot_member_kept  BEFORE DELETE ON lot_member
        BEGIN SELECT RAISE(ABORT, 'a device cannot be removed from its lot'); END;
";

pub(crate) const ADD_LOT_MEMBER: &str = "INSERT INTO lot_member (entry, lot) VALUES (?1, ?2)";

pub(crate) const LEAVES_OF_LOT: &str = "
    SELECT entry.leaf, entry.device FROM lot_member JOIN entry ON entry.id = lot_member.entry
    WHERE lot_member.lot = ?1 ORDER BY entry.id";

pub(crate) const ADD_CERTIFICATE: &str = "
    INSERT INTO certificate
        (issuer_key_id, cert_serial, name, profile, der, sha256, not_after_s, issued_at_s)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
    ON CONFLICT (issuer_key_id, cert_serial) DO NOTHING";

pub(crate) const CERTIFICATE: &str = "
    SELECT der FROM certificate WHERE issuer_key_id = ?1 AND cert_serial = ?2";

pub(crate) const CERTIFICATES: &str = "
    SELECT issuer_key_id, cert_serial, name, profile, der, not_after_s, issued_at_s
    FROM certificate ORDER BY id";

/// Every certificate on record with that serial number, a device's or not.
pub(crate) const BY_SERIAL: &str = "
    SELECT leaf, device FROM entry WHERE cert_serial = ?1
    UNION ALL
    SELECT der, name FROM certificate WHERE cert_serial = ?1";

pub(crate) const LEAF_OF_DEVICE: &str = "SELECT leaf, device FROM entry WHERE device = ?1";

pub(crate) const ADD_REVOCATION: &str = "
    INSERT INTO revocation
        (issuer_key_id, cert_serial, name, reason, revoked_at_s, not_after_s)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)";

pub(crate) const REVOCATION: &str = "
    SELECT issuer_key_id, cert_serial, name, reason, revoked_at_s, not_after_s FROM revocation
    WHERE issuer_key_id = ?1 AND cert_serial = ?2";

/// All of a CA. The plus keeps SQLite from the index: it would sort a million rows instead of
/// reading them in order.
pub(crate) const REVOCATIONS: &str = "
    SELECT issuer_key_id, cert_serial, name, reason, revoked_at_s, not_after_s FROM revocation
    WHERE +issuer_key_id = ?1 ORDER BY id";

pub(crate) const COUNT_REVOCATIONS: &str =
    "SELECT count(*) FROM revocation WHERE issuer_key_id = ?1";

pub(crate) const LATEST_CRL: &str = "
    SELECT number, this_update_s, next_update_s, revocations FROM crl
    WHERE issuer_key_id = ?1 ORDER BY number DESC LIMIT 1";

pub(crate) const ADD_CRL: &str = "
    INSERT INTO crl (issuer_key_id, number, this_update_s, next_update_s, revocations)
    VALUES (?1, ?2, ?3, ?4, ?5)";

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
