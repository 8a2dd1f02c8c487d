//! What a certificate says of its issuer, for who looks for it.

use const_oid::db::rfc4519::ORGANIZATION_NAME;
use const_oid::db::rfc5280::ID_AD_CA_ISSUERS;
use der::{Decode as _, Encode as _};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{AuthorityInfoAccessSyntax, AuthorityKeyIdentifier};
use x509_cert::name::Name;

use crate::certificate::parse;
use crate::inspect::name_text;

/// What a certificate says of the CA that signed it. Nothing of it is proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerHints {
    /// The CA's name, a Name in DER (RFC 5280 section 4.1.2.4).
    pub issuer: Vec<u8>,
    /// The organization in that name.
    pub organization: Option<String>,
    /// Who certified the CA, in openssl's slash form (`authorityCertIssuer`, section 4.2.1.1).
    pub above: Vec<String>,
    /// Where the CA's certificate is published (`caIssuers`, section 4.2.2.1).
    pub published_at: Vec<String>,
}

impl IssuerHints {
    /// Reads them from a certificate in DER.
    ///
    /// # Errors
    ///
    /// With the position of the byte at which it is no certificate.
    pub fn of(certificate: &[u8]) -> der::Result<Self> {
        let certificate = parse(certificate)?;
        let tbs = certificate.tbs_certificate();
        let authority: Option<(bool, AuthorityKeyIdentifier)> = tbs.get_extension().ok().flatten();
        let above = authority.and_then(|(_, authority)| authority.authority_cert_issuer);
        let access: Option<(bool, AuthorityInfoAccessSyntax)> = tbs.get_extension().ok().flatten();
        let access = access.map(|(_, access)| access.0).unwrap_or_default();
        Ok(Self {
            issuer: tbs.issuer().to_der()?,
            organization: organization(tbs.issuer()),
            above: above
                .unwrap_or_default()
                .iter()
                .filter_map(|name| match name {
                    GeneralName::DirectoryName(name) => Some(name_text(name)),
                    _ => None,
                })
                .collect(),
            published_at: access
                .iter()
                .filter(|access| access.access_method == ID_AD_CA_ISSUERS)
                .filter_map(|access| match &access.access_location {
                    GeneralName::UniformResourceIdentifier(url) => Some(url.to_string()),
                    _ => None,
                })
                .collect(),
        })
    }
}

/// The organization of a certificate's subject.
///
/// # Errors
///
/// With the position of the byte at which it is no certificate.
pub fn organization_of_subject(certificate: &[u8]) -> der::Result<Option<String>> {
    Ok(organization(parse(certificate)?.tbs_certificate().subject()))
}

/// A name (RFC 5280 section 4.1.2.4) in openssl's slash form. `None` if it is none.
#[must_use]
pub fn name_of_der(der: &[u8]) -> Option<String> {
    Name::from_der(der).ok().map(|name| name_text(&name))
}

fn organization(name: &Name) -> Option<String> {
    let attribute = name.iter().find(|attribute| attribute.oid == ORGANIZATION_NAME)?;
    // Whatever kind of string it is: UTF8String and PrintableString in all that is made today.
    let text = String::from_utf8_lossy(attribute.value.value()).into_owned();
    (!text.is_empty()).then_some(text)
}
