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
//! is one [`Issuer`]: with a [`CaSigner`] of your own, [`CaIssuer`] does the same over a key in a
//! token. [`issue_server_certificate`] makes key and certificate for a server.
//!
//! What holds for all of it:
//!
//! - P-256 and SHA-256 throughout; serial numbers are 20 random octets.
//! - The private keys of the CA are encrypted, unless [`KeyProtection::InsecurePlaintext`] was
//!   asked for by name.
//! - No certificate outlives what signed it; one that would is refused, not shortened.
//! - No file is overwritten, ever; a CA is made as a whole or not at all.
//! - Every signature is checked before it gets out.
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
//! use provision_issuer::{CaNames, CaRequest, CaValidity, FileIssuer, KeyProtection, Passphrase};
//!
//! # let place = tempfile::tempdir()?;
//! # let dir = place.path().join("ca");
//! # let now_s = 1_800_000_000;
//! let protection = KeyProtection::Encrypted(Passphrase::new("correct horse".into())?);
//! let request = CaRequest {
//!     names: CaNames::of("Acme")?,
//!     organization: None,
//!     country: None,
//!     validity: CaValidity::default(),
//!     protection,
//!     now_s,
//! };
//! provision_issuer::init(&dir, &request)?;
//! let issuer = FileIssuer::open(&dir, &request.protection)?;
//! assert!(issuer.not_after_s() > now_s);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod authority;
mod certificate;
mod directory;
mod files;
mod init;
mod issuer;
mod key_file;
mod name;
mod passphrase;
mod profile;
mod random;
mod server;
mod server_name;
mod signer;
mod validity;

pub use authority::{CaFault, OpenError};
pub use certificate::CertifyError;
pub use directory::CaDirectory;
pub use files::FileError;
pub use init::{CaNames, CaRequest, CaValidity, InitError, init};
pub use issuer::{CaIssuer, FileIssuer, IssueError, Issuer};
pub use key_file::{KeyFileError, KeyFileFault};
pub use name::{Country, NameError, NameText};
pub use passphrase::{KeyProtection, Passphrase, PassphraseError};
pub use profile::{Lifetime, Profile};
pub use random::RandomError;
pub use server::{
    ServerCertificateError, ServerFiles, ServerRequest, issue_server_certificate,
    server_root_needs_passphrase,
};
pub use server_name::{DnsName, DnsNameError, DnsNameFault, ServerName};
pub use signer::{CaSigner, SignerFault, SoftwareSigner};
pub use validity::ValidityError;
