//! `export --format csv`: a table with a line of names.

use core::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use super::super::export::CSV_COLUMNS;
use super::{Fields, LINE_LEN_MAX, Lines, Wrong, too_long};
use crate::system;

pub(super) struct CsvRows {
    reader: csv::Reader<Limited>,
    /// What one row may still take of the input.
    left: Rc<Cell<u64>>,
    /// Once the names were read.
    begun: bool,
}

/// Ends with an error what would go on for ever within one row.
struct Limited {
    input: Box<dyn Read>,
    left: Rc<Cell<u64>>,
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.input.read(buffer)?;
        match self.left.get().checked_sub(len as u64) {
            Some(left) => {
                self.left.set(left);
                Ok(len)
            }
            None => Err(io::Error::new(io::ErrorKind::FileTooLarge, "a row is too long")),
        }
    }
}

impl CsvRows {
    pub(super) fn new(input: Box<dyn Read>) -> Self {
        let left = Rc::new(Cell::new(LINE_LEN_MAX));
        let limited = Limited { input, left: Rc::clone(&left) };
        let reader =
            csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(limited);
        Self { reader, left, begun: false }
    }

    /// The next row, with the number of the line that it begins on.
    fn row(&mut self) -> Result<Option<(u64, csv::StringRecord)>, Wrong> {
        self.left.set(LINE_LEN_MAX);
        let mut row = csv::StringRecord::new();
        let begins = self.reader.position().line();
        match self.reader.read_record(&mut row) {
            Ok(false) => Ok(None),
            Ok(true) => {
                let line = row.position().map_or(begins, csv::Position::line);
                Ok(Some((line, row)))
            }
            Err(error) => Err(match error.into_kind() {
                csv::ErrorKind::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                    too_long(begins)
                }
                csv::ErrorKind::Io(error) => Wrong::Input(error),
                csv::ErrorKind::Utf8 { pos, .. } => {
                    let line = pos.map_or(begins, |pos| pos.line());
                    Wrong::Line(line, "it is not UTF-8".into())
                }
                other => Wrong::Line(begins, format!("it is no row of a table ({other:?})")),
            }),
        }
    }
}

impl Lines for CsvRows {
    fn next(&mut self) -> Result<Option<(u64, Fields)>, Wrong> {
        if !self.begun {
            self.begun = true;
            let names = self.row()?.map(|(_, names)| names).unwrap_or_default();
            if names.iter().ne(CSV_COLUMNS) {
                let why = format!("the names of the columns should be {}", CSV_COLUMNS.join(","));
                return Err(Wrong::Line(1, why));
            }
        }
        let Some((line, row)) = self.row()? else { return Ok(None) };
        let wrong = |why: String| Wrong::Line(line, why);
        if row.len() != CSV_COLUMNS.len() {
            let (found, expected) = (row.len(), CSV_COLUMNS.len());
            return Err(wrong(format!("it has {found} columns, of {expected}: was it cut off?")));
        }
        let text = |name: &str| -> String {
            let at = CSV_COLUMNS.iter().position(|column| *column == name);
            at.and_then(|at| row.get(at)).unwrap_or_default().to_owned()
        };
        let some = |name: &str| Some(text(name)).filter(|text| !text.is_empty());
        let time = |name: &str| match some(name).as_deref().map(system::since) {
            None => Ok(None),
            Some(Ok(at_s)) => Ok(Some(at_s)),
            Some(Err(_)) => Err(wrong(format!("`{name}` is no time: {:?}", text(name)))),
        };
        let needed = |name: &str| time(name)?.ok_or_else(|| wrong(format!("`{name}` is missing")));
        let generation = match some("generation").map(|text| text.parse()) {
            None => None,
            Some(Ok(generation)) => Some(generation),
            Some(Err(_)) => {
                return Err(wrong(format!("`generation` is no number: {:?}", text("generation"))));
            }
        };
        let fields = Fields {
            name: text("name"),
            kind: text("kind"),
            state: text("state"),
            cert_serial: text("cert_serial"),
            sha256: text("sha256"),
            public_key: some("public_key"),
            lot: some("lot"),
            generation,
            issued_at_s: needed("issued_at")?,
            not_after_s: needed("not_after")?,
            revoked_at_s: time("revoked_at")?,
            reason: some("reason"),
            certificate: text("certificate"),
            enrolled_at_s: time("enrolled_at")?,
            delivery_sha256: some("delivery_sha256"),
        };
        Ok(Some((line, fields)))
    }
}
