//! Certifying devices.

use std::path::Path;

use provision_station::evidence::{ApprovedCsr, Chain, ChainFault};
use thiserror::Error;

use crate::authority::{Authority, CaCertificate, CaFault, OpenError};
use crate::ca_key::CaKey;
use crate::certificate::{CertifyError, device_key};
use crate::directory::CaDirectory;
use crate::key_file::KeyFile;
use crate::passphrase::KeyProtection;
use crate::profile::{Lifetime, Profile, ProfileError, SignedBy, of_device};
use crate::request::ProvenKey;
use crate::signer::CaSigner;
use crate::template::Variables;
use crate::validity::{Moment, Validity, ValidityError};

/// Signs certificates for devices: a file-based CA here, elsewhere a token or a remote service.
///
/// # Contract
///
/// One call makes one certificate, which no second call repeats: who wants the same again asks the
/// ledger. Nothing but an [`ApprovedCsr`] can be certified, and nothing in the certificate but the
/// key comes from the device.
pub trait Issuer {
    /// Certifies the key of `approved` under the name of its device. `now_s` is the time now, in
    /// seconds since 1970-01-01 UTC. May take seconds.
    ///
    /// # Errors
    ///
    /// [`IssueError`]; no certificate was made then, or none got out.
    fn issue(
        &mut self,
        approved: &ApprovedCsr,
        profile: &Profile,
        now_s: u64,
    ) -> Result<Chain, IssueError>;
}

/// An [`Issuer`] with the certificates here and the key behind `S`.
#[derive(Debug)]
pub struct CaIssuer<S> {
    authority: Authority<S>,
    /// Issuing CA first.
    issuers: Vec<Vec<u8>>,
    anchor: Vec<u8>,
}

impl<S: CaSigner> CaIssuer<S> {
    /// Puts a CA together from certificates in DER: `issuers` with the issuing CA first, each
    /// signed by the next and the last by `anchor`, which is self-signed.
    ///
    /// # Errors
    ///
    /// [`CaFault`] if one of them is not fit for that, or if `signer` holds another key.
    pub fn new(issuers: Vec<Vec<u8>>, anchor: Vec<u8>, signer: S) -> Result<Self, CaFault> {
        let root = CaCertificate::new(anchor.clone())?;
        root.check_signed_by(&root)?;
        let mut above = root;
        for issuer in issuers.iter().rev() {
            let below = CaCertificate::new(issuer.clone())?;
            below.check_signed_by(&above)?;
            above = below;
        }
        Ok(Self { authority: Authority::new(above, signer)?, issuers, anchor })
    }

    /// Until when the issuing CA is valid, in seconds since 1970-01-01 UTC.
    pub fn not_after_s(&self) -> u64 {
        self.authority.certificate().validity().not_after_s
    }

    /// The issuing CAs' certificates in DER, the one that signs first. None if the anchor does.
    #[must_use]
    pub fn issuers(&self) -> &[Vec<u8>] {
        &self.issuers
    }

    /// The self-signed certificate at the end of the chain, DER.
    #[must_use]
    pub fn anchor(&self) -> &[u8] {
        &self.anchor
    }

    /// Certifies the key of a person, a service or a server: of anything but a device on the
    /// line. `values` are for the profile's variables; `now_s` is the time now, in seconds since
    /// 1970-01-01 UTC. Returns the certificate in DER.
    ///
    /// # Errors
    ///
    /// [`IssueError`]; no certificate was made then, or none got out.
    pub fn issue_to_host(
        &mut self,
        key: &ProvenKey,
        profile: &Profile,
        values: &Variables,
        now_s: u64,
    ) -> Result<Vec<u8>, IssueError> {
        let validity = leaf_validity(self.authority.certificate().validity(), profile, now_s)?;
        let statement = profile.statement(values, key.as_spki().clone(), validity)?;
        Ok(self.authority.certify(&statement)?)
    }
}

impl<S: CaSigner> Issuer for CaIssuer<S> {
    fn issue(
        &mut self,
        approved: &ApprovedCsr,
        profile: &Profile,
        now_s: u64,
    ) -> Result<Chain, IssueError> {
        let validity = leaf_validity(self.authority.certificate().validity(), profile, now_s)?;
        let key = device_key(approved.public_key()).map_err(CertifyError::from)?;
        let statement = profile.statement(&of_device(approved.device()), key, validity)?;
        let leaf = self.authority.certify(&statement)?;
        Ok(approved.certified(leaf, self.issuers.clone(), self.anchor.clone())?)
    }
}

/// The [`Issuer`] over a directory made by [`init`](crate::init).
#[derive(Debug)]
pub struct FileIssuer(CaIssuer<CaKey>);

impl From<CaIssuer<CaKey>> for FileIssuer {
    fn from(issuer: CaIssuer<CaKey>) -> Self {
        Self(issuer)
    }
}

impl FileIssuer {
    /// Reads the device issuing CA. The key of the device root is not needed.
    ///
    /// # Errors
    ///
    /// [`OpenError`] names the file and what is wrong with it. The key must be protected as
    /// `protection` says: given a passphrase, a key in the clear is refused, for it may have been
    /// replaced.
    pub fn open(dir: &Path, protection: &KeyProtection) -> Result<Self, OpenError> {
        Self::open_for(dir, SignedBy::Device, protection)
    }

    /// Reads the CA that signs what a profile asks for.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_for(
        dir: &Path,
        signed_by: SignedBy,
        protection: &KeyProtection,
    ) -> Result<Self, OpenError> {
        let ca = present(dir, signed_by)?;
        let (path, key, root) = match signed_by {
            SignedBy::Device => (
                ca.device_issuing_certificate(),
                ca.device_issuing_key(),
                ca.device_root_certificate(),
            ),
            SignedBy::Server => {
                (ca.server_root_certificate(), ca.server_root_key(), ca.server_root_certificate())
            }
        };
        if ca.next().exists() {
            return Err(OpenError::RotationInterrupted { path: dir.to_owned() });
        }
        let anchor = CaCertificate::open(&root)?;
        let authority = Authority::open(&path, &key, protection)?;
        let unsuitable = |path, fault| OpenError::Unsuitable { path, fault };
        anchor.check_signed_by(&anchor).map_err(|fault| unsuitable(root, fault))?;
        // An imported CA may be its own root, or have more than one above it.
        let mut issuers = CaCertificate::open_all(&path)?;
        for at in 0..issuers.len() {
            let above = issuers.get(at + 1).unwrap_or(&anchor);
            issuers[at].check_signed_by(above).map_err(|fault| unsuitable(path.clone(), fault))?;
        }
        issuers.retain(|issuer| issuer.der() != anchor.der());
        let issuers = issuers.into_iter().map(|issuer| issuer.der().to_vec()).collect();
        Ok(Self(CaIssuer { authority, issuers, anchor: anchor.der().to_vec() }))
    }

    /// Whether [`open`](Self::open) needs a passphrase: for asking the operator only if so.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if there is no key to look at.
    pub fn needs_passphrase(dir: &Path) -> Result<bool, OpenError> {
        Self::needs_passphrase_for(dir, SignedBy::Device)
    }

    /// Whether [`open_for`](Self::open_for) needs a passphrase.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if there is no key to look at.
    pub fn needs_passphrase_for(dir: &Path, signed_by: SignedBy) -> Result<bool, OpenError> {
        let ca = present(dir, signed_by)?;
        let key = match signed_by {
            SignedBy::Device => ca.device_issuing_key(),
            SignedBy::Server => ca.server_root_key(),
        };
        Ok(KeyFile::read(&key)?.needs_passphrase())
    }

    /// Until when the CA is valid, in seconds since 1970-01-01 UTC.
    #[must_use]
    pub fn not_after_s(&self) -> u64 {
        self.0.not_after_s()
    }

    /// The issuer itself, for what is not done on the line.
    pub const fn inner(&mut self) -> &mut CaIssuer<CaKey> {
        &mut self.0
    }
}

impl Issuer for FileIssuer {
    fn issue(
        &mut self,
        approved: &ApprovedCsr,
        profile: &Profile,
        now_s: u64,
    ) -> Result<Chain, IssueError> {
        self.0.issue(approved, profile, now_s)
    }
}

/// A device was not certified.
#[derive(Debug, Error)]
pub enum IssueError {
    /// By this station's clock, the issuing CA has ended, or not begun.
    #[error(
        "the issuing CA is valid from {} to {}, and it is {} now",
        Moment(*.not_before_s), Moment(*.not_after_s), Moment(*.now_s)
    )]
    IssuerNotValid {
        /// The time now, in seconds since 1970-01-01 UTC.
        now_s: u64,
        /// From when on the issuing CA is valid.
        not_before_s: u64,
        /// Until when the issuing CA is valid.
        not_after_s: u64,
    },
    /// The profile asks for a certificate that would end after the issuing CA.
    #[error(
        "the certificate would be valid until {}, but the issuing CA only until {}",
        Moment(*.not_after_s), Moment(*.issuer_not_after_s)
    )]
    OutlivesIssuer {
        /// The end asked for, in seconds since 1970-01-01 UTC.
        not_after_s: u64,
        /// Until when the issuing CA is valid.
        issuer_not_after_s: u64,
    },
    /// The profile asks for a certificate without end, which only a CA without end can give.
    #[error(
        "the certificate would have no end, but the issuing CA ends on {}",
        Moment(*.issuer_not_after_s)
    )]
    IssuerEnds {
        /// Until when the issuing CA is valid.
        issuer_not_after_s: u64,
    },
    /// The validity asked for is not possible.
    #[error(transparent)]
    Validity(#[from] ValidityError),
    /// The profile does not allow it.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The certificate could not be made.
    #[error(transparent)]
    Certify(#[from] CertifyError),
    /// The certificate made is not one for the approved request.
    #[error("the certificate made is not for the approved CSR: {0}")]
    Mismatch(#[from] ChainFault),
}

pub(crate) fn present(dir: &Path, signed_by: SignedBy) -> Result<CaDirectory, OpenError> {
    let ca = CaDirectory::at(dir);
    let (needed, missing) = match signed_by {
        SignedBy::Device => (ca.device_root_certificate(), "device-root.crt"),
        SignedBy::Server => (ca.server_root_certificate(), "server-root.crt"),
    };
    if needed.exists() {
        Ok(ca)
    } else {
        Err(OpenError::NotACaDirectory { path: dir.to_owned(), missing })
    }
}

/// Within the issuer's own validity, or not at all.
fn leaf_validity(issuer: Validity, profile: &Profile, now_s: u64) -> Result<Validity, IssueError> {
    within(issuer, profile.lifetime, profile.backdate_s, now_s)
}

pub(crate) fn within(
    issuer: Validity,
    lifetime: Lifetime,
    backdate_s: u32,
    now_s: u64,
) -> Result<Validity, IssueError> {
    if !issuer.contains(now_s) {
        return Err(IssueError::IssuerNotValid {
            now_s,
            not_before_s: issuer.not_before_s,
            not_after_s: issuer.not_after_s,
        });
    }
    let backdate_s = u64::from(backdate_s);
    let mut validity = match lifetime {
        Lifetime::Days(days) => Validity::days(now_s, backdate_s, days)?,
        Lifetime::UntilIssuerEnds => Validity {
            not_before_s: now_s.saturating_sub(backdate_s),
            not_after_s: issuer.not_after_s,
        },
        Lifetime::NoEnd => {
            let validity = Validity::without_end(now_s, backdate_s);
            if issuer.not_after_s < validity.not_after_s {
                return Err(IssueError::IssuerEnds { issuer_not_after_s: issuer.not_after_s });
            }
            validity
        }
    };
    if validity.not_after_s > issuer.not_after_s {
        return Err(IssueError::OutlivesIssuer {
            not_after_s: validity.not_after_s,
            issuer_not_after_s: issuer.not_after_s,
        });
    }
    validity.not_before_s = validity.not_before_s.max(issuer.not_before_s);
    Ok(validity)
}
