//! A directory that a server's files go into.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use provision_issuer::{Access, DocumentKind, create_file_by, replace_file_by, write_pem};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::Source;
use crate::config::words;
use crate::fault::Fault;
use crate::report::Report;

/// Files for a directory, none of them written yet.
#[derive(Debug)]
pub(crate) struct Folder {
    out: PathBuf,
    at: PathBuf,
    replace: bool,
    files: Vec<NewFile>,
}

#[derive(Debug)]
struct NewFile {
    path: PathBuf,
    contents: Contents,
    is_secret: bool,
}

/// What a file is to hold.
#[derive(Debug)]
enum Contents {
    Bytes(Zeroizing<Vec<u8>>),
    /// CRLs in PEM, which may be long: the text is made while it is written.
    Crls(Vec<Vec<u8>>),
}

impl Folder {
    /// For a directory that is called `name` unless something else was said.
    pub(crate) fn of(source: &Source, name: &str) -> Result<Self, Fault> {
        let out = source.out.clone().unwrap_or_else(|| name.into());
        let at = match &source.at {
            Some(at) => at.clone(),
            None => std::path::absolute(&out)
                .map_err(|cause| Fault::Write { path: out.clone(), cause })?,
        };
        Ok(Self { out, at, replace: source.replace, files: Vec::new() })
    }

    /// Where the files go.
    pub(crate) fn out(&self) -> &Path {
        &self.out
    }

    /// How the server calls this directory, if a configuration can say it.
    pub(crate) fn at(&self) -> Result<&str, Fault> {
        words::plain_path(&self.at)
    }

    /// A file that anybody may read.
    pub(crate) fn put(&mut self, name: &str, contents: impl Into<Vec<u8>>) {
        self.add(name, bytes(contents), false);
    }

    /// CRLs, given in DER, in one file of PEM.
    pub(crate) fn put_crls(&mut self, name: &str, ders: Vec<Vec<u8>>) {
        self.add(name, Contents::Crls(ders), false);
    }

    /// A key or a password: readable by its owner only, never replaced.
    pub(crate) fn put_secret(&mut self, name: &str, contents: impl Into<Vec<u8>>) {
        self.add(name, bytes(contents), true);
    }

    fn add(&mut self, name: &str, contents: Contents, is_secret: bool) {
        let path = self.out.join(name);
        self.files.push(NewFile { path, contents, is_secret });
    }

    /// Writes all of them, or none if one must not be written.
    pub(crate) fn write(self, report: &mut Report) -> Result<(), Fault> {
        let written = self.write_quietly()?;
        let names: Vec<String> = written.iter().map(|path| path.display().to_string()).collect();
        report.result(&format!("made {}", names.join("\n     ")), &event(&written))
    }

    /// The same without a word.
    pub(crate) fn write_quietly(self) -> Result<Vec<PathBuf>, Fault> {
        let mut todo = Vec::new();
        for file in &self.files {
            if !file.is_there(self.replace)? {
                todo.push(file);
            }
        }
        for file in &todo {
            let parent = file.path.parent().unwrap_or(&self.out);
            fs::create_dir_all(parent)
                .map_err(|cause| Fault::Write { path: parent.to_owned(), cause })?;
            file.write()?;
        }
        Ok(self.files.into_iter().map(|file| file.path).collect())
    }
}

fn bytes(contents: impl Into<Vec<u8>>) -> Contents {
    Contents::Bytes(Zeroizing::new(contents.into()))
}

fn event(written: &[PathBuf]) -> Value {
    json!({ "event": "result", "files": written })
}

impl NewFile {
    /// Whether it is there already, word for word. Another in its place is an error, unless it may
    /// be replaced.
    fn is_there(&self, replace: bool) -> Result<bool, Fault> {
        match fs::File::open(&self.path).and_then(|file| self.contents.are_in(file)) {
            Ok(true) => return Ok(true),
            Ok(false) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(cause) => return Err(Fault::Read { path: self.path.clone(), cause }),
        }
        if self.is_secret || !replace {
            return Err(Fault::Differs { path: self.path.clone(), is_secret: self.is_secret });
        }
        Ok(false)
    }

    fn write(&self) -> Result<(), Fault> {
        let write = |file: &mut dyn io::Write| self.contents.write(file);
        match self.is_secret {
            true => create_file_by(&self.path, Access::OwnerOnly, write),
            // A server that reads it meanwhile finds the old one or the new one, never half of one.
            false => replace_file_by(&self.path, write),
        }
        .map_err(Fault::File)
    }
}

impl Contents {
    fn write(&self, out: &mut dyn io::Write) -> io::Result<()> {
        match self {
            Self::Bytes(bytes) => out.write_all(bytes),
            Self::Crls(ders) => {
                ders.iter().try_for_each(|der| write_pem(DocumentKind::Crl, der, out))
            }
        }
    }

    /// Whether a file holds them and nothing else. Of a longer one no more is read than is compared.
    fn are_in(&self, file: impl io::Read) -> io::Result<bool> {
        let mut comparison = Comparison { file, same: true };
        self.write(&mut comparison)?;
        Ok(comparison.same && comparison.file.read(&mut [0])? == 0)
    }
}

/// Compares what is written to it with a file.
struct Comparison<R> {
    file: R,
    same: bool,
}

impl<R: io::Read> io::Write for Comparison<R> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.same {
            let mut found = Zeroizing::new(Vec::with_capacity(bytes.len()));
            self.file.by_ref().take(bytes.len() as u64).read_to_end(&mut found)?;
            self.same = *found == bytes;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
