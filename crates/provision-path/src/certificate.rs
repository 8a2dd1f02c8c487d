//! Certificates as this crate reads them itself: for what webpki checks or carries but does not
//! show, and for a device's own chain, where webpki would cost twenty kilobytes of flash.

use pki_types::alg_id;
use provision_csr::PublicKey;
use provision_csr::der::{BIT_STRING, Element, INTEGER, Reader, SEQUENCE};

use crate::{UnixSeconds, time};

/// ```text
/// Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue BIT STRING }
///                                                          -- RFC 5280 section 4.1
/// TBSCertificate ::= SEQUENCE {
///     version [0], serialNumber, signature, issuer, validity, subject,
///     subjectPublicKeyInfo,
///     extensions [3] EXPLICIT SEQUENCE OF Extension OPTIONAL }
/// ```
#[derive(Clone, Copy)]
pub(crate) struct Certificate<'a> {
    /// What the signature is over.
    pub(crate) signed: &'a [u8],
    /// The signature, as its algorithm encodes it.
    pub(crate) signature: &'a [u8],
    algorithm: &'a [u8],
    pub(crate) issuer: &'a [u8],
    validity: Reader<'a>,
    pub(crate) subject: &'a [u8],
    public_key_info: &'a [u8],
    extensions: Reader<'a>,
}

impl<'a> Certificate<'a> {
    /// An X.509 v3 certificate in DER, with nothing after it.
    pub(crate) fn parse(der: &'a [u8]) -> Option<Self> {
        let mut outer = Reader::new(der);
        let mut certificate = Reader::new(outer.expect(SEQUENCE)?);
        let signed = certificate.next().filter(|tbs| tbs.tag == SEQUENCE)?;
        let algorithm = certificate.expect(SEQUENCE)?;
        let signature = bits(certificate.expect(BIT_STRING)?)?;

        let mut tbs = Reader::new(signed.contents);
        let version = tbs.expect(VERSION)?;
        tbs.expect(INTEGER)?;
        // Once outside the signature, once inside: they must agree (section 4.1.1.2).
        let algorithm_again = tbs.expect(SEQUENCE)?;
        let issuer = tbs.expect(SEQUENCE)?;
        let validity = Reader::new(tbs.expect(SEQUENCE)?);
        let subject = tbs.expect(SEQUENCE)?;
        let public_key_info = tbs.expect(SEQUENCE)?;
        let extensions = if tbs.is_finished() {
            Reader::new(&[])
        } else {
            Reader::new(Reader::new(tbs.expect(EXTENSIONS)?).expect(SEQUENCE)?)
        };
        well_formed(extensions)?;
        let whole = outer.is_finished() && certificate.is_finished() && tbs.is_finished();
        if !whole || version != V3 || algorithm != algorithm_again {
            return None;
        }
        let certificate = Self {
            signed: signed.encoded,
            signature,
            algorithm,
            issuer,
            validity,
            subject,
            public_key_info,
            extensions,
        };
        certificate.validity().map(|_| certificate)
    }

    /// First and last second of its validity: of a certificate that was parsed, there are always some.
    ///
    /// ```text
    /// Validity ::= SEQUENCE { notBefore Time, notAfter Time }
    /// ```
    pub(crate) fn validity(&self) -> Option<(UnixSeconds, UnixSeconds)> {
        let mut times = self.validity;
        let (not_before, not_after) = (time::parse(times.next()?)?, time::parse(times.next()?)?);
        times.is_finished().then_some((not_before, not_after))
    }

    /// Whether the signature is ECDSA with SHA-256.
    pub(crate) fn is_signed_with_ecdsa_sha256(&self) -> bool {
        self.algorithm == alg_id::ECDSA_SHA256.as_ref()
    }

    /// The subject's key, if it is one for ECDSA on P-256.
    ///
    /// ```text
    /// SubjectPublicKeyInfo ::= SEQUENCE { algorithm AlgorithmIdentifier, subjectPublicKey BIT STRING }
    /// ```
    pub(crate) fn p256_key(&self) -> Option<PublicKey> {
        let mut info = Reader::new(self.public_key_info);
        if info.expect(SEQUENCE)? != alg_id::ECDSA_P256.as_ref() {
            return None;
        }
        PublicKey::from_sec1_slice(bits(info.expect(BIT_STRING)?)?).ok()
    }

    /// Whether the certificate says what it is for (RFC 5280 section 4.2.1.12).
    pub(crate) fn names_its_purpose(&self) -> bool {
        self.extension(EXTENDED_KEY_USAGE).is_some()
    }

    /// Whether it says that it is for TLS clients.
    pub(crate) fn is_for_clients(&self) -> bool {
        let purposes = self.extension(EXTENDED_KEY_USAGE).map(Reader::new);
        let Some(purposes) = purposes.and_then(|mut value| value.expect(SEQUENCE)) else {
            return false;
        };
        let mut purposes = Reader::new(purposes);
        core::iter::from_fn(|| purposes.next()).any(|purpose| purpose.contents == CLIENT_AUTH)
    }

    /// Whether `bit` of KeyUsage is set, or KeyUsage is absent (RFC 5280 section 4.2.1.3).
    pub(crate) fn may(&self, bit: KeyUsageBit) -> bool {
        let Some(key_usage) = self.extension(KEY_USAGE) else {
            return true;
        };
        Reader::new(key_usage)
            .expect(BIT_STRING)
            // [unused bits, first eight flags, ...]
            .and_then(|bits| bits.get(1).copied())
            .is_some_and(|flags| flags & bit as u8 != 0)
    }

    /// BasicConstraints with `cA TRUE` (RFC 5280 section 4.2.1.9).
    pub(crate) fn is_ca(&self) -> bool {
        self.constraints().is_some_and(|mut constraints| constraints.expect(BOOLEAN) == Some(TRUE))
    }

    /// How many CAs may stand between this one and a leaf; `None` if that is not limited.
    pub(crate) fn path_len(&self) -> Option<u8> {
        let mut constraints = self.constraints()?;
        constraints.expect(BOOLEAN)?;
        match constraints.expect(INTEGER)? {
            [small] if *small < 0x80 => Some(*small),
            // Longer, so more than any path has; or negative, which allows nothing.
            [first, _, ..] if *first < 0x80 => None,
            _ => Some(0),
        }
    }

    /// Whether an extension is marked critical that nobody here understands.
    pub(crate) fn has_unknown_critical_extension(&self) -> bool {
        let mut extensions = self.extensions;
        core::iter::from_fn(|| extensions.next().and_then(Extension::of))
            .any(|extension| extension.critical && known(extension.id).is_none())
    }

    /// ```text
    /// BasicConstraints ::= SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER OPTIONAL }
    /// ```
    fn constraints(&self) -> Option<Reader<'a>> {
        self.extension(BASIC_CONSTRAINTS)
            .and_then(|value| Reader::new(value).expect(SEQUENCE))
            .map(Reader::new)
    }

    fn extension(&self, id: [u8; 3]) -> Option<&'a [u8]> {
        let mut extensions = self.extensions;
        core::iter::from_fn(|| extensions.next().and_then(Extension::of))
            .find(|extension| extension.id == id)
            .map(|extension| extension.value)
    }
}

/// ```text
/// Extension ::= SEQUENCE { extnID OBJECT IDENTIFIER, critical BOOLEAN DEFAULT FALSE, extnValue OCTET STRING }
/// ```
struct Extension<'a> {
    id: &'a [u8],
    critical: bool,
    value: &'a [u8],
}

impl<'a> Extension<'a> {
    /// In DER a default is left out: a BOOLEAN that is there is TRUE.
    fn of(element: Element<'a>) -> Option<Self> {
        let mut fields = Reader::new(element.contents);
        let id = fields.expect(OBJECT_IDENTIFIER)?;
        let critical = is_true(&mut fields)?;
        let value = fields.expect(OCTET_STRING)?;
        let whole = element.tag == SEQUENCE && fields.is_finished();
        whole.then_some(Self { id, critical, value })
    }
}

/// Whether an optional BOOLEAN stands next, which must then be TRUE; it is taken.
fn is_true(fields: &mut Reader<'_>) -> Option<bool> {
    match fields.clone().next() {
        Some(next) if next.tag == BOOLEAN => (fields.expect(BOOLEAN)? == TRUE).then_some(true),
        _ => Some(false),
    }
}

/// Every extension can be read, none that counts here comes twice (RFC 5280 section 4.2), and
/// BasicConstraints is what it must be. What is checked here is relied on wherever one is looked for:
/// nothing unreadable passes for absent.
fn well_formed(mut extensions: Reader<'_>) -> Option<()> {
    let mut seen = [false; KNOWN.len()];
    while !extensions.is_finished() {
        let extension = extensions.next().and_then(Extension::of)?;
        if let Some(seen) = known(extension.id).and_then(|nth| seen.get_mut(nth))
            && core::mem::replace(seen, true)
        {
            return None;
        }
        if extension.id == BASIC_CONSTRAINTS {
            let mut constraints = Reader::new(Reader::new(extension.value).expect(SEQUENCE)?);
            let ca = is_true(&mut constraints)?;
            if !constraints.is_finished() {
                constraints.expect(INTEGER).filter(|_| ca && constraints.is_finished())?;
            }
        }
    }
    Some(())
}

fn known(id: &[u8]) -> Option<usize> {
    KNOWN.iter().position(|known| known == id)
}

/// One flag of KeyUsage, as it stands in the first byte of the BIT STRING.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(crate) enum KeyUsageBit {
    DigitalSignature = 0b1000_0000,
    KeyCertSign = 0b0000_0100,
}

/// A BIT STRING of whole bytes: the first byte counts its unused bits.
fn bits(contents: &[u8]) -> Option<&[u8]> {
    match contents {
        [0, bits @ ..] => Some(bits),
        _ => None,
    }
}

const BOOLEAN: u8 = 0x01;
const TRUE: &[u8] = &[0xff];
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
/// `[0] EXPLICIT` around version, and its contents for v3.
const VERSION: u8 = 0xa0;
const V3: &[u8] = &[INTEGER, 1, 2];
/// `[3] EXPLICIT` around extensions.
const EXTENSIONS: u8 = 0xa3;

/// id-ce 15, 17, 19, 37: the content bytes of 2.5.29.x.
const KEY_USAGE: [u8; 3] = [0x55, 0x1d, 15];
const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 0x1d, 17];
const BASIC_CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 19];
const EXTENDED_KEY_USAGE: [u8; 3] = [0x55, 0x1d, 37];
/// Understood, or (the name) of no consequence for a chain that belongs to one key.
const KNOWN: [[u8; 3]; 4] = [KEY_USAGE, SUBJECT_ALT_NAME, BASIC_CONSTRAINTS, EXTENDED_KEY_USAGE];
/// id-kp-clientAuth, 1.3.6.1.5.5.7.3.2 (RFC 5280 section 4.2.1.12).
const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
