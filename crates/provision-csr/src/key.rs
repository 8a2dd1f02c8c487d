//! Keys and signatures on P-256, and the two traits an implementation of it provides.

use core::fmt;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::der::{INTEGER, Reader, SEQUENCE, Writer, tlv_len};
use crate::{Entropy, NoEntropy};

/// A private key that signs for the device's identity, wherever it is kept.
///
/// The portable implementation is [`PortableKey`](crate::PortableKey). A secure element implements
/// this over its own bus; nothing here asks for the private bytes.
pub trait IdentityKey {
    /// The public half.
    fn public_key(&self) -> PublicKey;

    /// Signs a SHA-256 digest (ECDSA on P-256, FIPS 186-5 section 6.4.1).
    ///
    /// # Errors
    ///
    /// [`SignError`] if the key cannot be used now (a secure element may be absent or busy).
    fn sign_digest(&self, sha256: &[u8; 32]) -> Result<Signature, SignError>;
}

impl<T: IdentityKey + ?Sized> IdentityKey for &T {
    fn public_key(&self) -> PublicKey {
        (**self).public_key()
    }

    fn sign_digest(&self, sha256: &[u8; 32]) -> Result<Signature, SignError> {
        (**self).sign_digest(sha256)
    }
}

/// An [`IdentityKey`] whose private bytes live in this chip's memory and flash.
pub trait SoftwareKey: IdentityKey + Sized {
    /// Makes a new key.
    ///
    /// # Errors
    ///
    /// [`NoEntropy`] if the source refuses, or if what it gives is plainly not random (all bytes
    /// equal, or no valid scalar in several draws).
    fn generate(entropy: &mut impl Entropy) -> Result<Self, NoEntropy>;

    /// Takes a key back from the vault. The public half is believed, not computed again: the
    /// vault's digest guards it, and computing it costs as much as making a key.
    ///
    /// # Errors
    ///
    /// [`SignError`] if the private bytes are no valid scalar.
    fn from_stored(stored: &StoredKey) -> Result<Self, SignError>;

    /// The key in the form a vault writes to flash: the only way out there is.
    fn to_stored(&self) -> StoredKey;
}

/// Checks ECDSA signatures on P-256. One implementation serves CSRs, certificate chains, proofs
/// and TLS.
pub trait VerifyP256 {
    /// Checks `signature` by `public` over a SHA-256 digest (FIPS 186-5 section 6.4.2).
    ///
    /// # Errors
    ///
    /// [`BadSignature`] if it does not verify, or if `public` is not a point on the curve.
    fn verify_digest(
        public: &PublicKey,
        sha256: &[u8; 32],
        signature: &Signature,
    ) -> Result<(), BadSignature>;
}

/// A P-256 public key: SEC1 uncompressed point, `04 || x || y` (SEC 1 section 2.3.3).
///
/// Being on the curve is checked when a signature is verified, not here.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicKey([u8; 65]);

impl PublicKey {
    /// Length of the encoding, in bytes.
    pub const LEN: usize = 65;

    /// Takes an uncompressed SEC1 point.
    ///
    /// # Errors
    ///
    /// [`NotUncompressed`] if the first byte is not `04`.
    pub const fn from_sec1(bytes: [u8; 65]) -> Result<Self, NotUncompressed> {
        if bytes[0] == 0x04 { Ok(Self(bytes)) } else { Err(NotUncompressed) }
    }

    /// Takes an uncompressed SEC1 point of unknown length.
    ///
    /// # Errors
    ///
    /// [`NotUncompressed`] if it is not 65 bytes that begin with `04`.
    pub fn from_sec1_slice(bytes: &[u8]) -> Result<Self, NotUncompressed> {
        let bytes: [u8; 65] = bytes.try_into().map_err(|_| NotUncompressed)?;
        Self::from_sec1(bytes)
    }

    /// The 65 bytes `04 || x || y`.
    #[must_use]
    pub const fn as_sec1(&self) -> &[u8; 65] {
        &self.0
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PublicKey(")?;
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(")")
    }
}

/// An ECDSA signature on P-256 as `r || s`, 32 bytes each, big-endian.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Takes `r || s`. The range of both is checked when the signature is verified.
    #[must_use]
    pub const fn from_raw(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The 64 bytes `r || s`.
    #[must_use]
    pub const fn as_raw(&self) -> &[u8; 64] {
        &self.0
    }

    /// The same signature in DER.
    #[must_use]
    pub fn to_der(&self) -> DerSignature {
        let (r, s) = self.0.split_at(32);
        let (r, s) = (Integer::of(r), Integer::of(s));

        let mut der = DerSignature { bytes: [0; DerSignature::LEN_MAX], len: 0 };
        // It fits, by `LEN_MAX`.
        let mut writer = Writer::new(&mut der.bytes);
        writer.header(SEQUENCE, tlv_len(r.value_len()) + tlv_len(s.value_len()));
        for integer in [r, s] {
            writer.header(INTEGER, integer.value_len());
            if integer.padded {
                writer.put(&[0]);
            }
            writer.put(integer.digits);
        }
        der.len = writer.len();
        der
    }

    /// Reads a signature from DER, strictly: minimal lengths, minimal non-negative INTEGERs of at
    /// most 32 bytes, nothing after. The range of `r` and `s` is checked when it is verified.
    ///
    /// # Errors
    ///
    /// [`NotDerSignature`] if there is any other way to write it than the one given.
    pub fn from_der(der: &[u8]) -> Result<Self, NotDerSignature> {
        let mut raw = [0; 64];
        let mut outer = Reader::new(der);
        let mut both = Reader::new(outer.expect(SEQUENCE).ok_or(NotDerSignature)?);
        let (r_out, s_out) = raw.split_at_mut(32);
        for out in [r_out, s_out] {
            let digits = both.expect(INTEGER).and_then(non_negative).ok_or(NotDerSignature)?;
            let unused = out.len().checked_sub(digits.len()).ok_or(NotDerSignature)?;
            out.split_at_mut(unused).1.copy_from_slice(digits);
        }
        if outer.is_finished() && both.is_finished() { Ok(Self(raw)) } else { Err(NotDerSignature) }
    }
}

/// The significant bytes of an INTEGER that is not negative and no longer than it must be (X.690
/// section 8.3).
fn non_negative(contents: &[u8]) -> Option<&[u8]> {
    match contents {
        [0] => Some(&[]),
        [0, digits @ ..] => digits.first().is_some_and(|first| first & 0x80 != 0).then_some(digits),
        [first, ..] => (first & 0x80 == 0).then_some(contents),
        [] => None,
    }
}

/// One INTEGER of `Ecdsa-Sig-Value`: its significant bytes, and whether a zero byte must keep it
/// from being negative.
struct Integer<'a> {
    digits: &'a [u8],
    padded: bool,
}

impl<'a> Integer<'a> {
    fn of(big_endian: &'a [u8]) -> Self {
        let zeros = big_endian.iter().take_while(|byte| **byte == 0).count();
        // Zero itself is written as one zero byte, not as none.
        let keep_from = zeros.min(big_endian.len().saturating_sub(1));
        let digits = big_endian.get(keep_from..).unwrap_or(&[]);
        Self { digits, padded: digits.first().is_some_and(|byte| byte & 0x80 != 0) }
    }

    const fn value_len(&self) -> usize {
        self.digits.len() + self.padded as usize
    }
}

/// An ECDSA signature in DER, as certificates and TLS carry it:
///
/// ```text
/// Ecdsa-Sig-Value ::= SEQUENCE { r INTEGER, s INTEGER }      -- RFC 3279 section 2.2.3
/// ```
#[derive(Clone, Copy, Debug)]
pub struct DerSignature {
    bytes: [u8; Self::LEN_MAX],
    len: usize,
}

impl DerSignature {
    /// Longest encoding: two INTEGERs of 33 bytes with their headers, inside a SEQUENCE.
    pub const LEN_MAX: usize = 72;

    /// The encoding.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }
}

impl AsRef<[u8]> for DerSignature {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// A software key as the vault keeps it; zeroized when dropped. It cannot be copied or printed:
///
/// ```compile_fail,E0277
/// fn print(key: &provision_csr::StoredKey) -> String {
///     format!("{key:?}")
/// }
/// ```
///
/// ```compile_fail,E0308
/// fn copy(key: &provision_csr::StoredKey) -> provision_csr::StoredKey {
///     key.clone()
/// }
/// ```
pub struct StoredKey {
    secret: [u8; 32],
    public: PublicKey,
}

impl Drop for StoredKey {
    #[inline(never)]
    fn drop(&mut self) {
        self.secret.zeroize();
    }
}

impl ZeroizeOnDrop for StoredKey {}

impl StoredKey {
    /// Length of [`StoredKey::secret`], in bytes.
    pub const SECRET_LEN: usize = 32;

    /// Puts together what a vault read back. The caller wipes its own copy of `secret`.
    #[must_use]
    pub const fn new(secret: [u8; 32], public: PublicKey) -> Self {
        Self { secret, public }
    }

    /// The private scalar, big-endian: for a vault to write to flash, and for nothing else.
    #[must_use]
    pub const fn secret(&self) -> &[u8; 32] {
        &self.secret
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }
}

/// The bytes are not an uncompressed SEC1 point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NotUncompressed;

impl fmt::Display for NotUncompressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an uncompressed P-256 point (65 bytes, first byte 04)")
    }
}

/// The bytes are not the DER of two INTEGERs of at most 32 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NotDerSignature;

impl fmt::Display for NotDerSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an ECDSA signature on P-256 in strict DER")
    }
}

/// The key could not sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct SignError;

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the identity key could not sign")
    }
}

/// The signature is not by this key over this digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct BadSignature;

impl fmt::Display for BadSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the signature is not by this key over this digest")
    }
}

impl core::error::Error for NotUncompressed {}
impl core::error::Error for NotDerSignature {}
impl core::error::Error for SignError {}
impl core::error::Error for BadSignature {}
