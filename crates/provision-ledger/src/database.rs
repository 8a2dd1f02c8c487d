//! What a ledger needs of a database, in few words: its rules are written once, above this.

use crate::ledger::StorageFault;

/// A database that keeps the tables of a ledger. Statements are written for both that there are:
/// parameters as `?1`, and nothing that only one of them knows.
pub(crate) trait Database: Send {
    /// Begins a transaction. One that writes waits for its turn here: whoever has begun is alone,
    /// and what it reads still holds when it writes.
    fn begin(&mut self, access: Access) -> Result<(), StorageFault>;

    /// Makes what was done since durable.
    fn commit(&mut self) -> Result<(), StorageFault>;

    /// Takes it back. Never fails: a connection that is gone has taken it back already.
    fn rollback(&mut self);

    /// Runs a statement, hands over its rows as they come, and counts them.
    fn run(
        &mut self,
        statement: &'static str,
        values: &[Value<'_>],
        each: &mut dyn FnMut(&mut Row) -> Result<(), StorageFault>,
    ) -> Result<u64, StorageFault>;

    /// Runs statements without parameters or rows, such as those that make tables.
    fn batch(&mut self, statements: &str) -> Result<(), StorageFault>;

    /// How long to wait for one's turn.
    fn set_patience(&mut self, patience: core::time::Duration) -> Result<(), StorageFault>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// What is stored in a column, or looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Null,
    Int(i64),
    Text(&'a str),
    Blob(&'a [u8]),
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Blob(bytes)
    }
}

impl<'a> From<&'a Vec<u8>> for Value<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Blob(bytes)
    }
}

impl<'a, const N: usize> From<&'a [u8; N]> for Value<'a> {
    fn from(bytes: &'a [u8; N]) -> Self {
        Self::Blob(bytes)
    }
}

impl<'a, T: Into<Self>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// What was stored in a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cell {
    Null,
    Int(i64),
    Text(String),
    Blob(Vec<u8>),
}

impl Cell {
    pub(crate) fn as_value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Int(number) => Value::Int(*number),
            Self::Text(text) => Value::Text(text),
            Self::Blob(bytes) => Value::Blob(bytes),
        }
    }
}

/// A row. What it holds is checked when it is asked for: a file may come from anywhere.
#[derive(Debug, Default)]
pub(crate) struct Row {
    pub(crate) cells: Vec<Cell>,
}

impl Row {
    fn cell(&mut self, column: usize) -> Cell {
        self.cells.get_mut(column).map_or(Cell::Null, |cell| core::mem::replace(cell, Cell::Null))
    }

    pub(crate) fn is_null(&self, column: usize) -> bool {
        matches!(self.cells.get(column), None | Some(Cell::Null))
    }

    pub(crate) fn int(&mut self, column: usize) -> Result<i64, StorageFault> {
        match self.cell(column) {
            Cell::Int(number) => Ok(number),
            other => Err(unexpected(column, "a number", &other)),
        }
    }

    /// A time, or another number below which there is none.
    pub(crate) fn natural(&mut self, column: usize) -> Result<u64, StorageFault> {
        self.int(column).map(from_sql_time)
    }

    pub(crate) fn text(&mut self, column: usize) -> Result<String, StorageFault> {
        match self.cell(column) {
            Cell::Text(text) => Ok(text),
            other => Err(unexpected(column, "text", &other)),
        }
    }

    pub(crate) fn blob(&mut self, column: usize) -> Result<Vec<u8>, StorageFault> {
        match self.cell(column) {
            Cell::Blob(bytes) => Ok(bytes),
            other => Err(unexpected(column, "bytes", &other)),
        }
    }

    pub(crate) fn digest(&mut self, column: usize) -> Result<[u8; 32], StorageFault> {
        let bytes = self.blob(column)?;
        bytes
            .try_into()
            .map_err(|bytes: Vec<u8>| damaged(&format!("a digest of {} bytes", bytes.len())))
    }

    pub(crate) fn optional<T>(
        &mut self,
        column: usize,
        get: impl FnOnce(&mut Self, usize) -> Result<T, StorageFault>,
    ) -> Result<Option<T>, StorageFault> {
        if self.is_null(column) { Ok(None) } else { get(self, column).map(Some) }
    }
}

fn unexpected(column: usize, expected: &str, found: &Cell) -> StorageFault {
    let found = match found {
        Cell::Null => "nothing",
        Cell::Int(_) => "a number",
        Cell::Text(_) => "text",
        Cell::Blob(_) => "bytes",
    };
    damaged(&format!("column {column} holds {found} where {expected} should be"))
}

/// What is stored makes no sense.
pub(crate) fn damaged(what: &(impl ToString + ?Sized)) -> StorageFault {
    StorageFault::Corrupt { detail: what.to_string() }
}

/// Databases have signed integers; the difference matters in 292 billion years.
pub(crate) fn to_sql_time(unix_s: u64) -> i64 {
    i64::try_from(unix_s).unwrap_or(i64::MAX)
}

/// Time before 1970 is none this program wrote.
pub(crate) fn from_sql_time(unix_s: i64) -> u64 {
    u64::try_from(unix_s).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for unix_s in [0, 1_800_000_000, i64::MAX as u64] {
            assert_eq!(from_sql_time(to_sql_time(unix_s)), unix_s);
        }
        assert_eq!(to_sql_time(u64::MAX), i64::MAX);
        assert_eq!(from_sql_time(-1), 0);
    }

    #[test]
    fn a_column_of_another_kind_is_damage() {
        let mut row = Row { cells: vec![Cell::Text("x".into()), Cell::Null] };
        assert!(matches!(row.int(0), Err(StorageFault::Corrupt { .. })));
        assert!(matches!(row.blob(1), Err(StorageFault::Corrupt { .. })));
        assert!(matches!(row.text(9), Err(StorageFault::Corrupt { .. })));
        assert!(matches!(row.optional(1, Row::int), Ok(None)));
    }
}
