//! CRLs (RFC 5280 section 5): made from a ledger, and read.
//!
//! Both go entry by entry over the bytes and keep no entry in memory: a CRL may have a million.

mod fit;

use core::fmt;
use core::ops::Range;
use core::str::FromStr;
use std::fs;
use std::path::{Path, PathBuf};

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{
    ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_CRL_NUMBER, ID_CE_CRL_REASONS,
    ID_CE_ISSUING_DISTRIBUTION_POINT,
};
use der::asn1::{BitStringRef, OctetString, Uint};
use der::{
    AnyRef, Decode as _, Encode as _, Reader as _, SliceReader, Tag, TagNumber, Tagged as _,
};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};
use thiserror::Error;
use x509_cert::ext::pkix::crl::dp::IssuingDistributionPoint;
use x509_cert::ext::pkix::name::DistributionPointName;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, CrlNumber};
use x509_cert::ext::{Extension, ToExtension as _};
use x509_cert::name::Name;
use x509_cert::time::Time;

use crate::algorithm::{self, SignatureFault};
use crate::authority::{Authority, CaCertificate, OpenError};
use crate::ca_key::CaKey;
use crate::certificate::{
    CertifyError, IssuerIdentity, SEQUENCE, check_signature, parse, push_header, sign_whole, uri,
};
use crate::directory::CaDirectory;
use crate::inspect::name_text;
use crate::issuer::present;
use crate::key_file::KeyFile;
use crate::passphrase::KeyProtection;
use crate::profile::SignedBy;
use crate::signer::CaSigner;
use crate::validity::time;

pub use fit::Unfit;

/// Why a certificate was revoked (RFC 5280 section 5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Reason {
    /// No reason is given.
    #[default]
    Unspecified,
    /// The private key is known to somebody else, or may be.
    KeyCompromise,
    /// The issuing CA's key is.
    CaCompromise,
    /// The name in it is no longer right.
    AffiliationChanged,
    /// Another certificate took its place.
    Superseded,
    /// It is not needed any more: the device was scrapped.
    CessationOfOperation,
    /// Its owner may no longer do what it allows.
    PrivilegeWithdrawn,
    /// It is not to be accepted for the time being. Others say so in their CRLs: here nothing is taken back.
    CertificateHold,
    /// It is to be accepted again, as others say in CRLs that follow one another.
    RemoveFromCrl,
    /// The key of an authority for attributes is known to somebody else, or may be.
    AaCompromise,
}

impl Reason {
    /// All that a certificate is revoked for here.
    pub const ALL: [Self; 7] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::CaCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::PrivilegeWithdrawn,
    ];

    /// What others revoke for besides.
    const FOREIGN: [Self; 3] = [Self::CertificateHold, Self::RemoveFromCrl, Self::AaCompromise];

    /// As openssl writes it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::CaCompromise => "CACompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::PrivilegeWithdrawn => "privilegeWithdrawn",
            Self::CertificateHold => "certificateHold",
            Self::RemoveFromCrl => "removeFromCRL",
            Self::AaCompromise => "AACompromise",
        }
    }

    /// Its number in `CRLReason`.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::CaCompromise => 2,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::PrivilegeWithdrawn => 9,
            Self::CertificateHold => 6,
            Self::RemoveFromCrl => 8,
            Self::AaCompromise => 10,
        }
    }

    /// The reason of a number.
    #[must_use]
    pub fn of_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().chain(Self::FOREIGN).find(|reason| reason.code() == code)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Reason {
    type Err = UnknownReason;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownReason { text: text.to_owned() })
    }
}

/// A text names no [`Reason`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is no reason: {}", Reason::ALL.map(Reason::name).join(", "))]
pub struct UnknownReason {
    /// The text as given.
    pub text: String,
}

/// A certificate that is not to be accepted any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// Its serial number, big-endian.
    pub cert_serial: Vec<u8>,
    /// Since when, in seconds since 1970-01-01 UTC.
    pub at_s: u64,
    /// Why.
    pub reason: Reason,
}

/// What a CRL is to say beside its entries.
#[derive(Debug, Clone)]
pub struct CrlRequest {
    /// Its number: higher than that of any CRL of this CA before.
    pub number: u64,
    /// The time now, in seconds since 1970-01-01 UTC.
    pub now_s: u64,
    /// When the next one comes at the latest. Whoever still has this one then takes nobody.
    pub next_update_s: u64,
    /// Where it is published, if certificates name that place: it then says so, critically, and
    /// stands for that place alone.
    pub url: Option<String>,
}

/// The entries of a CRL to be, written one by one: a million of them are forty megabytes.
#[derive(Debug, Clone, Default)]
pub struct CrlEntries {
    der: Vec<u8>,
    count: u64,
}

impl CrlEntries {
    /// Adds one.
    ///
    /// # Errors
    ///
    /// If its serial number or time cannot be written.
    pub fn push(&mut self, entry: &Revoked) -> der::Result<()> {
        push_entry(&mut self.der, entry)?;
        self.count += 1;
        Ok(())
    }

    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.count
    }
}

/// A CRL is not this CA's.
#[derive(Debug, Error)]
pub enum CrlFault {
    /// The CA's certificate cannot be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It is no CRL.
    #[error("it is not a CRL ({0})")]
    NotACrl(#[from] der::Error),
    /// It says that it is another's.
    #[error("it is the CRL of {issuer}, not of {ca}")]
    OtherIssuer {
        /// Whose it is, in openssl's slash form.
        issuer: String,
        /// Whose it should be.
        ca: String,
    },
    /// The CA did not sign it.
    #[error("its signature is not the CA's: {0}")]
    Signature(#[from] SignatureFault),
}

/// A CA of a directory that can sign its CRL: any of them, whether it still signs certificates or
/// not.
#[derive(Debug)]
pub struct CrlSigner {
    pub(crate) authority: Authority<CaKey>,
    name: String,
}

/// Files of a CA that has a CRL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrlSource {
    /// What it is called in the directory: `device-issuing`, `retired/device-issuing-1a2b3c4d`.
    pub name: String,
    /// Its certificate.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl CrlSource {
    /// Every CA of a directory whose key is there, the ones that sign now first. One that appears
    /// twice, as an imported CA may, counts once.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the directory is no CA's.
    pub fn all(dir: &Path) -> Result<Vec<Self>, OpenError> {
        let mut every = Self::every(dir)?;
        every.retain(Self::has_key);
        Ok(every)
    }

    /// Every CA of a directory, whether its key is there or not.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the directory is no CA's.
    pub fn every(dir: &Path) -> Result<Vec<Self>, OpenError> {
        let ca = present(dir, SignedBy::Device)?;
        let mut all = vec![
            ("device-issuing", ca.device_issuing_certificate(), ca.device_issuing_key()),
            ("device-root", ca.device_root_certificate(), ca.device_root_key()),
            ("server-root", ca.server_root_certificate(), ca.server_root_key()),
        ]
        .into_iter()
        .map(|(name, certificate, key)| Self { name: name.to_owned(), certificate, key })
        .collect::<Vec<_>>();
        let retired = retired(&ca).into_iter();
        all.extend(retired.map(|(name, certificate, key)| Self { name, certificate, key }));
        let mut seen = Vec::new();
        let mut found = Vec::new();
        // One whose key is there stands for another of the same key.
        all.sort_by_key(|source| !source.has_key());
        for source in all {
            let key = CaCertificate::open(&source.certificate)?.public_key().clone();
            if !seen.contains(&key) {
                seen.push(key);
                found.push(source);
            }
        }
        Ok(found)
    }

    /// The certificates of a directory's CAs that another CA of it has signed, DER: issuing CAs,
    /// retired ones and cross certificates. They were made before there was a ledger to record them.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the directory is no CA's, or if one of them cannot be read.
    pub fn certified(dir: &Path) -> Result<Vec<Vec<u8>>, OpenError> {
        let ca = present(dir, SignedBy::Device)?;
        let mut paths =
            vec![ca.device_issuing_certificate(), ca.device_issuing_cross_certificate()];
        paths.extend(retired(&ca).into_iter().map(|(_, certificate, _)| certificate));
        let mut found = Vec::new();
        for path in paths.iter().filter(|path| path.exists()) {
            let all = CaCertificate::open_all(path)?;
            found.extend(all.into_iter().filter(|ca| !ca.is_self_signed()));
        }
        Ok(found.into_iter().map(|ca| ca.der().to_vec()).collect())
    }

    /// Whether its key is there.
    #[must_use]
    pub fn has_key(&self) -> bool {
        self.key.exists()
    }

    /// Whether it certifies CAs, and so is needed rarely: its key belongs in a safe.
    #[must_use]
    pub fn is_device_root(&self) -> bool {
        self.name.trim_start_matches("retired/").starts_with("device-root")
    }

    /// What the files of this CA's CRL are called.
    #[must_use]
    pub fn crl_file(&self) -> String {
        format!("{}.crl", self.name.replace('/', "-"))
    }

    /// The key identifier by which a ledger knows what it issued. Its key is not needed.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if its certificate cannot be read.
    pub fn key_id(&self) -> Result<Vec<u8>, OpenError> {
        let certificate = CaCertificate::open(&self.certificate)?;
        Ok(certificate.identity().key_id.as_bytes().to_vec())
    }

    /// Whether a CRL, DER, is this CA's. Its key is not needed.
    ///
    /// # Errors
    ///
    /// [`CrlFault`].
    pub fn check_crl(&self, der: &[u8]) -> Result<(), CrlFault> {
        let ca = CaCertificate::open(&self.certificate)?;
        let list = RevocationList::from_der(der)?;
        if *list.issuer() != ca.identity().name {
            return Err(CrlFault::OtherIssuer {
                issuer: list.issuer_text(),
                ca: name_text(&ca.identity().name),
            });
        }
        Ok(list.check_signature(ca.public_key())?)
    }

    /// The CA of a directory that signed a certificate, DER, and so has it in its CRL once it is
    /// revoked; none if it is a stranger's. No key is needed.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if the directory is no CA's, or if a certificate in it cannot be read.
    pub fn that_signed(dir: &Path, certificate: &[u8]) -> Result<Option<Self>, OpenError> {
        let Ok(parsed) = parse(certificate) else { return Ok(None) };
        for source in Self::every(dir)? {
            let ca = CaCertificate::open(&source.certificate)?;
            if *parsed.tbs_certificate().issuer() == ca.identity().name
                && check_signature(certificate, &parsed, ca.public_key()).is_ok()
            {
                return Ok(Some(source));
            }
        }
        Ok(None)
    }

    /// Whether opening it needs a passphrase.
    ///
    /// # Errors
    ///
    /// [`OpenError`] if there is no key to look at.
    pub fn needs_passphrase(&self) -> Result<bool, OpenError> {
        Ok(KeyFile::read(&self.key)?.needs_passphrase())
    }

    /// Opens it.
    ///
    /// # Errors
    ///
    /// [`OpenError`] names the file and what is wrong with it.
    pub fn open(&self, protection: &KeyProtection) -> Result<CrlSigner, OpenError> {
        let authority = Authority::open(&self.certificate, &self.key, protection)?;
        Ok(CrlSigner { authority, name: self.name.clone() })
    }
}

/// The CAs that sign no more certificates: what each is called, its certificate, and where its key
/// is if it is there.
pub(crate) fn retired(ca: &CaDirectory) -> Vec<(String, PathBuf, PathBuf)> {
    let entries = fs::read_dir(ca.retired()).into_iter().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "crt"))
        .collect();
    found.sort();
    let named = |certificate: PathBuf| {
        let stem = certificate.file_stem().unwrap_or_default().to_string_lossy();
        (format!("retired/{stem}"), certificate.clone(), certificate.with_extension("key"))
    };
    found.into_iter().map(named).collect()
}

impl CrlSigner {
    /// What it is called in the directory.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key identifier by which a ledger knows what it issued.
    #[must_use]
    pub fn key_id(&self) -> &[u8] {
        self.authority.certificate().identity().key_id.as_bytes()
    }

    /// Its subject, in openssl's slash form.
    #[must_use]
    pub fn subject(&self) -> String {
        name_text(&self.authority.certificate().identity().name)
    }

    /// Signs a CRL. Returns DER.
    ///
    /// # Errors
    ///
    /// [`CertifyError`]; no CRL was made then.
    pub fn sign_crl(
        &mut self,
        request: &CrlRequest,
        entries: CrlEntries,
    ) -> Result<Vec<u8>, CertifyError> {
        self.authority.sign_crl(request, entries)
    }
}

impl<S: CaSigner> Authority<S> {
    /// Signs a CRL. Returns DER.
    fn sign_crl(
        &mut self,
        request: &CrlRequest,
        CrlEntries { der: entries, .. }: CrlEntries,
    ) -> Result<Vec<u8>, CertifyError> {
        let identity = self.certificate().identity().clone();
        let algorithm = self.signer().algorithm().identifier().to_der()?;
        let mut tbs = VERSION_2.to_vec();
        tbs.extend(&algorithm);
        tbs.extend(&identity.name_der);
        time(request.now_s)?.encode_to_vec(&mut tbs)?;
        time(request.next_update_s)?.encode_to_vec(&mut tbs)?;
        if !entries.is_empty() {
            push_header(&mut tbs, SEQUENCE, entries.len());
            tbs.extend(&entries);
        }
        drop(entries);
        let extensions = crl_extensions(request, &identity)?.to_der()?;
        push_header(&mut tbs, EXPLICIT_0, extensions.len());
        tbs.extend(extensions);

        sign_whole(tbs, &algorithm, self.signer())
    }
}

fn crl_extensions(request: &CrlRequest, issuer: &IssuerIdentity) -> der::Result<Vec<Extension>> {
    let number = CrlNumber(Uint::new(&request.number.to_be_bytes())?);
    let mut all = vec![issuer.authority_key.clone(), number.to_extension(&issuer.name, &[])?];
    if let Some(url) = &request.url {
        let point = IssuingDistributionPoint {
            distribution_point: Some(DistributionPointName::FullName(vec![uri(url)?])),
            only_contains_user_certs: false,
            only_contains_ca_certs: false,
            only_some_reasons: None,
            indirect_crl: false,
            only_contains_attribute_certs: false,
        };
        // Not by `to_extension`: x509-cert 0.3.0 has another object identifier for it.
        all.push(Extension {
            extn_id: ID_CE_ISSUING_DISTRIBUTION_POINT,
            critical: true,
            extn_value: OctetString::new(point.to_der()?)?,
        });
    }
    Ok(all)
}

/// `revokedCertificates` entry. Unspecified is left out (RFC 5280 section 5.3.1).
fn push_entry(out: &mut Vec<u8>, entry: &Revoked) -> der::Result<()> {
    let mut body = Vec::with_capacity(64);
    Uint::new(&entry.cert_serial)?.encode_to_vec(&mut body)?;
    time(entry.at_s)?.encode_to_vec(&mut body)?;
    if entry.reason != Reason::Unspecified {
        // SEQUENCE { SEQUENCE { OID id-ce-cRLReasons, OCTET STRING { ENUMERATED } } }
        body.extend([0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01]);
        body.push(entry.reason.code());
    }
    push_header(out, SEQUENCE, body.len());
    out.append(&mut body);
    Ok(())
}

/// A CRL as it was read, over its DER.
#[derive(Debug, Clone)]
pub struct RevocationList<D = Vec<u8>> {
    der: D,
    tbs: Range<usize>,
    entries: Range<usize>,
    issuer: Name,
    algorithm: AlgorithmIdentifierOwned,
    signature: Vec<u8>,
    this_update_s: u64,
    next_update_s: Option<u64>,
    extensions: Vec<Extension>,
}

impl<D: AsRef<[u8]>> RevocationList<D> {
    /// Reads DER. Of its entries no more is looked at than how long they are together.
    ///
    /// # Errors
    ///
    /// With the position of the byte at which it is no CRL.
    pub fn from_der(der: D) -> der::Result<Self> {
        let mut reader = SliceReader::new(der.as_ref())?;
        let whole = &mut reader;
        let header = der::Header::decode(whole)?;
        header.tag().assert_eq(Tag::Sequence)?;
        let tbs_start = position(whole);
        let tbs_header = der::Header::decode(whole)?;
        tbs_header.tag().assert_eq(Tag::Sequence)?;
        let end = position(whole) + usize::try_from(tbs_header.length())?;
        if Tag::peek(whole)? == Tag::Integer {
            u8::decode(whole)?;
        }
        let inner = AlgorithmIdentifierOwned::decode(whole)?;
        let issuer = Name::decode(whole)?;
        let this_update_s = unix_s(whole)?;
        let mut next_update_s = None;
        if position(whole) < end && matches!(Tag::peek(whole)?, Tag::UtcTime | Tag::GeneralizedTime)
        {
            next_update_s = Some(unix_s(whole)?);
        }
        let mut entries = 0..0;
        if position(whole) < end && Tag::peek(whole)? == Tag::Sequence {
            let header = der::Header::decode(whole)?;
            let start = position(whole);
            whole.read_slice(header.length())?;
            entries = start..position(whole);
        }
        let mut extensions = Vec::new();
        if position(whole) < end {
            let header = der::Header::decode(whole)?;
            header.tag().assert_eq(EXTENSIONS)?;
            extensions = whole.read_nested(header.length(), Vec::<Extension>::decode)?;
        }
        if position(whole) != end {
            return Err(whole.error(der::ErrorKind::Length { tag: Tag::Sequence }));
        }
        let algorithm = AlgorithmIdentifierOwned::decode(whole)?;
        if algorithm != inner {
            return Err(whole.error(der::ErrorKind::Value { tag: Tag::Sequence }));
        }
        let signature = BitStringRef::decode(whole)?.raw_bytes().to_vec();
        reader.finish()?;
        Ok(Self {
            der,
            tbs: tbs_start..end,
            entries,
            issuer,
            algorithm,
            signature,
            this_update_s,
            next_update_s,
            extensions,
        })
    }

    /// When it was made, in seconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn this_update_s(&self) -> u64 {
        self.this_update_s
    }

    /// When the next one comes at the latest, in seconds since 1970-01-01 UTC.
    #[must_use]
    pub const fn next_update_s(&self) -> Option<u64> {
        self.next_update_s
    }

    /// Who signed it, in openssl's slash form.
    #[must_use]
    pub fn issuer_text(&self) -> String {
        name_text(&self.issuer)
    }

    pub(crate) const fn issuer(&self) -> &Name {
        &self.issuer
    }

    pub(crate) const fn algorithm(&self) -> &AlgorithmIdentifierOwned {
        &self.algorithm
    }

    pub(crate) fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        let extension = self.extension(ID_CE_CRL_NUMBER)?;
        let number = CrlNumber::from_der(extension.extn_value.as_bytes()).ok()?;
        let bytes = number.0.as_bytes();
        (bytes.len() <= 8)
            .then(|| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// The key identifier of whoever signed it.
    pub(crate) fn authority_key_id(&self) -> Option<Vec<u8>> {
        let extension = self.extension(ID_CE_AUTHORITY_KEY_IDENTIFIER)?;
        let authority = AuthorityKeyIdentifier::from_der(extension.extn_value.as_bytes()).ok()?;
        authority.key_identifier.map(|id| id.as_bytes().to_vec())
    }

    /// The first critical extension that is not understood here: what it may mean is not known,
    /// so the CRL cannot be used (RFC 5280 section 5.2).
    pub(crate) fn unknown_critical(&self) -> Option<ObjectIdentifier> {
        let known = |extension: &&Extension| {
            [ID_CE_CRL_NUMBER, ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_ISSUING_DISTRIBUTION_POINT]
                .contains(&extension.extn_id)
        };
        self.extensions
            .iter()
            .filter(|extension| extension.critical)
            .find(|extension| !known(extension))
            .map(|extension| extension.extn_id)
    }

    /// Checks who signed it.
    ///
    /// # Errors
    ///
    /// [`SignatureFault`].
    pub(crate) fn check_signature(
        &self,
        key: &SubjectPublicKeyInfoOwned,
    ) -> Result<(), SignatureFault> {
        algorithm::verify(
            key,
            &self.algorithm,
            &self.der.as_ref()[self.tbs.clone()],
            &self.signature,
        )
    }

    /// Every entry, in the order in which they stand there. After one that cannot be read there
    /// are no more.
    pub fn entries(&self) -> impl Iterator<Item = der::Result<Revoked>> {
        let mut reader = self.entries_reader().ok();
        core::iter::from_fn(move || {
            let open = reader.as_mut().filter(|reader| !reader.is_finished())?;
            let entry = entry(open);
            if entry.is_err() {
                reader = None;
            }
            Some(entry)
        })
    }

    /// The entry of a certificate.
    ///
    /// # Errors
    ///
    /// If an entry before it cannot be read.
    pub fn find(&self, cert_serial: &[u8]) -> der::Result<Option<Revoked>> {
        let wanted = without_zeros(cert_serial);
        let mut reader = self.entries_reader()?;
        while !reader.is_finished() {
            // Of each no more is read than its serial number: there may be a million.
            let mut this = reader.clone();
            let header = der::Header::decode(&mut reader)?;
            header.tag().assert_eq(Tag::Sequence)?;
            let serial = reader.read_nested(header.length(), |fields| {
                let serial = AnyRef::decode(fields)?;
                fields.read_slice(fields.remaining_len())?;
                Ok::<_, der::Error>(serial)
            })?;
            serial.tag().assert_eq(Tag::Integer)?;
            if without_zeros(serial.value()) == wanted {
                return entry(&mut this).map(Some);
            }
        }
        Ok(None)
    }

    /// A reader that stands at the first entry, and counts from the beginning of the CRL.
    fn entries_reader(&self) -> der::Result<SliceReader<'_>> {
        let mut reader = SliceReader::new(&self.der.as_ref()[..self.entries.end])?;
        reader.read_slice(self.entries.start.try_into()?)?;
        Ok(reader)
    }

    fn extension(&self, oid: ObjectIdentifier) -> Option<&Extension> {
        self.extensions.iter().find(|extension| extension.extn_id == oid)
    }
}

fn entry(reader: &mut SliceReader<'_>) -> der::Result<Revoked> {
    let header = der::Header::decode(reader)?;
    header.tag().assert_eq(Tag::Sequence)?;
    reader.read_nested(header.length(), |fields| {
        // Negative ones occur, and are compared as they are.
        let serial = AnyRef::decode(fields)?;
        serial.tag().assert_eq(Tag::Integer)?;
        let at_s = unix_s(fields)?;
        let mut reason = Reason::Unspecified;
        if !fields.is_finished() {
            let extensions = Vec::<Extension>::decode(fields)?;
            for extension in extensions.iter().filter(|e| e.extn_id == ID_CE_CRL_REASONS) {
                if let &[0x0a, 1, code] = extension.extn_value.as_bytes() {
                    reason = Reason::of_code(code).unwrap_or_default();
                }
            }
        }
        Ok(Revoked { cert_serial: serial.value().to_vec(), at_s, reason })
    })
}

/// A time in seconds since 1970-01-01 UTC.
fn unix_s(reader: &mut SliceReader<'_>) -> der::Result<u64> {
    let at = reader.position();
    // Of a time that is none, the crate does not say where it is.
    let time = Time::decode(reader).map_err(|error| der::Error::new(error.kind(), at))?;
    Ok(time.to_unix_duration().as_secs())
}

fn without_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros..]
}

fn position(reader: &SliceReader<'_>) -> usize {
    u32::from(reader.position()) as usize
}

const EXTENSIONS: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
/// `[0] EXPLICIT`
const EXPLICIT_0: u8 = 0xa0;
/// `INTEGER 1`
const VERSION_2: [u8; 3] = [2, 1, 1];
