//! Taking over a CA that was made elsewhere.

use std::path::Path;

use thiserror::Error;

use crate::algorithm::KeyType;
use crate::authority::{Authority, CaCertificate, CaFault};
use crate::ca_key::{CaKey, KeyStore};
use crate::certificate::Contents;
use crate::directory::CaDirectory;
use crate::init::{
    BACKDATE_S, CaValidity, InitError, MadeAuthority, NewAuthority, check_vacant, make_directory,
    write_certificates,
};
use crate::name::NameText;
use crate::passphrase::KeyProtection;
use crate::subject::Subject;
use crate::validity::Validity;

/// A CA made elsewhere, and how it is to be kept here.
#[derive(Debug)]
pub struct ImportRequest {
    /// The CA's certificate, DER.
    pub certificate: Vec<u8>,
    /// The certificates above it, in any order; none if it is self-signed. DER.
    pub above: Vec<Vec<u8>>,
    /// Its key. Another that is made for servers is made where it is.
    pub key: CaKey,
    /// Who signs servers.
    pub servers: ServerRoot,
    /// How the keys are kept here.
    pub protection: KeyProtection,
    /// The time now, in seconds since 1970-01-01 UTC.
    pub now_s: u64,
}

/// Who signs servers in an imported CA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerRoot {
    /// A new root of that name, apart from the CA that signs devices. Devices can check P-256
    /// alone, whatever kind of key the imported CA has.
    New(NameText),
    /// The imported CA itself, as people have it who have one CA for everything. It must be
    /// self-signed.
    Imported,
}

/// Takes over a CA: makes a directory like [`init`](crate::init) does, whose issuing CA is the
/// imported one.
///
/// A self-signed CA becomes device root and device issuing CA at once. The key of a root above it
/// does not come along.
///
/// # Errors
///
/// [`ImportError`]; nothing is left behind then.
pub fn import(dir: &Path, request: ImportRequest) -> Result<CaDirectory, ImportError> {
    check_vacant(dir)?;
    let ImportRequest { certificate, above, key, servers, protection, now_s } = request;
    let issuing = CaCertificate::new(certificate).map_err(ImportError::Unsuitable)?;
    let chain = chain(issuing.clone(), above)?;
    let root = chain.last().unwrap_or(&issuing).clone();
    let validity = issuing.validity();
    if !validity.contains(now_s) {
        return Err(ImportError::NotValidNow { subject: issuing.identity().name.to_string() });
    }
    let keys = KeyStore::of(&key);
    let authority = Authority::new(issuing, key).map_err(ImportError::Unsuitable)?;
    let server = match servers {
        ServerRoot::Imported if !chain.is_empty() => return Err(ImportError::NotSelfSigned),
        ServerRoot::Imported => None,
        ServerRoot::New(name) => {
            let days = CaValidity::default().server_root_days;
            let new = NewAuthority {
                subject: &Subject::default(),
                common_name: name.as_str(),
                key: KeyType::P256,
                validity: Validity::days(now_s, BACKDATE_S, days).map_err(InitError::from)?,
                contents: Contents::server_root(),
            };
            Some(MadeAuthority::self_signed(new, &keys)?)
        }
    };
    let write = |ca: &CaDirectory| {
        let issuing = authority.certificate().der();
        let below_root = chain.len().saturating_sub(1);
        let mut issuers: Vec<&[u8]> = vec![issuing];
        issuers.extend(chain.iter().take(below_root).map(CaCertificate::der));
        write_certificates(&ca.device_root_certificate(), &[root.der()])?;
        write_certificates(&ca.device_issuing_certificate(), &issuers)?;
        let mut bundle = vec![root.der()];
        if !chain.is_empty() {
            bundle.extend(&issuers);
        }
        write_certificates(&ca.device_ca_bundle(), &bundle)?;
        authority.key().write(&ca.device_issuing_key(), &protection)?;
        let (server_certificate, server_key) = match &server {
            Some(made) => (made.certificate.as_slice(), &made.key),
            None => (issuing, authority.key()),
        };
        write_certificates(&ca.server_root_certificate(), &[server_certificate])?;
        server_key.write(&ca.server_root_key(), &protection)?;
        Ok(crate::files::sync_directory(ca.path())?)
    };
    let keep = || server.iter().for_each(|made| made.key.keep());
    Ok(make_directory(dir, write, keep)?)
}

/// The certificates above `issuing` in order, up to the self-signed one.
fn chain(issuing: CaCertificate, above: Vec<Vec<u8>>) -> Result<Vec<CaCertificate>, ImportError> {
    let mut others: Vec<CaCertificate> = above
        .into_iter()
        .map(CaCertificate::new)
        .collect::<Result<_, _>>()
        .map_err(ImportError::Unsuitable)?;
    let mut chain: Vec<CaCertificate> = Vec::new();
    let mut last = issuing;
    while !last.is_self_signed() {
        let at = others.iter().position(|other| last.check_signed_by(other).is_ok());
        let Some(at) = at else {
            return Err(ImportError::IssuerMissing {
                subject: last.identity().name.to_string(),
                issuer: last.certificate().tbs_certificate().issuer().to_string(),
            });
        };
        last = others.swap_remove(at);
        chain.push(last.clone());
    }
    Ok(chain)
}

/// A CA could not be taken over.
#[derive(Debug, Error)]
pub enum ImportError {
    /// A certificate is not fit for a CA.
    #[error("the certificate cannot be a CA's here: {0}")]
    Unsuitable(CaFault),
    /// Its issuer's certificate was not given.
    #[error("{subject} was signed by {issuer}, whose certificate is not there")]
    IssuerMissing {
        /// The certificate.
        subject: String,
        /// Who signed it.
        issuer: String,
    },
    /// It has ended, or not begun.
    #[error("{subject} is not valid now")]
    NotValidNow {
        /// The certificate.
        subject: String,
    },
    /// Only a root can be trusted for servers.
    #[error("it is not self-signed, so it cannot be the root that signs servers")]
    NotSelfSigned,
    /// The directory could not be made.
    #[error(transparent)]
    Init(#[from] InitError),
}
