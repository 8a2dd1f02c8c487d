//! Whether a CRL is one for a certificate (RFC 5280 section 6.3.3 (b)): by what it says of itself and of its place.

use const_oid::db::rfc5280::ID_CE_ISSUING_DISTRIBUTION_POINT;
use der::Decode as _;
use thiserror::Error;
use x509_cert::ext::pkix::crl::CrlDistributionPoints;
use x509_cert::ext::pkix::crl::dp::{DistributionPoint, IssuingDistributionPoint};
use x509_cert::ext::pkix::name::DistributionPointName;

use super::RevocationList;
use crate::certificate::AnyTbs;
use crate::inspect::point_names;

/// Why a CRL by the issuer of a certificate is not one for it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unfit {
    /// The issuer has had another key, or a namesake.
    #[error("is by another key of that name")]
    OtherKey,
    /// What it says of itself cannot be read.
    #[error("has an issuingDistributionPoint that cannot be read ({0})")]
    Unreadable(String),
    /// It is for others.
    #[error("is for {0} alone")]
    Others(&'static str),
    /// Some revocations are not in it.
    #[error("has revocations for some reasons alone")]
    SomeReasons,
    /// It has those of other issuers too, which is not understood here.
    #[error("is an indirect one, which is not read here")]
    Indirect,
    /// It stands for the certificates that name its place.
    #[error("is for certificates that name {}; this one names {}", places(.crl), places(.certificate))]
    OtherPlace {
        /// Where it says that it is published.
        crl: Vec<String>,
        /// Where the certificate says that its CRL is.
        certificate: Vec<String>,
    },
}

impl<D: AsRef<[u8]>> RevocationList<D> {
    /// Whether it is one for a certificate of the same issuer, all reasons.
    ///
    /// # Errors
    ///
    /// [`Unfit`].
    pub(crate) fn check_fit(&self, tbs: &AnyTbs, is_ca: bool) -> Result<(), Unfit> {
        let Some(extension) = self.extension(ID_CE_ISSUING_DISTRIBUTION_POINT) else {
            return Ok(());
        };
        let point = IssuingDistributionPoint::from_der(extension.extn_value.as_bytes())
            .map_err(|error| Unfit::Unreadable(error.to_string()))?;
        if point.only_contains_attribute_certs {
            return Err(Unfit::Others("attribute certificates"));
        }
        if point.only_contains_user_certs && is_ca {
            return Err(Unfit::Others("certificates that are no CA's"));
        }
        if point.only_contains_ca_certs && !is_ca {
            return Err(Unfit::Others("certificates of CAs"));
        }
        if point.indirect_crl {
            return Err(Unfit::Indirect);
        }
        if point.only_some_reasons.is_some() {
            return Err(Unfit::SomeReasons);
        }
        let Some(place) = point.distribution_point else { return Ok(()) };
        // One that cannot be read names no place.
        let points: Option<(bool, CrlDistributionPoints)> = tbs.get_extension().ok().flatten();
        let points = points.map(|(_, points)| points.0).unwrap_or_default();
        if points.iter().any(|point| is_at(point, &place)) {
            return Ok(());
        }
        let named = points.iter().filter_map(|point| point.distribution_point.as_ref());
        Err(Unfit::OtherPlace {
            crl: point_names(&place),
            certificate: named.flat_map(point_names).collect(),
        })
    }
}

/// Whether a CRL of that place is what a certificate points at, for whatever reason. What another one signs is
/// an indirect CRL.
fn is_at(point: &DistributionPoint, place: &DistributionPointName) -> bool {
    let whole = point.crl_issuer.is_none() && point.reasons.is_none();
    let same = match (&point.distribution_point, place) {
        (Some(DistributionPointName::FullName(named)), DistributionPointName::FullName(place)) => {
            named.iter().any(|name| place.contains(name))
        }
        // Both are relative to the issuer of both.
        (named, place) => named.as_ref() == Some(place),
    };
    whole && same
}

fn places(names: &[String]) -> String {
    if names.is_empty() { "no place".into() } else { names.join(", ") }
}
