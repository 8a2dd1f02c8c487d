//! Keys of a CA in a token: an HSM, a smart card, a service with a PKCS#11 library. They are made
//! there, and never leave it.

mod encoding;
mod fault;
mod library;
mod uri;

use core::fmt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use const_oid::db::rfc5912::{SECP_256_R_1, SECP_384_R_1};
use cryptoki::context::Pkcs11;
use cryptoki::error::{Error as CryptokiError, RvError};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, AttributeType, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::Slot;
use cryptoki::types::AuthPin;
use der::Encode as _;
use sha2::{Digest as _, Sha256, Sha384};
use spki::SubjectPublicKeyInfoOwned;
use zeroize::Zeroizing;

use crate::algorithm::{KeyType, SignatureAlgorithm};
use crate::files;
use crate::passphrase::KeyProtection;
use crate::random::random;
use crate::signer::{CaSigner, SignerFault};

use encoding::{bytes, curve, ecdsa, read_public_key};
use fault::refused;
use library::library;

pub use fault::TokenFault;
pub use uri::{TokenUri, TokenUriError};

/// A token, and its PIN: it is logged in to whenever that is needed.
#[derive(Clone)]
pub struct Token {
    uri: TokenUri,
    library: Pkcs11,
    pin: Pin,
}

#[derive(Clone)]
struct Pin {
    text: AuthPin,
    sha256: Vec<u8>,
}

impl Pin {
    fn new(text: &str) -> Self {
        Self { text: AuthPin::from(text.to_owned()), sha256: Sha256::digest(text).to_vec() }
    }
}

impl Token {
    /// Finds the token and logs in. Its PIN is in the file that the URI names, or else the passphrase
    /// in `protection`. It is given once: a token that refuses it counts that.
    ///
    /// # Errors
    ///
    /// [`TokenFault`].
    pub fn open(uri: &TokenUri, protection: &KeyProtection) -> Result<Self, TokenFault> {
        let library = library(uri.module())?;
        let pin = match (protection, uri.pin_source()) {
            // The passphrase may be that of other keys of the same CA.
            (_, Some(path)) => pin_in(path)?,
            (KeyProtection::Encrypted(passphrase), None) => Pin::new(passphrase.as_pin()),
            (KeyProtection::InsecurePlaintext, None) => return Err(TokenFault::NeedsPin),
        };
        let token = Self { uri: uri.of_token(), library, pin };
        token.session(Access::Read)?;
        Ok(token)
    }

    /// The slot it is in now: that may change while it is not in use.
    fn slot(&self) -> Result<Slot, TokenFault> {
        let slots = self.library.get_slots_with_token().map_err(refused("list tokens"))?;
        let (mut found, mut there) = (Vec::new(), Vec::new());
        for slot in slots {
            let info = self.library.get_token_info(slot).map_err(refused("describe a token"))?;
            if !info.token_initialized() {
                continue;
            }
            let says = [info.label(), info.manufacturer_id(), info.model(), info.serial_number()];
            let mut wanted = self.uri.token.iter().zip(says);
            if wanted.all(|(wanted, says)| wanted.as_ref().is_none_or(|text| text == says)) {
                found.push(slot);
            }
            there.push(info.label().to_owned());
        }
        match found.as_slice() {
            [slot] => Ok(*slot),
            [] => Err(TokenFault::NoToken { there }),
            _ => Err(TokenFault::SeveralTokens { there }),
        }
    }

    fn session(&self, access: Access) -> Result<Session, TokenFault> {
        let given = (self.uri.clone(), self.pin.sha256.clone());
        let mut refused_pins = REFUSED_PINS.lock().unwrap_or_else(PoisonError::into_inner);
        if refused_pins.contains(&given) {
            return Err(TokenFault::WrongPin);
        }
        let slot = self.slot()?;
        let session = match access {
            Access::Read => self.library.open_ro_session(slot),
            Access::Write => self.library.open_rw_session(slot),
        }
        .map_err(refused("open a session"))?;
        match session.login(UserType::User, Some(&self.pin.text)) {
            // One login holds for all sessions of a process (PKCS#11 section 5.6).
            Ok(()) | Err(CryptokiError::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(session),
            Err(CryptokiError::Pkcs11(
                RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange,
                _,
            )) => {
                refused_pins.push(given);
                Err(TokenFault::WrongPin)
            }
            Err(CryptokiError::Pkcs11(RvError::PinLocked, _)) => Err(TokenFault::PinLocked),
            Err(error) => Err(refused("log in")(error)),
        }
    }

    /// Makes a key pair that cannot be had out of the token. It is removed again when it is dropped,
    /// unless [kept](TokenKey::keep): nobody would find it.
    pub(crate) fn generate(&self, kind: KeyType, name: &str) -> Result<TokenKey, TokenFault> {
        let session = self.session(Access::Write)?;
        let mut id = [0; ID_LEN];
        random(&mut id)?;
        let (mechanism, kind) = match kind {
            KeyType::P256 => (Mechanism::EccKeyPairGen, Attribute::EcParams(curve(SECP_256_R_1)?)),
            KeyType::P384 => (Mechanism::EccKeyPairGen, Attribute::EcParams(curve(SECP_384_R_1)?)),
            KeyType::Rsa2048 => (Mechanism::RsaPkcsKeyPairGen, Attribute::ModulusBits(2048.into())),
            KeyType::Rsa3072 => (Mechanism::RsaPkcsKeyPairGen, Attribute::ModulusBits(3072.into())),
            KeyType::Rsa4096 => (Mechanism::RsaPkcsKeyPairGen, Attribute::ModulusBits(4096.into())),
        };
        let both = [
            Attribute::Token(true),
            Attribute::Id(id.to_vec()),
            Attribute::Label(name.as_bytes().to_vec()),
        ];
        let mut public = both.to_vec();
        public.extend([Attribute::Verify(true), kind]);
        if matches!(mechanism, Mechanism::RsaPkcsKeyPairGen) {
            public.push(Attribute::PublicExponent(vec![1, 0, 1]));
        }
        let mut private = both.to_vec();
        private.extend([
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
            // For signatures, and nothing else; some tokens would allow what is not forbidden.
            Attribute::Decrypt(false),
            Attribute::Unwrap(false),
            Attribute::Derive(false),
        ]);
        let made = session
            .generate_key_pair(&mechanism, &public, &private)
            .map_err(refused("make a key pair"))?;
        let unkept = Some(Unkept { session, handles: vec![made.0, made.1] });
        let mut key = self.key(&self.uri.key(name, &id))?;
        key.unkept = Mutex::new(unkept);
        Ok(key)
    }

    /// The key that a URI names.
    fn key(&self, uri: &TokenUri) -> Result<TokenKey, TokenFault> {
        let (session, found) = self.find(uri)?;
        let mut uri = uri.clone();
        if uri.id.is_none() && !found.id.is_empty() {
            // Another key may come into the token that the rest of the URI would name too.
            uri.id = Some(found.id);
        }
        Ok(TokenKey {
            uri,
            token: self.clone(),
            open: Mutex::new(Some(Open { session, handle: found.handle })),
            kind: found.kind,
            public_key: found.public_key,
            unkept: Mutex::new(None),
        })
    }

    fn find(&self, uri: &TokenUri) -> Result<(Session, Found), TokenFault> {
        let session = self.session(Access::Read)?;
        let named = |class, id: Option<&[u8]>, object: Option<&str>| {
            let mut wanted = vec![Attribute::Class(class), Attribute::Token(true)];
            wanted.extend(id.map(|id| Attribute::Id(id.to_vec())));
            wanted.extend(object.map(|text| Attribute::Label(text.as_bytes().to_vec())));
            session.find_objects(&wanted).map_err(refused("look for a key"))
        };
        let (id, object) = (uri.id.as_deref(), uri.object.as_deref());
        let handle = match named(ObjectClass::PRIVATE_KEY, id, object)?.as_slice() {
            [handle] => *handle,
            [] => return Err(TokenFault::NoKey),
            _ => return Err(TokenFault::SeveralKeys),
        };
        let id = bytes(&session, handle, AttributeType::Id)?;
        let public = match named(ObjectClass::PUBLIC_KEY, Some(&id), None)?.as_slice() {
            [public] => *public,
            _ => return Err(TokenFault::NoPublicKey),
        };
        let (kind, public_key) = read_public_key(&session, public)?;
        Ok((session, Found { handle, id, kind, public_key }))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("uri", &self.uri).finish_non_exhaustive()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

struct Found {
    handle: ObjectHandle,
    /// CKA_ID.
    id: Vec<u8>,
    kind: SignatureAlgorithm,
    public_key: SubjectPublicKeyInfoOwned,
}

/// A CA's private key in a token.
pub struct TokenKey {
    uri: TokenUri,
    token: Token,
    /// `None` after the token has gone away, until it is back.
    open: Mutex<Option<Open>>,
    kind: SignatureAlgorithm,
    public_key: SubjectPublicKeyInfoOwned,
    unkept: Mutex<Option<Unkept>>,
}

struct Open {
    session: Session,
    handle: ObjectHandle,
}

/// A key that was made, and that nothing names yet.
struct Unkept {
    session: Session,
    handles: Vec<ObjectHandle>,
}

impl Drop for Unkept {
    fn drop(&mut self) {
        for handle in self.handles.drain(..) {
            // Who made it hears why it is not wanted; a key that stays does no harm.
            let _ = self.session.destroy_object(handle);
        }
    }
}

impl TokenKey {
    /// The key that a URI names.
    ///
    /// # Errors
    ///
    /// [`TokenFault`].
    pub fn open(uri: &TokenUri, protection: &KeyProtection) -> Result<Self, TokenFault> {
        Token::open(uri, protection)?.key(uri)
    }

    /// Names it: what stands in the file of the key.
    #[must_use]
    pub const fn uri(&self) -> &TokenUri {
        &self.uri
    }

    pub(crate) const fn token(&self) -> &Token {
        &self.token
    }

    pub(crate) const fn public_key_info(&self) -> &SubjectPublicKeyInfoOwned {
        &self.public_key
    }

    /// Something names it now, so it stays.
    pub(crate) fn keep(&self) {
        let unkept = self.unkept.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut unkept) = unkept {
            unkept.handles.clear();
        }
    }

    /// A session that has ended (a token that was taken out or started anew, somebody who logged out)
    /// is opened once more: the key must be the same then.
    fn sign_hashed(
        &mut self,
        mechanism: &Mechanism<'_>,
        data: &[u8],
    ) -> Result<Vec<u8>, TokenFault> {
        let open = self.open.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(Open { session, handle }) = open {
            match session.sign(mechanism, *handle, data) {
                Err(CryptokiError::Pkcs11(error, _)) if has_ended(error) => {}
                signed => return signed.map_err(refused("sign")),
            }
        }
        *open = None;
        let (session, found) = self.token.find(&self.uri)?;
        if found.public_key != self.public_key {
            return Err(TokenFault::OtherKey);
        }
        let Open { session, handle } = open.insert(Open { session, handle: found.handle });
        session.sign(mechanism, *handle, data).map_err(refused("sign"))
    }
}

/// Whether it says that what was opened is no more, and not that something is refused.
const fn has_ended(error: RvError) -> bool {
    matches!(
        error,
        RvError::SessionHandleInvalid
            | RvError::SessionClosed
            | RvError::UserNotLoggedIn
            | RvError::DeviceRemoved
            | RvError::DeviceError
            | RvError::TokenNotPresent
            | RvError::KeyHandleInvalid
            | RvError::ObjectHandleInvalid
            | RvError::CryptokiNotInitialized
    )
}

impl CaSigner for TokenKey {
    fn public_key(&self) -> Vec<u8> {
        self.public_key.to_der().expect("it was made of DER")
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.kind
    }

    fn sign(&mut self, message: &[u8]) -> Result<Vec<u8>, SignerFault> {
        let signed = match self.kind {
            SignatureAlgorithm::EcdsaSha256 => self
                .sign_hashed(&Mechanism::Ecdsa, &Sha256::digest(message))
                .and_then(|it| ecdsa(&it)),
            SignatureAlgorithm::EcdsaSha384 => self
                .sign_hashed(&Mechanism::Ecdsa, &Sha384::digest(message))
                .and_then(|it| ecdsa(&it)),
            SignatureAlgorithm::RsaSha256 => self.sign_hashed(&Mechanism::Sha256RsaPkcs, message),
        };
        signed.map_err(SignerFault::new)
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey").field("uri", &self.uri).finish_non_exhaustive()
    }
}

/// The first line of a file that only its owner reads.
fn pin_in(path: &Path) -> Result<Pin, TokenFault> {
    let contents = Zeroizing::new(files::read(path)?);
    if let Some(mode) = files::readable_by_others(path)? {
        return Err(TokenFault::PinReadableByOthers { path: path.to_owned(), mode });
    }
    let line = core::str::from_utf8(&contents).ok().and_then(|text| text.lines().next());
    match line {
        Some(pin) if !pin.is_empty() => Ok(Pin::new(pin)),
        _ => Err(TokenFault::NoPinInFile { path: path.to_owned() }),
    }
}

/// What a token refused is not given to it again by this process, which may try for weeks: a few more
/// times, and the token is locked. By the digest of each.
static REFUSED_PINS: Mutex<Vec<(TokenUri, Vec<u8>)>> = Mutex::new(Vec::new());

/// As OpenSSL's and others' tools make them.
const ID_LEN: usize = 16;
