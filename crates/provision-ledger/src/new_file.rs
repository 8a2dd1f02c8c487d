//! Making a file that is there as a whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::open_error::OpenError;

/// Has `fill` write a file beside `path`, then gives it that name, unless something has it.
/// Durable on return. Readable by its owner only, as SQLite then makes the files beside it.
pub(crate) fn create(
    path: &Path,
    fill: impl FnOnce(&Path) -> Result<(), OpenError>,
) -> Result<(), OpenError> {
    // SQLite would take the log of an earlier ledger of that name for the new one's.
    for suffix in ["", "-wal", "-journal"] {
        let taken = with_suffix(path, suffix);
        if fs::symlink_metadata(&taken).is_ok() {
            return Err(OpenError::AlreadyExists { path: taken });
        }
    }
    let staging = with_suffix(path, &staging_suffix().map_err(failed("name", path))?);
    new_private_file(&staging).map_err(failed("create", &staging))?;
    let named = fill(&staging).and_then(|()| {
        File::open(&staging).and_then(|file| file.sync_all()).map_err(failed("sync", &staging))?;
        // Unlike a rename, a link never replaces what has the name by now.
        fs::hard_link(&staging, path).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => OpenError::AlreadyExists { path: path.to_owned() },
            _ => failed("create", path)(error),
        })
    });
    // Made by this call, under a name nobody else has; after the link, one name too many.
    let _ = fs::remove_file(&staging);
    named?;
    sync_directory_of(path)
}

/// Makes a file with these contents, readable by its owner only, unless something has the name.
/// Durable on return, and never seen half written.
pub(crate) fn create_secret(path: &Path, contents: &[u8]) -> io::Result<()> {
    let staging = with_suffix(path, &staging_suffix()?);
    new_private_file(&staging)?;
    let named = fs::write(&staging, contents)
        .and_then(|()| File::open(&staging)?.sync_all())
        .and_then(|()| fs::hard_link(&staging, path));
    let _ = fs::remove_file(&staging);
    named
}

fn new_private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn sync_directory_of(path: &Path) -> Result<(), OpenError> {
    // Elsewhere a directory cannot be opened as a file, and needs no sync.
    #[cfg(unix)]
    {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        File::open(directory)
            .and_then(|file| file.sync_all())
            .map_err(failed("sync the directory", directory))?;
    }
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

fn staging_suffix() -> io::Result<String> {
    Ok(format!(".new-{:016x}", getrandom::u64().map_err(io::Error::from)?))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    move |source| OpenError::File { action, path: path.to_owned(), source }
}
