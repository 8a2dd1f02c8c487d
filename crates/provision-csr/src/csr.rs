//! The PKCS#10 certification request, written by hand.
//!
//! Of the crate `der` a device would pay four kilobytes of flash for what is, but for the name, a
//! row of constants. That the bytes are right, `openssl` and the crate `x509-cert` say in the tests.

use core::fmt;

use crate::der::{
    BIT_STRING, INTEGER, OBJECT_IDENTIFIER, PRINTABLE_STRING, SEQUENCE, SET, UTF8_STRING, Writer,
    tlv_len,
};
use crate::{DerSignature, IdentityKey, PublicKey, SignError, Subject, sha256};

/// Length of a station's challenge, in bytes.
pub const CHALLENGE_LEN: usize = 32;

/// A buffer of this many bytes holds any request [`write_csr`] can write.
///
/// The longest has 64 characters of four bytes each in CN, O and OU. With a CN of 19 ASCII
/// characters alone, a request has about 300 bytes.
pub const CSR_LEN_MAX: usize = {
    let utf8 = relative_name_len(4 * Subject::ATTRIBUTE_CHARS_MAX);
    let serial_number = relative_name_len(Subject::ATTRIBUTE_CHARS_MAX);
    let country = relative_name_len(2);
    request_len(tlv_len(3 * utf8 + serial_number + country))
};

/// Writes a certification request (RFC 2986) for `key` under `subject` into `out`, with the
/// station's challenge inside, signed with ecdsa-with-SHA256.
///
/// The signature over the challenge shows that the key was held *now*: a request recorded earlier
/// carries an earlier challenge.
///
/// # Errors
///
/// [`CsrError::BufferTooSmall`] with the length needed, before anything is signed;
/// [`CsrError::Sign`] if the key refuses.
pub fn write_csr<'b>(
    subject: &Subject<'_>,
    key: &impl IdentityKey,
    challenge: &[u8; CHALLENGE_LEN],
    out: &'b mut [u8],
) -> Result<CsrDer<'b>, CsrError> {
    let info = Info { subject, public: key.public_key(), password: challenge.map(lower_hex) };

    let have = out.len();
    let needed = request_len(tlv_len(name_value_len(subject)));
    // With the length checked here, what is written fits.
    let too_small = CsrError::BufferTooSmall { needed, have };
    if have < needed {
        return Err(too_small);
    }

    // What is signed is written where it will stand if the signature is the longest there is.
    let header_len = header_len(needed);
    let mut writer = Writer::new(out);
    writer.skip(header_len);
    info.write(&mut writer);
    let signed = writer.finish().and_then(|all| all.get(header_len..)).ok_or(too_small)?;
    let signed_len = signed.len();
    let signature = key.sign_digest(&sha256(signed)).map_err(CsrError::Sign)?.to_der();
    let signature = signature.as_bytes();

    // RFC 2986 section 4.2:
    //
    //   CertificationRequest ::= SEQUENCE {
    //       certificationRequestInfo  CertificationRequestInfo,
    //       signatureAlgorithm        AlgorithmIdentifier,  -- ecdsa-with-SHA256, no parameters
    //       signature                 BIT STRING }          -- Ecdsa-Sig-Value
    let bits_len = 1 + signature.len();
    let contents_len = signed_len + ECDSA_WITH_SHA256.len() + tlv_len(bits_len);
    let mut writer = Writer::new(out);
    writer.header(SEQUENCE, contents_len);
    if writer.len() == header_len {
        writer.skip(signed_len);
    } else {
        // A signature so short that the header is, too.
        info.write(&mut writer);
    }
    writer.put(ECDSA_WITH_SHA256);
    writer.header(BIT_STRING, bits_len);
    writer.put(&[NO_UNUSED_BITS]);
    writer.put(signature);
    writer.finish().map(CsrDer).ok_or(too_small)
}

/// A certification request that was written, and not yet proven to anybody.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CsrDer<'b>(&'b [u8]);

impl<'b> CsrDer<'b> {
    /// The DER.
    #[must_use]
    pub const fn as_bytes(&self) -> &'b [u8] {
        self.0
    }
}

impl AsRef<[u8]> for CsrDer<'_> {
    fn as_ref(&self) -> &[u8] {
        self.0
    }
}

impl fmt::Debug for CsrDer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CsrDer({} bytes)", self.0.len())
    }
}

/// Why no request was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum CsrError {
    /// The buffer is shorter than the longest request for this subject.
    BufferTooSmall {
        /// Bytes the request may take.
        needed: usize,
        /// Bytes the buffer has.
        have: usize,
    },
    /// The key refused to sign.
    Sign(SignError),
}

impl fmt::Display for CsrError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BufferTooSmall { needed, have } => {
                write!(f, "the request needs a buffer of {needed} bytes, it has {have}")
            }
            Self::Sign(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for CsrError {}

/// RFC 2986 section 4.1:
///
/// ```text
/// CertificationRequestInfo ::= SEQUENCE {
///     version     INTEGER { v1(0) },
///     subject     Name,
///     subjectPKInfo SubjectPublicKeyInfo,
///     attributes  [0] IMPLICIT SET OF Attribute }
/// ```
struct Info<'a> {
    subject: &'a Subject<'a>,
    public: PublicKey,
    password: [[u8; 2]; CHALLENGE_LEN],
}

impl Info<'_> {
    // Not inlined: it is called twice.
    #[inline(never)]
    fn write(&self, writer: &mut Writer<'_>) {
        let name_len = name_value_len(self.subject);
        writer.header(SEQUENCE, info_value_len(tlv_len(name_len)));
        writer.put(VERSION_1);
        writer.header(SEQUENCE, name_len);
        for (kind, tag, text) in relative_names(self.subject) {
            // SET OF with one element, so there is nothing to sort.
            let typed_len = ATTRIBUTE_TYPE_LEN + tlv_len(text.len());
            writer.header(SET, tlv_len(typed_len));
            writer.header(SEQUENCE, typed_len);
            writer.put(&[OBJECT_IDENTIFIER, 3, 0x55, 0x04, kind]);
            writer.header(tag, text.len());
            writer.put(text);
        }
        writer.put(P256_KEY);
        writer.put(self.public.as_sec1());
        writer.put(CHALLENGE_PASSWORD);
        writer.put(self.password.as_flattened());
    }
}

/// RFC 5280 section 4.1.2.4:
///
/// ```text
/// Name ::= SEQUENCE OF RelativeDistinguishedName
/// RelativeDistinguishedName ::= SET SIZE (1..MAX) OF AttributeTypeAndValue
/// AttributeTypeAndValue ::= SEQUENCE { type OBJECT IDENTIFIER, value DirectoryString }
/// ```
///
/// Most general first: the last number of the type 2.5.4.*, the string's tag, and its text, whose
/// alphabet [`Subject`] has checked.
fn relative_names<'a>(subject: &Subject<'a>) -> impl Iterator<Item = (u8, u8, &'a [u8])> {
    [
        (6, PRINTABLE_STRING, subject.country()),
        (10, UTF8_STRING, subject.organization()),
        (11, UTF8_STRING, subject.organizational_unit()),
        (3, UTF8_STRING, Some(subject.common_name())),
        (5, PRINTABLE_STRING, subject.serial_number()),
    ]
    .into_iter()
    .filter_map(|(kind, tag, text)| Some((kind, tag, text?.as_bytes())))
}

fn name_value_len(subject: &Subject<'_>) -> usize {
    relative_names(subject).map(|(_, _, text)| relative_name_len(text.len())).sum()
}

fn lower_hex(byte: u8) -> [u8; 2] {
    let digit = |nibble| if nibble < 10 { b'0' + nibble } else { b'a' + (nibble - 10) };
    [digit(byte >> 4), digit(byte & 0x0f)]
}

/// INTEGER 0
const VERSION_1: &[u8] = &[INTEGER, 1, 0];

/// SEQUENCE { 1.2.840.10045.4.3.2 }
const ECDSA_WITH_SHA256: &[u8] =
    &[SEQUENCE, 10, OBJECT_IDENTIFIER, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];

/// RFC 5480 section 2, up to the point:
///
/// ```text
/// SubjectPublicKeyInfo ::= SEQUENCE {
///     algorithm         SEQUENCE { id-ecPublicKey, namedCurve secp256r1 },
///     subjectPublicKey  BIT STRING }  -- uncompressed point
/// ```
#[rustfmt::skip]
const P256_KEY: &[u8] = &[
    SEQUENCE, 89,
        SEQUENCE, 19,
            OBJECT_IDENTIFIER, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, // 1.2.840.10045.2.1
            OBJECT_IDENTIFIER, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7, // 1.2.840.10045.3.1.7
        BIT_STRING, 66, NO_UNUSED_BITS,
];

/// The request's one attribute (RFC 2985 section 5.4.1), up to the password:
///
/// ```text
/// challengePassword ATTRIBUTE ::= {
///     WITH SYNTAX DirectoryString {255}   -- here PrintableString, 64 lower-case hex digits
///     SINGLE VALUE TRUE
///     ID pkcs-9-at-challengePassword }
/// ```
#[rustfmt::skip]
const CHALLENGE_PASSWORD: &[u8] = &[
    0xa0, 81, // [0] IMPLICIT
        SEQUENCE, 79,
            OBJECT_IDENTIFIER, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 7, // 1.2.840.113549.1.9.7
            SET, 66,
                PRINTABLE_STRING, 64,
];

const NO_UNUSED_BITS: u8 = 0;

/// Length of an attribute type 2.5.4.*, header included.
const ATTRIBUTE_TYPE_LEN: usize = 5;

/// The contents of CertificationRequestInfo, when the encoded name has this length.
const fn info_value_len(name_len: usize) -> usize {
    let key = P256_KEY.len() + PublicKey::LEN;
    let attributes = CHALLENGE_PASSWORD.len() + 2 * CHALLENGE_LEN;
    VERSION_1.len() + name_len + key + attributes
}

/// The longest request whose encoded name has this length.
const fn request_len(name_len: usize) -> usize {
    let info = tlv_len(info_value_len(name_len));
    let signature = tlv_len(1 + DerSignature::LEN_MAX);
    tlv_len(info + ECDSA_WITH_SHA256.len() + signature)
}

/// Length of the header of an element that has so many bytes with it: those of this module have more than 127.
const fn header_len(len: usize) -> usize {
    if len <= 3 + 0xff { 3 } else { 4 }
}

/// One relative name whose text has this length.
const fn relative_name_len(text_len: usize) -> usize {
    tlv_len(tlv_len(ATTRIBUTE_TYPE_LEN + tlv_len(text_len)))
}
