-- The tables of a ledger in PostgreSQL, of the same version and with the same rules as those in
-- SQLite (schema.rs). A station needs to read and to add rows, and nothing else.

CREATE TABLE ledger_version (
    version BIGINT NOT NULL
);

CREATE TABLE chain (
    seq        BIGINT PRIMARY KEY CHECK (seq >= 1),
    table_name TEXT   NOT NULL,
    row_id     BIGINT NOT NULL,
    hash       BYTEA  NOT NULL CHECK (length(hash) = 32)
);

CREATE TABLE station (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_key BYTEA  NOT NULL UNIQUE CHECK (length(public_key) = 65),
    added_at_s BIGINT NOT NULL
);

CREATE TABLE head (
    seq       BIGINT PRIMARY KEY REFERENCES chain (seq),
    station   BIGINT NOT NULL REFERENCES station (id),
    at_s      BIGINT NOT NULL,
    signature BYTEA  NOT NULL
);

CREATE TABLE upper_chain (
    id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuers BYTEA NOT NULL,
    anchor  BYTEA NOT NULL
);
-- An index over whole certificates would be too long.
CREATE UNIQUE INDEX upper_chain_once ON upper_chain (sha256(issuers), sha256(anchor));

CREATE TABLE entry (
    id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device        TEXT   COLLATE "C" NOT NULL CHECK (length(device) BETWEEN 1 AND 64),
    public_key    BYTEA  NOT NULL CHECK (length(public_key) = 65),
    cert_serial   BYTEA  NOT NULL CHECK (length(cert_serial) BETWEEN 1 AND 20),
    leaf          BYTEA  NOT NULL,
    leaf_sha256   BYTEA  NOT NULL CHECK (length(leaf_sha256) = 32),
    upper_chain   BIGINT NOT NULL REFERENCES upper_chain (id),
    not_after_s   BIGINT NOT NULL,
    issued_at_s   BIGINT NOT NULL,
    generation    BIGINT NOT NULL CHECK (generation >= 1),
    issuer_key_id BYTEA  NOT NULL CHECK (length(issuer_key_id) <= 64)
);
CREATE UNIQUE INDEX one_certificate_per_device ON entry (device, generation);
CREATE UNIQUE INDEX one_device_per_key         ON entry (public_key);
CREATE UNIQUE INDEX one_certificate_per_serial ON entry (cert_serial);
CREATE INDEX entry_by_fingerprint ON entry (leaf_sha256);
CREATE INDEX entry_by_time        ON entry (issued_at_s);

CREATE TABLE lot (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         TEXT   COLLATE "C" NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 64),
    quota        BIGINT NOT NULL CHECK (quota >= 1),
    profile      TEXT   NOT NULL,
    not_after_s  BIGINT,
    created_at_s BIGINT NOT NULL
);

CREATE TABLE lot_closed (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lot         TEXT   COLLATE "C" NOT NULL UNIQUE REFERENCES lot (name),
    closed_at_s BIGINT NOT NULL
);

CREATE TABLE lot_member (
    id    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry BIGINT NOT NULL UNIQUE REFERENCES entry (id),
    lot   TEXT   COLLATE "C" NOT NULL CHECK (length(lot) BETWEEN 1 AND 64),
    place BIGINT CHECK (place >= 1)
);
CREATE UNIQUE INDEX place_once ON lot_member (lot, place);

CREATE TABLE proof (
    id              BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry           BIGINT NOT NULL REFERENCES entry (id),
    delivery_sha256 BYTEA  NOT NULL CHECK (length(delivery_sha256) = 32),
    proven_at_s     BIGINT NOT NULL
);
CREATE INDEX proofs_of_entry ON proof (entry);

CREATE TABLE certificate (
    id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_key_id BYTEA  NOT NULL CHECK (length(issuer_key_id) BETWEEN 1 AND 64),
    cert_serial   BYTEA  NOT NULL CHECK (length(cert_serial) BETWEEN 1 AND 20),
    name          TEXT   NOT NULL,
    profile       TEXT   NOT NULL,
    der           BYTEA  NOT NULL,
    sha256        BYTEA  NOT NULL CHECK (length(sha256) = 32),
    not_after_s   BIGINT NOT NULL,
    issued_at_s   BIGINT NOT NULL,
    CONSTRAINT certificate_once UNIQUE (issuer_key_id, cert_serial)
);
CREATE INDEX certificate_by_serial      ON certificate (cert_serial);
CREATE INDEX certificate_by_fingerprint ON certificate (sha256);

CREATE TABLE revocation (
    id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_key_id BYTEA  NOT NULL CHECK (length(issuer_key_id) BETWEEN 1 AND 64),
    cert_serial   BYTEA  NOT NULL CHECK (length(cert_serial) BETWEEN 1 AND 20),
    name          TEXT   NOT NULL,
    reason        BIGINT NOT NULL CHECK (reason BETWEEN 0 AND 10),
    revoked_at_s  BIGINT NOT NULL,
    not_after_s   BIGINT NOT NULL,
    CONSTRAINT revoked_once UNIQUE (issuer_key_id, cert_serial)
);

CREATE TABLE crl (
    id            BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    issuer_key_id BYTEA  NOT NULL CHECK (length(issuer_key_id) BETWEEN 1 AND 64),
    number        BIGINT NOT NULL CHECK (number > 0),
    this_update_s BIGINT NOT NULL,
    next_update_s BIGINT NOT NULL,
    revocations   BIGINT NOT NULL,
    CONSTRAINT number_once UNIQUE (issuer_key_id, number)
);

CREATE FUNCTION rows_stay() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what is on record in % cannot be changed or removed', TG_TABLE_NAME;
END $$;

DO $$
DECLARE
    recorded TEXT;
BEGIN
    FOREACH recorded IN ARRAY ARRAY['chain', 'station', 'head', 'upper_chain', 'entry', 'lot',
        'lot_closed', 'lot_member', 'proof', 'certificate', 'revocation', 'crl']
    LOOP
        EXECUTE format('CREATE TRIGGER stays BEFORE UPDATE OR DELETE OR TRUNCATE ON %I
            FOR EACH STATEMENT EXECUTE FUNCTION rows_stay()', recorded);
    END LOOP;
END $$;

CREATE FUNCTION place_in_lot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.place IS NULL THEN
        IF (SELECT generation FROM entry WHERE id = NEW.entry) = 1 THEN
            RAISE EXCEPTION 'a device in a lot needs a place';
        END IF;
    ELSIF NEW.place > (SELECT quota FROM lot WHERE name = NEW.lot)
        OR EXISTS (SELECT 1 FROM lot_closed WHERE lot = NEW.lot)
        OR (SELECT not_after_s FROM lot WHERE name = NEW.lot)
            < (SELECT issued_at_s FROM entry WHERE id = NEW.entry)
    THEN
        RAISE EXCEPTION 'the lot takes no more devices';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER place_in_lot BEFORE INSERT ON lot_member
    FOR EACH ROW EXECUTE FUNCTION place_in_lot();

CREATE FUNCTION one_after_the_other() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.generation > 1 AND NOT EXISTS (
        SELECT 1 FROM entry AS earlier
        JOIN revocation ON revocation.issuer_key_id = earlier.issuer_key_id
            AND revocation.cert_serial = earlier.cert_serial
        WHERE earlier.device = NEW.device AND earlier.generation = NEW.generation - 1)
    THEN
        RAISE EXCEPTION 'the certificate before is in force';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER one_after_the_other BEFORE INSERT ON entry
    FOR EACH ROW EXECUTE FUNCTION one_after_the_other();
