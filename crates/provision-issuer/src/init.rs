//! Making a CA.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::authority::to_pem;
use crate::certificate::{CertifyError, IssuerIdentity, Purpose, Statement, certify, key_id};
use crate::directory::CaDirectory;
use crate::files::{self, Access, FileError};
use crate::key_file::{self, WriteKeyError};
use crate::name::{Country, NameError, NameText, distinguished_name};
use crate::passphrase::KeyProtection;
use crate::random::{RandomError, random};
use crate::signer::{CaSigner as _, SoftwareSigner};
use crate::validity::{Validity, ValidityError};

/// What a new CA is to be.
#[derive(Debug)]
pub struct CaRequest {
    /// What its three certificates are called.
    pub names: CaNames,
    /// Organization in all three names.
    pub organization: Option<NameText>,
    /// Country in all three names.
    pub country: Option<Country>,
    /// How long it is to last.
    pub validity: CaValidity,
    /// How the private keys are kept.
    pub protection: KeyProtection,
    /// The time now, in seconds since 1970-01-01 UTC.
    pub now_s: u64,
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
}

impl Default for CaValidity {
    /// Thirty years for the roots, twenty-five for the issuing CA: devices live long.
    fn default() -> Self {
        Self { device_root_days: 10_957, device_issuing_days: 9_131, server_root_days: 10_957 }
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

    let target = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let staging = staging_beside(&target)?;
    files::create_directory(&staging)?;
    let moved = made
        .write(&CaDirectory::at(&staging), &request.protection)
        .and_then(|()| move_into_place(&staging, &target, dir));
    if moved.is_err() {
        // What is there was made by this call, under a name nobody else has.
        let _ = fs::remove_dir_all(&staging);
    }
    moved?;
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
    /// No randomness for the keys.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// A certificate could not be made.
    #[error(transparent)]
    Certify(#[from] CertifyError),
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

struct MadeAuthority {
    key: SoftwareSigner,
    identity: IssuerIdentity,
    certificate: Vec<u8>,
}

impl MadeCa {
    fn new(request: &CaRequest) -> Result<Self, InitError> {
        let CaValidity { device_root_days, device_issuing_days, server_root_days } =
            request.validity;
        if device_issuing_days > device_root_days {
            return Err(InitError::OutlivesRoot {
                issuing_days: device_issuing_days,
                root_days: device_root_days,
            });
        }
        let make = |name: &NameText, days, purpose, issuer: Option<&mut MadeAuthority>| {
            MadeAuthority::new(request, name, days, purpose, issuer)
        };
        let names = &request.names;
        let mut device_root =
            make(&names.device_root, device_root_days, Purpose::DeviceRoot, None)?;
        let device_issuing = make(
            &names.device_issuing,
            device_issuing_days,
            Purpose::DeviceIssuing,
            Some(&mut device_root),
        )?;
        let server_root = make(&names.server_root, server_root_days, Purpose::ServerRoot, None)?;
        Ok(Self { device_root, device_issuing, server_root })
    }

    fn write(&self, to: &CaDirectory, protection: &KeyProtection) -> Result<(), InitError> {
        let certificate = |path: PathBuf, ders: &[&[u8]]| -> Result<(), InitError> {
            let pems: Result<String, _> = ders.iter().map(|der| to_pem(der)).collect();
            let pems = pems.map_err(CertifyError::from)?;
            Ok(files::create(&path, pems.as_bytes(), Access::EverybodyReads)?)
        };
        let (root, issuing) = (&self.device_root.certificate, &self.device_issuing.certificate);
        certificate(to.device_root_certificate(), &[root])?;
        certificate(to.device_issuing_certificate(), &[issuing])?;
        certificate(to.device_ca_bundle(), &[root, issuing])?;
        certificate(to.server_root_certificate(), &[&self.server_root.certificate])?;
        let keys = [
            (to.device_root_key(), &self.device_root),
            (to.device_issuing_key(), &self.device_issuing),
            (to.server_root_key(), &self.server_root),
        ];
        for (path, authority) in keys {
            key_file::write(&path, &authority.key.to_secret_key(), protection)?;
        }
        Ok(files::sync_directory(to.path())?)
    }
}

impl MadeAuthority {
    /// Signed by `issuer`, or by itself.
    fn new(
        request: &CaRequest,
        name: &NameText,
        days: u32,
        purpose: Purpose,
        issuer: Option<&mut Self>,
    ) -> Result<Self, InitError> {
        let mut key = SoftwareSigner::generate()?;
        let public_key = key.public_key();
        let validity = Validity::days(request.now_s, BACKDATE_S, days)?;
        let subject = distinguished_name(
            request.country.as_ref(),
            request.organization.as_ref(),
            None,
            Some(name.as_str()),
        )
        .map_err(CertifyError::from)?;
        let identity = IssuerIdentity {
            name: subject.clone(),
            key_id: key_id(&public_key).map_err(CertifyError::from)?,
        };
        let statement = Statement { subject, public_key, validity, purpose };
        let certificate = match issuer {
            Some(issuer) => certify(&statement, &issuer.identity, &mut issuer.key)?,
            None => certify(&statement, &identity, &mut key)?,
        };
        Ok(Self { key, identity, certificate })
    }
}

fn check_vacant(dir: &Path) -> Result<(), InitError> {
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
const BACKDATE_S: u64 = 60 * 60;
