//! The tables of a ledger in SQLite.

/// Says in the file's header that it is a ledger: "PROV".
pub(crate) const APPLICATION_ID: i32 = 0x5052_4f56;

/// Version of the tables below, kept in the file's header (`user_version`).
pub(crate) const VERSION: i32 = 5;

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

/// What version 4 adds: lots with terms, the chain of hashes and who signed it, and devices that get
/// a new key by the operator's word.
///
/// What the ledger holds a quota by is `place`: the first device of a lot has place 1, no place is
/// given twice, and none beyond the quota is stored, whoever writes.
pub(crate) const ADD_VERSION_4: &str = "
    ALTER TABLE entry ADD COLUMN generation    INTEGER NOT NULL DEFAULT 1 CHECK (generation >= 1);
    ALTER TABLE entry ADD COLUMN issuer_key_id BLOB    NOT NULL DEFAULT x''
        CHECK (length(issuer_key_id) <= 64);    -- empty if the leaf does not say
    DROP INDEX one_certificate_per_device;
    CREATE UNIQUE INDEX one_certificate_per_device ON entry (device, generation);
    CREATE INDEX entry_by_fingerprint ON entry (leaf_sha256);
    CREATE INDEX entry_by_time        ON entry (issued_at_s);

    CREATE INDEX certificate_by_serial      ON certificate (cert_serial);
    CREATE INDEX certificate_by_fingerprint ON certificate (sha256);

    CREATE TABLE lot (
        id           INTEGER PRIMARY KEY,
        name         TEXT    NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
        quota        INTEGER NOT NULL CHECK (quota >= 1),
        profile      TEXT    NOT NULL,
        not_after_s  INTEGER,             -- takes no more devices then
        created_at_s INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE lot_closed (
        id          INTEGER PRIMARY KEY,
        lot         TEXT    NOT NULL UNIQUE REFERENCES lot (name),
        closed_at_s INTEGER NOT NULL
    ) STRICT;

    -- Empty for the later certificates of a device, which keep the place of the first.
    ALTER TABLE lot_member ADD COLUMN place INTEGER CHECK (place >= 1);
    CREATE UNIQUE INDEX place_once ON lot_member (lot, place);

    -- Everything that was recorded, in the order in which it was.
    CREATE TABLE chain (
        seq        INTEGER PRIMARY KEY CHECK (seq >= 1),
        table_name TEXT    NOT NULL,
        row_id     INTEGER NOT NULL,
        hash       BLOB    NOT NULL CHECK (length(hash) = 32)
    ) STRICT;

    CREATE TABLE station (
        id         INTEGER PRIMARY KEY,
        public_key BLOB    NOT NULL UNIQUE CHECK (length(public_key) = 65),
        added_at_s INTEGER NOT NULL
    ) STRICT;

    -- What a station signed: the chain up to a link.
    CREATE TABLE head (
        seq       INTEGER PRIMARY KEY REFERENCES chain (seq),
        station   INTEGER NOT NULL REFERENCES station (id),
        at_s      INTEGER NOT NULL,
        signature BLOB    NOT NULL
    ) STRICT;

    CREATE TRIGGER lot_stays        BEFORE UPDATE ON lot
        BEGIN SELECT RAISE(ABORT, 'a lot cannot be changed'); END;
    CREATE TRIGGER lot_kept         BEFORE DELETE ON lot
        BEGIN SELECT RAISE(ABORT, 'a lot cannot be removed'); END;
    CREATE TRIGGER lot_closed_stays BEFORE UPDATE ON lot_closed
        BEGIN SELECT RAISE(ABORT, 'a lot stays closed'); END;
    CREATE TRIGGER lot_closed_kept  BEFORE DELETE ON lot_closed
        BEGIN SELECT RAISE(ABORT, 'a lot stays closed'); END;
    CREATE TRIGGER chain_stays      BEFORE UPDATE ON chain
        BEGIN SELECT RAISE(ABORT, 'a link cannot be changed'); END;
    CREATE TRIGGER chain_kept       BEFORE DELETE ON chain
        BEGIN SELECT RAISE(ABORT, 'a link cannot be removed'); END;
    CREATE TRIGGER station_stays    BEFORE UPDATE ON station
        BEGIN SELECT RAISE(ABORT, 'a station on record cannot be changed'); END;
    CREATE TRIGGER station_kept     BEFORE DELETE ON station
        BEGIN SELECT RAISE(ABORT, 'a station on record cannot be removed'); END;
    CREATE TRIGGER head_stays       BEFORE UPDATE ON head
        BEGIN SELECT RAISE(ABORT, 'a signed head cannot be changed'); END;
    CREATE TRIGGER head_kept        BEFORE DELETE ON head
        BEGIN SELECT RAISE(ABORT, 'a signed head cannot be removed'); END;

    CREATE TRIGGER place_in_lot BEFORE INSERT ON lot_member
        WHEN NEW.place IS NOT NULL AND (
            NEW.place > (SELECT quota FROM lot WHERE name = NEW.lot)
            OR EXISTS (SELECT 1 FROM lot_closed WHERE lot = NEW.lot)
            OR (SELECT not_after_s FROM lot WHERE name = NEW.lot)
                < (SELECT issued_at_s FROM entry WHERE id = NEW.entry))
        BEGIN SELECT RAISE(ABORT, 'the lot takes no more devices'); END;
    CREATE TRIGGER place_of_first BEFORE INSERT ON lot_member
        WHEN NEW.place IS NULL
            AND coalesce((SELECT generation FROM entry WHERE id = NEW.entry), 1) = 1
        BEGIN SELECT RAISE(ABORT, 'a device in a lot needs a place'); END;
    CREATE TRIGGER one_after_the_other BEFORE INSERT ON entry
        WHEN NEW.generation > 1 AND NOT EXISTS (
            SELECT 1 FROM entry AS before
            JOIN revocation ON revocation.issuer_key_id = before.issuer_key_id
                AND revocation.cert_serial = before.cert_serial
            WHERE before.device = NEW.device AND before.generation = NEW.generation - 1)
        BEGIN SELECT RAISE(ABORT, 'the certificate before is in force'); END;
";

/// What version 5 adds: places of a lot that a station has leased for when its server is away, what it
/// recorded meanwhile, and what of that did not fit.
///
/// A leased place counts as taken until the lease ends or is used. So `used + leased <= quota` at any
/// time, whoever writes.
pub(crate) const ADD_VERSION_5: &str = "
    CREATE TABLE lease (
        id           INTEGER PRIMARY KEY,
        holder       BLOB    NOT NULL CHECK (length(holder) = 16),     -- a station's own file
        number       INTEGER NOT NULL CHECK (number >= 1),
        lot          TEXT    NOT NULL CHECK (length(lot) BETWEEN 1 AND 64),
        profile      TEXT    NOT NULL,
        places       INTEGER NOT NULL CHECK (places >= 1),
        granted_at_s INTEGER NOT NULL,
        expires_at_s INTEGER NOT NULL,
        CONSTRAINT lease_once UNIQUE (holder, number)
    ) STRICT;
    CREATE INDEX leases_of_lot ON lease (lot);

    CREATE TABLE lease_end (
        id         INTEGER PRIMARY KEY,
        lease      INTEGER NOT NULL UNIQUE REFERENCES lease (id),
        ended_at_s INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE lease_use (
        id    INTEGER PRIMARY KEY,
        entry INTEGER NOT NULL UNIQUE REFERENCES entry (id),
        lease INTEGER NOT NULL REFERENCES lease (id)
    ) STRICT;
    CREATE INDEX uses_of_lease ON lease_use (lease);

    -- A certificate that a station issued by itself, and that cannot stand beside what was recorded
    -- meanwhile.
    CREATE TABLE conflict (
        id          INTEGER PRIMARY KEY,
        device      TEXT    NOT NULL,
        public_key  BLOB    NOT NULL CHECK (length(public_key) = 65),
        cert_serial BLOB    NOT NULL CHECK (length(cert_serial) BETWEEN 1 AND 20),
        leaf        BLOB    NOT NULL,
        leaf_sha256 BLOB    NOT NULL UNIQUE CHECK (length(leaf_sha256) = 32),
        cause       TEXT    NOT NULL,
        other       TEXT    NOT NULL,      -- the device it is in conflict with, if there is one
        issued_at_s INTEGER NOT NULL,
        found_at_s  INTEGER NOT NULL
    ) STRICT;

    -- Says that this file is what a station goes on with while its server is away.
    CREATE TABLE fallback (
        id        INTEGER PRIMARY KEY CHECK (id = 1),
        holder    BLOB    NOT NULL CHECK (length(holder) = 16),
        server    TEXT    NOT NULL,
        made_at_s INTEGER NOT NULL
    ) STRICT;

    -- What of such a file the server knows.
    CREATE TABLE forwarded (
        id         INTEGER PRIMARY KEY,
        table_name TEXT    NOT NULL,
        row_id     INTEGER NOT NULL,
        outcome    INTEGER NOT NULL,       -- 1: on record there; 2: a conflict there; 3: withdrawn
        at_s       INTEGER NOT NULL,
        CONSTRAINT forwarded_once UNIQUE (table_name, row_id)
    ) STRICT;

    CREATE TRIGGER lease_stays     BEFORE UPDATE ON lease
        BEGIN SELECT RAISE(ABORT, 'a lease cannot be changed'); END;
    CREATE TRIGGER lease_kept      BEFORE DELETE ON lease
        BEGIN SELECT RAISE(ABORT, 'a lease cannot be removed'); END;
    CREATE TRIGGER lease_end_stays BEFORE UPDATE ON lease_end
        BEGIN SELECT RAISE(ABORT, 'a lease stays ended'); END;
    CREATE TRIGGER lease_end_kept  BEFORE DELETE ON lease_end
        BEGIN SELECT RAISE(ABORT, 'a lease stays ended'); END;
    CREATE TRIGGER lease_use_stays BEFORE UPDATE ON lease_use
        BEGIN SELECT RAISE(ABORT, 'a leased place stays used'); END;
    CREATE TRIGGER lease_use_kept  BEFORE DELETE ON lease_use
        BEGIN SELECT RAISE(ABORT, 'a leased place stays used'); END;
    CREATE TRIGGER conflict_stays  BEFORE UPDATE ON conflict
        BEGIN SELECT RAISE(ABORT, 'a conflict on record cannot be changed'); END;
    CREATE TRIGGER conflict_kept   BEFORE DELETE ON conflict
        BEGIN SELECT RAISE(ABORT, 'a conflict on record cannot be removed'); END;
    CREATE TRIGGER fallback_stays  BEFORE UPDATE ON fallback
        BEGIN SELECT RAISE(ABORT, 'whose file this is cannot be changed'); END;
    CREATE TRIGGER fallback_kept   BEFORE DELETE ON fallback
        BEGIN SELECT RAISE(ABORT, 'whose file this is cannot be changed'); END;
    CREATE TRIGGER forwarded_stays BEFORE UPDATE ON forwarded
        BEGIN SELECT RAISE(ABORT, 'what was forwarded stays so'); END;
    CREATE TRIGGER forwarded_kept  BEFORE DELETE ON forwarded
        BEGIN SELECT RAISE(ABORT, 'what was forwarded stays so'); END;

    CREATE VIEW leased AS
        SELECT lease.lot AS lot, sum(lease.places
            - (SELECT count(*) FROM lease_use WHERE lease_use.lease = lease.id)) AS places
        FROM lease
        WHERE NOT EXISTS (SELECT 1 FROM lease_end WHERE lease_end.lease = lease.id)
        GROUP BY lease.lot;

    CREATE TRIGGER lease_of_free_places BEFORE INSERT ON lease
        WHEN NEW.places
            + coalesce((SELECT max(place) FROM lot_member WHERE lot = NEW.lot), 0)
            + coalesce((SELECT places FROM leased WHERE lot = NEW.lot), 0)
            > (SELECT quota FROM lot WHERE name = NEW.lot)
        OR EXISTS (SELECT 1 FROM lot_closed WHERE lot = NEW.lot)
        BEGIN SELECT RAISE(ABORT, 'the lot has not so many free places'); END;
    CREATE TRIGGER use_of_lease BEFORE INSERT ON lease_use
        WHEN EXISTS (SELECT 1 FROM lease_end WHERE lease = NEW.lease)
            OR (SELECT count(*) FROM lease_use WHERE lease = NEW.lease)
                >= (SELECT places FROM lease WHERE id = NEW.lease)
        BEGIN SELECT RAISE(ABORT, 'the lease has no place left'); END;

    DROP TRIGGER place_in_lot;
    -- A device that was made under a lease has its place, whatever became of the lot meanwhile.
    CREATE TRIGGER place_in_lot BEFORE INSERT ON lot_member
        WHEN NEW.place IS NOT NULL AND (
            NEW.place + coalesce((SELECT places FROM leased WHERE lot = NEW.lot), 0)
                > (SELECT quota FROM lot WHERE name = NEW.lot)
            OR NOT EXISTS (SELECT 1 FROM lease_use WHERE entry = NEW.entry) AND (
                EXISTS (SELECT 1 FROM lot_closed WHERE lot = NEW.lot)
                OR (SELECT not_after_s FROM lot WHERE name = NEW.lot)
                    < (SELECT issued_at_s FROM entry WHERE id = NEW.entry)))
        BEGIN SELECT RAISE(ABORT, 'the lot takes no more devices'); END;
";

/// Lets what version 4 knows of older rows be filled in, once.
pub(crate) const UNLOCK_FOR_VERSION_4: &str =
    "DROP TRIGGER entry_stays; DROP TRIGGER lot_member_stays;";

/// As in versions 1 and 3, word for word.
pub(crate) const LOCK_AGAIN: &str = "
    CREATE TRIGGER entry_stays  BEFORE UPDATE ON entry
        BEGIN SELECT RAISE(ABORT, 'a ledger entry cannot be changed'); END;
    CREATE TRIGGER lot_member_stays BEFORE UPDATE ON lot_member
        BEGIN SELECT RAISE(ABORT, 'the lot of a device cannot be changed'); END;
";
