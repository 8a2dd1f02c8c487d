//! Certificates for tests, with the structure real ones have.
//!
//! A description is an [`rcgen::CertificateParams`], so a test can bend any field of an honest one:
//!
//! ```
//! use provision_testkit::pki::{self, Certified};
//!
//! let root = Certified::self_signed(pki::root("Server Root"));
//! let server = root.issue(pki::server(&["localhost", "127.0.0.1"]));
//! assert!(server.pem().starts_with("-----BEGIN CERTIFICATE-----"));
//! ```

use core::time::Duration;
use std::time::{SystemTime, UNIX_EPOCH};

use provision_csr::PublicKey;
pub use rcgen;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData, SignatureAlgorithm,
};
use time::OffsetDateTime;

/// A certificate with its private key: it can serve, and it can issue, whether it should or not.
pub struct Certified {
    params: CertificateParams,
    key: KeyPair,
    der: Vec<u8>,
}

impl Certified {
    /// Signed by its own new P-256 key.
    ///
    /// # Panics
    ///
    /// If `params` cannot be encoded.
    #[must_use]
    pub fn self_signed(params: CertificateParams) -> Self {
        Self::self_signed_with(KeyPair::generate().expect("a P-256 key"), params)
    }

    /// Signed by its own key, which may be of any kind.
    ///
    /// # Panics
    ///
    /// If `params` cannot be encoded.
    #[must_use]
    pub fn self_signed_with(key: KeyPair, params: CertificateParams) -> Self {
        let der = params.self_signed(&key).expect("params that encode").der().to_vec();
        Self { params, key, der }
    }

    /// A certificate over a new P-256 key, signed by this one. Nothing is asked about whether this
    /// one may.
    ///
    /// # Panics
    ///
    /// If `params` cannot be encoded.
    #[must_use]
    pub fn issue(&self, params: CertificateParams) -> Self {
        let key = KeyPair::generate().expect("a P-256 key");
        let der =
            params.signed_by(&key, &self.issuer()).expect("params that encode").der().to_vec();
        Self { params, key, der }
    }

    /// A certificate (DER) over somebody else's key, signed by this one.
    ///
    /// # Panics
    ///
    /// If `params` cannot be encoded.
    #[must_use]
    pub fn issue_for(&self, params: &CertificateParams, public: &PublicKey) -> Vec<u8> {
        params
            .signed_by(&Subject(*public), &self.issuer())
            .expect("params that encode")
            .der()
            .to_vec()
    }

    /// The certificate in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate in PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        pem(&self.der)
    }

    /// The private key, PKCS#8 in DER.
    #[must_use]
    pub fn key_der(&self) -> Vec<u8> {
        self.key.serialize_der()
    }

    /// The private key, PKCS#8 in PEM.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// The public key.
    ///
    /// # Panics
    ///
    /// If the key is not on P-256.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey::from_sec1_slice(self.key.public_key_raw()).expect("a P-256 key")
    }

    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }
}

/// A certificate in PEM.
#[must_use]
pub fn pem(certificate_der: &[u8]) -> String {
    match der::pem::encode_string("CERTIFICATE", der::pem::LineEnding::LF, certificate_der) {
        Ok(pem) => pem,
        Err(fault) => unreachable!("bytes of any kind have a PEM form: {fault}"),
    }
}

/// The DER form of a PEM file with one certificate.
///
/// # Panics
///
/// If it is none.
#[must_use]
pub fn pem_to_der(pem: &[u8]) -> Vec<u8> {
    match der::pem::decode_vec(pem) {
        Ok(("CERTIFICATE", der)) => der,
        other => panic!("not one certificate: {other:?}"),
    }
}

/// A root CA, free to sign anything.
#[must_use]
pub fn root(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// A CA that issues device certificates and nothing else: pathLen 0, clientAuth.
#[must_use]
pub fn device_issuer(name: &str) -> CertificateParams {
    let mut params = root(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

/// A CA below a root that issues server certificates.
#[must_use]
pub fn server_issuer(name: &str) -> CertificateParams {
    let mut params = device_issuer(name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params
}

/// A device's leaf.
#[must_use]
pub fn device(serial: &str) -> CertificateParams {
    let mut params = named(serial);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

/// A server's leaf, for DNS names and IP addresses.
///
/// # Panics
///
/// If a name is not ASCII.
#[must_use]
pub fn server(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let mut params = device("a server");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.subject_alt_names =
        CertificateParams::new(names).expect("ASCII names").subject_alt_names;
    params
}

/// The same, valid from `not_before` to `not_after`, in seconds since 1970.
///
/// # Panics
///
/// If a time is beyond the year 9999.
#[must_use]
pub fn valid(mut params: CertificateParams, not_before: u64, not_after: u64) -> CertificateParams {
    let time = |seconds: u64| {
        i64::try_from(seconds)
            .ok()
            .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
            .expect("a time before the year 9999")
    };
    params.not_before = time(not_before);
    params.not_after = time(not_after);
    params
}

/// The machine's time, in seconds since 1970.
///
/// # Panics
///
/// If the clock is set before 1970.
#[must_use]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_secs()
}

/// Valid from yesterday to tomorrow, extensions yet to be chosen.
fn named(name: &str) -> CertificateParams {
    const DAY: u64 = Duration::from_secs(24 * 60 * 60).as_secs();

    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.use_authority_key_identifier_extension = true;
    valid(params, now() - DAY, now() + DAY)
}

struct Subject(PublicKey);

impl PublicKeyData for Subject {
    fn der_bytes(&self) -> &[u8] {
        self.0.as_sec1()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}
