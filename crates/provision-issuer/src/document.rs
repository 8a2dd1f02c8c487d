//! What is in a file: certificates, CSRs, CRLs, keys and more, PEM or DER, one or many.

mod base64_lines;
mod crl_walk;
mod label;
mod limited;
mod positions;
mod window;

use core::fmt;
use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use der::{Decode as _, ErrorKind, Header, Reader as _, SliceReader, Tag};
use memchr::memmem;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::certificate::parse;
use crate::crl::RevocationList;
use crate::key_file::SealedKey;

pub(crate) use label::label;
pub use limited::{read_documents, read_limited};

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

/// The same as [`read_documents`], of the contents of a file.
///
/// # Errors
///
/// [`DocumentError`] at the first thing that is not what it says, or is not read here.
pub fn documents(contents: &[u8]) -> Result<Vec<Document>, DocumentError> {
    read_documents(contents)
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

/// DER as PEM. Not for private keys.
///
/// # Panics
///
/// Never: memory takes all that is written, and PEM is ASCII.
#[must_use]
pub fn to_pem(kind: DocumentKind, der: &[u8]) -> String {
    let mut pem = Vec::with_capacity(der.len() / LINE_BYTES * (LINE_LEN + 1) + 200);
    write_pem(kind, der, &mut pem).expect("memory takes it");
    String::from_utf8(pem).expect("it is ASCII")
}

/// Writes DER as PEM, piece by piece: of a long CRL no more of the text is in memory than a piece. Not for private
/// keys.
///
/// # Errors
///
/// What `out` says.
pub fn write_pem(kind: DocumentKind, der: &[u8], out: &mut dyn io::Write) -> io::Result<()> {
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
    writeln!(out, "{BEGIN}{label}{DASHES}")?;
    let mut text = String::with_capacity(PIECE_LINES * (LINE_LEN + 1));
    for piece in der.chunks(PIECE_LINES * LINE_BYTES) {
        text.clear();
        for line in piece.chunks(LINE_BYTES) {
            STANDARD.encode_string(line, &mut text);
            text.push('\n');
        }
        out.write_all(text.as_bytes())?;
    }
    writeln!(out, "{END}{label}{DASHES}")
}

/// Whether bytes are what they are said to be, as far as the structure goes.
fn check(kind: DocumentKind, der: &[u8]) -> der::Result<()> {
    match kind {
        DocumentKind::Certificate => parse(der).map(|_| ()),
        DocumentKind::Request => x509_cert::request::CertReq::from_der(der).map(|_| ()),
        DocumentKind::Crl => RevocationList::from_der(der).map(|_| ()),
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
fn from_der(bytes: Zeroizing<Vec<u8>>) -> Result<Document, DocumentError> {
    let kind = kind_of_der(&bytes)?;
    Ok(Document { kind, bytes, at: 0 })
}

fn kind_of_der(der: &[u8]) -> Result<DocumentKind, DocumentError> {
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
            return Ok(DocumentKind::Pkcs12);
        }
        [Tag::ObjectIdentifier, ..] => return Ok(DocumentKind::Pkcs7),
        [Tag::Integer, Tag::Integer] => return Ok(DocumentKind::DhParameters),
        _ => {}
    }
    if SealedKey::find(der).is_ok() {
        return Ok(DocumentKind::PrivateKey);
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
            Ok(()) => return Ok(kind),
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
/// Characters in a line of PEM (RFC 7468 section 2), and bytes that make them.
const LINE_LEN: usize = 64;
const LINE_BYTES: usize = LINE_LEN / 4 * 3;
/// Lines that are written at once.
const PIECE_LINES: usize = 1024;

#[cfg(test)]
mod tests {
    use der::pem::{LineEnding, encode_string};

    use super::*;

    #[test]
    fn pem_is_as_the_crate_der_writes_it() {
        let piece = PIECE_LINES * LINE_BYTES;
        for len in (1..200).chain(piece - 1..=piece + 1).chain([3 * piece + 7]) {
            let der: Vec<u8> = (0..len).map(|at| at as u8).collect();
            let expected = encode_string("X509 CRL", LineEnding::LF, &der).unwrap();
            assert_eq!(to_pem(DocumentKind::Crl, &der), expected, "{len} bytes");
        }
    }
}
