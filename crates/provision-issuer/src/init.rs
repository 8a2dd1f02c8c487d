//! Making a CA.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::algorithm::KeyType;
use crate::authority::{CaFault, to_pem};
use crate::ca_key::{CaKey, KeyStore, NewKeyError};
use crate::certificate::{CertifyError, Contents, IssuerIdentity, Statement, certify, key_id};
use crate::directory::CaDirectory;
use crate::files::{self, Access, FileError};
use crate::issuer::{CaIssuer, FileIssuer};
use crate::key_file::WriteKeyError;
use crate::name::{NameError, NameText};
use crate::passphrase::KeyProtection;
use crate::random::{RandomError, random};
use crate::subject::{Subject, SubjectError};
use crate::template::Variables;
use crate::validity::{Validity, ValidityError};

/// What a new CA is to be.
#[derive(Debug)]
pub struct CaRequest {
    /// What its three certificates are called.
    pub names: CaNames,
    /// What stands before the common name in all three.
    pub subject: Subject,
    /// What kind of keys devices' CAs have. Devices themselves can check P-256 alone.
    pub device_keys: KeyType,
    /// What kind of key the servers' CA has. Devices themselves can check P-256 alone.
    pub server_key: KeyType,
    /// How long it is to last.
    pub validity: CaValidity,
    /// Where the private keys are made.
    pub keys: KeyStore,
    /// How they are kept in files.
    pub protection: KeyProtection,
    /// The time now, in seconds since 1970-01-01 UTC.
    pub now_s: u64,
}

impl CaRequest {
    /// A CA of P-256 keys, with nothing in its names but the common names.
    #[must_use]
    pub fn new(names: CaNames, protection: KeyProtection, now_s: u64) -> Self {
        Self {
            names,
            subject: Subject::default(),
            device_keys: KeyType::P256,
            server_key: KeyType::P256,
            validity: CaValidity::default(),
            keys: KeyStore::Files,
            protection,
            now_s,
        }
    }
}

/// Common names of a CA's certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaNames {
    /// Of the device root.
    pub device_root: NameText,
    /// Of the device issuing CA.
    pub device_issuing: NameText,
    /// Of the server root.
    pub server_root: NameText,
}

impl CaNames {
    /// Names that begin with `maker`: "Acme Device Root CA" and so on.
    ///
    /// # Errors
    ///
    /// [`NameError`] if that makes no name, or too long a one.
    pub fn of(maker: &str) -> Result<Self, NameError> {
        NameText::new(maker)?;
        Ok(Self {
            device_root: NameText::new(format!("{maker} Device Root CA"))?,
            device_issuing: NameText::new(format!("{maker} Device Issuing CA"))?,
            server_root: NameText::new(format!("{maker} Server Root CA"))?,
        })
    }
}

/// How long a CA lasts. No certificate outlives what signed it, so devices' certificates end with
/// the issuing CA at the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CaValidity {
    /// The device root, in days.
    pub device_root_days: u32,
    /// The device issuing CA, in days.
    pub device_issuing_days: u32,
    /// The server root, in days.
    pub server_root_days: u32,
    /// Whether all three have no end instead (9999-12-31T23:59:59Z), as IEEE 802.1AR wants it.
    pub no_end: bool,
}

impl Default for CaValidity {
    /// Thirty years for the roots, twenty-five for the issuing CA: devices live long.
    fn default() -> Self {
        Self {
            device_root_days: 10_957,
            device_issuing_days: 9_131,
            server_root_days: 10_957,
            no_end: false,
        }
    }
}

/// Makes a CA in `dir`, which must not exist yet or be empty. All or nothing: it is put together
/// beside (in a directory whose name begins with a dot) and moved into place when it is durable.
/// Its parent must exist.
///
/// # Errors
///
/// [`InitError`]; nothing is left behind then. If the power was cut midway, the hidden directory
/// may be left, and `dir` is not there.
pub fn init(dir: &Path, request: &CaRequest) -> Result<CaDirectory, InitError> {
    check_vacant(dir)?;
    let made = MadeCa::new(request)?;
    make_directory(dir, |ca| made.write(ca, &request.protection), || made.keep())
}

/// A CA that was just made, with its keys at hand: deriving them anew from a passphrase takes a
/// while, as it should.
#[derive(Debug)]
pub struct OpenedCa {
    /// Where it is.
    pub directory: CaDirectory,
    /// Signs devices, people and services.
    pub device: FileIssuer,
    /// Signs servers.
    pub server: FileIssuer,
}

/// As [`init`], for what is to be signed at once.
///
/// # Errors
///
/// As [`init`].
pub fn init_opened(dir: &Path, request: &CaRequest) -> Result<OpenedCa, InitError> {
    check_vacant(dir)?;
    let made = MadeCa::new(request)?;
    let directory = make_directory(dir, |ca| made.write(ca, &request.protection), || made.keep())?;
    let MadeCa { device_root, device_issuing, server_root } = made;
    let issuers = vec![device_issuing.certificate];
    let device = CaIssuer::new(issuers, device_root.certificate, device_issuing.key)?;
    let server = CaIssuer::new(Vec::new(), server_root.certificate, server_root.key)?;
    Ok(OpenedCa { directory, device: device.into(), server: server.into() })
}

/// Has `write` fill a directory beside `dir`, and moves that into place, which `moved` is told: from
/// then on its files are there, even if that is not known to be durable.
pub(crate) fn make_directory(
    dir: &Path,
    write: impl FnOnce(&CaDirectory) -> Result<(), InitError>,
    moved: impl FnOnce(),
) -> Result<CaDirectory, InitError> {
    let target = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let staging = staging_beside(&target)?;
    files::create_directory(&staging)?;
    let in_place =
        write(&CaDirectory::at(&staging)).and_then(|()| move_into_place(&staging, &target, dir));
    if in_place.is_err() {
        // What is there was made by this call, under a name nobody else has.
        let _ = fs::remove_dir_all(&staging);
    }
    in_place?;
    moved();
    files::sync_directory(files::parent_of(&target))?;
    Ok(CaDirectory::at(dir))
}

/// A CA could not be made.
#[derive(Debug, Error)]
pub enum InitError {
    /// Something is there already. Nothing of it was touched.
    #[error("{} exists already and is not empty", path.display())]
    AlreadyExists {
        /// The directory asked for.
        path: PathBuf,
    },
    /// The path names no directory that could be made.
    #[error("{} is not a name for a new directory", path.display())]
    NotADirectoryName {
        /// The path asked for.
        path: PathBuf,
    },
    /// The issuing CA was to be valid for longer than its root.
    #[error("the issuing CA ({issuing_days} days) would outlive its root ({root_days} days)")]
    OutlivesRoot {
        /// Days asked for the issuing CA.
        issuing_days: u32,
        /// Days asked for the device root.
        root_days: u32,
    },
    /// The validity asked for is not possible.
    #[error(transparent)]
    Validity(#[from] ValidityError),
    /// The subject asked for is not possible.
    #[error(transparent)]
    Subject(#[from] SubjectError),
    /// A key could not be made.
    #[error(transparent)]
    Key(#[from] NewKeyError),
    /// No randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// A certificate could not be made.
    #[error(transparent)]
    Certify(#[from] CertifyError),
    /// What was made does not fit together.
    #[error(transparent)]
    Unfit(#[from] CaFault),
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A key could not be encrypted.
    #[error("a private key could not be encrypted: {0}")]
    KeyEncryption(pkcs8::Error),
}

impl From<WriteKeyError> for InitError {
    fn from(error: WriteKeyError) -> Self {
        match error {
            WriteKeyError::File(error) => Self::File(error),
            WriteKeyError::Random(error) => Self::Random(error),
            WriteKeyError::Encoding(error) => Self::KeyEncryption(error),
        }
    }
}

/// A CA in memory.
struct MadeCa {
    device_root: MadeAuthority,
    device_issuing: MadeAuthority,
    server_root: MadeAuthority,
}

/// A key, and the certificate for it.
pub(crate) struct MadeAuthority {
    pub(crate) key: CaKey,
    pub(crate) identity: IssuerIdentity,
    pub(crate) certificate: Vec<u8>,
}

/// What a CA's certificate is to say.
pub(crate) struct NewAuthority<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) common_name: &'a str,
    pub(crate) key: KeyType,
    pub(crate) validity: Validity,
    pub(crate) contents: Contents,
}

impl MadeCa {
    fn new(request: &CaRequest) -> Result<Self, InitError> {
        let CaValidity { device_root_days, device_issuing_days, server_root_days, no_end } =
            request.validity;
        if device_issuing_days > device_root_days && !no_end {
            return Err(InitError::OutlivesRoot {
                issuing_days: device_issuing_days,
                root_days: device_root_days,
            });
        }
        let new = |name, key, days, contents| -> Result<NewAuthority<'_>, InitError> {
            let validity = if no_end {
                Validity::without_end(request.now_s, BACKDATE_S)
            } else {
                Validity::days(request.now_s, BACKDATE_S, days)?
            };
            let subject = &request.subject;
            Ok(NewAuthority { subject, common_name: name, key, validity, contents })
        };
        let CaNames { device_root, device_issuing, server_root } = &request.names;
        let root = new(
            device_root.as_str(),
            request.device_keys,
            device_root_days,
            Contents::device_root(),
        )?;
        let issuing = new(
            device_issuing.as_str(),
            request.device_keys,
            device_issuing_days,
            Contents::device_issuing(),
        )?;
        let server = new(
            server_root.as_str(),
            request.server_key,
            server_root_days,
            Contents::server_root(),
        )?;
        let mut device_root = MadeAuthority::self_signed(root, &request.keys)?;
        let MadeAuthority { identity, key, .. } = &mut device_root;
        let device_issuing = MadeAuthority::signed_by(issuing, &request.keys, identity, key)?;
        let server_root = MadeAuthority::self_signed(server, &request.keys)?;
        Ok(Self { device_root, device_issuing, server_root })
    }

    fn keep(&self) {
        for made in [&self.device_root, &self.device_issuing, &self.server_root] {
            made.key.keep();
        }
    }

    fn write(&self, to: &CaDirectory, protection: &KeyProtection) -> Result<(), InitError> {
        let (root, issuing) = (&self.device_root.certificate, &self.device_issuing.certificate);
        write_certificates(&to.device_root_certificate(), &[root])?;
        write_certificates(&to.device_issuing_certificate(), &[issuing])?;
        write_certificates(&to.device_ca_bundle(), &[root, issuing])?;
        write_certificates(&to.server_root_certificate(), &[&self.server_root.certificate])?;
        let keys = [
            (to.device_root_key(), &self.device_root),
            (to.device_issuing_key(), &self.device_issuing),
            (to.server_root_key(), &self.server_root),
        ];
        // Each waits for the disk.
        std::thread::scope(|scope| {
            let write = |(path, authority): (PathBuf, &MadeAuthority)| {
                authority.key.write(&path, protection)
            };
            let written = keys.map(|key| scope.spawn(move || write(key)));
            written.into_iter().try_for_each(|thread| match thread.join() {
                Ok(written) => written,
                Err(panic) => std::panic::resume_unwind(panic),
            })
        })?;
        Ok(files::sync_directory(to.path())?)
    }
}

impl MadeAuthority {
    pub(crate) fn self_signed(new: NewAuthority<'_>, keys: &KeyStore) -> Result<Self, InitError> {
        let mut key = keys.generate(new.key, new.common_name)?;
        let (statement, identity) = new.statement(&key)?;
        let certificate = certify(&statement, &identity, &mut key)?;
        Ok(Self { key, identity, certificate })
    }

    pub(crate) fn signed_by(
        new: NewAuthority<'_>,
        keys: &KeyStore,
        issuer: &IssuerIdentity,
        signer: &mut CaKey,
    ) -> Result<Self, InitError> {
        let key = keys.generate(new.key, new.common_name)?;
        let (statement, identity) = new.statement(&key)?;
        let certificate = certify(&statement, issuer, signer)?;
        Ok(Self { key, identity, certificate })
    }
}

impl NewAuthority<'_> {
    fn statement(self, key: &CaKey) -> Result<(Statement, IssuerIdentity), InitError> {
        let public_key = key.public_key_info();
        let subject = self
            .subject
            .clone()
            .without("CN")
            .with("CN", self.common_name)?
            .name(&Variables::default())?;
        let identity = key_id(&public_key)
            .and_then(|key_id| IssuerIdentity::new(subject.clone(), key_id))
            .map_err(CertifyError::from)?;
        let Self { validity, contents, .. } = self;
        Ok((Statement { subject, public_key, validity, contents }, identity))
    }
}

/// Writes certificates in DER to a new file, PEM, in that order.
pub(crate) fn write_certificates(path: &Path, ders: &[&[u8]]) -> Result<(), InitError> {
    let pems: Result<String, _> = ders.iter().map(|der| to_pem(der)).collect();
    let pems = pems.map_err(CertifyError::from)?;
    Ok(files::create(path, pems.as_bytes(), Access::EverybodyReads)?)
}

pub(crate) fn check_vacant(dir: &Path) -> Result<(), InitError> {
    match fs::read_dir(dir) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(InitError::AlreadyExists { path: dir.to_owned() }),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(FileError::on("read the directory", dir)(error).into()),
    }
}

fn staging_beside(target: &Path) -> Result<PathBuf, InitError> {
    let Some(name) = target.file_name() else {
        return Err(InitError::NotADirectoryName { path: target.to_owned() });
    };
    let mut suffix = [0; 8];
    random(&mut suffix)?;
    let name = format!(".{}.new-{:016x}", name.display(), u64::from_be_bytes(suffix));
    Ok(files::parent_of(target).join(name))
}

/// Renaming over an empty directory replaces it; over anything else it fails. So two that make a
/// CA in one place at the same time do not mix: the later one finds it taken.
fn move_into_place(staging: &Path, target: &Path, asked: &Path) -> Result<(), InitError> {
    fs::rename(staging, target).map_err(|error| match error.kind() {
        io::ErrorKind::DirectoryNotEmpty | io::ErrorKind::AlreadyExists => {
            InitError::AlreadyExists { path: asked.to_owned() }
        }
        _ => FileError::on("create the directory", asked)(error).into(),
    })
}

/// A CA is valid from one hour ago, for machines whose clocks run behind this one's.
pub(crate) const BACKDATE_S: u64 = 60 * 60;
