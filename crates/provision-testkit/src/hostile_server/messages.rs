//! The server's messages in bytes (RFC 8446 section 4).

use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair},
};

use super::key_schedule::Secret;

/// TLS ContentType.
pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
pub(super) const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const ENCRYPTED: u8 = 23;

/// TLS HandshakeType.
pub(super) const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const ENCRYPTED_EXTENSIONS: u8 = 8;
pub(super) const CERTIFICATE: u8 = 11;
const CERTIFICATE_REQUEST: u8 = 13;
pub(super) const CERTIFICATE_VERIFY: u8 = 15;
pub(super) const FINISHED: u8 = 20;

const ECDSA_SECP256R1_SHA256: u16 = 0x0403;
const ECDSA_SECP384R1_SHA384: u16 = 0x0503;
pub(super) const SECP256R1: u16 = 23;

/// TLS AlertDescription (RFC 8446 section 6).
pub mod alert {
    /// The sender has no more to say.
    pub const CLOSE_NOTIFY: u8 = 0;
    /// The sender found no common ground.
    pub const HANDSHAKE_FAILURE: u8 = 40;
    /// The certificate's issuer is not known.
    pub const UNKNOWN_CA: u8 = 48;
}

/// A whole message: type, length, body.
pub(super) fn message(message_type: u8, body: &[u8]) -> Vec<u8> {
    [&[message_type][..], &counted::<3>(body)].concat()
}

/// A plaintext record.
pub(super) fn record(content_type: u8, body: &[u8]) -> Vec<u8> {
    [&[content_type, 3, 3][..], &counted::<2>(body)].concat()
}

/// `bytes` after their length in `N` bytes.
pub(super) fn counted<const N: usize>(bytes: &[u8]) -> Vec<u8> {
    let len = u32::try_from(bytes.len()).expect("a length of four bytes").to_be_bytes();
    [&len[4 - N..], bytes].concat()
}

pub(super) fn server_hello(random: &[u8; 32], session_id: &[u8], key_share: &[u8]) -> Vec<u8> {
    let extensions = [
        extension(43, &[3, 4]),
        extension(51, &[&SECP256R1.to_be_bytes()[..], &counted::<2>(key_share)].concat()),
    ]
    .concat();
    let body = [
        &[3, 3][..],
        random,
        &counted::<1>(session_id),
        // TLS_AES_128_GCM_SHA256, no compression.
        &[0x13, 0x01, 0],
        &counted::<2>(&extensions),
    ];
    message(SERVER_HELLO, &body.concat())
}

pub(super) fn encrypted_extensions() -> Vec<u8> {
    message(ENCRYPTED_EXTENSIONS, &counted::<2>(&[]))
}

pub(super) fn certificate_request() -> Vec<u8> {
    let schemes = extension(13, &counted::<2>(&ECDSA_SECP256R1_SHA256.to_be_bytes()));
    message(CERTIFICATE_REQUEST, &[&[0][..], &counted::<2>(&schemes)].concat())
}

pub(super) fn certificate(chain: &[Vec<u8>]) -> Vec<u8> {
    let entries: Vec<u8> =
        chain.iter().flat_map(|der| [counted::<3>(der), counted::<2>(&[])].concat()).collect();
    message(CERTIFICATE, &[&[0][..], &counted::<3>(&entries)].concat())
}

pub(super) fn certificate_verify(key_pkcs8: &[u8], transcript_hash: &Secret) -> Vec<u8> {
    signed(ECDSA_SECP256R1_SHA256, key_pkcs8, transcript_hash)
}

pub(super) fn mislabelled_certificate_verify(
    key_pkcs8: &[u8],
    transcript_hash: &Secret,
) -> Vec<u8> {
    signed(ECDSA_SECP384R1_SHA384, key_pkcs8, transcript_hash)
}

fn signed(scheme: u16, key_pkcs8: &[u8], transcript_hash: &Secret) -> Vec<u8> {
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key_pkcs8, &random)
        .expect("a P-256 key in PKCS#8");
    let signature =
        key.sign(&random, &to_be_signed("server", transcript_hash)).expect("a signature");
    let body = [&scheme.to_be_bytes()[..], &counted::<2>(signature.as_ref())].concat();
    message(CERTIFICATE_VERIFY, &body)
}

/// RFC 8446 section 4.4.3.
pub(super) fn to_be_signed(side: &str, transcript_hash: &Secret) -> Vec<u8> {
    let context = format!("TLS 1.3, {side} CertificateVerify\0");
    [&[0x20; 64][..], context.as_bytes(), transcript_hash].concat()
}

fn extension(extension_type: u16, data: &[u8]) -> Vec<u8> {
    [&extension_type.to_be_bytes()[..], &counted::<2>(data)].concat()
}
