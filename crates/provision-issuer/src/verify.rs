//! Whether a certificate is to be believed, and if not, which one of its path is at fault and why.
//!
//! Each certificate is looked at by itself here, so that the one at fault can be named; a path
//! that was found good is shown to rustls-webpki too, and counts only if both agree.

use core::fmt;
use core::time::Duration;

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{
    ANY_EXTENDED_KEY_USAGE, ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_BASIC_CONSTRAINTS,
    ID_CE_CERTIFICATE_POLICIES, ID_CE_CRL_DISTRIBUTION_POINTS, ID_CE_EXT_KEY_USAGE,
    ID_CE_KEY_USAGE, ID_CE_NAME_CONSTRAINTS, ID_CE_SUBJECT_ALT_NAME, ID_CE_SUBJECT_KEY_IDENTIFIER,
    ID_KP_CLIENT_AUTH, ID_KP_SERVER_AUTH,
};
use pki_types::{CertificateDer, UnixTime};
use thiserror::Error;
use webpki::{EndEntityCert, KeyUsage as WebpkiUsage};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName,
    SubjectKeyIdentifier,
};

use crate::algorithm::{SignatureFault, oid_name};
use crate::certificate::{AnyCertificate, AnyTbs, check_signature, parse};
use crate::crl::{Reason, RevocationList, Unfit};
use crate::inspect::name_text;
use crate::server_name::ServerName;
use crate::validity::{Moment, Validity};

/// What is asked about a certificate.
#[derive(Debug, Clone)]
pub struct VerifyRequest<'a> {
    /// The certificate, DER.
    pub leaf: Vec<u8>,
    /// Certificates that may stand between it and an anchor, in any order. DER.
    pub untrusted: Vec<Vec<u8>>,
    /// Certificates that are trusted as they are. DER.
    pub anchors: Vec<Vec<u8>>,
    /// What it is to be used for.
    pub purpose: Purpose,
    /// Under which name it was met, for a server.
    pub name: Option<ServerName>,
    /// When, in seconds since 1970-01-01 UTC.
    pub at_s: u64,
    /// CRLs. If there are any, they must cover what `crl_scope` says. Lent: one may have a million entries.
    pub crls: &'a [RevocationList],
    /// Which certificates of the path must be covered by a CRL.
    pub crl_scope: CrlScope,
}

/// What a certificate is to be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Purpose {
    /// Nothing in particular.
    #[default]
    Any,
    /// A client of TLS.
    Client,
    /// A server of TLS.
    Server,
}

/// Which certificates must be covered by a CRL, if there are CRLs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CrlScope {
    /// The first one.
    #[default]
    Leaf,
    /// All but the anchor, as nginx does it with `ssl_crl`.
    All,
    /// All but the anchor, as far as there are CRLs of their issuers, and for them.
    Given,
}

/// A path that was found good, leaf first, anchor last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedPath {
    /// The subjects.
    pub subjects: Vec<String>,
    /// The certificates, DER.
    pub certificates: Vec<Vec<u8>>,
    /// When the first of them ends, in seconds since 1970-01-01 UTC.
    pub not_after_s: u64,
}

/// A certificate is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{place} {subject}: {fault}")]
pub struct VerifyError {
    /// Which certificate of the path.
    pub place: Place,
    /// Its subject.
    pub subject: String,
    /// Why.
    pub fault: VerifyFault,
}

/// Which certificate of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The one that was asked about.
    Leaf,
    /// A CA so many steps above it.
    Ca(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaf => f.write_str("the certificate"),
            Self::Ca(1) => f.write_str("its issuer"),
            Self::Ca(steps) => write!(f, "the CA {steps} steps above it,"),
        }
    }
}

/// Why a certificate is not to be believed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VerifyFault {
    /// It cannot be read.
    #[error("is no certificate ({0})")]
    NotACertificate(String),
    /// Nobody who could have signed it is there.
    #[error("was issued by {issuer}, whose certificate is neither trusted nor given")]
    IssuerNotFound {
        /// Who signed it, as it says.
        issuer: String,
    },
    /// It vouches for itself, and nobody trusts it.
    #[error("is self-signed, and not trusted")]
    SelfSigned,
    /// A CA of the right name did not sign it.
    #[error("names {issuer} as its issuer, but: {fault}")]
    Signature {
        /// The CA that is there.
        issuer: String,
        /// What is wrong with the signature.
        fault: SignatureFault,
    },
    /// Its time has not come.
    #[error("is not valid before {}, and it is {} now", Moment(*.not_before_s), Moment(*.at_s))]
    NotYetValid {
        /// From when on it is valid.
        not_before_s: u64,
        /// The time asked about.
        at_s: u64,
    },
    /// Its time is over.
    #[error("ended on {}, and it is {} now", Moment(*.not_after_s), Moment(*.at_s))]
    Expired {
        /// Until when it was valid.
        not_after_s: u64,
        /// The time asked about.
        at_s: u64,
    },
    /// It signed another one, but is no CA's.
    #[error("signed the one below it, but is not a CA's")]
    NotACa,
    /// It may not sign certificates.
    #[error("may not sign certificates (its keyUsage says so)")]
    MayNotSign,
    /// More CAs stand below it than it allows.
    #[error("allows {max} CAs below itself, and there are {found}")]
    PathTooLong {
        /// Allowed.
        max: u8,
        /// Found.
        found: usize,
    },
    /// It is for something else.
    #[error("is not for a TLS {wanted}; it is for {found}")]
    Purpose {
        /// Asked for.
        wanted: &'static str,
        /// What its extendedKeyUsage has.
        found: String,
    },
    /// Its key may not sign a handshake.
    #[error("its key may not make signatures (its keyUsage says so)")]
    KeyUsage,
    /// It has an extension that must be understood, and is not.
    #[error("has a critical extension that is not understood: {extension}")]
    CriticalExtension {
        /// Which.
        extension: String,
    },
    /// It does not have that name.
    #[error("is not for {wanted}; it is for {}", list(.found))]
    Name {
        /// Asked for.
        wanted: String,
        /// The names it has.
        found: Vec<String>,
    },
    /// No CRL covers it.
    #[error("is covered by none of the CRLs: none is by {issuer}")]
    NoCrl {
        /// Whose CRL is needed.
        issuer: String,
    },
    /// CRLs of its issuer are there, and none of them is for it.
    #[error("is covered by none of the CRLs: of {issuer}, {}", all_unfit(.unfit))]
    UnfitCrls {
        /// Whose CRL is needed.
        issuer: String,
        /// Each that is there, and why it is none for it.
        unfit: Vec<UnfitCrl>,
    },
    /// The CRL that covers it cannot be used.
    #[error("the CRL of {issuer} {fault}")]
    Crl {
        /// Whose CRL.
        issuer: String,
        /// What is wrong with it.
        fault: CrlFault,
    },
    /// It was revoked.
    #[error("was revoked on {}: {reason}", Moment(*.at_s))]
    Revoked {
        /// Since when.
        at_s: u64,
        /// Why.
        reason: Reason,
    },
    /// Nothing of the above, but the second opinion is another.
    #[error("is refused by rustls-webpki: {0}")]
    SecondOpinion(String),
}

/// A CRL that is not for a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfitCrl {
    /// Its number, if it has one.
    pub number: Option<u64>,
    /// When it was made, in seconds since 1970-01-01 UTC.
    pub this_update_s: u64,
    /// Why it is none for it.
    pub why: Unfit,
}

impl fmt::Display for UnfitCrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            Some(number) => write!(f, "number {number} ")?,
            None => f.write_str("the one ")?,
        }
        write!(f, "of {} {}", Moment(self.this_update_s), self.why)
    }
}

/// Why a CRL cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CrlFault {
    /// A newer one should be there.
    #[error("ended on {}, and it is {} now: get a new one", Moment(*.next_update_s), Moment(*.at_s))]
    Expired {
        /// When the next one was to come.
        next_update_s: u64,
        /// The time asked about.
        at_s: u64,
    },
    /// It is from the future.
    #[error("begins on {}, and it is {} now", Moment(*.this_update_s), Moment(*.at_s))]
    NotYetValid {
        /// When it was made.
        this_update_s: u64,
        /// The time asked about.
        at_s: u64,
    },
    /// It is not signed by that CA.
    #[error("is not signed by it: {0}")]
    Signature(SignatureFault),
    /// It has an extension that must be understood, and is not.
    #[error("has a critical extension that is not understood: {0}")]
    CriticalExtension(String),
    /// Its entries cannot be read.
    #[error("cannot be read: {0}")]
    Broken(String),
}

/// Looks for a path from the certificate to an anchor that holds in every respect.
///
/// Every certificate among the anchors is trusted as it is, self-signed or not.
///
/// # Errors
///
/// [`VerifyError`] of the path that came farthest.
///
/// # Panics
///
/// Never: a search that finds no path notes why.
pub fn verify(request: &VerifyRequest<'_>) -> Result<VerifiedPath, VerifyError> {
    let leaf = Candidate::read(&request.leaf).map_err(|fault| VerifyError {
        place: Place::Leaf,
        subject: String::new(),
        fault,
    })?;
    let mut cas = Vec::new();
    for (ders, trusted) in [(&request.anchors, true), (&request.untrusted, false)] {
        for der in ders {
            // What is not needed may be rubbish.
            if let Ok(candidate) = Candidate::read(der) {
                cas.push(Candidate { trusted, ..candidate });
            }
        }
    }
    let leaf = Candidate { trusted: request.anchors.contains(&request.leaf), ..leaf };
    let mut search = Search { request, cas: &cas, best: None, steps: 0 };
    if let Some(path) = search.from(&mut vec![&leaf]) {
        return Ok(path);
    }
    let (_, error) = search.best.expect("a search without a path has a fault");
    Err(error)
}

struct Candidate<'a> {
    der: &'a [u8],
    certificate: AnyCertificate,
    trusted: bool,
}

impl<'a> Candidate<'a> {
    fn read(der: &'a [u8]) -> Result<Self, VerifyFault> {
        let certificate =
            parse(der).map_err(|error| VerifyFault::NotACertificate(error.to_string()))?;
        Ok(Self { der, certificate, trusted: false })
    }

    fn tbs(&self) -> &AnyTbs {
        self.certificate.tbs_certificate()
    }

    fn subject(&self) -> String {
        name_text(self.tbs().subject())
    }

    fn is_self_issued(&self) -> bool {
        self.tbs().subject() == self.tbs().issuer()
    }

    /// By name, and by key identifier where both have one (RFC 5280 section 4.2.1.1).
    fn may_have_issued(&self, below: &Self) -> bool {
        if self.tbs().subject() != below.tbs().issuer() {
            return false;
        }
        let subject: Option<(bool, SubjectKeyIdentifier)> =
            self.tbs().get_extension().ok().flatten();
        let authority: Option<(bool, AuthorityKeyIdentifier)> =
            below.tbs().get_extension().ok().flatten();
        match (subject, authority.and_then(|(_, authority)| authority.key_identifier)) {
            (Some((_, SubjectKeyIdentifier(subject))), Some(authority)) => subject == authority,
            _ => true,
        }
    }
}

struct Search<'a> {
    request: &'a VerifyRequest<'a>,
    cas: &'a [Candidate<'a>],
    /// The fault of the path that came farthest, and how far that was.
    best: Option<(usize, VerifyError)>,
    steps: usize,
}

impl<'a> Search<'a> {
    /// Goes on from the last certificate of `path`, whose links hold so far.
    fn from(&mut self, path: &mut Vec<&'a Candidate<'a>>) -> Option<VerifiedPath> {
        let last = path[path.len() - 1];
        if last.trusted {
            return match check_path(path, self.request) {
                Ok(verified) => Some(verified),
                Err((at, fault)) => {
                    // A path that reaches an anchor says more than any that does not.
                    self.note(PATH_LEN_MAX + path.len(), path, at, fault);
                    None
                }
            };
        }
        let mut found = false;
        let cas = if path.len() < PATH_LEN_MAX { self.cas } else { &[] };
        for ca in cas {
            // Each of a heap of certificates may have issued all the others.
            if self.steps > STEPS_MAX {
                break;
            }
            let again = path.iter().any(|earlier| earlier.der == ca.der);
            if again || !ca.may_have_issued(last) {
                continue;
            }
            found = true;
            self.steps += 1;
            let key = ca.tbs().subject_public_key_info();
            if let Err(fault) = check_signature(last.der, &last.certificate, key) {
                let issuer = ca.subject();
                self.note(
                    path.len(),
                    path,
                    path.len() - 1,
                    VerifyFault::Signature { issuer, fault },
                );
                continue;
            }
            path.push(ca);
            let verified = self.from(path);
            path.pop();
            if verified.is_some() {
                return verified;
            }
        }
        if !found {
            let fault = if last.is_self_issued() {
                VerifyFault::SelfSigned
            } else {
                VerifyFault::IssuerNotFound { issuer: name_text(last.tbs().issuer()) }
            };
            self.note(path.len(), path, path.len() - 1, fault);
        }
        None
    }

    fn note(&mut self, reached: usize, path: &[&Candidate<'_>], at: usize, fault: VerifyFault) {
        if self.best.as_ref().is_none_or(|(best, _)| *best < reached) {
            let place = if at == 0 { Place::Leaf } else { Place::Ca(at) };
            let subject = path[at].subject();
            self.best = Some((reached, VerifyError { place, subject, fault }));
        }
    }
}

/// Everything but the signatures, which hold already. Names the certificate at fault by its place.
fn check_path(
    path: &[&Candidate<'_>],
    request: &VerifyRequest<'_>,
) -> Result<VerifiedPath, (usize, VerifyFault)> {
    for (at, candidate) in path.iter().enumerate() {
        let tbs = candidate.tbs();
        check_time(tbs, request.at_s).map_err(|fault| (at, fault))?;
        if at > 0 {
            let cas_below = path[1..at].iter().filter(|ca| !ca.is_self_issued()).count();
            check_ca(tbs, cas_below).map_err(|fault| (at, fault))?;
        }
        // What an anchor says of its purpose is its holder's business; some judge by it.
        if at + 1 < path.len() || at == 0 {
            check_purpose(tbs, request.purpose, at == 0).map_err(|fault| (at, fault))?;
            check_critical(tbs).map_err(|fault| (at, fault))?;
        }
    }
    if let Some(name) = &request.name {
        check_name(path[0].tbs(), name).map_err(|fault| (0, fault))?;
    }
    if !request.crls.is_empty() {
        let count = match request.crl_scope {
            CrlScope::Leaf => 1.min(path.len() - 1),
            CrlScope::All | CrlScope::Given => path.len() - 1,
        };
        for at in 0..count {
            match check_revocation(path[at], path[at + 1], at > 0, request) {
                Err(VerifyFault::NoCrl { .. } | VerifyFault::UnfitCrls { .. })
                    if request.crl_scope == CrlScope::Given => {}
                checked => checked.map_err(|fault| (at, fault))?,
            }
        }
    }
    second_opinion(path, request).map_err(|error| (0, VerifyFault::SecondOpinion(error)))?;
    let ends = path.iter().map(|candidate| Validity::of(candidate.tbs()).not_after_s);
    Ok(VerifiedPath {
        subjects: path.iter().map(|candidate| candidate.subject()).collect(),
        certificates: path.iter().map(|candidate| candidate.der.to_vec()).collect(),
        not_after_s: ends.min().unwrap_or_default(),
    })
}

fn check_time(tbs: &AnyTbs, at_s: u64) -> Result<(), VerifyFault> {
    let Validity { not_before_s, not_after_s } = Validity::of(tbs);
    if at_s < not_before_s {
        return Err(VerifyFault::NotYetValid { not_before_s, at_s });
    }
    if at_s > not_after_s {
        return Err(VerifyFault::Expired { not_after_s, at_s });
    }
    Ok(())
}

fn check_ca(tbs: &AnyTbs, cas_below: usize) -> Result<(), VerifyFault> {
    let unreadable = |_| VerifyFault::CriticalExtension { extension: "one twice".into() };
    let constraints = tbs.get_extension::<BasicConstraints>().map_err(unreadable)?;
    let Some((_, constraints)) = constraints.filter(|(_, constraints)| constraints.ca) else {
        return Err(VerifyFault::NotACa);
    };
    let usage = tbs.get_extension::<KeyUsage>().map_err(unreadable)?;
    if usage.is_some_and(|(_, usage)| !usage.key_cert_sign()) {
        return Err(VerifyFault::MayNotSign);
    }
    match constraints.path_len_constraint {
        Some(max) if cas_below > usize::from(max) => {
            Err(VerifyFault::PathTooLong { max, found: cas_below })
        }
        _ => Ok(()),
    }
}

fn check_purpose(tbs: &AnyTbs, purpose: Purpose, leaf: bool) -> Result<(), VerifyFault> {
    let (oid, wanted) = match purpose {
        Purpose::Any => return Ok(()),
        Purpose::Client => (ID_KP_CLIENT_AUTH, "client"),
        Purpose::Server => (ID_KP_SERVER_AUTH, "server"),
    };
    let purposes: Option<(bool, ExtendedKeyUsage)> = tbs.get_extension().ok().flatten();
    if let Some((_, ExtendedKeyUsage(purposes))) = purposes
        && !purposes.iter().any(|found| [oid, ANY_EXTENDED_KEY_USAGE].contains(found))
    {
        let found: Vec<String> = purposes.iter().map(purpose_name).collect();
        return Err(VerifyFault::Purpose { wanted, found: found.join(", ") });
    }
    let usage: Option<(bool, KeyUsage)> = tbs.get_extension().ok().flatten();
    if leaf && usage.is_some_and(|(_, usage)| !usage.digital_signature()) {
        return Err(VerifyFault::KeyUsage);
    }
    Ok(())
}

/// A purpose as openssl's configuration names it.
pub(crate) fn purpose_name(oid: &ObjectIdentifier) -> String {
    use const_oid::db::rfc5280 as known;
    match *oid {
        ID_KP_SERVER_AUTH => "serverAuth".into(),
        ID_KP_CLIENT_AUTH => "clientAuth".into(),
        known::ID_KP_CODE_SIGNING => "codeSigning".into(),
        known::ID_KP_EMAIL_PROTECTION => "emailProtection".into(),
        known::ID_KP_TIME_STAMPING => "timeStamping".into(),
        known::ID_KP_OCSP_SIGNING => "OCSPSigning".into(),
        ANY_EXTENDED_KEY_USAGE => "anyExtendedKeyUsage".into(),
        _ => oid_name(oid),
    }
}

fn check_critical(tbs: &AnyTbs) -> Result<(), VerifyFault> {
    let known = [
        ID_CE_BASIC_CONSTRAINTS,
        ID_CE_KEY_USAGE,
        ID_CE_EXT_KEY_USAGE,
        ID_CE_SUBJECT_ALT_NAME,
        ID_CE_SUBJECT_KEY_IDENTIFIER,
        ID_CE_AUTHORITY_KEY_IDENTIFIER,
        ID_CE_CRL_DISTRIBUTION_POINTS,
        ID_CE_CERTIFICATE_POLICIES,
        // Left to the second opinion, which understands them.
        ID_CE_NAME_CONSTRAINTS,
    ];
    let extensions = tbs.extensions().map(Vec::as_slice).unwrap_or_default();
    match extensions.iter().find(|e| e.critical && !known.contains(&e.extn_id)) {
        Some(extension) => {
            Err(VerifyFault::CriticalExtension { extension: oid_name(&extension.extn_id) })
        }
        None => Ok(()),
    }
}

/// The names in subjectAltName that a server can be met under. The common name does not count:
/// no client of today looks at it.
pub(crate) fn names_of(tbs: &AnyTbs) -> Vec<ServerName> {
    let names: Option<(bool, SubjectAltName)> = tbs.get_extension().ok().flatten();
    let names = names.map(|(_, names)| names.0).unwrap_or_default();
    names.iter().filter_map(ServerName::from_general_name).collect()
}

fn check_name(tbs: &AnyTbs, wanted: &ServerName) -> Result<(), VerifyFault> {
    let names = names_of(tbs);
    if names.iter().any(|name| name.matches(wanted)) {
        return Ok(());
    }
    let found = names.iter().map(ToString::to_string).collect();
    Err(VerifyFault::Name { wanted: wanted.to_string(), found })
}

fn check_revocation(
    certificate: &Candidate<'_>,
    issuer: &Candidate<'_>,
    is_ca: bool,
    request: &VerifyRequest<'_>,
) -> Result<(), VerifyFault> {
    let at_s = request.at_s;
    let subject_id: Option<(bool, SubjectKeyIdentifier)> =
        issuer.tbs().get_extension().ok().flatten();
    let same_key = |crl: &RevocationList| match (crl.authority_key_id(), &subject_id) {
        (Some(authority), Some((_, SubjectKeyIdentifier(subject)))) => {
            authority == subject.as_bytes()
        }
        _ => true,
    };
    let name = issuer.subject();
    let (mut fit, mut unfit) = (Vec::new(), Vec::new());
    for crl in request.crls.iter().filter(|crl| crl.issuer() == issuer.tbs().subject()) {
        let checked = if same_key(crl) {
            crl.check_fit(certificate.tbs(), is_ca)
        } else {
            Err(Unfit::OtherKey)
        };
        match checked {
            Ok(()) => fit.push(crl),
            Err(why) => {
                let (number, this_update_s) = (crl.number(), crl.this_update_s());
                unfit.push(UnfitCrl { number, this_update_s, why });
            }
        }
    }
    // The newest one counts.
    let Some(crl) = fit.into_iter().max_by_key(|crl| crl.this_update_s()) else {
        return Err(if unfit.is_empty() {
            VerifyFault::NoCrl { issuer: name }
        } else {
            VerifyFault::UnfitCrls { issuer: name, unfit }
        });
    };
    let fault = |fault| VerifyFault::Crl { issuer: name.clone(), fault };
    crl.check_signature(issuer.tbs().subject_public_key_info())
        .map_err(|error| fault(CrlFault::Signature(error)))?;
    if let Some(extension) = crl.unknown_critical() {
        return Err(fault(CrlFault::CriticalExtension(oid_name(&extension))));
    }
    // Before its age: what an old CRL says is still so.
    let serial = certificate.tbs().serial_number();
    let revoked =
        crl.find(serial.as_bytes()).map_err(|error| fault(CrlFault::Broken(error.to_string())))?;
    if let Some(revoked) = revoked.filter(|revoked| revoked.at_s <= at_s) {
        return Err(VerifyFault::Revoked { at_s: revoked.at_s, reason: revoked.reason });
    }
    if at_s < crl.this_update_s() {
        return Err(fault(CrlFault::NotYetValid { this_update_s: crl.this_update_s(), at_s }));
    }
    match crl.next_update_s() {
        Some(next_update_s) if at_s > next_update_s => {
            Err(fault(CrlFault::Expired { next_update_s, at_s }))
        }
        _ => Ok(()),
    }
}

/// What rustls-webpki says of the same path. It judges leaves only, so not a CA's certificate.
fn second_opinion(path: &[&Candidate<'_>], request: &VerifyRequest<'_>) -> Result<(), String> {
    let leaf_is_ca = path[0]
        .tbs()
        .get_extension::<BasicConstraints>()
        .is_ok_and(|constraints| constraints.is_some_and(|(_, constraints)| constraints.ca));
    if path.len() < 2 || leaf_is_ca {
        return Ok(());
    }
    let text = |error: webpki::Error| error.to_string();
    let ders: Vec<CertificateDer<'_>> =
        path.iter().map(|candidate| CertificateDer::from(candidate.der)).collect();
    let (leaf, above) = (&ders[0], &ders[1..]);
    let (anchor, between) = (&above[above.len() - 1], &above[..above.len() - 1]);
    let anchors = [webpki::anchor_from_trusted_cert(anchor).map_err(text)?];
    let leaf = EndEntityCert::try_from(leaf).map_err(text)?;
    let at = UnixTime::since_unix_epoch(Duration::from_secs(request.at_s));
    let ask = |usage: WebpkiUsage| {
        leaf.verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &anchors,
            between,
            at,
            usage,
            None,
            None,
        )
        .map(|_| ())
    };
    match request.purpose {
        Purpose::Client => ask(WebpkiUsage::client_auth()).map_err(text),
        Purpose::Server => ask(WebpkiUsage::server_auth()).map_err(text),
        // It must be asked for something: one of the two, unless the purpose is all that is wrong.
        Purpose::Any => match ask(WebpkiUsage::client_auth()) {
            Err(webpki::Error::RequiredEkuNotFoundContext(_)) => {
                match ask(WebpkiUsage::server_auth()) {
                    Err(webpki::Error::RequiredEkuNotFoundContext(_)) => Ok(()),
                    other => other.map_err(text),
                }
            }
            other => other.map_err(text),
        },
    }
}

fn all_unfit(unfit: &[UnfitCrl]) -> String {
    unfit.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        "no name at all (subjectAltName is missing)".into()
    } else {
        names.join(", ")
    }
}

/// Deeper paths occur nowhere.
const PATH_LEN_MAX: usize = 10;
/// Signatures that are checked.
const STEPS_MAX: usize = 1000;
