//! A ClientHello that offers everything there ever was, to learn what a server would have taken.
//!
//! A server that finds nothing it likes says `handshake_failure` and no more. Asked again with
//! every version from TLS 1.0 on, every suite and every group, it shows by its choice what was
//! missing. No connection comes of it.

use std::io::{Read as _, Write as _};

use provision_issuer::ServerName;
use rustls::{CipherSuite, NamedGroup, SignatureScheme};

use super::handshake::Offer;
use super::socket::Socket;

/// What the server would have chosen. What it did not come to say is not there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Choice {
    /// As on the wire: 0x0301 is TLS 1.0.
    pub version: u16,
    pub suite: u16,
    pub group: Option<u16>,
    pub scheme: Option<u16>,
}

/// What a server said first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum First {
    Chose(Choice),
    /// An alert in the clear, by its number.
    Alert(u8),
    /// Not TLS, or not enough of it.
    Nothing,
}

/// Sends that ClientHello and reads the answer.
pub(crate) fn probe(mut socket: Socket, name: &ServerName, alpn: &[String]) -> First {
    if socket.write_all(&client_hello(name, alpn)).is_err() {
        return First::Nothing;
    }
    let mut data = Vec::new();
    let mut buffer = [0; 4096];
    while data.len() < ANSWER_LEN_MAX && !is_complete(&data) {
        match socket.read(&mut buffer) {
            Ok(count) if count > 0 => data.extend_from_slice(&buffer[..count]),
            _ => break,
        }
    }
    first_of(&data)
}

/// What the first bytes from a server say.
pub(crate) fn first_of(data: &[u8]) -> First {
    if let [ALERT, 3, _, 0, 2, _level, number, ..] = data {
        return First::Alert(*number);
    }
    let messages = handshake_messages(data);
    let Some(mut choice) = message(&messages, SERVER_HELLO).and_then(server_hello) else {
        return First::Nothing;
    };
    if let Some((group, scheme)) = message(&messages, SERVER_KEY_EXCHANGE).and_then(key_exchange) {
        choice.group = Some(group);
        choice.scheme = (choice.version == TLS12).then_some(scheme).flatten();
    }
    First::Chose(choice)
}

/// Whether the server has nothing more to say of what is looked for.
fn is_complete(data: &[u8]) -> bool {
    match first_of(data) {
        First::Alert(_) => true,
        First::Nothing => !matches!(data, [] | [HANDSHAKE, ..] | [ALERT, ..]),
        First::Chose(choice) => {
            choice.version >= TLS13
                || message(&handshake_messages(data), SERVER_HELLO_DONE).is_some()
        }
    }
}

/// The contents of the handshake records, up to the first record of another kind.
fn handshake_messages(mut data: &[u8]) -> Vec<u8> {
    let mut messages = Vec::new();
    while let [HANDSHAKE, 3, _, high, low, rest @ ..] = data {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        messages.extend_from_slice(&rest[..length]);
        data = &rest[length..];
    }
    messages
}

/// The body of the first whole message of a type (RFC 8446 section 4).
fn message(mut messages: &[u8], wanted: u8) -> Option<&[u8]> {
    while let [kind, a, b, c, rest @ ..] = messages {
        let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        let body = rest.get(..length)?;
        if *kind == wanted {
            return Some(body);
        }
        messages = &rest[length..];
    }
    None
}

/// ServerHello (RFC 8446 section 4.1.3, RFC 5246 section 7.4.1.3).
fn server_hello(body: &[u8]) -> Option<Choice> {
    let mut reader = Reader(body);
    let version = reader.u16()?;
    reader.take(32)?;
    let session_len = reader.u8()?;
    reader.take(session_len.into())?;
    let suite = reader.u16()?;
    reader.u8()?;
    let mut choice = Choice { version, suite, ..Choice::default() };
    // Absent in old versions.
    let Some(length) = reader.u16() else { return Some(choice) };
    let mut extensions = Reader(reader.take(length.into())?);
    while let Some(kind) = extensions.u16() {
        let length = extensions.u16()?;
        let mut value = Reader(extensions.take(length.into())?);
        match kind {
            SUPPORTED_VERSIONS => choice.version = value.u16()?,
            // A share with its group, or in a HelloRetryRequest the group alone.
            KEY_SHARE => choice.group = Some(value.u16()?),
            _ => {}
        }
    }
    Some(choice)
}

/// Group and signature scheme of an ECDHE ServerKeyExchange (RFC 8422 section 5.4).
fn key_exchange(body: &[u8]) -> Option<(u16, Option<u16>)> {
    let mut reader = Reader(body);
    if reader.u8()? != NAMED_CURVE {
        return None;
    }
    let group = reader.u16()?;
    let point_len = reader.u8()?;
    reader.take(point_len.into())?;
    Some((group, reader.u16()))
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        Some(self.take(1)?[0])
    }

    fn u16(&mut self) -> Option<u16> {
        let bytes = self.take(2)?;
        Some(u16::from_be_bytes([bytes[0], bytes[1]]))
    }
}

/// ClientHello (RFC 8446 section 4.1.2). Its random and session need not be so: no key is made.
fn client_hello(name: &ServerName, alpn: &[String]) -> Vec<u8> {
    let mut extensions = Vec::new();
    let mut extension = |kind: u16, value: Vec<u8>| {
        extensions.extend(kind.to_be_bytes());
        extensions.extend(prefixed16(value));
    };
    if let ServerName::Dns(name) = name {
        let entry = [&[0][..], &prefixed16(name.as_str().as_bytes().to_vec())].concat();
        extension(SERVER_NAME, prefixed16(entry));
    }
    extension(SUPPORTED_GROUPS, prefixed16(words(GROUPS)));
    // Uncompressed points.
    extension(EC_POINT_FORMATS, vec![1, 0]);
    extension(SIGNATURE_ALGORITHMS, prefixed16(words(SCHEMES)));
    if !alpn.is_empty() {
        let names = alpn.iter().flat_map(|name| prefixed8(name.as_bytes().to_vec())).collect();
        extension(ALPN, prefixed16(names));
    }
    extension(SUPPORTED_VERSIONS, prefixed8(words(&[TLS13, TLS12, 0x0302, 0x0301])));
    // No shares: a server of TLS 1.3 names its group in a HelloRetryRequest.
    extension(KEY_SHARE, vec![0, 0]);

    let mut body = TLS12.to_be_bytes().to_vec();
    body.extend([0x5a; 32]);
    body.extend(prefixed8(vec![0xa5; 32]));
    // All that were ever registered for a key exchange with a certificate, with RSA and DH.
    // What we offer ourselves stands first: a server that follows the client's order shows what
    // else is missing.
    let ours = Offer::provider().cipher_suites;
    let ours = ours.into_iter().map(|known| u16::from(known.suite()));
    let all = [0x1301..=0x1305, 0xc001..=0xc03c, 0xc050..=0xc0af, 0xcca8..=0xccaa]
        .into_iter()
        .chain([0x0001..=0x001a, 0x002f..=0x0046, 0x0067..=0x006d, 0x0084..=0x0089])
        .chain([0x0096..=0x00a7, 0x00ba..=0x00c5])
        .flatten();
    let suites: Vec<u16> = ours.chain(all).collect();
    body.extend(prefixed16(words(&suites)));
    // No compression.
    body.extend([1, 0]);
    body.extend(prefixed16(extensions));

    let length = (body.len() as u32).to_be_bytes();
    let message = [&[CLIENT_HELLO][..], &length[1..], &body].concat();
    [&[HANDSHAKE, 3, 1][..], &prefixed16(message)].concat()
}

fn words(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn prefixed8(bytes: Vec<u8>) -> Vec<u8> {
    [&[bytes.len() as u8][..], &bytes].concat()
}

fn prefixed16(bytes: Vec<u8>) -> Vec<u8> {
    [&(bytes.len() as u16).to_be_bytes()[..], &bytes].concat()
}

/// As people write it.
pub(crate) fn version_name(version: u16) -> String {
    match version {
        0x0300 => "SSL 3".into(),
        0x0301..=0x0304 => format!("TLS 1.{}", version - 0x0301),
        other => format!("version {other:#06x}"),
    }
}

/// As IANA's registry has it, if it occurs at all; else its number.
pub(crate) fn suite_name(suite: CipherSuite) -> String {
    let number = u16::from(suite);
    if let Some((_, name)) = OLD_SUITES.iter().find(|(known, _)| *known == number) {
        return (*name).to_owned();
    }
    match suite {
        CipherSuite::Unknown(_) => format!("cipher suite {number:#06x}"),
        known => format!("{known:?}").replace("TLS13_", "TLS_"),
    }
}

/// As IANA's registry has it.
pub(crate) fn group_name(group: u16) -> String {
    format!("{:?}", NamedGroup::from(group))
}

/// As IANA's registry has it.
pub(crate) fn scheme_name(scheme: SignatureScheme) -> String {
    match scheme {
        SignatureScheme::ECDSA_NISTP256_SHA256 => "ecdsa_secp256r1_sha256".into(),
        SignatureScheme::ECDSA_NISTP384_SHA384 => "ecdsa_secp384r1_sha384".into(),
        SignatureScheme::ECDSA_NISTP521_SHA512 => "ecdsa_secp521r1_sha512".into(),
        SignatureScheme::ECDSA_SHA1_Legacy => "ecdsa_sha1".into(),
        SignatureScheme::RSA_PSS_SHA256 => "rsa_pss_rsae_sha256".into(),
        SignatureScheme::RSA_PSS_SHA384 => "rsa_pss_rsae_sha384".into(),
        SignatureScheme::RSA_PSS_SHA512 => "rsa_pss_rsae_sha512".into(),
        other => format!("{other:?}").to_lowercase(),
    }
}

pub(crate) const TLS12: u16 = 0x0303;
pub(crate) const TLS13: u16 = 0x0304;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const SERVER_KEY_EXCHANGE: u8 = 12;
const SERVER_HELLO_DONE: u8 = 14;
const NAMED_CURVE: u8 = 3;

const SERVER_NAME: u16 = 0;
const SUPPORTED_GROUPS: u16 = 10;
const EC_POINT_FORMATS: u16 = 11;
const SIGNATURE_ALGORITHMS: u16 = 13;
const ALPN: u16 = 16;
const SUPPORTED_VERSIONS: u16 = 43;
const KEY_SHARE: u16 = 51;

/// The curves of RFC 8422 and of before, brainpool's, X448, and ffdhe.
const GROUPS: &[u16] = &[
    0x001d, 0x0017, 0x0018, 0x0019, 0x001e, 0x0016, 0x0015, 0x0013, 0x000e, 0x000d, 0x000c, 0x000b,
    0x000a, 0x0009, 0x001a, 0x001b, 0x001c, 0x001f, 0x0020, 0x0021, 0x0100, 0x0101, 0x0102, 0x0103,
    0x0104, 0x11eb, 0x11ec, 0x11ed, 0x0200, 0x0201, 0x0202,
];
/// ECDSA, EdDSA, RSA-PSS of both kinds of key, brainpool, RSA and DSA with every hash, and ML-DSA.
const SCHEMES: &[u16] = &[
    0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b, 0x081a,
    0x081b, 0x081c, 0x0401, 0x0501, 0x0601, 0x0301, 0x0303, 0x0203, 0x0201, 0x0402, 0x0302, 0x0202,
    0x0904, 0x0905, 0x0906,
];
/// Those of before that servers are still found with.
const OLD_SUITES: &[(u16, &str)] = &[
    (0x0004, "TLS_RSA_WITH_RC4_128_MD5"),
    (0x0005, "TLS_RSA_WITH_RC4_128_SHA"),
    (0x000a, "TLS_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0x0016, "TLS_DHE_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA"),
    (0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA"),
    (0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA"),
    (0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA"),
    (0x003c, "TLS_RSA_WITH_AES_128_CBC_SHA256"),
    (0x003d, "TLS_RSA_WITH_AES_256_CBC_SHA256"),
    (0x0067, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256"),
    (0x006b, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256"),
    (0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256"),
    (0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384"),
    (0x009e, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"),
    (0x009f, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384"),
    (0x1304, "TLS_AES_128_CCM_SHA256"),
    (0x1305, "TLS_AES_128_CCM_8_SHA256"),
    (0xc008, "TLS_ECDHE_ECDSA_WITH_3DES_EDE_CBC_SHA"),
    (0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
    (0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"),
    (0xc012, "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"),
    (0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"),
    (0xc023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"),
    (0xc024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"),
    (0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"),
    (0xc028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"),
    (0xc09c, "TLS_RSA_WITH_AES_128_CCM"),
    (0xc0ac, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM"),
    (0xc0ae, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8"),
];
const ANSWER_LEN_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_first() {
        assert_eq!(first_of(&[21, 3, 3, 0, 2, 2, 70]), First::Alert(70));
        for other in [&b""[..], b"HTTP/1.1 400", &[22, 3, 3, 0, 4, 2, 0, 0, 9], &[22, 3]] {
            assert_eq!(first_of(other), First::Nothing, "{other:?}");
        }
        // TLS 1.0 without extensions, in two records.
        let mut hello = vec![2, 0, 0, 38, 3, 1];
        hello.extend([7; 32]);
        hello.extend([0, 0, 0x2f, 0]);
        let mut data = vec![22, 3, 1, 0, 10];
        data.extend(&hello[..10]);
        data.extend([22, 3, 1, 0, 32]);
        data.extend(&hello[10..]);
        let choice = Choice { version: 0x0301, suite: 0x2f, group: None, scheme: None };
        assert_eq!(first_of(&data), First::Chose(choice));
        assert!(!is_complete(&data), "ServerHelloDone is to come");
        for cut in 0..data.len() {
            assert_eq!(first_of(&data[..cut]), First::Nothing, "{cut}");
        }
        // Whatever a byte is turned into, something is made of it.
        for at in 0..data.len() {
            for byte in 0..=255 {
                let mut bent = data.clone();
                bent[at] = byte;
                let _ = (first_of(&bent), is_complete(&bent));
            }
        }
    }

    #[test]
    fn names() {
        assert_eq!(version_name(0x0302), "TLS 1.1");
        assert_eq!(suite_name(CipherSuite::TLS13_AES_128_GCM_SHA256), "TLS_AES_128_GCM_SHA256");
        assert_eq!(suite_name(CipherSuite::from(0x2f)), "TLS_RSA_WITH_AES_128_CBC_SHA");
        assert_eq!(suite_name(CipherSuite::from(0x1234)), "cipher suite 0x1234");
        assert_eq!(group_name(0x1e), "X448");
    }
}
