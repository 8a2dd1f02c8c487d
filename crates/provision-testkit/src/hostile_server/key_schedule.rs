//! The key schedule of TLS 1.3 (RFC 8446 section 7.1) for SHA-256.

use ring::{
    aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest::{self, SHA256},
    hmac,
};

pub(super) type Secret = [u8; 32];

/// The running hash over all handshake messages.
#[derive(Clone)]
pub(super) struct Transcript(digest::Context);

impl Transcript {
    pub(super) fn new() -> Self {
        Self(digest::Context::new(&SHA256))
    }

    pub(super) fn add(&mut self, message: &[u8]) {
        self.0.update(message);
    }

    pub(super) fn hash(&self) -> Secret {
        to_secret(self.0.clone().finish().as_ref())
    }
}

/// What follows from the shared secret and the transcript.
pub(super) struct Secrets {
    handshake: Secret,
}

impl Secrets {
    pub(super) fn from_shared(shared: &[u8]) -> Self {
        let early = extract(&[0; 32], &[0; 32]);
        Self { handshake: extract(&derive(&early, "derived", &empty_hash()), shared) }
    }

    /// Client's and server's, from the transcript up to ServerHello.
    pub(super) fn handshake_traffic(&self, transcript: &Transcript) -> [Secret; 2] {
        ["c hs traffic", "s hs traffic"]
            .map(|label| derive(&self.handshake, label, &transcript.hash()))
    }

    /// Client's and server's, from the transcript up to the server's Finished.
    pub(super) fn application_traffic(&self, transcript: &Transcript) -> [Secret; 2] {
        let master = extract(&derive(&self.handshake, "derived", &empty_hash()), &[0; 32]);
        ["c ap traffic", "s ap traffic"].map(|label| derive(&master, label, &transcript.hash()))
    }
}

/// The content of a Finished message (RFC 8446 section 4.4.4).
pub(super) fn finished(traffic: &Secret, transcript: &Transcript) -> Secret {
    let key = to_secret(&expand_label(traffic, "finished", &[], 32));
    extract(&key, &transcript.hash())
}

/// One direction's keys, and how many records they have served.
pub(super) struct RecordKeys {
    key: LessSafeKey,
    iv: [u8; NONCE_LEN],
    sequence: u64,
}

impl RecordKeys {
    pub(super) fn new(traffic: &Secret) -> Self {
        let key = expand_label(traffic, "key", &[], AES_128_GCM.key_len());
        let mut iv = [0; NONCE_LEN];
        iv.copy_from_slice(&expand_label(traffic, "iv", &[], NONCE_LEN));
        let key = UnboundKey::new(&AES_128_GCM, &key).expect("a key of sixteen bytes");
        Self { key: LessSafeKey::new(key), iv, sequence: 0 }
    }

    /// Encrypts a TLSInnerPlaintext into a record.
    pub(super) fn seal(&mut self, inner: &[u8]) -> Vec<u8> {
        let header = encrypted_header(inner.len() + AES_128_GCM.tag_len());
        let mut body = inner.to_vec();
        self.key
            .seal_in_place_append_tag(self.nonce(), Aad::from(header), &mut body)
            .expect("a record of reasonable length");
        self.sequence += 1;
        [&header[..], &body].concat()
    }

    /// Decrypts the body of a record to content and type. A failure leaves the keys as they were.
    pub(super) fn open(&mut self, body: &[u8]) -> Option<(Vec<u8>, u8)> {
        let header = encrypted_header(body.len());
        let mut inner = body.to_vec();
        let inner = self.key.open_in_place(self.nonce(), Aad::from(header), &mut inner).ok()?;
        let type_at = inner.iter().rposition(|byte| *byte != 0)?;
        self.sequence += 1;
        Some((inner[..type_at].to_vec(), inner[type_at]))
    }

    /// RFC 8446 section 5.3.
    fn nonce(&self) -> Nonce {
        let mut nonce = self.iv;
        for (byte, sequence) in nonce.iter_mut().skip(4).zip(self.sequence.to_be_bytes()) {
            *byte ^= sequence;
        }
        Nonce::assume_unique_for_key(nonce)
    }
}

fn encrypted_header(len: usize) -> [u8; 5] {
    let [high, low] = u16::try_from(len).expect("a length of two bytes").to_be_bytes();
    [super::messages::ENCRYPTED, 3, 3, high, low]
}

fn empty_hash() -> Secret {
    to_secret(digest::digest(&SHA256, &[]).as_ref())
}

fn derive(secret: &Secret, label: &str, transcript_hash: &Secret) -> Secret {
    to_secret(&expand_label(secret, label, transcript_hash, 32))
}

/// HKDF-Extract, which is HMAC (RFC 5869 section 2.2).
fn extract(salt: &[u8], input: &[u8]) -> Secret {
    to_secret(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, salt), input).as_ref())
}

/// HKDF-Expand-Label; one block is enough for all that is asked here.
fn expand_label(secret: &Secret, label: &str, context: &[u8], len: usize) -> Vec<u8> {
    let label = format!("tls13 {label}");
    let short = |len: usize| u8::try_from(len).expect("less than 256");
    let mut info = vec![0, short(len), short(label.len())];
    info.extend_from_slice(label.as_bytes());
    info.push(short(context.len()));
    info.extend_from_slice(context);
    info.push(1);
    let block = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), &info);
    block.as_ref()[..len].to_vec()
}

fn to_secret(bytes: &[u8]) -> Secret {
    bytes.try_into().expect("32 bytes of SHA-256")
}
