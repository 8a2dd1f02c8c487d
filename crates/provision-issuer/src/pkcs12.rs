//! Key and certificates in one file under a password (PKCS#12, RFC 7292): what browsers, Windows
//! and Java take.

use der::asn1::AnyRef;
use der::{Decode as _, Encode as _, SliceReader, Tag, Tagged as _};
use p12_keystore::{
    Certificate, EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm, Pkcs12ImportPolicy,
    PrivateKeyChain,
};
use thiserror::Error;
use zeroize::Zeroizing;

use crate::certificate::{key_id, parse};
use crate::passphrase::Passphrase;
use crate::private_key::{KeyFault, PrivateKey};

/// How strong the file is, and who can open it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strength {
    /// AES-256 under PBKDF2 with SHA-256: OpenSSL 1.1 and later, Java 8u301 and later, Windows 10
    /// and Server 2019 and later.
    #[default]
    Current,
    /// Triple DES and SHA-1, for what is older. Keep such a file as you would keep a key in the
    /// clear.
    Legacy,
}

/// What is in a PKCS#12 file.
#[derive(Debug, Default)]
pub struct Contents {
    /// A key with its certificates, leaf first: name and both.
    pub keys: Vec<(String, PrivateKey, Vec<Vec<u8>>)>,
    /// Certificates without a key: name and DER.
    pub certificates: Vec<(String, Vec<u8>)>,
}

/// Puts a key and its chain, leaf first, into PKCS#12 under a name. Returns DER.
///
/// # Errors
///
/// [`Pkcs12Error`] if key and certificate do not belong together, or if it cannot be written.
pub fn make(
    name: &str,
    key: &PrivateKey,
    chain: &[Vec<u8>],
    password: &Passphrase,
    strength: Strength,
) -> Result<Vec<u8>, Pkcs12Error> {
    let leaf = chain.first().ok_or(Pkcs12Error::NoCertificate)?;
    let certified = parse(leaf)?;
    if certified.tbs_certificate().subject_public_key_info().to_der()? != key.public_key_der() {
        return Err(Pkcs12Error::OtherKey);
    }
    let id = key_id(&key.public_key())?;
    let certificates: Result<Vec<_>, _> =
        chain.iter().map(|der| Certificate::from_der(der)).collect();
    let private = p12_keystore::PrivateKey::from_der(key.as_pkcs8()).map_err(library)?;
    let entry =
        PrivateKeyChain::new(id.as_bytes().to_vec(), private, certificates.map_err(library)?);
    let mut store = KeyStore::new();
    store.add_entry(name, KeyStoreEntry::PrivateKeyChain(entry));
    write(&store, password, strength)
}

/// Puts certificates alone into PKCS#12, marked as trusted for Java: a trust store. Returns DER.
///
/// # Errors
///
/// [`Pkcs12Error`] if it cannot be written.
pub fn make_trust_store(
    certificates: &[(String, Vec<u8>)],
    password: &Passphrase,
    strength: Strength,
) -> Result<Vec<u8>, Pkcs12Error> {
    let mut store = KeyStore::new();
    for (name, der) in certificates {
        let certificate = Certificate::from_der(der).map_err(library)?;
        store.add_entry(name, KeyStoreEntry::Certificate(certificate));
    }
    write(&store, password, strength)
}

/// Opens PKCS#12.
///
/// # Errors
///
/// [`Pkcs12Error::WrongPassword`], or what else is wrong with it.
pub fn open(der: &[u8], password: &Passphrase) -> Result<Contents, Pkcs12Error> {
    let text = Zeroizing::new(String::from_utf8_lossy(password.as_bytes()).into_owned());
    open_by(der, &text)
}

/// Opens PKCS#12 whose password is empty, as `openssl pkcs12 -export -passout pass:` makes it.
/// Nothing of any other: what is wrong with one, if it is not the password, [`open`] tells. Without a
/// MAC the two cannot be told apart.
#[must_use]
pub fn open_without_password(der: &[u8]) -> Option<Contents> {
    open_by(der, "").ok()
}

fn open_by(der: &[u8], password: &str) -> Result<Contents, Pkcs12Error> {
    let rounds = rounds_in(der, DEPTH_MAX);
    if rounds > ROUNDS_MAX {
        return Err(Pkcs12Error::TooCostly { rounds });
    }
    let store =
        KeyStore::from_pkcs12(der, password, Pkcs12ImportPolicy::Relaxed).map_err(|error| {
            match error {
                p12_keystore::error::Error::MacError(_) => Pkcs12Error::WrongPassword,
                other => Pkcs12Error::Library(other.to_string()),
            }
        })?;
    let mut contents = Contents::default();
    for (name, entry) in store.entries() {
        match entry {
            KeyStoreEntry::PrivateKeyChain(chain) => {
                let key = PrivateKey::from_pkcs8(chain.key().as_der())?;
                let ders = chain.certs().iter().map(|one| one.as_der().to_vec()).collect();
                contents.keys.push((name.clone(), key, ders));
            }
            KeyStoreEntry::Certificate(certificate) => {
                contents.certificates.push((name.clone(), certificate.as_der().to_vec()));
            }
            KeyStoreEntry::Secret(_) => {}
        }
    }
    Ok(contents)
}

fn write(
    store: &KeyStore,
    password: &Passphrase,
    strength: Strength,
) -> Result<Vec<u8>, Pkcs12Error> {
    let text = Zeroizing::new(String::from_utf8_lossy(password.as_bytes()).into_owned());
    let writer = store.writer(&text);
    let writer = match strength {
        Strength::Current => writer
            .encryption_algorithm(EncryptionAlgorithm::PbeWithHmacSha256AndAes256)
            .encryption_iterations(ROUNDS)
            .mac_algorithm(MacAlgorithm::HmacSha256)
            .mac_iterations(ROUNDS),
        Strength::Legacy => writer
            .encryption_algorithm(EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc)
            .encryption_iterations(ROUNDS)
            .mac_algorithm(MacAlgorithm::HmacSha1)
            .mac_iterations(ROUNDS),
    };
    writer.write().map_err(library)
}

/// The rounds that all parts of it ask for. The library would do them all, however many a stranger wrote there.
///
/// They stand behind a salt, in whatever is encrypted and in the MAC (RFC 8018 appendix A.2, RFC 7292 section 4 and
/// appendix C): an integer right behind octets, at any depth, in octets that hold DER too.
fn rounds_in(der: &[u8], depth_left: usize) -> u64 {
    let mut all = 0_u64;
    let mut behind_octets = false;
    let Ok(mut reader) = SliceReader::new(der) else { return 0 };
    while let Ok(element) = AnyRef::decode(&mut reader) {
        let tag = element.tag();
        if tag == Tag::Integer && behind_octets {
            let rounds = element
                .value()
                .iter()
                .try_fold(0_u64, |sum, byte| Some(sum.checked_mul(256)? + u64::from(*byte)));
            all = all.saturating_add(rounds.unwrap_or(u64::MAX));
        }
        behind_octets = tag == Tag::OctetString;
        if (tag.is_constructed() || behind_octets) && depth_left > 0 {
            all = all.saturating_add(rounds_in(element.value(), depth_left - 1));
        }
    }
    all
}

fn library(error: p12_keystore::error::Error) -> Pkcs12Error {
    Pkcs12Error::Library(error.to_string())
}

/// A PKCS#12 file could not be made or opened.
#[derive(Debug, Error)]
pub enum Pkcs12Error {
    /// A key has at least one certificate.
    #[error("a key goes into PKCS#12 with its certificate, and there is none")]
    NoCertificate,
    /// The two do not belong together.
    #[error("the key is not the one that the certificate certifies")]
    OtherKey,
    /// The password is another, or the file was changed.
    #[error("the password does not open it")]
    WrongPassword,
    /// To open it takes too long; not worth it for a file that may come from anybody.
    #[error("it asks for {rounds} rounds of its key derivation (at most {ROUNDS_MAX} here)")]
    TooCostly {
        /// How many.
        rounds: u64,
    },
    /// The key in it cannot be used here.
    #[error(transparent)]
    Key(#[from] KeyFault),
    /// A certificate cannot be read.
    #[error("a certificate cannot be read: {0}")]
    Certificate(#[from] der::Error),
    /// Anything else the library says.
    #[error("{0}")]
    Library(String),
}

/// What Java writes today, and OpenSSL reads in a moment.
const ROUNDS: u32 = 10_000;
/// Java's own limit is five million; OWASP asks for 600,000, and there are three parts to derive a key for.
const ROUNDS_MAX: u64 = 2_000_000;
/// A key stands twelve deep.
const DEPTH_MAX: usize = 32;
