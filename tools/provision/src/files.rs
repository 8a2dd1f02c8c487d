//! Files that are read and written, `-` for standard input and output.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use provision_issuer::{Access, Document, DocumentKind, create_file, read_limited, to_pem};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::arguments::{Form, Output};
use crate::fault::Fault;
use crate::report::Report;

/// Reads a file that may hold any key, but not more than can be meant.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Fault> {
    read_limited(open(path)?).map_err(|fault| document(path, &fault))
}

/// Everything in a file.
pub(crate) fn read_documents(path: &Path) -> Result<Vec<Document>, Fault> {
    provision_issuer::read_documents(open(path)?).map_err(|fault| document(path, &fault))
}

fn open(path: &Path) -> Result<Box<dyn io::Read>, Fault> {
    let unread = |cause| Fault::Read { path: path.into(), cause };
    if is_dash(path) {
        return Ok(Box::new(io::stdin().lock()));
    }
    let file = File::open(path).map_err(unread)?;
    if file.metadata().map_err(unread)?.is_dir() {
        return Err(unread(io::ErrorKind::IsADirectory.into()));
    }
    Ok(Box::new(file))
}

/// Everything of a kind in a file; at least one.
pub(crate) fn read_all(path: &Path, kind: DocumentKind) -> Result<Vec<Vec<u8>>, Fault> {
    let all = read_documents(path)?;
    let first = all.first().map(|document| document.kind);
    let found: Vec<Vec<u8>> = all
        .into_iter()
        .filter(|document| document.kind == kind)
        .map(|mut document| core::mem::take(&mut *document.bytes))
        .collect();
    match (found.is_empty(), first) {
        (true, Some(found)) => Err(document(path, &format!("it holds a {found}, no {kind}"))),
        _ => Ok(found),
    }
}

/// The first of a kind in a file.
pub(crate) fn read_one(path: &Path, kind: DocumentKind) -> Result<Vec<u8>, Fault> {
    Ok(read_all(path, kind)?.swap_remove(0))
}

pub(crate) fn document(path: &Path, fault: &dyn core::fmt::Display) -> Fault {
    Fault::Document { path: path.into(), fault: fault.to_string() }
}

/// Writes to a new file, or to standard output.
pub(crate) fn write_new(path: &Path, bytes: &[u8], access: Access) -> Result<(), Fault> {
    if is_dash(path) {
        io::stdout().write_all(bytes)?;
        return Ok(());
    }
    create_file(path, bytes, access).map_err(Fault::File)
}

/// Writes a public document as asked, and tells of it.
pub(crate) fn put(
    output: &Output,
    kind: DocumentKind,
    der: &[u8],
    more: Value,
    report: &mut Report,
) -> Result<(), Fault> {
    let pem = to_pem(kind, der);
    put_pem(output, &kind.to_string(), &pem, der, more, report)
}

/// The same for several in one PEM file, of which `der` is the first.
pub(crate) fn put_pem(
    output: &Output,
    what: &str,
    pem: &str,
    der: &[u8],
    mut event: Value,
    report: &mut Report,
) -> Result<(), Fault> {
    let bytes = match output.outform {
        Form::Pem => pem.as_bytes(),
        Form::Der => der,
    };
    event["event"] = "result".into();
    if is_dash(&output.out) {
        if report.is_json() {
            event["pem"] = pem.into();
            return report.result("", &event);
        }
        return write_new(&output.out, bytes, Access::EverybodyReads);
    }
    write_new(&output.out, bytes, Access::EverybodyReads)?;
    event["file"] = json!(output.out);
    report.result(&format!("made the {what} {}", output.out.display()), &event)
}

/// A device's identifier as part of a file's name, on any system: Windows takes no colon. No other
/// identifier becomes the same, for none has a percent sign.
pub(crate) fn name_of(device: &str) -> String {
    device.replace(':', "%3A")
}

pub(crate) fn is_dash(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Standard input can be read once: two `-` would share it.
pub(crate) fn one_dash<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<(), Fault> {
    if paths.into_iter().filter(|path| is_dash(path)).count() > 1 {
        return Err(Fault::Usage("standard input (-) can be read once".into()));
    }
    Ok(())
}

/// The first line of standard input or a file: for passphrases.
pub(crate) fn first_line(path: &Path) -> Result<Zeroizing<String>, Fault> {
    let unread = |cause| Fault::Read { path: path.into(), cause };
    let mut text = Zeroizing::new(String::new());
    if is_dash(path) {
        io::stdin().take(4096).read_to_string(&mut text).map_err(unread)?;
    } else {
        File::open(path)
            .and_then(|file| file.take(4096).read_to_string(&mut text))
            .map_err(unread)?;
    }
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}
