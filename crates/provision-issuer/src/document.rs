//! What is in a file: certificates, CSRs, CRLs, keys and more, PEM or DER, one or many.

mod base64_lines;
mod label;
mod limited;

use core::fmt;
use std::io;

use der::pem::{self, LineEnding};
use der::{Decode as _, ErrorKind, Header, Reader as _, SliceReader, Tag};
use memchr::memmem;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::certificate::parse;
use crate::key_file::{KeyFileFault, SealedKey};

use base64_lines::{Base64Lines, PIECE, Wrong};
pub(crate) use label::label;
pub use limited::read_limited;

/// One thing found in a file.
pub struct Document {
    /// What it is.
    pub kind: DocumentKind,
    /// Its bytes: DER; of a private key in PEM the block as it stands there.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Where it begins in the file, in bytes.
    pub at: usize,
}

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentKind {
    /// X.509 certificate (RFC 5280 section 4).
    Certificate,
    /// CSR: PKCS#10 (RFC 2986).
    Request,
    /// CRL (RFC 5280 section 5).
    Crl,
    /// Private key, encrypted or not.
    PrivateKey,
    /// SubjectPublicKeyInfo (RFC 5280 section 4.1).
    PublicKey,
    /// Key and certificates under a password (RFC 7292).
    Pkcs12,
    /// Certificates in PKCS#7 (RFC 2315) or CMS (RFC 5652).
    Pkcs7,
    /// Numbers for Diffie-Hellman (RFC 2631).
    DhParameters,
}

impl fmt::Display for DocumentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Certificate => "certificate",
            Self::Request => "CSR",
            Self::Crl => "CRL",
            Self::PrivateKey => "private key",
            Self::PublicKey => "public key",
            Self::Pkcs12 => "PKCS#12",
            Self::Pkcs7 => "PKCS#7",
            Self::DhParameters => "DH parameters",
        })
    }
}

/// Why there is nothing to be found in a file.
#[derive(Debug, Error)]
pub enum DocumentError {
    /// There is nothing in it at all.
    #[error("it is empty")]
    Empty,
    /// It is larger than anything read here.
    #[error("it is larger than {max} bytes")]
    TooLarge {
        /// The most that is read.
        max: usize,
    },
    /// It is neither PEM nor DER.
    #[error(
        "it is neither PEM nor DER: no \"-----BEGIN\" in it, and its first byte is {first:02x}"
    )]
    Neither {
        /// The first byte.
        first: u8,
    },
    /// It is DER of a length that the file does not have.
    #[error("at byte 0 a DER element of {wanted} bytes begins, but the file has {found}")]
    DerLength {
        /// What its header says, the header included.
        wanted: usize,
        /// What is there.
        found: usize,
    },
    /// It is DER of something else.
    #[error("it is DER, but nothing that is read here: {closest}")]
    UnknownDer {
        /// Why it is not what it looks most like.
        closest: String,
    },
    /// The first line of a PEM block is broken. What stands there instead may be a key.
    #[error("the BEGIN line at byte {at} is broken")]
    BeginLine {
        /// Where it begins.
        at: usize,
    },
    /// A PEM block is broken.
    #[error("the PEM block at byte {at} is broken: {why}")]
    Pem {
        /// Where it begins.
        at: usize,
        /// What is wrong.
        why: String,
    },
    /// A PEM block holds something else than it says.
    #[error("the {label} at byte {at} is none: {why}")]
    Contents {
        /// What the block says it is.
        label: String,
        /// Where it begins.
        at: usize,
        /// What is wrong, with a position inside the block.
        why: String,
    },
    /// A PEM block of a kind that is not read here.
    #[error("the PEM block at byte {at} holds a {label}, which is not read here")]
    UnknownLabel {
        /// What the block says it is.
        label: String,
        /// Where it begins.
        at: usize,
    },
    /// The file could not be read.
    #[error("{0}")]
    Read(#[from] io::Error),
}

/// Finds everything in the contents of a file. Text around PEM blocks is passed over, and so are
/// the curve parameters that `openssl ecparam -genkey` puts before a key.
///
/// # Errors
///
/// [`DocumentError`] at the first thing that is not what it says, or is not read here.
pub fn documents(contents: &[u8]) -> Result<Vec<Document>, DocumentError> {
    let first = *contents.first().ok_or(DocumentError::Empty)?;
    if first == DER_SEQUENCE {
        return from_der(contents).map(|document| vec![document]);
    }
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = memmem::find(contents.get(at..).unwrap_or_default(), BEGIN.as_bytes()) {
        let start = at + start;
        let block = pem_block(contents, start)?;
        at = start + block.len();
        if let Some(document) = from_pem(block, start)? {
            found.push(document);
        }
    }
    if found.is_empty() {
        return Err(DocumentError::Neither { first });
    }
    Ok(found)
}

/// The first thing of a kind in the contents of a file.
///
/// # Errors
///
/// [`FindError`] says what is there instead.
pub fn find_document(contents: &[u8], kind: DocumentKind) -> Result<Document, FindError> {
    let mut all = documents(contents)?;
    match all.iter().position(|document| document.kind == kind) {
        Some(at) => Ok(all.swap_remove(at)),
        None => Err(FindError::Other { wanted: kind, found: all[0].kind }),
    }
}

/// There is no such thing in a file.
#[derive(Debug, Error)]
pub enum FindError {
    /// It could not be read.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// It holds other things.
    #[error("it holds a {found}, no {wanted}")]
    Other {
        /// What was looked for.
        wanted: DocumentKind,
        /// What stands there first.
        found: DocumentKind,
    },
}

/// Writes DER as PEM. Not for private keys.
///
/// # Panics
///
/// Never: what is in memory is not too long for PEM.
#[must_use]
pub fn to_pem(kind: DocumentKind, der: &[u8]) -> String {
    let label = match kind {
        DocumentKind::Certificate => "CERTIFICATE",
        DocumentKind::Request => "CERTIFICATE REQUEST",
        DocumentKind::Crl => "X509 CRL",
        DocumentKind::PrivateKey => "PRIVATE KEY",
        DocumentKind::PublicKey => "PUBLIC KEY",
        DocumentKind::Pkcs12 => "PKCS12",
        DocumentKind::Pkcs7 => "PKCS7",
        DocumentKind::DhParameters => "DH PARAMETERS",
    };
    pem::encode_string(label, LineEnding::LF, der).expect("it is in memory")
}

fn pem_block(contents: &[u8], at: usize) -> Result<&str, DocumentError> {
    let broken = |why: &str| DocumentError::Pem { at, why: why.to_owned() };
    let rest = &contents[at..];
    let end = memmem::find(rest, END.as_bytes()).ok_or_else(|| broken("it has no END line"))?;
    let close = memmem::find(&rest[end + END.len()..], DASHES.as_bytes())
        .ok_or_else(|| broken("its END line does not end"))?;
    let len = end + END.len() + close + DASHES.len();
    core::str::from_utf8(&rest[..len]).map_err(|_| broken("it has bytes that are no text"))
}

fn from_pem(block: &str, at: usize) -> Result<Option<Document>, DocumentError> {
    let broken = |why: String| DocumentError::Pem { at, why };
    let label = label(block).ok_or(DocumentError::BeginLine { at })?.to_owned();
    let kind = match label.as_str() {
        "CERTIFICATE" | "X509 CERTIFICATE" => DocumentKind::Certificate,
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => DocumentKind::Request,
        "X509 CRL" => DocumentKind::Crl,
        "PUBLIC KEY" => DocumentKind::PublicKey,
        "PKCS7" | "CMS" => DocumentKind::Pkcs7,
        "PKCS12" => DocumentKind::Pkcs12,
        "DH PARAMETERS" => DocumentKind::DhParameters,
        "EC PARAMETERS" => return Ok(None),
        label if label.ends_with("PRIVATE KEY") => {
            let contents = |fault: KeyFileFault| DocumentError::Contents {
                label: label.to_owned(),
                at,
                why: fault.to_string(),
            };
            SealedKey::find(block.as_bytes()).map_err(contents)?;
            let bytes = Zeroizing::new(block.as_bytes().to_vec());
            return Ok(Some(Document { kind: DocumentKind::PrivateKey, bytes, at }));
        }
        _ => return Err(DocumentError::UnknownLabel { label, at }),
    };
    let der = decode(block, &label, at).map_err(broken)?;
    check(kind, &der).map_err(|why| DocumentError::Contents { label, at, why: why.to_string() })?;
    Ok(Some(Document { kind, bytes: Zeroizing::new(der), at }))
}

/// A PEM block of lines of any length: RFC 7468 wants 64 characters, many write 76 or one line.
///
/// What stands here is public or encrypted, so it need not take the same time whatever it is, which `der::pem` does and
/// takes ten times as long: that shows with a CRL of fifty megabytes. Keys take that way (`SealedKey`).
fn decode(block: &str, label: &str, at: usize) -> Result<Vec<u8>, String> {
    let begin = BEGIN.len() + label.len() + DASHES.len();
    let (text, end) = block.get(begin..).and_then(|rest| rest.split_once(END)).unwrap_or_default();
    if end.strip_suffix(DASHES) != Some(label) {
        return Err(format!("it begins as {label} and ends as something else"));
    }
    let text = text.as_bytes();
    let mut der = Vec::with_capacity(text.len() / 4 * 3);
    decode_lines(text, &mut der).map_err(|wrong| wrong.in_file(text, at + begin))?;
    Ok(der)
}

fn decode_lines(text: &[u8], der: &mut Vec<u8>) -> Result<(), Wrong> {
    let mut lines = Base64Lines::default();
    for line in text.split(|byte| *byte == b'\n') {
        // All of it may be one line.
        for part in line.trim_ascii().chunks(PIECE) {
            lines.push(part);
            if lines.has_piece() {
                lines.decode(der)?;
            }
        }
    }
    lines.finish(der)
}

/// Whether bytes are what they are said to be, as far as the structure goes.
fn check(kind: DocumentKind, der: &[u8]) -> der::Result<()> {
    match kind {
        DocumentKind::Certificate => parse(der).map(|_| ()),
        DocumentKind::Request => x509_cert::request::CertReq::from_der(der).map(|_| ()),
        DocumentKind::Crl => crate::crl::RevocationList::outline(der),
        DocumentKind::PublicKey => spki::SubjectPublicKeyInfoRef::from_der(der).map(|_| ()),
        DocumentKind::PrivateKey
        | DocumentKind::Pkcs12
        | DocumentKind::Pkcs7
        | DocumentKind::DhParameters => {
            let whole = der::AnyRef::from_der(der)?;
            der::Tagged::tag(&whole).assert_eq(Tag::Sequence).map(|_| ())
        }
    }
}

/// What DER is shows in its first elements; which of two fits better, in how far it is read.
fn from_der(der: &[u8]) -> Result<Document, DocumentError> {
    let found = |kind| Ok(Document { kind, bytes: Zeroizing::new(der.to_vec()), at: 0 });
    let mut fields = SliceReader::new(der)
        .and_then(|mut reader| {
            let header = Header::decode(&mut reader)?;
            let body = reader.read_slice(header.length())?;
            reader.finish()?;
            SliceReader::new(body)
        })
        .map_err(|error| DocumentError::UnknownDer { closest: error.to_string() })?;
    let mut tags = Vec::new();
    while tags.len() < 3 && !fields.is_finished() {
        tags.extend(Tag::peek(&fields).ok());
        if fields.tlv_bytes().is_err() {
            break;
        }
    }
    match tags.as_slice() {
        // PFX: version 3, then ContentInfo.
        [Tag::Integer, Tag::Sequence, ..] if der_version(der) == Some(3) => {
            return found(DocumentKind::Pkcs12);
        }
        [Tag::ObjectIdentifier, ..] => return found(DocumentKind::Pkcs7),
        [Tag::Integer, Tag::Integer] => return found(DocumentKind::DhParameters),
        _ => {}
    }
    if SealedKey::find(der).is_ok() {
        return found(DocumentKind::PrivateKey);
    }
    let mut closest: Option<(u32, String)> = None;
    let kinds = [
        DocumentKind::Certificate,
        DocumentKind::Request,
        DocumentKind::Crl,
        DocumentKind::PublicKey,
    ];
    for kind in kinds {
        match check(kind, der) {
            Ok(()) => return found(kind),
            Err(error) => {
                let position = error.position().map_or(0, u32::from);
                if closest.as_ref().is_none_or(|(best, _)| *best < position) {
                    closest = Some((position, format!("no {kind} ({error})")));
                }
            }
        }
    }
    let closest = closest.map_or_else(|| ErrorKind::Failed.to_string(), |(_, text)| text);
    Err(DocumentError::UnknownDer { closest })
}

/// The first INTEGER in a SEQUENCE, if it is small.
fn der_version(der: &[u8]) -> Option<u8> {
    let outer = der::AnyRef::from_der(der).ok()?;
    u8::decode(&mut SliceReader::new(outer.value()).ok()?).ok()
}

/// How long a DER element says it is, its header included.
fn der_len(bytes: &[u8]) -> usize {
    match bytes {
        [_, len @ 0..=0x7f, ..] => 2 + usize::from(*len),
        [_, count @ 0x81..=0x84, rest @ ..] => {
            let count = usize::from(count & 0x7f);
            let len = rest.iter().take(count).fold(0, |len, byte| len << 8 | usize::from(*byte));
            2 + count + len
        }
        _ => usize::MAX,
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    memmem::find(bytes, wanted).is_some()
}

const DER_SEQUENCE: u8 = 0x30;
const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";
