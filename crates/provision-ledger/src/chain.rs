//! The chain of hashes over everything that is recorded, and what is signed of it.
//!
//! Each row that is added to a table of [`TABLES`] gets a link: its number, the table, the row's id,
//! and a digest over all of that, the row's contents and the link before. docs/ledger.md has the
//! bytes, so that anybody can compute them again.

use std::sync::LazyLock;

use sha2::{Digest as _, Sha256};

use crate::database::Value;

/// A table whose rows are linked.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// All but `id`, in the order in which they are hashed. Never changed: old links say so.
    pub(crate) columns: &'static [&'static str],
    /// Adds a row and returns its id.
    pub(crate) insert: String,
    /// Rows from one id to another.
    pub(crate) select: String,
    /// The largest id.
    pub(crate) last: String,
}

macro_rules! tables {
    ($($which:ident = $name:literal ($($column:literal),*);)*) => {
        /// Index into [`TABLES`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Kind { $($which),* }

        pub(crate) static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| vec![
            $(Table::new($name, &[$($column),*])),*
        ]);
    };
}

tables! {
    Station = "station" ("public_key", "added_at_s");
    UpperChain = "upper_chain" ("issuers", "anchor");
    Entry = "entry" ("device", "public_key", "cert_serial", "leaf", "leaf_sha256", "upper_chain",
        "not_after_s", "issued_at_s", "generation", "issuer_key_id");
    Lot = "lot" ("name", "quota", "profile", "not_after_s", "created_at_s");
    LotClosed = "lot_closed" ("lot", "closed_at_s");
    LotMember = "lot_member" ("entry", "lot", "place");
    Proof = "proof" ("entry", "delivery_sha256", "proven_at_s");
    Certificate = "certificate" ("issuer_key_id", "cert_serial", "name", "profile", "der", "sha256",
        "not_after_s", "issued_at_s");
    Revocation = "revocation" ("issuer_key_id", "cert_serial", "name", "reason", "revoked_at_s",
        "not_after_s");
    Crl = "crl" ("issuer_key_id", "number", "this_update_s", "next_update_s", "revocations");
    Lease = "lease" ("holder", "number", "lot", "profile", "places", "granted_at_s", "expires_at_s");
    LeaseEnd = "lease_end" ("lease", "ended_at_s");
    LeaseUse = "lease_use" ("entry", "lease");
    Conflict = "conflict" ("device", "public_key", "cert_serial", "leaf", "leaf_sha256", "cause",
        "other", "issued_at_s", "found_at_s");
    Fallback = "fallback" ("holder", "server", "made_at_s");
    Forwarded = "forwarded" ("table_name", "row_id", "outcome", "at_s");
}

impl Kind {
    pub(crate) fn table(self) -> &'static Table {
        &TABLES[self as usize]
    }
}

impl Table {
    fn new(name: &'static str, columns: &'static [&'static str]) -> Self {
        let list = columns.join(", ");
        let places: Vec<String> = (1..=columns.len()).map(|at| format!("?{at}")).collect();
        Self {
            name,
            columns,
            insert: format!(
                "INSERT INTO {name} ({list}) VALUES ({}) RETURNING id",
                places.join(", ")
            ),
            select: format!("SELECT id, {list} FROM {name} WHERE id BETWEEN ?1 AND ?2 ORDER BY id"),
            last: format!("SELECT coalesce(max(id), 0) FROM {name}"),
        }
    }

    /// The table of that name.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        TABLES.iter().find(|table| table.name == name)
    }
}

/// How far a chain reaches: its last link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) seq: i64,
    pub(crate) hash: [u8; 32],
}

impl Link {
    /// What the first link hangs from.
    pub(crate) const START: Self = Self { seq: 0, hash: [0; 32] };

    /// The link after this one.
    pub(crate) fn next<'a>(
        &self,
        table: &Table,
        id: i64,
        values: impl Iterator<Item = Value<'a>>,
    ) -> Self {
        let seq = self.seq + 1;
        let mut hash = Sha256::new();
        hash.update(LINK_LABEL);
        hash.update(self.hash);
        hash.update(seq.to_be_bytes());
        put(&mut hash, Value::Text(table.name));
        hash.update(id.to_be_bytes());
        hash.update((table.columns.len() as u64).to_be_bytes());
        for value in values {
            put(&mut hash, value);
        }
        Self { seq, hash: hash.finalize().into() }
    }

    /// What a station signs.
    pub(crate) fn signed_at(&self, at_s: i64) -> Vec<u8> {
        let mut message = HEAD_LABEL.to_vec();
        message.extend(self.seq.to_be_bytes());
        message.extend(self.hash);
        message.extend(at_s.to_be_bytes());
        message
    }
}

/// A letter for the kind; numbers are eight bytes, big-endian; text and bytes have their length
/// before them. So no two rows have the same bytes.
fn put(hash: &mut Sha256, value: Value<'_>) {
    let mut long = |letter: &[u8], bytes: &[u8]| {
        hash.update(letter);
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    match value {
        Value::Null => hash.update(b"n"),
        Value::Int(number) => {
            hash.update(b"i");
            hash.update(number.to_be_bytes());
        }
        Value::Text(text) => long(b"t", text.as_bytes()),
        Value::Blob(bytes) => long(b"b", bytes),
    }
}

const LINK_LABEL: &[u8] = b"provision ledger link v1\0";
const HEAD_LABEL: &[u8] = b"provision ledger head v1\0";

#[cfg(test)]
mod tests {
    use super::*;

    /// Links on record have these bytes for ever.
    #[test]
    fn the_bytes_of_a_link_are_fixed() {
        let table = Kind::LotClosed.table();
        let link = Link::START.next(table, 7, [Value::Text("W47"), Value::Int(9)].into_iter());
        let by_hand = [
            &b"provision ledger link v1\0"[..],
            &[0; 32],
            &[0, 0, 0, 0, 0, 0, 0, 1],
            b"t",
            &[0, 0, 0, 0, 0, 0, 0, 10],
            b"lot_closed",
            &[0, 0, 0, 0, 0, 0, 0, 7],
            &[0, 0, 0, 0, 0, 0, 0, 2],
            b"t",
            &[0, 0, 0, 0, 0, 0, 0, 3],
            b"W47",
            b"i",
            &[0, 0, 0, 0, 0, 0, 0, 9],
        ]
        .concat();
        assert_eq!(link.seq, 1);
        assert_eq!(link.hash, <[u8; 32]>::from(Sha256::digest(by_hand)));
        let head = [&b"provision ledger head v1\0"[..], &1_i64.to_be_bytes(), &link.hash, &[0; 8]];
        assert_eq!(link.signed_at(0), head.concat());
    }

    #[test]
    fn another_kind_of_value_is_another_link() {
        let table = Kind::LotClosed.table();
        let of = |value| Link::START.next(table, 1, [value, Value::Int(0)].into_iter()).hash;
        let all = [of(Value::Null), of(Value::Text("")), of(Value::Blob(b"")), of(Value::Int(0))];
        for (at, one) in all.iter().enumerate() {
            assert!(!all[at + 1..].contains(one));
        }
    }
}
