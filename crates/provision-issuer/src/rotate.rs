//! A new issuing CA in place of one that grows old, with an overlap.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;
use x509_cert::name::Name;

use crate::algorithm::KeyType;
use crate::authority::{Authority, CaCertificate, CaFault, OpenError};
use crate::ca_key::{CaKey, KeyStore};
use crate::certificate::{CertifyError, Contents, Statement, certify};
use crate::directory::CaDirectory;
use crate::files::{self, FileError};
use crate::init::{
    BACKDATE_S, CaValidity, InitError, MadeAuthority, NewAuthority, write_certificates,
};
use crate::issuer::present;
use crate::passphrase::KeyProtection;
use crate::profile::SignedBy;
use crate::random::random;
use crate::subject::Subject;
use crate::validity::Validity;

/// What is to take the place of the issuing CA.
#[derive(Debug)]
pub struct RotateRequest {
    /// Kind of key of the new CA.
    pub key: KeyType,
    /// How long it lasts, in days. `None`: as long as one that is made with a CA, or as long as its
    /// root, if that is shorter.
    pub days: Option<u32>,
    /// Whether a new root takes the place of the old one too.
    pub new_root: bool,
    /// How long the new root lasts, in days.
    pub root_days: u32,
    /// How the keys are kept: those that are there, and the new ones.
    pub protection: KeyProtection,
    /// The time now, in seconds since 1970-01-01 UTC.
    pub now_s: u64,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// Certificate of the issuing CA that signs from now on.
    pub issuing: PathBuf,
    /// Certificate and key of the one before, which still signs the CRL of what it issued.
    pub retired: PathBuf,
    /// With a new root: the new issuing CA certified by the old root, for servers that do not know
    /// the new one yet.
    pub cross: Option<PathBuf>,
    /// What servers are to trust from now on: old and new.
    pub bundle: PathBuf,
    /// Whether this only finished a rotation that was interrupted.
    pub finished_earlier: bool,
}

/// Makes a new issuing CA under the same root, or under a new one. Devices with certificates of
/// the old one stay as they are: the bundle for servers holds both, and the old CA's key is kept
/// in `retired/` for its CRL. The root's key is needed.
///
/// With a new root, the new issuing CA is certified twice: by the new root, which new devices get
/// as their anchor, and by the old one, so that servers that know the old root alone take new
/// devices too.
///
/// All or nothing: everything is written beside and then moved into place. If the power is cut
/// midway, [`FileIssuer::open`](crate::FileIssuer::open) says so, and the next call finishes it.
///
/// # Errors
///
/// [`RotateError`]; the CA is as it was then, unless it is a [`FileError`] of the last moves.
pub fn rotate(dir: &Path, request: &RotateRequest) -> Result<Rotated, RotateError> {
    let ca = present(dir, SignedBy::Device)?;
    if ca.next().exists() {
        let retired = newest_retired(&ca)?;
        finish(&ca)?;
        return Ok(rotated(&ca, retired, true));
    }
    let root_path = ca.device_root_certificate();
    let mut root = Authority::open(&root_path, &ca.device_root_key(), &request.protection)?;
    let old_chain = CaCertificate::open_all(&ca.device_issuing_certificate())?;
    let old = &old_chain[0];
    if old.der() == root.certificate().der() {
        return Err(RotateError::OwnRoot);
    }
    let keys = KeyStore::of_file(&ca.device_issuing_key(), &request.protection)
        .map_err(OpenError::from)?;
    let made = NewGeneration::new(&mut root, old, &keys, request)?;
    let retired = retire(&ca, old)?;

    let mut suffix = [0; 8];
    random(&mut suffix).map_err(InitError::from)?;
    let staging = ca.path().join(format!(".next-{:016x}", u64::from_be_bytes(suffix)));
    files::create_directory(&staging)?;
    let written = made.write(&ca, &CaDirectory::at(&staging), &root, &request.protection);
    let named = written.and_then(|()| {
        let next = ca.next();
        fs::rename(&staging, &next).map_err(FileError::on("create the directory", &next))?;
        // From here on it is finished, now or by the next call.
        made.keep();
        Ok(files::sync_directory(ca.path())?)
    });
    if let Err(error) = named {
        // Made by this call, under a name nobody else has.
        let _ = fs::remove_dir_all(&staging);
        return Err(error);
    }
    finish(&ca)?;
    Ok(rotated(&ca, retired, false))
}

/// What a rotation makes.
struct NewGeneration {
    root: Option<MadeAuthority>,
    issuing: MadeAuthority,
    cross: Option<Vec<u8>>,
}

impl NewGeneration {
    fn new(
        root: &mut Authority<CaKey>,
        old: &CaCertificate,
        keys: &KeyStore,
        request: &RotateRequest,
    ) -> Result<Self, RotateError> {
        let now_s = request.now_s;
        let (subject, common_name) = next_name(&old.identity().name)?;
        let root_ends_s = root.certificate().validity().not_after_s;
        let days = request.days.unwrap_or(CaValidity::default().device_issuing_days);
        let mut validity = Validity::days(now_s, BACKDATE_S, days).map_err(InitError::from)?;
        if request.days.is_none() && !request.new_root {
            validity.not_after_s = validity.not_after_s.min(root_ends_s);
        }
        let issuing = NewAuthority {
            subject: &subject,
            common_name: &common_name,
            key: request.key,
            validity,
            contents: Contents::device_issuing(),
        };
        if !root.certificate().validity().contains(now_s) {
            return Err(RotateError::RootNotValid);
        }
        if !request.new_root {
            if validity.not_after_s > root_ends_s {
                return Err(RotateError::OutlivesRoot { days: (root_ends_s - now_s) / 86_400 });
            }
            let identity = root.certificate().identity().clone();
            let issuing = MadeAuthority::signed_by(issuing, keys, &identity, root.signer())?;
            return Ok(Self { root: None, issuing, cross: None });
        }
        let (root_subject, root_name) = next_name(&root.certificate().identity().name)?;
        let root_validity =
            Validity::days(now_s, BACKDATE_S, request.root_days).map_err(InitError::from)?;
        if validity.not_after_s > root_validity.not_after_s {
            return Err(RotateError::OutlivesRoot { days: u64::from(request.root_days) });
        }
        let new_root = NewAuthority {
            subject: &root_subject,
            common_name: &root_name,
            key: request.key,
            validity: root_validity,
            contents: Contents::device_root(),
        };
        let mut new_root = MadeAuthority::self_signed(new_root, &KeyStore::of(root.key()))?;
        let MadeAuthority { identity, key, .. } = &mut new_root;
        let issuing = MadeAuthority::signed_by(issuing, keys, identity, key)?;
        let statement = Statement {
            subject: issuing.identity.name.clone(),
            public_key: issuing.key.public_key_info(),
            // The old root vouches for it as long as it lasts itself.
            validity: Validity { not_after_s: validity.not_after_s.min(root_ends_s), ..validity },
            contents: Contents::device_issuing(),
        };
        let identity = root.certificate().identity().clone();
        let cross = certify(&statement, &identity, root.signer()).map_err(InitError::from)?;
        Ok(Self { root: Some(new_root), issuing, cross: Some(cross) })
    }

    fn keep(&self) {
        for made in self.root.iter().chain([&self.issuing]) {
            made.key.keep();
        }
    }

    /// Everything that takes the place of something, under the names it will have.
    fn write(
        &self,
        ca: &CaDirectory,
        to: &CaDirectory,
        old_root: &Authority<CaKey>,
        protection: &KeyProtection,
    ) -> Result<(), RotateError> {
        let issuing = self.issuing.certificate.as_slice();
        write_certificates(&to.device_issuing_certificate(), &[issuing])?;
        self.issuing.key.write(&to.device_issuing_key(), protection).map_err(InitError::from)?;
        let mut bundle: Vec<Vec<u8>> = Vec::new();
        if let Some(root) = &self.root {
            write_certificates(&to.device_root_certificate(), &[&root.certificate])?;
            root.key.write(&to.device_root_key(), protection).map_err(InitError::from)?;
            bundle.push(root.certificate.clone());
        } else {
            bundle.push(old_root.certificate().der().to_vec());
        }
        bundle.push(issuing.to_vec());
        if let Some(cross) = &self.cross {
            write_certificates(&to.device_issuing_cross_certificate(), &[cross])?;
            bundle.push(cross.clone());
        }
        // What servers trusted until now they trust on: old devices send a leaf alone.
        for earlier in CaCertificate::open_all(&ca.device_ca_bundle())? {
            if !bundle.iter().any(|der| der == earlier.der()) {
                bundle.push(earlier.der().to_vec());
            }
        }
        let bundle: Vec<&[u8]> = bundle.iter().map(Vec::as_slice).collect();
        write_certificates(&to.device_ca_bundle(), &bundle)?;
        Ok(files::sync_directory(to.path())?)
    }
}

/// Gives the old issuing CA's files a second name in `retired/`; done twice, it changes nothing.
/// With a new root, the old root's too.
fn retire(ca: &CaDirectory, old: &CaCertificate) -> Result<PathBuf, RotateError> {
    let retired = ca.retired();
    match files::create_directory(&retired) {
        Err(error) if !error.already_exists() => return Err(error.into()),
        _ => {}
    }
    let link = |from: &Path, to: &Path| match fs::hard_link(from, to) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(FileError::on("create", to)),
    };
    let id = short_id(old);
    let certificate = retired.join(format!("device-issuing-{id}.crt"));
    link(&ca.device_issuing_certificate(), &certificate)?;
    link(&ca.device_issuing_key(), &retired.join(format!("device-issuing-{id}.key")))?;
    let root = CaCertificate::open(&ca.device_root_certificate())?;
    let id = short_id(&root);
    link(&ca.device_root_certificate(), &retired.join(format!("device-root-{id}.crt")))?;
    link(&ca.device_root_key(), &retired.join(format!("device-root-{id}.key")))?;
    files::sync_directory(&retired)?;
    Ok(certificate)
}

/// Moves what is in `next/` over what is there. May be repeated.
fn finish(ca: &CaDirectory) -> Result<(), RotateError> {
    let next = ca.next();
    let entries = fs::read_dir(&next).map_err(FileError::on("read the directory", &next))?;
    for entry in entries {
        let entry = entry.map_err(FileError::on("read the directory", &next))?;
        let to = ca.path().join(entry.file_name());
        fs::rename(entry.path(), &to).map_err(FileError::on("replace", &to))?;
    }
    files::sync_directory(ca.path())?;
    fs::remove_dir(&next).map_err(FileError::on("remove the directory", &next))?;
    Ok(files::sync_directory(ca.path())?)
}

fn newest_retired(ca: &CaDirectory) -> Result<PathBuf, RotateError> {
    let old = CaCertificate::open_all(&ca.device_issuing_certificate())?;
    let id = short_id(&old[0]);
    Ok(ca.retired().join(format!("device-issuing-{id}.crt")))
}

fn rotated(ca: &CaDirectory, retired: PathBuf, finished_earlier: bool) -> Rotated {
    let cross = ca.device_issuing_cross_certificate();
    Rotated {
        issuing: ca.device_issuing_certificate(),
        retired,
        cross: cross.exists().then_some(cross),
        bundle: ca.device_ca_bundle(),
        finished_earlier,
    }
}

/// The first four bytes of the key identifier, in hexadecimal.
fn short_id(ca: &CaCertificate) -> String {
    ca.identity().key_id.as_bytes().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

/// The name of the next generation: "… G2" after none, "… G3" after "… G2". Two CAs of one name
/// would have two CRLs of one issuer.
fn next_name(name: &Name) -> Result<(Subject, String), RotateError> {
    let subject =
        Subject::from_name(name).ok_or_else(|| RotateError::Name { name: name.to_string() })?;
    let current = subject.get("CN").unwrap_or("Device Issuing CA").to_owned();
    let generation = current
        .rsplit_once(" G")
        .and_then(|(base, number)| Some((base.to_owned(), number.parse::<u32>().ok()?)));
    let next = match generation {
        Some((base, number)) => format!("{base} G{}", number.saturating_add(1)),
        None => format!("{current} G2"),
    };
    Ok((subject, next))
}

/// No new CA took the place of the old one.
#[derive(Debug, Error)]
pub enum RotateError {
    /// The CA could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The CA that signs is its own root: nobody else could vouch for a new one.
    #[error("the issuing CA is its own root: make a new CA, and let servers trust both")]
    OwnRoot,
    /// The root has ended.
    #[error("the device root is not valid now: rotate it too")]
    RootNotValid,
    /// The new CA would last longer than its root.
    #[error("the new issuing CA would outlive its root, which lasts {days} days more")]
    OutlivesRoot {
        /// How long the root lasts, in days.
        days: u64,
    },
    /// A name with attributes that are not known here.
    #[error("the name {name} has attributes that are not known here")]
    Name {
        /// The name.
        name: String,
    },
    /// A certificate is not fit for its place.
    #[error(transparent)]
    Ca(#[from] CaFault),
    /// The new CA could not be made.
    #[error(transparent)]
    Made(#[from] InitError),
    /// It could not be certified.
    #[error(transparent)]
    Certify(#[from] CertifyError),
    /// A file could not be written or moved.
    #[error(transparent)]
    File(#[from] FileError),
}
