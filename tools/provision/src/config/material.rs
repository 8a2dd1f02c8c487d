//! What a configuration is made from.

use std::path::Path;

use provision_issuer::inspect::CertificateValues;
use provision_issuer::{
    CaDirectory, DocumentKind, KeyProtection, PrivateKey, SealedKey, key_to_pem, to_pem,
};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::{Certificate, der::Decode as _};
use zeroize::Zeroizing;

use super::Source;
use crate::fault::Fault;
use crate::{files, secret};

/// Certificates and key of a server, and the CAs of its clients; they fit together.
#[derive(Debug)]
pub(crate) struct Material {
    /// The CAs of the clients, root included, in DER.
    pub(crate) device_cas: Vec<Vec<u8>>,
    /// The server's certificate and the issuing CAs above it, in DER.
    pub(crate) chain: Vec<Vec<u8>>,
    /// The server's key.
    pub(crate) key: PrivateKey,
    /// DNS names in its certificate.
    pub(crate) names: Vec<String>,
}

impl Material {
    /// Reads what is there and checks that it fits.
    pub(crate) fn read(source: &Source) -> Result<Self, Fault> {
        let device_cas = device_cas(&source.ca)?;
        let chain = files::read_all(&source.certificate, DocumentKind::Certificate)?;
        let leaf = &chain[0];
        let values = values(&source.certificate, leaf)?;
        let key = key(source)?;
        if key.public_key_der() != values.public_key {
            return Err(Fault::Mismatch {
                first: source.certificate.clone(),
                other: source.key.clone(),
                kind: DocumentKind::PrivateKey.to_string(),
            });
        }
        let names = dns_names(leaf);
        Ok(Self { device_cas, chain, key, names })
    }

    /// The CAs of the clients, in one PEM file.
    pub(crate) fn device_cas_pem(&self) -> String {
        certificates_pem(&self.device_cas)
    }

    /// What the server sends.
    pub(crate) fn chain_pem(&self) -> String {
        certificates_pem(&self.chain)
    }

    /// The server's key in the clear.
    pub(crate) fn key_pem(&self) -> Result<Zeroizing<String>, Fault> {
        Ok(key_to_pem(&self.key, &KeyProtection::InsecurePlaintext)?)
    }
}

pub(crate) fn certificates_pem(ders: &[Vec<u8>]) -> String {
    ders.iter().map(|der| to_pem(DocumentKind::Certificate, der)).collect()
}

/// Root and issuing CA, one at least of them self-signed: openssl builds a path to such a one only.
fn device_cas(ca: &Path) -> Result<Vec<Vec<u8>>, Fault> {
    // Says by name what is missing if it is no CA's directory.
    provision_issuer::overview(ca)?;
    let path = CaDirectory::at(ca).device_ca_bundle();
    let ders = files::read_all(&path, DocumentKind::Certificate)?;
    for der in &ders {
        let values = values(&path, der)?;
        if values.subject == values.issuer {
            return Ok(ders);
        }
    }
    Err(files::document(&path, &"no root is in it: the last CA's issuer is missing"))
}

fn key(source: &Source) -> Result<PrivateKey, Fault> {
    let contents = files::read(&source.key)?;
    let sealed =
        SealedKey::find(&contents).map_err(|fault| files::document(&source.key, &fault))?;
    if sealed.is_encrypted() && !source.insecure_plaintext_key {
        return Err(Fault::Usage(format!(
            "{} is encrypted, and a server starts without people: --insecure-plaintext-key lets \
             its key be written in the clear",
            source.key.display()
        )));
    }
    secret::open_key(&source.key, &contents, &source.passphrase)
}

pub(super) fn values(path: &Path, der: &[u8]) -> Result<CertificateValues, Fault> {
    CertificateValues::of(der).map_err(|error| files::document(path, &error))
}

fn dns_names(der: &[u8]) -> Vec<String> {
    let Ok(certificate) = Certificate::from_der(der) else { return Vec::new() };
    let Ok(Some((_, names))) = certificate.tbs_certificate().get_extension::<SubjectAltName>()
    else {
        return Vec::new();
    };
    let dns = names.0.iter().filter_map(|name| match name {
        // What `DnsName` lets through means nothing but itself in any configuration.
        GeneralName::DnsName(name) => provision_issuer::DnsName::new(name.as_str()).ok(),
        _ => None,
    });
    dns.map(|name| name.as_str().to_owned()).collect()
}
