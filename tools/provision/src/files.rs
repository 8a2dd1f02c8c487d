//! Files that are read and written, `-` for standard input and output.

use core::sync::atomic::{AtomicBool, Ordering};
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use provision_issuer::inspect::{CertificateValues, certificates_in_pkcs7};
use provision_issuer::{
    Access, Document, DocumentKind, create_file_by, read_limited, to_pem, write_pem,
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::arguments::{Form, Output};
use crate::fault::Fault;
use crate::report::{Report, hex};

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
        return Ok(Box::new(standard_input()?.lock()));
    }
    let file = File::open(path).map_err(unread)?;
    if file.metadata().map_err(unread)?.is_dir() {
        return Err(unread(io::ErrorKind::IsADirectory.into()));
    }
    Ok(Box::new(file))
}

/// Everything of a kind in a file; at least one. Certificates also out of PKCS#7.
pub(crate) fn read_all(path: &Path, kind: DocumentKind) -> Result<Vec<Vec<u8>>, Fault> {
    let all = read_documents(path)?;
    let first = all.first().map(|document| document.kind);
    let mut found = Vec::new();
    for mut document in all {
        if document.kind == kind {
            found.push(core::mem::take(&mut *document.bytes));
        } else if (document.kind, kind) == (DocumentKind::Pkcs7, DocumentKind::Certificate) {
            found.extend(of_pkcs7(&document.bytes).map_err(|error| self::document(path, &error))?);
        }
    }
    match (found.is_empty(), first) {
        (true, Some(found)) => Err(document(path, &format!("it holds a {found}, no {kind}"))),
        _ => Ok(found),
    }
}

/// The certificates in PKCS#7, as Windows hands over a chain. There they are a set, in which any may come first; here
/// it is one that has issued none of the others, as people write PEM.
fn of_pkcs7(der: &[u8]) -> der::Result<Vec<Vec<u8>>> {
    let ders = certificates_in_pkcs7(der)?;
    let mut all = Vec::new();
    for der in ders {
        all.push((CertificateValues::of(&der)?, der));
    }
    let below = all.iter().filter(|(values, _)| values.issuer != values.subject);
    let issuers: HashSet<String> = below.map(|(values, _)| values.issuer.clone()).collect();
    all.sort_by_key(|(values, _)| {
        issuers.contains(&values.subject) || values.issuer == values.subject
    });
    Ok(all.into_iter().map(|(_, der)| der).collect())
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
    write_new_by(path, access, |out| out.write_all(bytes))
}

/// The same of what is written piece by piece.
pub(crate) fn write_new_by(
    path: &Path,
    access: Access,
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> Result<(), Fault> {
    if is_dash(path) {
        return Ok(write(&mut io::stdout())?);
    }
    create_file_by(path, access, write).map_err(Fault::File)
}

/// Makes a directory, if it is not there, and has it take so many bytes, which are removed again.
pub(crate) fn probe(dir: &Path, len: usize) -> io::Result<()> {
    let unique =
        crate::system::bytes::<8>().map_err(|fault| io::Error::other(fault.to_string()))?;
    let name = format!(".probe-{}", hex(&unique));
    fs::create_dir_all(dir)?;
    write_whole(dir, &name, &vec![b' '; len])?;
    fs::remove_file(dir.join(name))
}

/// Writes under a name that nobody reads, and gives the file its own name once all of it is on the
/// disk: whoever looks, and whatever happens to this program or its machine, sees it whole.
pub(crate) fn write_whole(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let begun = dir.join(format!(".{name}.tmp"));
    let write = || {
        let mut file = File::create_new(&begun)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&begun, dir.join(name))
    };
    write().inspect_err(|_| {
        // It may never have been there.
        let _ = fs::remove_file(&begun);
    })
}

/// Writes a public document as asked, and tells of it.
pub(crate) fn put(
    output: &Output,
    kind: DocumentKind,
    der: &[u8],
    more: Value,
    report: &mut Report,
) -> Result<(), Fault> {
    put_all(output, &kind.to_string(), &[(kind, der)], more, report)
}

/// The same for several in one PEM file. Of DER it is the first.
pub(crate) fn put_all(
    output: &Output,
    what: &str,
    documents: &[(DocumentKind, &[u8])],
    mut event: Value,
    report: &mut Report,
) -> Result<(), Fault> {
    let write = |out: &mut dyn io::Write| match output.outform {
        Form::Pem => documents.iter().try_for_each(|(kind, der)| write_pem(*kind, der, out)),
        Form::Der => documents.first().map_or(Ok(()), |(_, der)| out.write_all(der)),
    };
    event["event"] = "result".into();
    if is_dash(&output.out) {
        if report.is_json() {
            let pems = documents.iter().map(|(kind, der)| to_pem(*kind, der));
            event["pem"] = pems.collect::<String>().into();
            return report.result("", &event);
        }
        return write_new_by(&output.out, Access::EverybodyReads, write);
    }
    write_new_by(&output.out, Access::EverybodyReads, write)?;
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

/// Says so before anything is read, where nothing but files is.
pub(crate) fn one_dash<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<(), Fault> {
    if paths.into_iter().filter(|path| is_dash(path)).count() > 1 {
        return Err(read_twice());
    }
    Ok(())
}

/// Standard input, once: whoever came second would find it empty, and blame what is not at fault.
pub(crate) fn standard_input() -> Result<io::Stdin, Fault> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::Relaxed) {
        return Err(read_twice());
    }
    Ok(io::stdin())
}

fn read_twice() -> Fault {
    Fault::Usage("standard input (-) can be read once".into())
}

/// The first line of standard input or a file: for passphrases.
pub(crate) fn first_line(path: &Path) -> Result<Zeroizing<String>, Fault> {
    let unread = |cause| Fault::Read { path: path.into(), cause };
    let mut text = Zeroizing::new(String::new());
    if is_dash(path) {
        standard_input()?.take(4096).read_to_string(&mut text).map_err(unread)?;
    } else {
        File::open(path)
            .and_then(|file| file.take(4096).read_to_string(&mut text))
            .map_err(unread)?;
    }
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}
