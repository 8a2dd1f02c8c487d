//! Whether what is recorded is what was recorded.

use core::fmt;
use std::collections::{BTreeMap, HashMap};

use provision_csr::PublicKey;
use thiserror::Error;

use crate::chain::{Kind, Link, TABLES, Table};
use crate::database::{Cell, Row, Value, damaged, from_sql_time, to_sql_time};
use crate::ledger::{StorageError, StorageFault};
use crate::migration::whole_row;
use crate::query;
use crate::session::{Reading, link_from_row};
use crate::sql_ledger::SqlLedger;
use crate::station_key::verifies;

/// The end of the chain, as a station signed it. Kept elsewhere, it shows later that nothing before
/// it was changed, and that the ledger was not put back to an earlier state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    /// How many links the chain had.
    pub links: u64,
    /// The digest of the last.
    pub hash: [u8; 32],
    /// When it was signed, in seconds since 1970-01-01 UTC.
    pub at_s: u64,
    /// Who signed it.
    pub station: PublicKey,
    /// ECDSA with SHA-256, DER, over what docs/ledger.md says.
    pub signature: Vec<u8>,
}

impl SignedHead {
    /// Whether the signature is that station's.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        let link = Link { seq: to_sql_time(self.links), hash: self.hash };
        verifies(&self.station, &link.signed_at(to_sql_time(self.at_s)), &self.signature)
    }
}

/// What is known from elsewhere about a ledger that is looked at.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// A head that was exported earlier.
    pub head: Option<SignedHead>,
    /// The stations that may have signed; any, if none is given.
    pub stations: Vec<PublicKey>,
}

/// A ledger in which nothing was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    /// How many links the chain has.
    pub links: u64,
    /// How many signatures there are.
    pub heads: u64,
    /// The last of them; none in a ledger in which nothing was recorded.
    pub head: Option<SignedHead>,
    /// Who signed.
    pub stations: Vec<StationRecord>,
}

/// A station that signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StationRecord {
    /// Its key.
    pub public_key: PublicKey,
    /// When it first did, in seconds since 1970-01-01 UTC.
    pub since_s: u64,
    /// How many signatures are its.
    pub heads: u64,
}

/// What was recorded, for people: a table, the number of the row in it, and whom it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// The table.
    pub table: String,
    /// Its row.
    pub row: i64,
    /// A device, a name, a lot; empty if nothing says.
    pub whom: String,
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.table, self.row)?;
        if self.whom.is_empty() { Ok(()) } else { write!(f, " ({})", self.whom) }
    }
}

/// Somebody else than this program wrote to the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Tampering {
    /// What is recorded is not what was linked, or the link itself was changed.
    #[error("link {seq}, of {about}, does not match: it, or the link, was changed or moved")]
    Changed {
        /// Number of the link.
        seq: u64,
        /// What it links.
        about: About,
    },
    /// What was linked is gone.
    #[error("{about}, of link {seq}, is gone")]
    Removed {
        /// Number of the link.
        seq: u64,
        /// What it linked.
        about: About,
    },
    /// A link is gone.
    #[error("link {seq} is gone")]
    LinkRemoved {
        /// Its number.
        seq: u64,
    },
    /// It was recorded past the chain.
    #[error("{about} has no link: this program did not record it")]
    Unlinked {
        /// What it is.
        about: About,
    },
    /// The end of the chain is not signed, though every end is.
    #[error("links {from} to {to} are not signed")]
    Unsigned {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// A signature is of an end that is not there any more.
    #[error("a station signed {signed} links, and {links} are there: the end was cut off")]
    CutOff {
        /// How many were signed.
        signed: u64,
        /// How many there are.
        links: u64,
    },
    /// A signature is not that of the station.
    #[error("the signature at link {seq} is not its station's")]
    Forged {
        /// The link.
        seq: u64,
    },
    /// A station is on record and did not sign that.
    #[error("station {row} is on record, and did not sign that")]
    UnsignedStation {
        /// Its row.
        row: i64,
    },
    /// A station signed that should not.
    #[error("station {row} signed, and is none of those expected")]
    ForeignStation {
        /// Its row.
        row: i64,
    },
    /// The exported head is not signed by whom it names.
    #[error("the exported head is not signed by the station that it names")]
    HeadForged,
    /// The ledger has fewer links than it had.
    #[error("the ledger had {expected} links and has {found}: it was put back to an earlier state")]
    RolledBack {
        /// How many the exported head has.
        expected: u64,
        /// How many there are.
        found: u64,
    },
    /// The ledger has another history than the exported head.
    #[error("link {seq} is another than in the exported head: this is not the same ledger")]
    OtherHistory {
        /// The link.
        seq: u64,
    },
}

/// A ledger is not believed.
#[derive(Debug, Error)]
pub enum AuditError {
    /// Somebody else wrote to it.
    #[error("the ledger was tampered with: {0}")]
    Tampered(#[from] Tampering),
    /// The storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl SqlLedger {
    /// The last signed end of the chain; none in a ledger in which nothing was recorded.
    ///
    /// # Errors
    ///
    /// [`StorageError`].
    pub fn signed_head(&mut self) -> Result<Option<SignedHead>, StorageError> {
        self.read(|session| session.first(query::LAST_HEAD, &[], head_from_row))
    }

    /// Looks at everything that is recorded, a page at a time: the chain is computed again from
    /// what is stored, and each signature is checked. The first thing that is wrong is returned.
    ///
    /// # Errors
    ///
    /// [`AuditError::Tampered`] names what is wrong.
    pub fn audit(&mut self, expected: &Expected) -> Result<Audit, AuditError> {
        self.read(|session| Auditor::new(session, expected)?.run(session))
    }
}

struct Auditor<'a> {
    expected: &'a Expected,
    stations: BTreeMap<i64, StationRecord>,
    last: Link,
    /// The last link that is signed.
    signed: i64,
    heads: u64,
    /// Of each table, the last row that is linked.
    last_row: HashMap<&'static str, i64>,
    /// Stations that were put on record and have to sign it.
    to_sign: Vec<i64>,
}

struct StoredLink {
    seq: i64,
    table: &'static Table,
    row: i64,
    hash: [u8; 32],
}

struct StoredHead {
    at: i64,
    signature: Vec<u8>,
    station: i64,
}

impl<'a> Auditor<'a> {
    fn new(session: &mut Reading<'_>, expected: &'a Expected) -> Result<Self, AuditError> {
        let stations = session.all(query::STATIONS, &[], |row| {
            let public_key =
                PublicKey::from_sec1_slice(&row.blob(1)?).map_err(|fault| damaged(&fault))?;
            Ok((row.int(0)?, StationRecord { public_key, since_s: row.natural(2)?, heads: 0 }))
        })?;
        Ok(Self {
            expected,
            stations: stations.into_iter().collect(),
            last: Link::START,
            signed: 0,
            heads: 0,
            last_row: HashMap::new(),
            to_sign: Vec::new(),
        })
    }

    fn run(mut self, session: &mut Reading<'_>) -> Result<Audit, AuditError> {
        if let Some(head) = &self.expected.head
            && !head.is_signed()
        {
            return Err(Tampering::HeadForged.into());
        }
        loop {
            let page =
                session.all(query::LINKS, &[self.last.seq.into(), PAGE.into()], stored_link)?;
            let (Some(first), Some(last)) = (page.first(), page.last()) else { break };
            let bounds = [first.seq.into(), last.seq.into()];
            let mut heads: HashMap<i64, StoredHead> =
                session.all(query::HEADS, &bounds, stored_head)?.into_iter().collect();
            let mut rows = self.rows_of(session, &page)?;
            for link in &page {
                self.check_link(link, &mut rows)?;
                if let Some(head) = heads.remove(&link.seq) {
                    self.check_head(&head)?;
                }
            }
            if let Some(((table, row), cells)) = rows.pop_first() {
                return Err(Tampering::Unlinked { about: about(table, row, Some(&cells)) }.into());
            }
        }
        self.check_end(session)?;
        let head = session.first(query::LAST_HEAD, &[], head_from_row)?;
        Ok(Audit {
            links: from_sql_time(self.last.seq),
            heads: self.heads,
            head,
            stations: self.stations.into_values().collect(),
        })
    }

    /// The rows that these links are of, and those between them: there should be none.
    fn rows_of(
        &mut self,
        session: &mut Reading<'_>,
        page: &[StoredLink],
    ) -> Result<BTreeMap<(&'static str, i64), Vec<Cell>>, AuditError> {
        let mut until: HashMap<&'static str, i64> = HashMap::new();
        for link in page {
            let last = until.entry(link.table.name).or_insert(link.row);
            *last = (*last).max(link.row);
        }
        let mut rows = BTreeMap::new();
        for table in TABLES.iter() {
            let Some(until) = until.get(table.name) else { continue };
            let last = self.last_row.entry(table.name).or_insert(0);
            let bounds = [Value::Int(*last + 1), Value::Int(*until)];
            session.each(&table.select, &bounds, &mut |row| {
                let (id, cells) = whole_row(row)?;
                rows.insert((table.name, id), cells);
                Ok(())
            })?;
            *last = (*last).max(*until);
        }
        Ok(rows)
    }

    fn check_link(
        &mut self,
        link: &StoredLink,
        rows: &mut BTreeMap<(&'static str, i64), Vec<Cell>>,
    ) -> Result<(), AuditError> {
        let expected_seq = self.last.seq + 1;
        if link.seq != expected_seq {
            return Err(Tampering::LinkRemoved { seq: from_sql_time(expected_seq) }.into());
        }
        let seq = from_sql_time(link.seq);
        let Some(cells) = rows.remove(&(link.table.name, link.row)) else {
            return Err(
                Tampering::Removed { seq, about: about(link.table.name, link.row, None) }.into()
            );
        };
        let computed = self.last.next(link.table, link.row, cells.iter().map(Cell::as_value));
        if computed.hash != link.hash {
            let about = about(link.table.name, link.row, Some(&cells));
            return Err(Tampering::Changed { seq, about }.into());
        }
        self.last = computed;
        if link.table.name == Kind::Station.table().name {
            self.to_sign.push(link.row);
        }
        match &self.expected.head {
            Some(head) if head.links == seq && head.hash != link.hash => {
                Err(Tampering::OtherHistory { seq }.into())
            }
            _ => Ok(()),
        }
    }

    fn check_head(&mut self, head: &StoredHead) -> Result<(), AuditError> {
        let seq = from_sql_time(self.last.seq);
        let Some(station) = self.stations.get_mut(&head.station) else {
            return Err(Tampering::Forged { seq }.into());
        };
        if !verifies(&station.public_key, &self.last.signed_at(head.at), &head.signature) {
            return Err(Tampering::Forged { seq }.into());
        }
        let expected = &self.expected.stations;
        if !expected.is_empty() && !expected.contains(&station.public_key) {
            return Err(Tampering::ForeignStation { row: head.station }.into());
        }
        station.heads += 1;
        self.heads += 1;
        self.signed = self.last.seq;
        // A station is put on record by what it signs first.
        match self.to_sign.iter().find(|row| **row != head.station) {
            Some(row) => Err(Tampering::UnsignedStation { row: *row }.into()),
            None => {
                self.to_sign.clear();
                Ok(())
            }
        }
    }

    fn check_end(&mut self, session: &mut Reading<'_>) -> Result<(), AuditError> {
        for table in TABLES.iter() {
            let linked = self.last_row.get(table.name).copied().unwrap_or(0);
            let last = session.first(&table.last, &[], |row| row.int(0))?.unwrap_or(0);
            if last > linked {
                let bounds = [Value::Int(last), Value::Int(last)];
                let row = session.first(&table.select, &bounds, whole_row)?;
                let cells = row.map(|(_, cells)| cells);
                return Err(
                    Tampering::Unlinked { about: about(table.name, last, cells.as_ref()) }.into()
                );
            }
        }
        let links = from_sql_time(self.last.seq);
        let last_head = session.first(query::COUNT_HEADS, &[], |row| {
            Ok((row.natural(0)?, row.optional(1, Row::natural)?.unwrap_or(0)))
        })?;
        let (heads, last_head) = last_head.unwrap_or((0, 0));
        if last_head > links {
            return Err(Tampering::CutOff { signed: last_head, links }.into());
        }
        if let Some(head) = &self.expected.head
            && head.links > links
        {
            return Err(Tampering::RolledBack { expected: head.links, found: links }.into());
        }
        if self.signed < self.last.seq {
            let from = from_sql_time(self.signed + 1);
            return Err(Tampering::Unsigned { from, to: links }.into());
        }
        if heads != self.heads {
            return Err(Tampering::Forged { seq: 0 }.into());
        }
        Ok(())
    }
}

fn stored_link(row: &mut Row) -> Result<StoredLink, StorageFault> {
    let name = row.text(1)?;
    let table = Table::named(&name).ok_or_else(|| damaged(&format!("a link of table {name}")))?;
    Ok(StoredLink { seq: row.int(0)?, table, row: row.int(2)?, hash: row.digest(3)? })
}

fn stored_head(row: &mut Row) -> Result<(i64, StoredHead), StorageFault> {
    let head = StoredHead { at: row.int(1)?, signature: row.blob(2)?, station: row.int(3)? };
    Ok((row.int(0)?, head))
}

pub(crate) fn head_from_row(row: &mut Row) -> Result<SignedHead, StorageFault> {
    let Link { seq, hash } = link_from_row(row)?;
    Ok(SignedHead {
        links: from_sql_time(seq),
        hash,
        at_s: row.natural(2)?,
        signature: row.blob(3)?,
        station: PublicKey::from_sec1_slice(&row.blob(4)?).map_err(|fault| damaged(&fault))?,
    })
}

/// The first column that is text says whom it is about.
fn about(table: &str, row: i64, cells: Option<&Vec<Cell>>) -> About {
    let whom = cells.into_iter().flatten().find_map(|cell| match cell {
        Cell::Text(text) => Some(text.clone()),
        _ => None,
    });
    About { table: table.to_owned(), row, whom: whom.unwrap_or_default() }
}

const PAGE: i64 = 1000;
