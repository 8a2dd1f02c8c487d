//! Writing files that matter: never over another, owner only where secret, durable before the
//! caller goes on.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use thiserror::Error;

/// A file or directory could not be used.
#[derive(Debug, Error)]
#[error("cannot {action} {}: {source}", path.display())]
pub struct FileError {
    /// What was tried: a verb, as in "read".
    pub action: &'static str,
    /// On which file or directory.
    pub path: PathBuf,
    /// What the operating system said.
    pub source: io::Error,
}

impl FileError {
    /// For `map_err`.
    pub(crate) fn on(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self { action, path: path.to_owned(), source }
    }

    /// Whether it is that something has the name already.
    #[must_use]
    pub fn already_exists(&self) -> bool {
        self.source.kind() == io::ErrorKind::AlreadyExists
    }
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// 0600: a private key.
    OwnerOnly,
    /// 0444: a certificate. Nobody has a reason to write to it again.
    EverybodyReads,
}

impl Access {
    const fn mode(self) -> u32 {
        match self {
            Self::OwnerOnly => 0o600,
            Self::EverybodyReads => 0o444,
        }
    }
}

/// Creates `path` with `contents`; durable on return, but for its name, which is so once
/// the directory is synced. An existing file is an error, never overwritten. What is left of a write
/// that failed is removed.
///
/// # Errors
///
/// [`FileError`] with what the operating system said.
pub fn create(path: &Path, contents: &[u8], access: Access) -> Result<(), FileError> {
    create_by(path, access, |file| file.write_all(contents))
}

/// As [`create`], with contents that are written piece by piece.
///
/// # Errors
///
/// [`FileError`] with what `write` or the operating system said.
pub fn create_by(
    path: &Path,
    access: Access,
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> Result<(), FileError> {
    let mut file = new_file(path, access).map_err(FileError::on("create", path))?;
    let written = write(&mut file)
        .and_then(|()| set_exact_mode(&file, access))
        .and_then(|()| file.sync_all());
    written.map_err(|error| {
        // The file is ours: it was created above. Half a key must not stay.
        let _ = fs::remove_file(path);
        FileError::on("write", path)(error)
    })
}

/// Puts `contents` in the place of what `path` holds, if anything. Who reads it meanwhile finds the
/// old or the new, never half of one. Everybody may read it; for certificates and CRLs.
///
/// # Errors
///
/// [`FileError`] with what the operating system said. What was there is still there then.
pub fn replace(path: &Path, contents: &[u8]) -> Result<(), FileError> {
    replace_by(path, |file| file.write_all(contents))
}

/// As [`replace`], with contents that are written piece by piece.
///
/// # Errors
///
/// [`FileError`] with what `write` or the operating system said. What was there is still there then.
pub fn replace_by(
    path: &Path,
    write: impl FnOnce(&mut dyn io::Write) -> io::Result<()>,
) -> Result<(), FileError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    // Left over from a run that was cut off.
    let _ = fs::remove_file(&beside);
    create_by(&beside, Access::EverybodyReads, write)?;
    fs::rename(&beside, path).map_err(FileError::on("replace", path))?;
    sync_directory(parent_of(path))
}

/// Creates a directory that only its owner enters (0700).
pub(crate) fn create_directory(path: &Path) -> Result<(), FileError> {
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(FileError::on("create the directory", path))
}

/// Makes names that were created in or moved into `path` durable.
pub(crate) fn sync_directory(path: &Path) -> Result<(), FileError> {
    // Elsewhere a directory cannot be opened as a file, and needs no sync.
    #[cfg(unix)]
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(FileError::on("sync the directory", path))?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// The directory that holds `path`.
pub(crate) fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Reads a file that is no CRL: of 4 MiB at most.
///
/// # Errors
///
/// [`FileError`] with what the operating system said, or that it is larger.
pub fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let read = || {
        let mut contents = Vec::new();
        File::open(path)?.take(LEN_MAX + 1).read_to_end(&mut contents)?;
        if contents.len() as u64 > LEN_MAX {
            let why = format!("it is larger than {LEN_MAX} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
        }
        Ok(contents)
    };
    read().map_err(FileError::on("read", path))
}

/// A stranger's file must not fill the memory.
const LEN_MAX: u64 = 4 << 20;

/// The permission bits of a file, if they let others than its owner read it.
#[cfg(unix)]
pub(crate) fn readable_by_others(path: &Path) -> Result<Option<u32>, FileError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode =
        fs::metadata(path).map_err(FileError::on("read", path))?.permissions().mode() & 0o7777;
    Ok((mode & 0o044 != 0).then_some(mode))
}

/// Access lists are not looked at on other systems.
#[cfg(not(unix))]
pub(crate) fn readable_by_others(_: &Path) -> Result<Option<u32>, FileError> {
    Ok(None)
}

fn new_file(path: &Path, access: Access) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    // From the first moment: a mode set later would leave a key readable for a while.
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, access.mode());
    #[cfg(not(unix))]
    let _ = access;
    options.open(path)
}

/// The umask may have taken bits away from a certificate that a server must read.
#[cfg(unix)]
fn set_exact_mode(file: &File, access: Access) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(access.mode()))
}

#[cfg(not(unix))]
fn set_exact_mode(_: &File, _: Access) -> io::Result<()> {
    Ok(())
}
