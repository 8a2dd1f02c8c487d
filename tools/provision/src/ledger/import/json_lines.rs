//! `export --format json`: an object a line.

use std::io::{BufRead as _, BufReader, Read};

use serde::Deserialize;

use super::{Fields, LINE_LEN_MAX, Lines, Wrong, too_long};

pub(super) struct JsonLines {
    input: BufReader<Box<dyn Read>>,
    line: u64,
    buffer: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    name: String,
    kind: String,
    state: String,
    cert_serial: String,
    /// It is in the certificate.
    #[serde(rename = "issuer_key_id")]
    _issuer_key_id: String,
    sha256: String,
    public_key: Option<String>,
    lot: Option<String>,
    generation: Option<u64>,
    issued_at_s: u64,
    not_after_s: u64,
    revoked_at_s: Option<u64>,
    reason: Option<String>,
    certificate: String,
    enrolled_at_s: Option<u64>,
    delivery_sha256: Option<String>,
}

impl JsonLines {
    pub(super) fn new(input: Box<dyn Read>) -> Self {
        Self { input: BufReader::new(input), line: 0, buffer: Vec::new() }
    }
}

impl Lines for JsonLines {
    fn next(&mut self) -> Result<Option<(u64, Fields)>, Wrong> {
        self.buffer.clear();
        self.line += 1;
        let mut limited = (&mut self.input).take(LINE_LEN_MAX + 1);
        let len = limited.read_until(b'\n', &mut self.buffer).map_err(Wrong::Input)?;
        if len == 0 {
            return Ok(None);
        }
        if self.buffer.len() as u64 > LINE_LEN_MAX {
            return Err(too_long(self.line));
        }
        let wrong = |why: String| Wrong::Line(self.line, why);
        let Line {
            name,
            kind,
            state,
            cert_serial,
            _issuer_key_id: _,
            sha256,
            public_key,
            lot,
            generation,
            issued_at_s,
            not_after_s,
            revoked_at_s,
            reason,
            certificate,
            enrolled_at_s,
            delivery_sha256,
        } = serde_json::from_slice(&self.buffer)
            .map_err(|error| wrong(format!("it is no line of an export ({error})")))?;
        let fields = Fields {
            name,
            kind,
            state,
            cert_serial,
            sha256,
            public_key,
            lot,
            generation,
            issued_at_s,
            not_after_s,
            revoked_at_s,
            reason,
            certificate,
            enrolled_at_s,
            delivery_sha256,
        };
        Ok(Some((self.line, fields)))
    }
}
