//! A certification authority for devices and the servers they talk to.
//!
//! ```text
//!   device root ──► device issuing CA ──► device          (TLS client)
//!                   pathLen 0, clientAuth
//!   server root ────────────────────────► server          (TLS server)
//!   pathLen 0
//! ```
//!
//! The two trees share nothing. Devices trust the server root, which certifies no device; servers
//! trust the device root, whose issuing CA is confined to TLS clients. So the certificate of a
//! device is useless for a server, in anybody's client.
//!
//! [`init`] makes all of it, in a [`CaDirectory`]. [`FileIssuer`] certifies devices from it, and
//! is one [`Issuer`], over keys in files or in a [`Token`]: with a [`CaSigner`] of your own,
//! [`CaIssuer`] does the same over a key elsewhere. [`HostIdentity`] is key and certificate for a
//! server, a service or a person.
//!
//! What holds for all of it:
//!
//! - P-256 and SHA-256 unless something else is asked for; serial numbers are 20 random octets.
//! - The private keys of the CA are encrypted, unless [`KeyProtection::InsecurePlaintext`] was
//!   asked for by name.
//! - No certificate outlives what signed it; one that would is refused, not shortened.
//! - No file is overwritten, ever; a CA is made as a whole or not at all.
//! - Every signature of a key that is elsewhere (a token, a service) is checked before it gets out;
//!   of a key in this process the first.
//! - The clock is the caller's: times come in as seconds since 1970-01-01 UTC.
//!
//! What it deliberately does not do: decide which device may have a certificate (that is
//! [`ApprovedCsr`](provision_station::evidence::ApprovedCsr), the only thing that can be
//! certified), or remember what it issued (that is the ledger, which must hold a certificate
//! before it leaves the station).
//!
//! # Example
//!
//! ```
//! use provision_issuer::{CaNames, CaRequest, FileIssuer, KeyProtection, Passphrase};
//!
//! # let place = tempfile::tempdir()?;
//! # let dir = place.path().join("ca");
//! # let now_s = 1_800_000_000;
//! let protection = KeyProtection::Encrypted(Passphrase::new("correct horse".into())?);
//! let request = CaRequest::new(CaNames::of("Acme")?, protection, now_s);
//! provision_issuer::init(&dir, &request)?;
//! let issuer = FileIssuer::open(&dir, &request.protection)?;
//! assert!(issuer.not_after_s() > now_s);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod algorithm;
mod authority;
mod ca_key;
mod certificate;
mod crl;
mod dh_parameters;
mod directory;
mod document;
mod files;
mod host;
mod import;
mod init;
pub mod inspect;
mod issuer;
mod issuer_hints;
mod key_file;
mod name;
mod ocsp;
mod overview;
mod passphrase;
pub mod pkcs12;
mod private_key;
mod profile;
mod random;
mod request;
mod rotate;
mod server_name;
mod signer;
mod subject;
mod template;
mod token;
mod validity;
pub mod verify;

pub use algorithm::{KeyType, SignatureAlgorithm, SignatureFault, UnknownKeyType};
pub use authority::{CaFault, OpenError};
pub use ca_key::{CaKey, KeyStore, NewKeyError};
pub use certificate::CertifyError;
pub use crl::{
    CrlEntries, CrlFault, CrlRequest, CrlSigner, CrlSource, Reason, RevocationList, Revoked, Unfit,
    UnknownReason,
};
pub use dh_parameters::DhGroup;
pub use directory::CaDirectory;
pub use document::{
    Document, DocumentError, DocumentKind, FindError, documents, find_document, read_documents,
    read_limited, to_pem, write_pem,
};
pub use files::{
    Access, FileError, create as create_file, create_by as create_file_by, read as read_file,
    replace as replace_file, replace_by as replace_file_by,
};
pub use host::{CertificateForm, HostError, HostFiles, HostIdentity};
pub use import::{ImportError, ImportRequest, ServerRoot, import};
pub use init::{CaNames, CaRequest, CaValidity, InitError, OpenedCa, init, init_opened};
pub use issuer::{CaIssuer, FileIssuer, IssueError, Issuer};
pub use issuer_hints::{IssuerHints, name_of_der, organization_of_subject};
pub use key_file::{
    KeyFileError, KeyFileFault, SealedKey, WriteKeyError, key_to_der, key_to_pem,
    prepare as prepare_protection,
};
pub use name::{Country, NameError, NameText};
pub use ocsp::{
    Answering, NewResponder, OCSP_REQUEST_LEN_MAX, OcspAnswer, OcspOutcome, OcspResponder,
    OcspStatus, ResponderError, ResponderFault,
};
pub use overview::{CaOverview, KeyState, overview};
pub use passphrase::{KeyProtection, Passphrase, PassphraseError};
pub use private_key::{KeyFault, PrivateKey};
pub use profile::{
    CommonNameRule, Lifetime, NameTemplate, Profile, ProfileError, ProfileFault, SignedBy,
};
pub use random::RandomError;
pub use request::{CertificateRequest, ProvenKey, RequestError};
pub use rotate::{RotateError, RotateRequest, Rotated, rotate};
pub use server_name::{DnsName, DnsNameError, DnsNameFault, ServerName};
pub use signer::{CaSigner, SignerFault, SoftwareSigner};
pub use subject::{Subject, SubjectError};
pub use template::{TemplateError, Variables};
pub use token::{Token, TokenFault, TokenKey, TokenUri, TokenUriError};
pub use validity::ValidityError;
