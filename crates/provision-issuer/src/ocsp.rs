//! OCSP (RFC 6960): what is asked, and what a responder answers. No network and no clock here.
//!
//! ```text
//!   device root ──► responder's certificate for it ─┐
//!   issuing CA  ──► responder's certificate for it ─┼── one key, which signs every answer
//!   server root ──► responder's certificate for it ─┘
//! ```
//!
//! Only the CA that issued a certificate may say who answers for it (RFC 6960 section 4.2.2.2), so
//! the responder has a certificate from each. The CAs' own keys are not needed to answer.

mod message;
mod responder_files;

use core::time::Duration;

use aws_lc_rs::digest;
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{ID_SHA_1, ID_SHA_256};
use const_oid::db::rfc6960::{ID_PKIX_OCSP_BASIC, ID_PKIX_OCSP_NONCE};
use der::asn1::{BitString, GeneralizedTime, Null, OctetString, OctetStringRef};
use der::{Decode as _, Encode as _};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::CrlReason;

use self::message::{
    BasicOcspResponse, CertId, CertStatus, OcspRequest, OcspResponse, ResponderId, ResponseBytes,
    ResponseData, ResponseStatus, RevokedInfo, SingleResponse,
};
use crate::authority::CaCertificate;
use crate::certificate::{AnyCertificate, CertifyError, sign_checked};
use crate::crl::Reason;
use crate::signer::{CaSigner as _, SoftwareSigner};
use crate::validity::Validity;

pub use self::responder_files::{NewResponder, ResponderError, ResponderFault};

/// The longest request that is looked at, in bytes: more than a hundred certificates.
pub const OCSP_REQUEST_LEN_MAX: usize = 16 * 1024;

/// What is known of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OcspStatus {
    /// It was issued, and not revoked.
    Good,
    /// It is not to be accepted any more.
    Revoked {
        /// Since when, in seconds since 1970-01-01 UTC.
        at_s: u64,
        /// Why.
        reason: Reason,
    },
    /// Nobody here has issued it.
    Unknown,
}

/// Answers for every CA that gave it a certificate.
#[derive(Debug)]
pub struct OcspResponder {
    signer: SoftwareSigner,
    id: OctetString,
    served: Vec<ServedCa>,
}

/// A CA that is answered for.
#[derive(Debug)]
struct ServedCa {
    name: String,
    ca: CaCertificate,
    /// What it gave the responder.
    certificate: AnyCertificate,
    validity: Validity,
}

/// A CA that is answered for, as people know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answering {
    /// Its name in the directory: `device-issuing`.
    pub name: String,
    /// Its subject, in openssl's slash form.
    pub subject: String,
    /// Until when its answers are believed, in seconds since 1970-01-01 UTC.
    pub not_after_s: u64,
}

/// An answer, and what it came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OcspAnswer {
    /// An OCSPResponse, DER.
    pub der: Vec<u8>,
    /// What it says.
    pub outcome: OcspOutcome,
}

/// What an answer says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OcspOutcome {
    /// The status of each certificate that was asked about, and its serial number.
    Answered(Vec<(Vec<u8>, OcspStatus)>),
    /// It is no OCSP request.
    MalformedRequest,
    /// It asks about a CA that is not answered for, or about two CAs at once: one answer has one
    /// signature, which no client would believe for both.
    Unauthorized,
    /// What is known cannot be looked up now, or the CA's certificate for the responder has ended.
    TryLater,
    /// The key did not sign.
    InternalError,
}

impl OcspOutcome {
    /// As RFC 6960 section 4.2.1 calls it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Answered(_) => "successful",
            Self::MalformedRequest => "malformedRequest",
            Self::Unauthorized => "unauthorized",
            Self::TryLater => "tryLater",
            Self::InternalError => "internalError",
        }
    }

    const fn status(&self) -> ResponseStatus {
        match self {
            Self::Answered(_) => ResponseStatus::Successful,
            Self::MalformedRequest => ResponseStatus::MalformedRequest,
            Self::Unauthorized => ResponseStatus::Unauthorized,
            Self::TryLater => ResponseStatus::TryLater,
            Self::InternalError => ResponseStatus::InternalError,
        }
    }
}

impl OcspResponder {
    /// The CAs that are answered for.
    #[must_use]
    pub fn answers_for(&self) -> Vec<Answering> {
        let answering = |served: &ServedCa| Answering {
            name: served.name.clone(),
            subject: crate::inspect::name_text(&served.ca.identity().name),
            not_after_s: served.validity.not_after_s,
        };
        self.served.iter().map(answering).collect()
    }

    /// Answers a request (DER). `status` looks up a certificate by its issuer's key identifier and
    /// its serial number, big-endian; an error of it becomes `tryLater`. The answer holds from
    /// `now_s` until `lifetime_s` later, or until the responder's certificate ends.
    ///
    /// Whatever the request is, there is an answer.
    pub fn answer<E>(
        &mut self,
        request: &[u8],
        now_s: u64,
        lifetime_s: u64,
        mut status: impl FnMut(&[u8], &[u8]) -> Result<OcspStatus, E>,
    ) -> OcspAnswer {
        let answered = read(request).and_then(|asked| {
            let served = self.served_for(&asked.certificates, now_s)?;
            let key_id = self.served[served].ca.identity().key_id.as_bytes();
            let found = asked
                .certificates
                .iter()
                .map(|id| {
                    let serial = id.serial_number.as_bytes();
                    status(key_id, serial).map(|status| (serial.to_vec(), status))
                })
                .collect::<Result<Vec<_>, _>>()
                .map_err(|_| OcspOutcome::TryLater)?;
            let der = self
                .sign(served, &asked, &found, now_s, lifetime_s)
                .map_err(|_| OcspOutcome::InternalError)?;
            Ok(OcspAnswer { der, outcome: OcspOutcome::Answered(found) })
        });
        answered.unwrap_or_else(|outcome| OcspAnswer { der: refusal(outcome.status()), outcome })
    }

    /// What is said when nothing can be known, not even the time.
    #[must_use]
    pub fn try_later(&self) -> OcspAnswer {
        OcspAnswer { der: refusal(ResponseStatus::TryLater), outcome: OcspOutcome::TryLater }
    }

    /// The one CA that all of them name as their issuer, as it can be answered for now.
    fn served_for(&self, ids: &[CertId], now_s: u64) -> Result<usize, OcspOutcome> {
        let mut ended = false;
        for (at, served) in self.served.iter().enumerate() {
            if ids.iter().all(|id| served.issued(id)) {
                if served.validity.contains(now_s) {
                    return Ok(at);
                }
                ended = true;
            }
        }
        Err(if ended { OcspOutcome::TryLater } else { OcspOutcome::Unauthorized })
    }

    fn sign(
        &mut self,
        served: usize,
        asked: &Asked,
        found: &[(Vec<u8>, OcspStatus)],
        now_s: u64,
        lifetime_s: u64,
    ) -> Result<Vec<u8>, CertifyError> {
        let served = &self.served[served];
        let next_update_s = now_s.saturating_add(lifetime_s).min(served.validity.not_after_s);
        let (this_update, next_update) = (moment(now_s)?, moment(next_update_s)?);
        let responses = asked.certificates.iter().zip(found).map(|(id, (_, status))| {
            Ok(SingleResponse {
                cert_id: id.clone(),
                cert_status: written(*status)?,
                this_update,
                next_update: Some(next_update),
            })
        });
        let tbs_response_data = ResponseData {
            responder_id: ResponderId::ByKey(self.id.clone()),
            produced_at: this_update,
            responses: responses.collect::<der::Result<_>>()?,
            response_extensions: asked.nonce.clone().map(|nonce| vec![nonce]),
        };
        let certificate = served.certificate.clone();
        let signature = sign_checked(&mut self.signer, &tbs_response_data.to_der()?)?;
        let basic = BasicOcspResponse {
            tbs_response_data,
            signature_algorithm: self.signer.algorithm().identifier(),
            signature: BitString::from_bytes(&signature)?,
            certs: Some(vec![certificate]),
        };
        let response = OcspResponse {
            response_status: ResponseStatus::Successful,
            response_bytes: Some(ResponseBytes {
                response_type: ID_PKIX_OCSP_BASIC,
                response: OctetString::new(basic.to_der()?)?,
            }),
        };
        Ok(response.to_der()?)
    }
}

impl ServedCa {
    /// Whether a certificate is named as this CA's.
    fn issued(&self, id: &CertId) -> bool {
        let Some(hash) = hash(id.hash_algorithm.oid) else { return false };
        let Ok(name) = self.ca.identity().name.to_der() else { return false };
        let key = self.ca.public_key().subject_public_key.raw_bytes();
        let is = |expected: &OctetString, bytes: &[u8]| {
            digest::digest(hash, bytes).as_ref() == expected.as_bytes()
        };
        is(&id.issuer_key_hash, key) && is(&id.issuer_name_hash, &name)
    }
}

/// What a request asks.
struct Asked {
    certificates: Vec<CertId>,
    /// To be sent back as it came.
    nonce: Option<Extension>,
}

fn read(request: &[u8]) -> Result<Asked, OcspOutcome> {
    if request.len() > OCSP_REQUEST_LEN_MAX {
        return Err(OcspOutcome::MalformedRequest);
    }
    let request =
        OcspRequest::from_der(request).map_err(|_| OcspOutcome::MalformedRequest)?.tbs_request;
    if request.version.unwrap_or(V1) != V1 || request.request_list.is_empty() {
        return Err(OcspOutcome::MalformedRequest);
    }
    let mut nonce = None;
    for extension in request.request_extensions.unwrap_or_default() {
        if extension.extn_id == ID_PKIX_OCSP_NONCE {
            // Twice, it could not be said which one was meant.
            if nonce.is_some() || !is_nonce(&extension) {
                return Err(OcspOutcome::MalformedRequest);
            }
            nonce = Some(extension);
        } else if extension.critical {
            return Err(OcspOutcome::MalformedRequest);
        }
    }
    let not_understood = request.request_list.iter().any(|single| {
        single.single_request_extensions.iter().flatten().any(|extension| extension.critical)
    });
    if not_understood {
        return Err(OcspOutcome::MalformedRequest);
    }
    let certificates = request.request_list.into_iter().map(|single| single.req_cert).collect();
    Ok(Asked { certificates, nonce })
}

/// `Nonce ::= OCTET STRING(SIZE(1..32))` (RFC 8954 section 2.1).
fn is_nonce(extension: &Extension) -> bool {
    <&OctetStringRef>::from_der(extension.extn_value.as_bytes())
        .is_ok_and(|nonce| (1..=32).contains(&nonce.as_bytes().len()))
}

/// An answer that is not signed: anybody could have made it, so nobody believes more of it than
/// that there is no answer.
fn refusal(status: ResponseStatus) -> Vec<u8> {
    // SEQUENCE { ENUMERATED }
    vec![0x30, 3, 0x0a, 1, status as u8]
}

fn written(status: OcspStatus) -> der::Result<CertStatus> {
    Ok(match status {
        OcspStatus::Good => CertStatus::Good(Null),
        OcspStatus::Unknown => CertStatus::Unknown(Null),
        OcspStatus::Revoked { at_s, reason } => CertStatus::Revoked(RevokedInfo {
            revocation_time: moment(at_s)?,
            revocation_reason: match reason {
                // Left out, as in a CRL.
                Reason::Unspecified => None,
                Reason::KeyCompromise => Some(CrlReason::KeyCompromise),
                Reason::CaCompromise => Some(CrlReason::CaCompromise),
                Reason::AffiliationChanged => Some(CrlReason::AffiliationChanged),
                Reason::Superseded => Some(CrlReason::Superseded),
                Reason::CessationOfOperation => Some(CrlReason::CessationOfOperation),
                Reason::PrivilegeWithdrawn => Some(CrlReason::PrivilegeWithdrawn),
                Reason::CertificateHold => Some(CrlReason::CertificateHold),
                Reason::RemoveFromCrl => Some(CrlReason::RemoveFromCRL),
                Reason::AaCompromise => Some(CrlReason::AaCompromise),
            },
        }),
    })
}

fn moment(unix_s: u64) -> der::Result<GeneralizedTime> {
    GeneralizedTime::from_unix_duration(Duration::from_secs(unix_s))
}

/// Names are hashed here, and nothing is signed: SHA-1 does, and most clients know no other.
fn hash(oid: ObjectIdentifier) -> Option<&'static digest::Algorithm> {
    match oid {
        ID_SHA_1 => Some(&digest::SHA1_FOR_LEGACY_USE_ONLY),
        ID_SHA_256 => Some(&digest::SHA256),
        _ => None,
    }
}

const V1: u8 = 0;
