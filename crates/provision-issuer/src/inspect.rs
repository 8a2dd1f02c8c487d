//! What certificates, CSRs, CRLs, keys and bundles say, as facts that can be shown or counted on.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280 as ids;
use der::asn1::{AnyRef, OctetString};
use der::{Decode as _, Encode as _, Reader as _, SliceReader};
use sha2::{Digest as _, Sha256};
use spki::SubjectPublicKeyInfoOwned;
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::crl::CrlDistributionPoints;
use x509_cert::ext::pkix::crl::dp::IssuingDistributionPoint;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName, HardwareModuleName};
use x509_cert::ext::pkix::{
    AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints, CrlNumber,
    ExtendedKeyUsage, KeyUsage, SubjectAltName, SubjectKeyIdentifier,
};
use x509_cert::name::Name;

use crate::algorithm::{key_name, modulus_bits, oid_name};
use crate::certificate::{AnyCertificate, key_id, parse};
use crate::crl::RevocationList;
use crate::document::{Document, DocumentKind};
use crate::key_file::{KeyFileFault, SealedKey};
use crate::private_key::PrivateKey;
use crate::request::CertificateRequest;
use crate::subject::Subject;
use crate::validity::{Moment, Validity};
use crate::verify::{names_of, purpose_name};

/// Facts with names, in the order in which people want to read them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts(pub Vec<(String, Fact)>);

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A text.
    Text(String),
    /// A number.
    Number(u64),
    /// Yes or no.
    Flag(bool),
    /// Several texts.
    List(Vec<String>),
    /// Facts about a part.
    Facts(Facts),
}

impl Facts {
    fn add(&mut self, name: &str, fact: Fact) -> &mut Self {
        self.0.push((name.to_owned(), fact));
        self
    }

    fn text(&mut self, name: &str, text: impl Into<String>) -> &mut Self {
        self.add(name, Fact::Text(text.into()))
    }
}

/// What a document says. Of a private key no number is shown that is secret; an encrypted one, or
/// a PKCS#12, says that it is.
///
/// # Errors
///
/// If it cannot be read, with a position.
pub fn facts(document: &Document) -> Result<Facts, String> {
    let text = |error: der::Error| error.to_string();
    let der = document.bytes.as_slice();
    let mut facts = Facts::default();
    facts.text("kind", document.kind.to_string());
    match document.kind {
        DocumentKind::Certificate => certificate(&mut facts, der).map_err(text)?,
        DocumentKind::Request => request(&mut facts, der).map_err(text)?,
        DocumentKind::Crl => crl(&mut facts, der).map_err(text)?,
        DocumentKind::PublicKey => {
            let key = SubjectPublicKeyInfoOwned::from_der(der).map_err(text)?;
            public_key(&mut facts, &key).map_err(text)?;
        }
        DocumentKind::PrivateKey => {
            let key = SealedKey::find(der).map_err(|fault: KeyFileFault| fault.to_string())?;
            facts.add("encrypted", Fact::Flag(key.is_encrypted()));
            if !key.is_encrypted() {
                let key = key
                    .open(&crate::passphrase::KeyProtection::InsecurePlaintext)
                    .map_err(|fault| fault.to_string())?;
                facts.0.extend(facts_of_key(&key).0);
            }
        }
        DocumentKind::Pkcs12 => {
            facts.add("encrypted", Fact::Flag(true));
        }
        DocumentKind::Pkcs7 => {
            let found = certificates_in_pkcs7(der).map_err(text)?;
            facts.add("certificates", Fact::Number(found.len() as u64));
            for (at, der) in found.iter().enumerate() {
                let mut inner = Facts::default();
                certificate(&mut inner, der).map_err(text)?;
                facts.add(&format!("certificate {}", at + 1), Fact::Facts(inner));
            }
        }
        DocumentKind::DhParameters => {
            facts.add("bits", Fact::Number(modulus_bits(der).unwrap_or(0) as u64));
        }
    }
    Ok(facts)
}

/// What can be said of a private key: its public half.
#[must_use]
pub fn facts_of_key(key: &PrivateKey) -> Facts {
    let mut facts = Facts::default();
    // What is in memory can be written down.
    let _ = public_key(&mut facts, &key.public_key());
    facts
}

/// Single values of a certificate, for scripts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateValues {
    /// Serial number in hexadecimal, as openssl writes it.
    pub serial: String,
    /// From when on it is valid, in seconds since 1970-01-01 UTC.
    pub not_before_s: u64,
    /// Until when it is valid, in seconds since 1970-01-01 UTC.
    pub not_after_s: u64,
    /// SHA-256 of it, in hexadecimal with colons, as openssl writes it.
    pub fingerprint: String,
    /// Its subject, in openssl's slash form.
    pub subject: String,
    /// Its issuer, in openssl's slash form.
    pub issuer: String,
    /// Its public key, DER.
    pub public_key: Vec<u8>,
    /// The common name in its subject.
    pub common_name: Option<String>,
    /// The host names and addresses in its subjectAltName.
    pub names: Vec<String>,
}

impl CertificateValues {
    /// Reads DER.
    ///
    /// # Errors
    ///
    /// With the position of the byte at which it is no certificate.
    pub fn of(der: &[u8]) -> der::Result<Self> {
        let certificate = parse(der)?;
        let tbs = certificate.tbs_certificate();
        let Validity { not_before_s, not_after_s } = Validity::of(tbs);
        let common_name = tbs.subject().common_name().ok().flatten();
        Ok(Self {
            serial: serial_text(tbs.serial_number().as_bytes()),
            not_before_s,
            not_after_s,
            fingerprint: fingerprint(der),
            subject: name_text(tbs.subject()),
            issuer: name_text(tbs.issuer()),
            public_key: tbs.subject_public_key_info().to_der()?,
            common_name: common_name.map(|name| name.value().into_owned()),
            names: names_of(tbs).iter().map(ToString::to_string).collect(),
        })
    }
}

/// SHA-256 in hexadecimal with colons, as openssl writes it.
#[must_use]
pub fn fingerprint(der: &[u8]) -> String {
    colons(&Sha256::digest(der))
}

/// A time as in `2031-05-17T08:00:00Z`, from seconds since 1970-01-01 UTC.
#[must_use]
pub fn time_text(unix_s: u64) -> String {
    Moment(unix_s).to_string()
}

/// The public key in a certificate, a CSR, or of a key: a SubjectPublicKeyInfo in DER. Nothing of
/// what has none, or hides it.
///
/// # Errors
///
/// With the position of the byte at which it cannot be read.
pub fn public_key_of(document: &Document) -> der::Result<Option<Vec<u8>>> {
    let der = document.bytes.as_slice();
    match document.kind {
        DocumentKind::Certificate => {
            parse(der)?.tbs_certificate().subject_public_key_info().to_der().map(Some)
        }
        DocumentKind::Request => {
            let request = CertificateRequest::from_der(der.to_vec())?;
            request.inner().info.public_key.to_der().map(Some)
        }
        DocumentKind::PublicKey => Ok(Some(der.to_vec())),
        _ => Ok(None),
    }
}

/// The certificates in PKCS#7 or CMS SignedData (RFC 5652 section 5.1), DER each.
///
/// # Errors
///
/// With the position of the byte at which it is none.
pub fn certificates_in_pkcs7(der: &[u8]) -> der::Result<Vec<Vec<u8>>> {
    let content_info = AnyRef::from_der(der)?;
    let mut fields = SliceReader::new(content_info.value())?;
    let _content_type: ObjectIdentifier = fields.decode()?;
    let content = AnyRef::decode(&mut fields)?;
    let signed_data = AnyRef::from_der(content.value())?;
    let mut fields = SliceReader::new(signed_data.value())?;
    let mut found = Vec::new();
    while !fields.is_finished() {
        let field = AnyRef::decode(&mut fields)?;
        // certificates [0] IMPLICIT SET OF
        if field.to_der()?.first() == Some(&0xa0) {
            let mut set = SliceReader::new(field.value())?;
            while !set.is_finished() {
                let der = set.tlv_bytes()?;
                parse(der)?;
                found.push(der.to_vec());
            }
        }
    }
    Ok(found)
}

fn certificate(facts: &mut Facts, der: &[u8]) -> der::Result<()> {
    let certificate: AnyCertificate = parse(der)?;
    let tbs = certificate.tbs_certificate();
    let values = CertificateValues::of(der)?;
    facts
        .text("subject", values.subject)
        .text("issuer", values.issuer)
        .text("serial", values.serial)
        .text("not_before", time_text(values.not_before_s))
        .text("not_after", time_text(values.not_after_s))
        .text("fingerprint_sha256", values.fingerprint)
        .text("signature", oid_name(&certificate.signature_algorithm().oid))
        .add("version", Fact::Number(tbs.version() as u64 + 1));
    public_key(facts, tbs.subject_public_key_info())?;
    extensions(facts, tbs.extensions().map(Vec::as_slice).unwrap_or_default());
    Ok(())
}

fn request(facts: &mut Facts, der: &[u8]) -> der::Result<()> {
    let request = CertificateRequest::from_der(der.to_vec())?;
    let inner = request.inner();
    let signed = match request.prove() {
        Ok(_) => "by the key in it".to_owned(),
        Err(fault) => fault.to_string(),
    };
    facts
        .text("subject", request.subject_text())
        .text("signed", signed)
        .text("signature", oid_name(&inner.algorithm.oid));
    public_key(facts, &inner.info.public_key)?;
    extensions(facts, &request.extensions());
    Ok(())
}

fn crl(facts: &mut Facts, der: &[u8]) -> der::Result<()> {
    let crl = RevocationList::from_der(der)?;
    facts
        .text("issuer", name_text(crl.issuer()))
        .text("this_update", time_text(crl.this_update_s()));
    match crl.next_update_s() {
        Some(next_update_s) => facts.text("next_update", time_text(next_update_s)),
        None => facts.text("next_update", "none"),
    };
    facts.text("signature", oid_name(&crl.algorithm().oid));
    let mut shown = Vec::new();
    let mut count = 0;
    for revoked in crl.entries() {
        let revoked = revoked?;
        count += 1;
        if shown.len() < ENTRIES_SHOWN {
            shown.push(format!(
                "{} since {}: {}",
                serial_text(&revoked.cert_serial),
                time_text(revoked.at_s),
                revoked.reason
            ));
        }
    }
    facts.add("revoked", Fact::Number(count));
    if count > shown.len() as u64 {
        shown.push(format!("and {} more", count - shown.len() as u64));
    }
    if !shown.is_empty() {
        facts.add("entries", Fact::List(shown));
    }
    extensions(facts, crl.extensions());
    Ok(())
}

fn public_key(facts: &mut Facts, key: &SubjectPublicKeyInfoOwned) -> der::Result<()> {
    facts
        .text("public_key", key_name(key))
        .text("public_key_sha256", hex(&Sha256::digest(key.to_der()?)))
        .text("key_identifier", hex(key_id(key)?.as_bytes()));
    Ok(())
}

fn extensions(facts: &mut Facts, extensions: &[Extension]) {
    let mut inner = Facts::default();
    for extension in extensions {
        let critical = if extension.critical { " (critical)" } else { "" };
        let name = format!("{}{critical}", extension_name(&extension.extn_id));
        let fact = extension_fact(extension).unwrap_or_else(|| {
            Fact::Text(format!("{} bytes", extension.extn_value.as_bytes().len()))
        });
        inner.add(&name, fact);
    }
    if !inner.0.is_empty() {
        facts.add("extensions", Fact::Facts(inner));
    }
}

/// Names as openssl's configuration has them (x509v3_config(5)).
fn extension_name(oid: &ObjectIdentifier) -> String {
    match *oid {
        ids::ID_CE_BASIC_CONSTRAINTS => "basicConstraints".into(),
        ids::ID_CE_KEY_USAGE => "keyUsage".into(),
        ids::ID_CE_EXT_KEY_USAGE => "extendedKeyUsage".into(),
        ids::ID_CE_SUBJECT_ALT_NAME => "subjectAltName".into(),
        ids::ID_CE_SUBJECT_KEY_IDENTIFIER => "subjectKeyIdentifier".into(),
        ids::ID_CE_AUTHORITY_KEY_IDENTIFIER => "authorityKeyIdentifier".into(),
        ids::ID_CE_CRL_DISTRIBUTION_POINTS => "crlDistributionPoints".into(),
        ids::ID_CE_ISSUING_DISTRIBUTION_POINT => "issuingDistributionPoint".into(),
        ids::ID_CE_CRL_NUMBER => "crlNumber".into(),
        ids::ID_PE_AUTHORITY_INFO_ACCESS => "authorityInfoAccess".into(),
        ids::ID_CE_NAME_CONSTRAINTS => "nameConstraints".into(),
        ids::ID_CE_CERTIFICATE_POLICIES => "certificatePolicies".into(),
        _ => oid_name(oid),
    }
}

fn extension_fact(extension: &Extension) -> Option<Fact> {
    let der = extension.extn_value.as_bytes();
    Some(match extension.extn_id {
        ids::ID_CE_BASIC_CONSTRAINTS => {
            let constraints = BasicConstraints::from_der(der).ok()?;
            Fact::Text(match (constraints.ca, constraints.path_len_constraint) {
                (true, Some(len)) => format!("CA, path length {len}"),
                (true, None) => "CA".into(),
                (false, _) => "no CA".into(),
            })
        }
        ids::ID_CE_KEY_USAGE => {
            let usage = KeyUsage::from_der(der).ok()?;
            let all = [
                (usage.digital_signature(), "digitalSignature"),
                (usage.non_repudiation(), "nonRepudiation"),
                (usage.key_encipherment(), "keyEncipherment"),
                (usage.data_encipherment(), "dataEncipherment"),
                (usage.key_agreement(), "keyAgreement"),
                (usage.key_cert_sign(), "keyCertSign"),
                (usage.crl_sign(), "cRLSign"),
            ];
            let set = all.iter().filter(|(set, _)| *set).map(|(_, name)| (*name).to_owned());
            Fact::List(set.collect())
        }
        ids::ID_CE_EXT_KEY_USAGE => {
            let ExtendedKeyUsage(purposes) = ExtendedKeyUsage::from_der(der).ok()?;
            Fact::List(purposes.iter().map(purpose_name).collect())
        }
        ids::ID_CE_SUBJECT_ALT_NAME => {
            let SubjectAltName(names) = SubjectAltName::from_der(der).ok()?;
            Fact::List(names.iter().map(general_name).collect())
        }
        ids::ID_CE_SUBJECT_KEY_IDENTIFIER => {
            let SubjectKeyIdentifier(id) = SubjectKeyIdentifier::from_der(der).ok()?;
            Fact::Text(hex(id.as_bytes()))
        }
        ids::ID_CE_AUTHORITY_KEY_IDENTIFIER => {
            let authority = AuthorityKeyIdentifier::from_der(der).ok()?;
            Fact::Text(authority.key_identifier.as_ref().map(|id| hex(id.as_bytes()))?)
        }
        ids::ID_CE_CRL_DISTRIBUTION_POINTS => {
            let CrlDistributionPoints(points) = CrlDistributionPoints::from_der(der).ok()?;
            let urls = points.iter().filter_map(|point| point.distribution_point.as_ref());
            Fact::List(urls.flat_map(point_names).collect())
        }
        ids::ID_CE_ISSUING_DISTRIBUTION_POINT => {
            let point = IssuingDistributionPoint::from_der(der).ok()?;
            Fact::List(point.distribution_point.as_ref().map(point_names).unwrap_or_default())
        }
        ids::ID_CE_CRL_NUMBER => {
            let CrlNumber(number) = CrlNumber::from_der(der).ok()?;
            Fact::Text(hex(number.as_bytes()))
        }
        ids::ID_PE_AUTHORITY_INFO_ACCESS => {
            let AuthorityInfoAccessSyntax(all) = AuthorityInfoAccessSyntax::from_der(der).ok()?;
            let text = |access: &x509_cert::ext::pkix::AccessDescription| {
                let method = match access.access_method {
                    ids::ID_AD_OCSP => "OCSP".to_owned(),
                    ids::ID_AD_CA_ISSUERS => "caIssuers".to_owned(),
                    other => oid_name(&other),
                };
                format!("{method} {}", general_name(&access.access_location))
            };
            Fact::List(all.iter().map(text).collect())
        }
        _ => return None,
    })
}

/// The names of a place where CRLs are, of which one may be enough.
pub(crate) fn point_names(name: &DistributionPointName) -> Vec<String> {
    match name {
        DistributionPointName::FullName(names) => names.iter().map(general_name).collect(),
        DistributionPointName::NameRelativeToCRLIssuer(_) => vec!["relative to the issuer".into()],
    }
}

fn general_name(name: &GeneralName) -> String {
    match name {
        GeneralName::DnsName(name) => format!("DNS:{}", printable(name.as_str())),
        GeneralName::Rfc822Name(name) => format!("email:{}", printable(name.as_str())),
        GeneralName::UniformResourceIdentifier(uri) => format!("URI:{}", printable(uri.as_str())),
        GeneralName::IpAddress(octets) => format!("IP:{}", address(octets)),
        GeneralName::DirectoryName(name) => format!("name:{}", name_text(name)),
        GeneralName::RegisteredId(oid) => format!("ID:{oid}"),
        GeneralName::OtherName(other) => match HardwareModuleName::from_other_name(other) {
            Ok(Some(module)) => format!(
                "hardwareModule:{} {}",
                module.hw_type,
                printable(&String::from_utf8_lossy(module.hw_serial_num.as_bytes()))
            ),
            _ => format!("otherName:{}", other.type_id),
        },
        GeneralName::EdiPartyName(_) => "ediPartyName".into(),
    }
}

fn address(octets: &OctetString) -> String {
    match octets.as_bytes() {
        &[a, b, c, d] => core::net::Ipv4Addr::new(a, b, c, d).to_string(),
        bytes => match <[u8; 16]>::try_from(bytes) {
            Ok(octets) => core::net::Ipv6Addr::from(octets).to_string(),
            Err(_) => hex(bytes),
        },
    }
}

/// A name in openssl's slash form. One with unusual attributes is shown as RFC 4514 writes it.
pub(crate) fn name_text(name: &Name) -> String {
    if name.is_empty() {
        return "(no name)".into();
    }
    let text = Subject::from_name(name).map_or_else(|| name.to_string(), |name| name.to_string());
    printable(&text)
}

/// Somebody else chose the text: it must not move the cursor.
fn printable(text: &str) -> String {
    let visible = |c: char| if c.is_control() { '\u{fffd}' } else { c };
    text.chars().map(visible).collect()
}

/// Upper-case hexadecimal without a leading zero byte, like openssl.
fn serial_text(bytes: &[u8]) -> String {
    let bytes = match bytes {
        [0, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    };
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn colons(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// More are counted, and not shown one by one.
const ENTRIES_SHOWN: usize = 20;
