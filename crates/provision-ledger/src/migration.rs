//! Ledgers that earlier versions of the program wrote. Nothing that was recorded is changed; what
//! later versions know of it is filled in, all or nothing, and once, however many programs open the
//! ledger at the same time.

use crate::certificates::issuer_key_id_of;
use crate::chain::Kind;
use crate::database::{Cell, Row, Value, from_sql_time};
use crate::ledger::{StorageError, StorageFault};
use crate::schema;
use crate::session::Writing;
use crate::sql_ledger::SqlLedger;

/// Brings the tables of a SQLite file to the version that is known here.
pub(crate) fn bring_up_to_date(ledger: &mut SqlLedger) -> Result<(), StorageError> {
    let mut version = 0;
    ledger.read(|session| -> Result<(), StorageError> {
        version = version_of(session)?;
        Ok(())
    })?;
    if version >= schema::VERSION.into() {
        return Ok(());
    }
    // There is no clock here. What is signed says when the latest of it was recorded.
    let mut at_s = 0;
    ledger.read(|session| -> Result<(), StorageError> {
        let statement = if version == 1 { LATEST_OF_VERSION_1 } else { LATEST };
        at_s = session.first(statement, &[], |row| row.int(0))?.map_or(0, from_sql_time);
        Ok(())
    })?;
    ledger.write(at_s, |session| -> Result<(), StorageError> {
        for (before, add) in [(1, schema::ADD_VERSION_2), (2, schema::ADD_VERSION_3)] {
            if version_of(session)? == before {
                session.batch(add)?;
                session.batch(&format!("PRAGMA user_version = {}", before + 1))?;
            }
        }
        if version_of(session)? == 3 {
            session.batch(schema::ADD_VERSION_4)?;
            session.batch(schema::UNLOCK_FOR_VERSION_4)?;
            fill_in_issuers(session)?;
            fill_in_places(session)?;
            session.batch(schema::LOCK_AGAIN)?;
            link_everything(session)?;
            session.batch("PRAGMA user_version = 4")?;
        }
        if version_of(session)? == 4 {
            session.batch(schema::ADD_VERSION_5)?;
            session.batch("PRAGMA user_version = 5")?;
        }
        Ok(())
    })
}

fn version_of(session: &mut crate::session::Reading<'_>) -> Result<i64, StorageError> {
    Ok(session.first("PRAGMA user_version", &[], |row| row.int(0))?.unwrap_or(0))
}

fn fill_in_issuers(session: &mut Writing<'_>) -> Result<(), StorageError> {
    let mut after = 0;
    loop {
        let page = session.all(
            "SELECT id, leaf FROM entry WHERE id > ?1 ORDER BY id LIMIT 1000",
            &[after.into()],
            |row| Ok((row.int(0)?, row.blob(1)?)),
        )?;
        for (id, leaf) in &page {
            let issuer = issuer_key_id_of(leaf);
            let set = "UPDATE entry SET issuer_key_id = ?1 WHERE id = ?2";
            session.each(set, &[(&issuer).into(), (*id).into()], &mut |_| Ok(()))?;
            after = *id;
        }
        if page.is_empty() {
            return Ok(());
        }
    }
}

fn fill_in_places(session: &mut Writing<'_>) -> Result<(), StorageError> {
    let numbered = "
        UPDATE lot_member SET place = numbered.place
        FROM (SELECT id, row_number() OVER (PARTITION BY lot ORDER BY id) AS place FROM lot_member)
            AS numbered
        WHERE numbered.id = lot_member.id";
    session.each(numbered, &[], &mut |_| Ok(()))?;
    Ok(())
}

fn link_everything(session: &mut Writing<'_>) -> Result<(), StorageError> {
    for kind in [Kind::UpperChain, Kind::Entry, Kind::LotMember, Kind::Proof, Kind::Certificate]
        .into_iter()
        .chain([Kind::Revocation, Kind::Crl])
    {
        let mut after = 0;
        let last = session.first(&kind.table().last, &[], |row| row.int(0))?.unwrap_or(0);
        while after < last {
            let bounds = [Value::Int(after + 1), Value::Int(after + PAGE)];
            for (id, cells) in session.all(&kind.table().select, &bounds, whole_row)? {
                let values: Vec<Value<'_>> = cells.iter().map(Cell::as_value).collect();
                session.link(kind, id, &values)?;
            }
            after += PAGE;
        }
    }
    Ok(())
}

/// The id and the columns that are hashed.
pub(crate) fn whole_row(row: &mut Row) -> Result<(i64, Vec<Cell>), StorageFault> {
    let id = row.int(0)?;
    Ok((id, row.cells.drain(1..).collect()))
}

const PAGE: i64 = 1000;

const LATEST_OF_VERSION_1: &str = "
    SELECT max((SELECT coalesce(max(issued_at_s), 0) FROM entry),
               (SELECT coalesce(max(proven_at_s), 0) FROM proof))";

const LATEST: &str = "
    SELECT max((SELECT coalesce(max(issued_at_s), 0) FROM entry),
               (SELECT coalesce(max(proven_at_s), 0) FROM proof),
               (SELECT coalesce(max(issued_at_s), 0) FROM certificate),
               (SELECT coalesce(max(revoked_at_s), 0) FROM revocation),
               (SELECT coalesce(max(this_update_s), 0) FROM crl))";
