-- What version 5 adds to the tables of a ledger in PostgreSQL; schema.rs says what for.

CREATE TABLE lease (
    id           BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    holder       BYTEA  NOT NULL CHECK (length(holder) = 16),
    number       BIGINT NOT NULL CHECK (number >= 1),
    lot          TEXT   COLLATE "C" NOT NULL CHECK (length(lot) BETWEEN 1 AND 64),
    profile      TEXT   NOT NULL,
    places       BIGINT NOT NULL CHECK (places >= 1),
    granted_at_s BIGINT NOT NULL,
    expires_at_s BIGINT NOT NULL,
    CONSTRAINT lease_once UNIQUE (holder, number)
);
CREATE INDEX leases_of_lot ON lease (lot);

CREATE TABLE lease_end (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    lease      BIGINT NOT NULL UNIQUE REFERENCES lease (id),
    ended_at_s BIGINT NOT NULL
);

CREATE TABLE lease_use (
    id    BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry BIGINT NOT NULL UNIQUE REFERENCES entry (id),
    lease BIGINT NOT NULL REFERENCES lease (id)
);
CREATE INDEX uses_of_lease ON lease_use (lease);

CREATE TABLE conflict (
    id          BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device      TEXT   COLLATE "C" NOT NULL,
    public_key  BYTEA  NOT NULL CHECK (length(public_key) = 65),
    cert_serial BYTEA  NOT NULL CHECK (length(cert_serial) BETWEEN 1 AND 20),
    leaf        BYTEA  NOT NULL,
    leaf_sha256 BYTEA  NOT NULL UNIQUE CHECK (length(leaf_sha256) = 32),
    cause       TEXT   NOT NULL,
    other       TEXT   COLLATE "C" NOT NULL,
    issued_at_s BIGINT NOT NULL,
    found_at_s  BIGINT NOT NULL
);

CREATE TABLE fallback (
    id        BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY CHECK (id = 1),
    holder    BYTEA  NOT NULL CHECK (length(holder) = 16),
    server    TEXT   NOT NULL,
    made_at_s BIGINT NOT NULL
);

CREATE TABLE forwarded (
    id         BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    table_name TEXT   NOT NULL,
    row_id     BIGINT NOT NULL,
    outcome    BIGINT NOT NULL,
    at_s       BIGINT NOT NULL,
    CONSTRAINT forwarded_once UNIQUE (table_name, row_id)
);

DO $$
DECLARE
    recorded TEXT;
BEGIN
    FOREACH recorded IN ARRAY ARRAY['lease', 'lease_end', 'lease_use', 'conflict', 'fallback',
        'forwarded']
    LOOP
        EXECUTE format('CREATE TRIGGER stays BEFORE UPDATE OR DELETE OR TRUNCATE ON %I
            FOR EACH STATEMENT EXECUTE FUNCTION rows_stay()', recorded);
    END LOOP;
END $$;

CREATE VIEW leased AS
    SELECT lease.lot AS lot, CAST(sum(lease.places
        - (SELECT count(*) FROM lease_use WHERE lease_use.lease = lease.id)) AS BIGINT) AS places
    FROM lease
    WHERE NOT EXISTS (SELECT 1 FROM lease_end WHERE lease_end.lease = lease.id)
    GROUP BY lease.lot;

CREATE FUNCTION lease_of_free_places() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.places
        + coalesce((SELECT max(place) FROM lot_member WHERE lot = NEW.lot), 0)
        + coalesce((SELECT places FROM leased WHERE lot = NEW.lot), 0)
        > (SELECT quota FROM lot WHERE name = NEW.lot)
        OR EXISTS (SELECT 1 FROM lot_closed WHERE lot = NEW.lot)
    THEN
        RAISE EXCEPTION 'the lot has not so many free places';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER lease_of_free_places BEFORE INSERT ON lease
    FOR EACH ROW EXECUTE FUNCTION lease_of_free_places();

CREATE FUNCTION use_of_lease() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM lease_end WHERE lease = NEW.lease)
        OR (SELECT count(*) FROM lease_use WHERE lease = NEW.lease)
            >= (SELECT places FROM lease WHERE id = NEW.lease)
    THEN
        RAISE EXCEPTION 'the lease has no place left';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER use_of_lease BEFORE INSERT ON lease_use
    FOR EACH ROW EXECUTE FUNCTION use_of_lease();

CREATE OR REPLACE FUNCTION place_in_lot() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.place IS NULL THEN
        IF (SELECT generation FROM entry WHERE id = NEW.entry) = 1 THEN
            RAISE EXCEPTION 'a device in a lot needs a place';
        END IF;
    ELSIF NEW.place + coalesce((SELECT places FROM leased WHERE lot = NEW.lot), 0)
            > (SELECT quota FROM lot WHERE name = NEW.lot)
        OR NOT EXISTS (SELECT 1 FROM lease_use WHERE entry = NEW.entry) AND (
            EXISTS (SELECT 1 FROM lot_closed WHERE lot = NEW.lot)
            OR (SELECT not_after_s FROM lot WHERE name = NEW.lot)
                < (SELECT issued_at_s FROM entry WHERE id = NEW.entry))
    THEN
        RAISE EXCEPTION 'the lot takes no more devices';
    END IF;
    RETURN NEW;
END $$;
