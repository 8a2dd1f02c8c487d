//! One transaction, whatever the database.

use crate::audit::{SignedHead, Tampering, head_from_row};
use crate::chain::{Kind, Link};
use crate::database::{Access, Database, Row, Value, from_sql_time, to_sql_time};
use crate::ledger::{StorageError, StorageFault};
use crate::query;
use crate::station_key::StationKey;

/// Reads within one transaction.
pub(crate) struct Reading<'a> {
    database: &'a mut dyn Database,
    place: &'a str,
}

impl<'a> Reading<'a> {
    /// Does `work` within a transaction of its own, on one snapshot.
    pub(crate) fn within<T, E: From<StorageError>>(
        database: &mut dyn Database,
        place: &str,
        work: impl FnOnce(&mut Reading<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut session = Reading { database, place };
        let begun = session.database.begin(Access::Read);
        begun.map_err(|fault| session.failed(fault))?;
        let done = work(&mut session);
        session.database.rollback();
        done
    }

    pub(crate) fn failed(&self, fault: StorageFault) -> StorageError {
        StorageError { place: self.place.to_owned(), fault }
    }

    /// Hands over every row.
    pub(crate) fn each(
        &mut self,
        statement: &'static str,
        values: &[Value<'_>],
        each: &mut dyn FnMut(&mut Row) -> Result<(), StorageFault>,
    ) -> Result<u64, StorageError> {
        self.database.run(statement, values, each).map_err(|fault| self.failed(fault))
    }

    /// Every row as a value.
    pub(crate) fn all<T>(
        &mut self,
        statement: &'static str,
        values: &[Value<'_>],
        from_row: impl Fn(&mut Row) -> Result<T, StorageFault>,
    ) -> Result<Vec<T>, StorageError> {
        let mut all = Vec::new();
        self.each(statement, values, &mut |row| {
            all.push(from_row(row)?);
            Ok(())
        })?;
        Ok(all)
    }

    /// The last row as a value, if there is one; statements that are asked so have one at most.
    pub(crate) fn first<T>(
        &mut self,
        statement: &'static str,
        values: &[Value<'_>],
        from_row: impl Fn(&mut Row) -> Result<T, StorageFault>,
    ) -> Result<Option<T>, StorageError> {
        let mut found = None;
        self.each(statement, values, &mut |row| {
            found = Some(from_row(row)?);
            Ok(())
        })?;
        Ok(found)
    }
}

/// Who writes, and when.
pub(crate) struct Writer<'a> {
    pub(crate) station: &'a StationKey,
    pub(crate) at_s: u64,
    pub(crate) ignore_clock: bool,
    /// The head that this connection signed, or believed, last: it need not be verified again.
    pub(crate) known: &'a mut Option<SignedHead>,
}

/// Writes within one transaction: alone, and each row with its link.
pub(crate) struct Writing<'a> {
    reading: Reading<'a>,
    writer: Writer<'a>,
    /// Where the ledger ended before, once that was looked at.
    before: Option<End>,
    /// Once something was added.
    last: Option<Link>,
    /// Tables were made.
    remade: bool,
}

/// A signed end of the chain: its last link, and when it was signed.
#[derive(Clone, Copy)]
struct End {
    link: Link,
    at_s: u64,
}

impl<'a> core::ops::Deref for Writing<'a> {
    type Target = Reading<'a>;

    fn deref(&self) -> &Self::Target {
        &self.reading
    }
}

impl core::ops::DerefMut for Writing<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.reading
    }
}

impl Writing<'_> {
    /// Does `work` within a transaction of its own: all of it is durable, with the head signed, or
    /// nothing was done.
    pub(crate) fn within<T, E: From<StorageError>>(
        database: &mut dyn Database,
        place: &str,
        writer: Writer<'_>,
        work: impl FnOnce(&mut Writing<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let reading = Reading { database, place };
        let mut session = Writing { reading, writer, before: None, last: None, remade: false };
        let begun = session.reading.database.begin(Access::Write);
        begun.map_err(|fault| session.failed(fault))?;
        let done = work(&mut session).and_then(|value| Ok((value, session.sign()?)));
        let (value, head) = match done {
            Ok(done) => done,
            Err(error) => {
                session.reading.database.rollback();
                return Err(error);
            }
        };
        if session.last.is_none() && !session.remade {
            session.reading.database.rollback();
            return Ok(value);
        }
        match session.reading.database.commit() {
            Ok(()) => {
                if head.is_some() {
                    *session.writer.known = head;
                }
                Ok(value)
            }
            Err(fault) => {
                session.reading.database.rollback();
                Err(session.failed(fault).into())
            }
        }
    }

    /// Runs statements that make tables.
    pub(crate) fn batch(&mut self, statements: &str) -> Result<(), StorageError> {
        self.remade = true;
        self.reading.database.batch(statements).map_err(|fault| self.failed(fault))
    }

    /// When this is written, in seconds since 1970-01-01 UTC.
    pub(crate) const fn at_s(&self) -> u64 {
        self.writer.at_s
    }

    /// Adds a row, linked to everything before it, and returns its id.
    pub(crate) fn add(&mut self, kind: Kind, values: &[Value<'_>]) -> Result<i64, StorageError> {
        let table = kind.table();
        self.check_clock()?;
        let mut id = None;
        self.each(&table.insert, values, &mut |row| {
            id = Some(row.int(0)?);
            Ok(())
        })?;
        let Some(id) = id else {
            let detail = format!("a row of {} was not stored", table.name);
            return Err(self.failed(StorageFault::Corrupt { detail }));
        };
        self.link(kind, id, values)?;
        Ok(id)
    }

    /// Links a row that is stored already.
    pub(crate) fn link(
        &mut self,
        kind: Kind,
        id: i64,
        values: &[Value<'_>],
    ) -> Result<(), StorageError> {
        let table = kind.table();
        let last = match self.last {
            Some(last) => last,
            None => self.end_before()?.link,
        };
        let link = last.next(table, id, values.iter().copied());
        self.each(
            query::ADD_LINK,
            &[link.seq.into(), table.name.into(), id.into(), (&link.hash).into()],
            &mut |_| Ok(()),
        )?;
        self.last = Some(link);
        Ok(())
    }

    /// Where the ledger ended before this transaction. To sign what comes after it is to sign for
    /// all of it, so it must be signed itself: whoever wrote past this program could make links, but
    /// no signature.
    fn end_before(&mut self) -> Result<End, StorageError> {
        if let Some(end) = self.before {
            return Ok(end);
        }
        let link = self.first(query::LAST_LINK, &[], link_from_row)?.unwrap_or(Link::START);
        let links = from_sql_time(link.seq);
        let head = self.first(query::LAST_HEAD, &[], |row| {
            if row.is_null(HASH_OF_HEAD) {
                return Err(Tampering::CutOff { signed: row.natural(0)?, links }.into());
            }
            head_from_row(row)
        })?;
        let end = End { link, at_s: head.as_ref().map_or(0, |head| head.at_s) };
        self.believe(links, head).map_err(|tampering| self.failed(tampering.into()))?;
        self.before = Some(end);
        Ok(end)
    }

    /// Whether the head is of the last link, and its station's.
    fn believe(&mut self, links: u64, head: Option<SignedHead>) -> Result<(), Tampering> {
        let signed = head.as_ref().map_or(0, |head| head.links);
        if signed < links {
            return Err(Tampering::Unsigned { from: signed + 1, to: links });
        }
        if head != *self.writer.known {
            if head.as_ref().is_some_and(|head| !head.is_signed()) {
                return Err(Tampering::Forged { seq: links });
            }
            *self.writer.known = head;
        }
        Ok(())
    }

    /// A clock that has gone back would put certificates in force that have ended, and entries in
    /// an order in which they were not made.
    fn check_clock(&mut self) -> Result<(), StorageError> {
        if self.last.is_some() || self.writer.ignore_clock {
            return Ok(());
        }
        let last_s = self.end_before()?.at_s;
        let now_s = self.writer.at_s;
        if now_s + CLOCK_SKEW_MAX_S < last_s {
            return Err(self.failed(StorageFault::ClockBehind { now_s, last_s }));
        }
        Ok(())
    }

    /// When the head is signed: never before the last one, or each of many writes could go back by
    /// as much as the clocks of two stations may differ. What the operator says about the clock goes
    /// before that.
    fn signed_at_s(&mut self) -> Result<u64, StorageError> {
        let now_s = self.writer.at_s;
        if self.writer.ignore_clock {
            return Ok(now_s);
        }
        Ok(now_s.max(self.end_before()?.at_s))
    }

    /// Signs what was added; none if nothing was.
    fn sign(&mut self) -> Result<Option<SignedHead>, StorageError> {
        if self.last.is_none() {
            return Ok(None);
        }
        let public_key = *self.writer.station.public_key();
        let added_at = to_sql_time(self.writer.at_s);
        let known = self.first(query::STATION, &[public_key.as_sec1().into()], |row| row.int(0))?;
        let station = match known {
            Some(station) => station,
            None => self.add(Kind::Station, &[public_key.as_sec1().into(), added_at.into()])?,
        };
        let Some(last) = self.last else { return Ok(None) };
        let at_s = self.signed_at_s()?;
        let at = to_sql_time(at_s);
        let signature = self.writer.station.sign(&last.signed_at(at));
        let signature =
            signature.map_err(|error| self.failed(StorageFault::Other(error.into())))?;
        let head = [last.seq.into(), station.into(), at.into(), (&signature).into()];
        self.each(query::ADD_HEAD, &head, &mut |_| Ok(()))?;
        let links = from_sql_time(last.seq);
        Ok(Some(SignedHead { links, hash: last.hash, at_s, station: public_key, signature }))
    }
}

pub(crate) fn link_from_row(row: &mut Row) -> Result<Link, StorageFault> {
    Ok(Link { seq: row.int(0)?, hash: row.digest(1)? })
}

/// The column of a head that is its link's: nothing if the link is gone.
const HASH_OF_HEAD: usize = 1;

/// How far the clocks of stations may be apart, in seconds.
pub(crate) const CLOCK_SKEW_MAX_S: u64 = 120;
