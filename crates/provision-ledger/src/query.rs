//! What is asked of a ledger's tables, in words that every database here knows.

pub(crate) const LAST_LINK: &str = "SELECT seq, hash FROM chain ORDER BY seq DESC LIMIT 1";

pub(crate) const ADD_LINK: &str =
    "INSERT INTO chain (seq, table_name, row_id, hash) VALUES (?1, ?2, ?3, ?4)";

/// Links after a number, so many.
pub(crate) const LINKS: &str = "
    SELECT seq, table_name, row_id, hash FROM chain WHERE seq > ?1 ORDER BY seq LIMIT ?2";

/// The last, even where what it is of is gone: not the one before it.
pub(crate) const LAST_HEAD: &str = "
    SELECT head.seq, chain.hash, head.at_s, head.signature, station.public_key
    FROM head LEFT JOIN chain ON chain.seq = head.seq
              LEFT JOIN station ON station.id = head.station
    ORDER BY head.seq DESC LIMIT 1";

/// Heads of some links, and who signed them.
pub(crate) const HEADS: &str = "
    SELECT head.seq, head.at_s, head.signature, head.station FROM head
    WHERE head.seq BETWEEN ?1 AND ?2 ORDER BY head.seq";

pub(crate) const COUNT_HEADS: &str = "SELECT count(*), max(seq) FROM head";

pub(crate) const STATION: &str = "SELECT id FROM station WHERE public_key = ?1";

pub(crate) const STATIONS: &str = "SELECT id, public_key, added_at_s FROM station ORDER BY id";

pub(crate) const ADD_HEAD: &str =
    "INSERT INTO head (seq, station, at_s, signature) VALUES (?1, ?2, ?3, ?4)";

pub(crate) const LEAVES_OF_LOT: &str = "
    SELECT entry.leaf, entry.device FROM lot_member JOIN entry ON entry.id = lot_member.entry
    WHERE lot_member.lot = ?1 ORDER BY entry.id";

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

/// The one it has, not those before.
pub(crate) const LEAF_OF_DEVICE: &str = "
    SELECT leaf, device FROM entry WHERE device = ?1 ORDER BY generation DESC LIMIT 1";

pub(crate) const REVOCATION: &str = "
    SELECT issuer_key_id, cert_serial, name, reason, revoked_at_s, not_after_s FROM revocation
    WHERE issuer_key_id = ?1 AND cert_serial = ?2";

/// Of the certificate in a row of `entry`.
pub(crate) const REVOCATION_OF_ENTRY: &str = "
    SELECT revocation.issuer_key_id, revocation.cert_serial, revocation.name, revocation.reason,
           revocation.revoked_at_s, revocation.not_after_s
    FROM entry JOIN revocation ON revocation.issuer_key_id = entry.issuer_key_id
                              AND revocation.cert_serial = entry.cert_serial
    WHERE entry.id = ?1";

/// All of a CA. What looks needless keeps the database from the index: it would sort a million rows
/// instead of reading them in order.
pub(crate) const REVOCATIONS: &str = "
    SELECT issuer_key_id, cert_serial, name, reason, revoked_at_s, not_after_s FROM revocation
    WHERE coalesce(issuer_key_id, ?1) = ?1 ORDER BY id";

pub(crate) const COUNT_REVOCATIONS: &str =
    "SELECT count(*) FROM revocation WHERE issuer_key_id = ?1";

pub(crate) const LATEST_CRL: &str = "
    SELECT number, this_update_s, next_update_s, revocations FROM crl
    WHERE issuer_key_id = ?1 ORDER BY number DESC LIMIT 1";

/// What is read of an entry, in the order in which `row.rs` takes it: with its first and its latest
/// proof.
macro_rules! entry_columns {
    () => {
        "entry.id, entry.device, entry.public_key, entry.cert_serial,
         entry.leaf_sha256, entry.not_after_s, entry.issued_at_s,
         (SELECT proven_at_s FROM proof
          WHERE proof.entry = entry.id ORDER BY proof.id LIMIT 1),
         (SELECT delivery_sha256 FROM proof
          WHERE proof.entry = entry.id ORDER BY proof.id DESC LIMIT 1),
         entry.generation"
    };
}
pub(crate) use entry_columns;

macro_rules! concat_entry {
    ($which:literal) => {
        concat!("SELECT ", entry_columns!(), " FROM entry ", $which)
    };
}

/// The one it has, not those before.
pub(crate) const ENTRY_BY_DEVICE: &str =
    concat_entry!("WHERE entry.device = ?1 ORDER BY entry.generation DESC LIMIT 1");
pub(crate) const ENTRY_BY_KEY: &str = concat_entry!("WHERE entry.public_key = ?1");
pub(crate) const ENTRY_BY_SHA256: &str = concat_entry!("WHERE entry.leaf_sha256 = ?1");
pub(crate) const ENTRY_BY_SERIAL: &str = concat_entry!("WHERE entry.cert_serial = ?1");
pub(crate) const ENTRIES: &str = concat_entry!("ORDER BY entry.id");

/// Leaf, issuers and anchor of an entry.
pub(crate) const CHAIN: &str = "
    SELECT entry.leaf, upper_chain.issuers, upper_chain.anchor
    FROM entry JOIN upper_chain ON upper_chain.id = entry.upper_chain
    WHERE entry.id = ?1";

pub(crate) const FIND_UPPER_CHAIN: &str =
    "SELECT id FROM upper_chain WHERE issuers = ?1 AND anchor = ?2";

pub(crate) const LATEST_PROOF: &str = "
    SELECT delivery_sha256, proven_at_s FROM proof WHERE entry = ?1 ORDER BY id DESC LIMIT 1";

/// Terms of a lot, how many places are taken, and when it was closed.
macro_rules! concat_lot {
    ($which:literal) => {
        concat!(
            "SELECT lot.name, lot.quota, lot.profile, lot.not_after_s, lot.created_at_s,
                    coalesce((SELECT max(place) FROM lot_member WHERE lot_member.lot = lot.name), 0),
                    (SELECT closed_at_s FROM lot_closed WHERE lot_closed.lot = lot.name),
                    coalesce((SELECT leased.places FROM leased WHERE leased.lot = lot.name), 0)
             FROM lot ",
            $which
        )
    };
}

pub(crate) const LOT: &str = concat_lot!("WHERE lot.name = ?1");
pub(crate) const LOTS: &str = concat_lot!("ORDER BY lot.id");
pub(crate) const ANY_LOT: &str = "SELECT id FROM lot LIMIT 1";

pub(crate) const LAST_PLACE: &str = "SELECT coalesce(max(place), 0) FROM lot_member WHERE lot = ?1";

/// The lot in which a certificate was made.
pub(crate) const LOT_OF_ENTRY: &str = "SELECT lot FROM lot_member WHERE entry = ?1";

/// Lots that are names alone.
pub(crate) const LOTS_WITHOUT_TERMS: &str = "
    SELECT lot, max(place) FROM lot_member
    WHERE NOT EXISTS (SELECT 1 FROM lot WHERE lot.name = lot_member.lot)
    GROUP BY lot ORDER BY lot";

/// Devices that have proven what they store, with the certificate they have now.
pub(crate) const COUNT_ENROLLED_OF_LOT: &str = "
    SELECT count(*) FROM lot_member JOIN entry ON entry.id = lot_member.entry
    WHERE lot_member.lot = ?1
        AND EXISTS (SELECT 1 FROM proof WHERE proof.entry = entry.id)
        AND NOT EXISTS (SELECT 1 FROM entry AS later
                        WHERE later.device = entry.device AND later.generation > entry.generation)";

/// A lease as `leases.rs` reads it.
macro_rules! concat_lease {
    ($which:literal) => {
        concat!(
            "SELECT lease.id, lease.holder, lease.number, lease.lot, lease.profile, lease.places,
                    (SELECT count(*) FROM lease_use WHERE lease_use.lease = lease.id),
                    lease.granted_at_s, lease.expires_at_s,
                    (SELECT ended_at_s FROM lease_end WHERE lease_end.lease = lease.id)
             FROM lease ",
            $which
        )
    };
}

pub(crate) const LEASES: &str = concat_lease!("ORDER BY lease.id");
pub(crate) const LEASE: &str = concat_lease!("WHERE lease.id = ?1");
pub(crate) const LEASE_BY_NUMBER: &str =
    concat_lease!("WHERE lease.holder = ?1 AND lease.number = ?2");
pub(crate) const OPEN_LEASES_OF_HOLDER: &str = concat_lease!(
    "WHERE lease.holder = ?1
        AND NOT EXISTS (SELECT 1 FROM lease_end WHERE lease_end.lease = lease.id)
     ORDER BY lease.id"
);
pub(crate) const LAST_LEASE_OF_HOLDER: &str =
    "SELECT coalesce(max(number), 0) FROM lease WHERE holder = ?1";

pub(crate) const FALLBACK: &str = "SELECT holder FROM fallback";

/// The place of a lease that a certificate has.
pub(crate) const LEASE_USE: &str = "SELECT id FROM lease_use WHERE entry = ?1";

/// What the server said to a row of this file, if it knows it.
pub(crate) const OUTCOME: &str =
    "SELECT outcome FROM forwarded WHERE table_name = ?1 AND row_id = ?2";

pub(crate) const ENTRIES_TO_FORWARD: &str = "
    SELECT entry.leaf, upper_chain.issuers, upper_chain.anchor, entry.id, entry.issued_at_s,
        (SELECT lot FROM lot_member WHERE lot_member.entry = entry.id),
        (SELECT lease.number FROM lease_use JOIN lease ON lease.id = lease_use.lease
         WHERE lease_use.entry = entry.id)
    FROM entry JOIN upper_chain ON upper_chain.id = entry.upper_chain
    WHERE NOT EXISTS (SELECT 1 FROM forwarded
                      WHERE forwarded.table_name = 'entry' AND forwarded.row_id = entry.id)
    ORDER BY entry.id";

pub(crate) const PROOFS_TO_FORWARD: &str = "
    SELECT proof.id, entry.leaf_sha256, proof.delivery_sha256, proof.proven_at_s
    FROM proof JOIN entry ON entry.id = proof.entry
    WHERE NOT EXISTS (SELECT 1 FROM forwarded
                      WHERE forwarded.table_name = 'proof' AND forwarded.row_id = proof.id)
    ORDER BY proof.id";

pub(crate) const COUNT_WAITING: &str = "
    SELECT count(DISTINCT entry.device) FROM entry
    WHERE (EXISTS (SELECT 1 FROM lease_use WHERE lease_use.entry = entry.id)
           AND NOT EXISTS (SELECT 1 FROM forwarded WHERE forwarded.table_name = 'entry'
                                                     AND forwarded.row_id = entry.id))
        OR EXISTS (SELECT 1 FROM proof WHERE proof.entry = entry.id
                   AND NOT EXISTS (SELECT 1 FROM forwarded WHERE forwarded.table_name = 'proof'
                                                             AND forwarded.row_id = proof.id))";

pub(crate) const PROOF: &str =
    "SELECT id FROM proof WHERE entry = ?1 AND delivery_sha256 = ?2 ORDER BY id LIMIT 1";

pub(crate) const LAST_PROOF_ID: &str = "SELECT max(id) FROM proof WHERE entry = ?1";

macro_rules! concat_conflict {
    ($which:literal) => {
        concat!(
            "SELECT device, public_key, cert_serial, leaf, leaf_sha256, cause, other, issued_at_s,
                    found_at_s
             FROM conflict ",
            $which
        )
    };
}

pub(crate) const CONFLICTS: &str = concat_conflict!("ORDER BY id");
pub(crate) const CONFLICT_BY_SHA256: &str = concat_conflict!("WHERE leaf_sha256 = ?1");
