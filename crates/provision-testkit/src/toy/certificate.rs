//! X.509 certificates, written by a template: what an issuer with `x509-cert` writes, in a
//! fiftieth of the time.

use core::time::Duration;

use der::asn1::{GeneralizedTime, UtcTime};
use der::{DateTime, Encode as _};
use provision_csr::{IdentityKey, PublicKey, Signature};
use sha2_device::{Digest as _, Sha256};

use crate::toy_p256::ToyKey;

/// What a certificate says.
pub(super) struct Statement<'a> {
    /// Big-endian, without leading zeros, positive.
    pub(super) serial: [u8; 8],
    pub(super) issuer: &'a str,
    /// In seconds since 1970-01-01 UTC, both ends included.
    pub(super) not_before_s: u64,
    pub(super) not_after_s: u64,
    pub(super) subject: &'a str,
    pub(super) public_key: PublicKey,
    pub(super) purpose: Purpose,
}

/// What a certificate is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A CA above so many others.
    Ca { path_len: u8 },
    /// A TLS client.
    Device,
}

/// ```text
/// Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue BIT STRING }
///                                                          -- RFC 5280 section 4.1
/// ```
pub(super) fn certify(statement: &Statement<'_>, signer: &ToyKey) -> Vec<u8> {
    let mut tbs = Vec::with_capacity(CERTIFICATE_LEN);
    write_tbs(&mut tbs, statement);
    let signature = signer.sign_digest(&Sha256::digest(&tbs).into());
    let signature = signature.unwrap_or(Signature::from_raw([0; 64])).to_der();
    let mut out = Vec::with_capacity(tbs.len() + 100);
    element(&mut out, SEQUENCE, |out| {
        out.extend_from_slice(&tbs);
        out.extend_from_slice(ECDSA_WITH_SHA256);
        element(out, BIT_STRING, |out| {
            out.push(NO_UNUSED_BITS);
            out.extend_from_slice(signature.as_bytes());
        });
    });
    out
}

/// ```text
/// TBSCertificate ::= SEQUENCE {
///     version [0] EXPLICIT, serialNumber, signature, issuer, validity, subject,
///     subjectPublicKeyInfo, extensions [3] EXPLICIT }
/// ```
fn write_tbs(out: &mut Vec<u8>, statement: &Statement<'_>) {
    element(out, SEQUENCE, |out| {
        out.extend_from_slice(VERSION_3);
        element(out, INTEGER, |out| out.extend_from_slice(&statement.serial));
        out.extend_from_slice(ECDSA_WITH_SHA256);
        write_name(out, statement.issuer);
        element(out, SEQUENCE, |out| {
            write_time(out, statement.not_before_s);
            write_time(out, statement.not_after_s);
        });
        write_name(out, statement.subject);
        out.extend_from_slice(P256_KEY);
        out.extend_from_slice(statement.public_key.as_sec1());
        element(out, EXTENSIONS, |out| {
            element(out, SEQUENCE, |out| match statement.purpose {
                Purpose::Ca { path_len } => {
                    out.extend_from_slice(CA_EXTENSIONS);
                    out.push(path_len);
                }
                Purpose::Device => out.extend_from_slice(DEVICE_EXTENSIONS),
            });
        });
    });
}

/// One common name.
fn write_name(out: &mut Vec<u8>, common_name: &str) {
    element(out, SEQUENCE, |out| {
        element(out, SET, |out| {
            element(out, SEQUENCE, |out| {
                out.extend_from_slice(COMMON_NAME);
                element(out, UTF8_STRING, |out| out.extend_from_slice(common_name.as_bytes()));
            });
        });
    });
}

/// UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 section 4.1.2.5).
fn write_time(out: &mut Vec<u8>, unix_s: u64) {
    let since_1970 = Duration::from_secs(unix_s);
    let written = match UtcTime::from_unix_duration(since_1970) {
        Ok(time) => time.to_der(),
        Err(_) => DateTime::from_unix_duration(since_1970)
            .and_then(|time| GeneralizedTime::from_date_time(time).to_der()),
    };
    // Beyond the year 9999 there is nothing to write: such a certificate cannot be read.
    out.extend_from_slice(&written.unwrap_or_default());
}

/// Writes one element: the length is known, and put in, once its contents are there.
fn element(out: &mut Vec<u8>, tag: u8, contents: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    let at = out.len();
    contents(out);
    let [.., high, low] = (out.len() - at).to_be_bytes();
    match out.len() - at {
        0..=0x7f => out.insert(at, low),
        0x80..=0xff => drop(out.splice(at..at, [0x81, low])),
        _ => drop(out.splice(at..at, [0x82, high, low])),
    }
}

/// About as long as they get, in bytes.
const CERTIFICATE_LEN: usize = 400;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const UTF8_STRING: u8 = 0x0c;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// `[3] EXPLICIT`
const EXTENSIONS: u8 = 0xa3;
const NO_UNUSED_BITS: u8 = 0;

/// `[0] EXPLICIT INTEGER v3(2)`
const VERSION_3: &[u8] = &[0xa0, 3, INTEGER, 1, 2];
/// 1.2.840.10045.4.3.2, without parameters (RFC 5758 section 3.2).
const ECDSA_WITH_SHA256: &[u8] = &[SEQUENCE, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
/// 2.5.4.3
const COMMON_NAME: &[u8] = &[6, 3, 0x55, 4, 3];
/// SubjectPublicKeyInfo up to the point: id-ecPublicKey on secp256r1 (RFC 5480 section 2).
#[rustfmt::skip]
const P256_KEY: &[u8] = &[
    SEQUENCE, 89,
        SEQUENCE, 19,
            6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1,
            6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7,
        BIT_STRING, 66, NO_UNUSED_BITS,
];
/// extKeyUsage clientAuth (RFC 5280 section 4.2.1.12). The shortest that a device takes.
#[rustfmt::skip]
const DEVICE_EXTENSIONS: &[u8] = &[
    SEQUENCE, 19, 6, 3, 0x55, 0x1d, 37, 4, 12, SEQUENCE, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 2,
];
/// basicConstraints critical with cA TRUE, up to pathLenConstraint (RFC 5280 section 4.2.1.9).
#[rustfmt::skip]
const CA_EXTENSIONS: &[u8] = &[
    SEQUENCE, 18, 6, 3, 0x55, 0x1d, 19, 1, 1, 0xff, 4, 8, SEQUENCE, 6, 1, 1, 0xff, INTEGER, 1,
];
