//! From leaf to anchor: webpki, and what it leaves open.

use pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor};
use provision_csr::VerifyP256;
use webpki::{EndEntityCert, Error, KeyUsage};

use crate::{
    PathFault, UnixSeconds,
    algorithm::EcdsaP256Sha256,
    certificate::{Certificate, KeyUsageBit},
};

/// Most issuers that may stand between a leaf and its anchor, or come with it.
pub const ISSUERS_MAX: usize = 4;

/// A leaf and the certificates that came with it, all of them readable.
pub(crate) struct Presented<'a> {
    leaf: CertificateDer<'a>,
    leaf_fields: Certificate<'a>,
    issuers: [CertificateDer<'a>; ISSUERS_MAX],
    issuers_len: usize,
}

impl<'a> Presented<'a> {
    pub(crate) fn parse(leaf: &'a [u8], issuers: &[&'a [u8]]) -> Result<Self, PathFault> {
        if issuers.len() > ISSUERS_MAX {
            return Err(PathFault::TooManyIssuers { found: issuers.len(), max: ISSUERS_MAX });
        }
        let presented = Self {
            leaf: CertificateDer::from(leaf),
            leaf_fields: Certificate::parse(leaf)
                .ok_or(PathFault::Unreadable { certificate: 0 })?,
            issuers: core::array::from_fn(|nth| {
                CertificateDer::from(issuers.get(nth).copied().unwrap_or_default())
            }),
            issuers_len: issuers.len(),
        };
        for (certificate, der) in presented.certificates() {
            EndEntityCert::try_from(der).map_err(|error| match error {
                Error::UnsupportedCriticalExtension => {
                    PathFault::UnknownCriticalExtension { certificate }
                }
                _ => PathFault::Unreadable { certificate },
            })?;
        }
        Ok(presented)
    }

    pub(crate) fn leaf(&self) -> &CertificateDer<'a> {
        &self.leaf
    }

    pub(crate) fn leaf_fields(&self) -> &Certificate<'a> {
        &self.leaf_fields
    }

    fn issuers(&self) -> &[CertificateDer<'a>] {
        self.issuers.get(..self.issuers_len).unwrap_or_default()
    }

    /// Leaf first, with the number that faults give.
    fn certificates(&self) -> impl Iterator<Item = (u8, &CertificateDer<'a>)> {
        // At most ISSUERS_MAX + 1 of them.
        (0..).zip(core::iter::once(&self.leaf).chain(self.issuers()))
    }

    /// A path for `purpose` at `now` to one of `anchors`.
    pub(crate) fn check_path<V: VerifyP256>(
        &self,
        anchors: &[TrustAnchor<'_>],
        purpose: KeyUsage,
        now: UnixSeconds,
    ) -> Result<(), PathFault> {
        let algorithm = EcdsaP256Sha256::<V>::new();
        let algorithms: [&dyn SignatureVerificationAlgorithm; 1] = [&algorithm];
        let leaf = EndEntityCert::try_from(&self.leaf)
            .map_err(|_| PathFault::Unreadable { certificate: 0 })?;

        let path = leaf
            .verify_for_usage(
                &algorithms,
                anchors,
                self.issuers(),
                now.to_pki(),
                purpose,
                None,
                None,
            )
            .map_err(|error| {
                if algorithm.is_exhausted() {
                    return PathFault::TooComplex;
                }
                self.explain(&error, purpose, now, |der| algorithm.refused(der))
            })?;

        // webpki reads extended key usage only where it is present, and KeyUsage never.
        if !self.leaf_fields.names_its_purpose() {
            return Err(PathFault::WrongPurpose);
        }
        if !self.leaf_fields.may(KeyUsageBit::DigitalSignature) {
            return Err(PathFault::KeyUsage { certificate: 0 });
        }
        for issuer in path.intermediate_certificates() {
            let issuer = issuer.der();
            if !Certificate::parse(&issuer)
                .is_some_and(|issuer| issuer.may(KeyUsageBit::KeyCertSign))
            {
                return Err(PathFault::KeyUsage { certificate: self.number_of(&issuer) });
            }
        }
        Ok(())
    }

    fn number_of(&self, der: &CertificateDer<'_>) -> u8 {
        self.certificates().find(|(_, other)| *other == der).map_or(0, |(number, _)| number)
    }

    /// webpki says what is wrong, but not with which certificate.
    fn explain(
        &self,
        error: &Error,
        purpose: KeyUsage,
        now: UnixSeconds,
        refused: impl Fn(&[u8]) -> bool,
    ) -> PathFault {
        match error {
            Error::CertExpired { not_after, .. } => PathFault::Expired {
                certificate: self.number_with(error, purpose, now),
                not_after: UnixSeconds::from_pki(*not_after),
                now,
            },
            Error::CertNotValidYet { not_before, .. } => PathFault::NotYetValid {
                certificate: self.number_with(error, purpose, now),
                not_before: UnixSeconds::from_pki(*not_before),
                now,
            },
            Error::InvalidSignatureForPublicKey => PathFault::BadSignature {
                certificate: self
                    .certificates()
                    .find(|(_, der)| refused(der))
                    .map_or(0, |(number, _)| number),
            },
            Error::UnknownIssuer => PathFault::UnknownIssuer,
            Error::UnsupportedSignatureAlgorithmContext(_)
            | Error::UnsupportedSignatureAlgorithmForPublicKeyContext(_) => {
                PathFault::UnsupportedAlgorithm
            }
            Error::RequiredEkuNotFoundContext(_) | Error::EmptyEkuExtension => {
                PathFault::WrongPurpose
            }
            Error::CaUsedAsEndEntity => PathFault::LeafIsCa,
            Error::EndEntityUsedAsCa => PathFault::IssuerIsNotCa,
            Error::PathLenConstraintViolated => PathFault::PathLenExceeded,
            Error::NameConstraintViolation => PathFault::NameConstraint,
            Error::MaximumPathBuildCallsExceeded
            | Error::MaximumPathDepthExceeded
            | Error::MaximumSignatureChecksExceeded
            | Error::MaximumNameConstraintComparisonsExceeded => PathFault::TooComplex,
            _ => PathFault::Malformed,
        }
    }

    /// The certificate that, alone, meets the same error. No signature is checked for this: there
    /// is no anchor to begin from, and validity is looked at first.
    fn number_with(&self, error: &Error, purpose: KeyUsage, now: UnixSeconds) -> u8 {
        let alone = |der: &CertificateDer<'_>| {
            EndEntityCert::try_from(der).ok().is_some_and(|certificate| {
                certificate
                    .verify_for_usage(&[], &[], &[], now.to_pki(), purpose, None, None)
                    .is_err_and(|found| found == *error)
            })
        };
        self.certificates().find(|(_, der)| alone(der)).map_or(0, |(number, _)| number)
    }
}
