//! Certifying devices.

use std::path::Path;

use provision_csr::PublicKey;
use provision_station::evidence::{ApprovedCsr, Chain, ChainFault};
use provision_wire::DeviceSerial;
use thiserror::Error;

use crate::authority::{Authority, CaCertificate, CaFault, OpenError};
use crate::certificate::{CertifyError, Purpose, Statement};
use crate::directory::CaDirectory;
use crate::key_file;
use crate::name::distinguished_name;
use crate::passphrase::KeyProtection;
use crate::profile::{Lifetime, Profile};
use crate::signer::{CaSigner, SoftwareSigner};
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

    /// The leaf, DER.
    fn certify(
        &mut self,
        device: &DeviceSerial,
        public_key: &PublicKey,
        profile: &Profile,
        now_s: u64,
    ) -> Result<Vec<u8>, IssueError> {
        let validity = leaf_validity(self.authority.certificate().validity(), profile, now_s)?;
        let subject = distinguished_name(
            profile.country.as_ref(),
            profile.organization.as_ref(),
            profile.organizational_unit.as_ref(),
            Some(device.as_str()),
        )
        .map_err(CertifyError::from)?;
        let purpose = Purpose::Device;
        let statement = Statement { subject, public_key: *public_key, validity, purpose };
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
        let leaf = self.certify(approved.device(), approved.public_key(), profile, now_s)?;
        Ok(approved.certified(leaf, self.issuers.clone(), self.anchor.clone())?)
    }
}

/// The [`Issuer`] over a directory made by [`init`](crate::init).
#[derive(Debug)]
pub struct FileIssuer(CaIssuer<SoftwareSigner>);

impl FileIssuer {
    /// Reads the issuing CA. The key of the device root is not needed.
    ///
    /// # Errors
    ///
    /// [`OpenError`] names the file and what is wrong with it. The key must be protected as
    /// `protection` says: given a passphrase, a key in the clear is refused, for it may have been
    /// replaced.
    pub fn open(dir: &Path, protection: &KeyProtection) -> Result<Self, OpenError> {
        let ca = present(dir)?;
        let path = ca.device_issuing_certificate();
        let root = CaCertificate::open(&ca.device_root_certificate())?;
        let authority = Authority::open(&path, &ca.device_issuing_key(), protection)?;
        let unsuitable = |path, fault| OpenError::Unsuitable { path, fault };
        root.check_signed_by(&root)
            .map_err(|fault| unsuitable(ca.device_root_certificate(), fault))?;
        authority.certificate().check_signed_by(&root).map_err(|fault| unsuitable(path, fault))?;
        let issuers = vec![authority.certificate().der().to_vec()];
        Ok(Self(CaIssuer { authority, issuers, anchor: root.der().to_vec() }))
    }

    /// Whether [`open`](Self::open) needs a passphrase: for asking the operator only if so.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if there is no key to look at.
    pub fn needs_passphrase(dir: &Path) -> Result<bool, OpenError> {
        Ok(key_file::is_encrypted(&present(dir)?.device_issuing_key())?)
    }

    /// Until when the issuing CA is valid, in seconds since 1970-01-01 UTC.
    #[must_use]
    pub fn not_after_s(&self) -> u64 {
        self.0.not_after_s()
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
    /// The validity asked for is not possible.
    #[error(transparent)]
    Validity(#[from] ValidityError),
    /// The certificate could not be made.
    #[error(transparent)]
    Certify(#[from] CertifyError),
    /// The certificate made is not one for the approved request.
    #[error("the certificate made is not for the approved CSR: {0}")]
    Mismatch(#[from] ChainFault),
}

pub(crate) fn present(dir: &Path) -> Result<CaDirectory, OpenError> {
    let ca = CaDirectory::at(dir);
    if ca.device_root_certificate().exists() {
        Ok(ca)
    } else {
        Err(OpenError::NotACaDirectory { path: dir.to_owned(), missing: "device-root.crt" })
    }
}

/// Within the issuer's own validity, or not at all.
fn leaf_validity(issuer: Validity, profile: &Profile, now_s: u64) -> Result<Validity, IssueError> {
    if !issuer.contains(now_s) {
        return Err(IssueError::IssuerNotValid {
            now_s,
            not_before_s: issuer.not_before_s,
            not_after_s: issuer.not_after_s,
        });
    }
    let backdate_s = u64::from(profile.backdate_s);
    let mut validity = match profile.lifetime {
        Lifetime::Days(days) => Validity::days(now_s, backdate_s, days)?,
        Lifetime::UntilIssuerEnds => Validity {
            not_before_s: now_s.saturating_sub(backdate_s),
            not_after_s: issuer.not_after_s,
        },
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
