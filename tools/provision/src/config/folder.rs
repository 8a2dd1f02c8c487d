//! A directory that a server's files go into.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use provision_issuer::{Access, create_file};
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
    contents: Zeroizing<Vec<u8>>,
    is_secret: bool,
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
        self.add(name, contents.into(), false);
    }

    /// A key or a password: readable by its owner only, never replaced.
    pub(crate) fn put_secret(&mut self, name: &str, contents: impl Into<Vec<u8>>) {
        self.add(name, contents.into(), true);
    }

    fn add(&mut self, name: &str, contents: Vec<u8>, is_secret: bool) {
        let path = self.out.join(name);
        self.files.push(NewFile { path, contents: Zeroizing::new(contents), is_secret });
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

fn event(written: &[PathBuf]) -> Value {
    json!({ "event": "result", "files": written })
}

impl NewFile {
    /// Whether it is there already, word for word. Another in its place is an error, unless it may
    /// be replaced.
    fn is_there(&self, replace: bool) -> Result<bool, Fault> {
        // One that is longer is another, however long it is.
        let mut found = Zeroizing::new(Vec::new());
        let most = self.contents.len() as u64 + 1;
        match fs::File::open(&self.path).and_then(|file| file.take(most).read_to_end(&mut found)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(cause) => return Err(Fault::Read { path: self.path.clone(), cause }),
        }
        if found == self.contents {
            return Ok(true);
        }
        if self.is_secret || !replace {
            return Err(Fault::Differs { path: self.path.clone(), is_secret: self.is_secret });
        }
        Ok(false)
    }

    fn write(&self) -> Result<(), Fault> {
        if self.is_secret {
            return create_file(&self.path, &self.contents, Access::OwnerOnly).map_err(Fault::File);
        }
        // A server that reads it meanwhile finds the old one or the new one, never half of one.
        let mut beside = self.path.clone().into_os_string();
        beside.push(".new");
        let written = fs::File::create(&beside).and_then(|mut file| {
            file.write_all(&self.contents)?;
            file.sync_all()?;
            fs::rename(&beside, &self.path)
        });
        written.map_err(|cause| Fault::Write { path: self.path.clone(), cause })
    }
}
