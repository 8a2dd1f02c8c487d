//! AES-128-GCM that looks into what it decrypts.
//!
//! embedded-tls panics on some messages after the handshake, and forgets what an alert said. So
//! once the handshake is over, each decrypted record is handed to it as application data, whatever
//! it is, with its true type as the last byte; [`ProvenStream`](crate::ProvenStream) takes that
//! byte off and acts on it.
//!
//! ```text
//!   from the wire   content | type | 0 ...      TLSInnerPlaintext, RFC 8446 section 5.2
//!   handed up       content | type | 23
//! ```
//!
//! While the handshake goes on, embedded-tls reads every message of a record, also those behind the
//! server's Finished, which must be the last. Such a record is handed up as unreadable.
//!
//! Whether the handshake is over, the cipher reads from the version in the record's header, where
//! the record filter has put it.

use aes_gcm_device::{
    Aes128Gcm, KeyInit, KeySizeUser,
    aead::{self, AeadCore, AeadInPlace, Buffer, Nonce, Tag},
    aes::cipher::Unsigned as _,
};
use embedded_tls::{Aes128GcmSha256, TlsCipherSuite};

use crate::hash::WipedSha256;

/// The cipher suite: TLS_AES_128_GCM_SHA256 with [`InspectingGcm`].
pub(crate) struct InspectingSuite;

impl TlsCipherSuite for InspectingSuite {
    const CODE_POINT: u16 = Aes128GcmSha256::CODE_POINT;
    type Cipher = InspectingGcm;
    type KeyLen = <Aes128GcmSha256 as TlsCipherSuite>::KeyLen;
    type IvLen = <Aes128GcmSha256 as TlsCipherSuite>::IvLen;
    type Hash = WipedSha256;
    type LabelBufferSize = <Aes128GcmSha256 as TlsCipherSuite>::LabelBufferSize;
}

pub(crate) struct InspectingGcm(Aes128Gcm);

impl KeySizeUser for InspectingGcm {
    type KeySize = <Aes128Gcm as KeySizeUser>::KeySize;
}

impl KeyInit for InspectingGcm {
    fn new(key: &aead::Key<Self>) -> Self {
        Self(Aes128Gcm::new(key))
    }
}

impl AeadCore for InspectingGcm {
    type NonceSize = <Aes128Gcm as AeadCore>::NonceSize;
    type TagSize = <Aes128Gcm as AeadCore>::TagSize;
    type CiphertextOverhead = <Aes128Gcm as AeadCore>::CiphertextOverhead;
}

impl AeadInPlace for InspectingGcm {
    fn encrypt_in_place_detached(
        &self,
        nonce: &Nonce<Self>,
        associated_data: &[u8],
        buffer: &mut [u8],
    ) -> aead::Result<Tag<Self>> {
        self.0.encrypt_in_place_detached(nonce, associated_data, buffer)
    }

    fn decrypt_in_place_detached(
        &self,
        nonce: &Nonce<Self>,
        associated_data: &[u8],
        buffer: &mut [u8],
        tag: &Tag<Self>,
    ) -> aead::Result<()> {
        self.0.decrypt_in_place_detached(nonce, associated_data, buffer, tag)
    }

    fn decrypt_in_place(
        &self,
        nonce: &Nonce<Self>,
        header: &[u8],
        record: &mut dyn Buffer,
    ) -> aead::Result<()> {
        let [content_type, major, minor, len_high, len_low] =
            header.try_into().map_err(|_| aead::Error)?;
        let [wire_major, wire_minor] = WIRE_VERSION;
        let authenticated = [content_type, wire_major, wire_minor, len_high, len_low];
        self.0.decrypt_in_place(nonce, &authenticated, record)?;

        // All zeros, or nothing at all, has no type (RFC 8446 section 5.4).
        let type_at = record.as_ref().iter().rposition(|byte| *byte != 0).ok_or(aead::Error)?;
        record.truncate(type_at.saturating_add(1));
        if [major, minor] == APPLICATION_MARK {
            // There is room: the tag, of TAG_LEN bytes, is gone.
            record.extend_from_slice(&[APPLICATION_DATA])?;
        } else if let Some((content_type, messages)) = record.as_mut().split_last_mut()
            && *content_type == HANDSHAKE
            && !finished_is_last(messages)
        {
            // Of a type that embedded-tls does not read.
            *content_type = UNREADABLE;
        }
        Ok(())
    }
}

/// Whether nothing stands behind the server's Finished in a record of the handshake. RFC 8446 section 4.4.4: it is the
/// server's last message, and covers all before it. embedded-tls reads a record to its end, so certificate and
/// signature could come behind, which no proof would cover the order of.
fn finished_is_last(messages: &[u8]) -> bool {
    let mut rest = messages;
    while let Some(len) = message_len(rest) {
        let (Some(message), Some(behind)) = (rest.first(), rest.get(len..)) else { break };
        if *message == FINISHED && !behind.is_empty() {
            return false;
        }
        rest = behind;
    }
    // What is none of the server's messages, or cut off, embedded-tls refuses.
    true
}

/// How much of it embedded-tls takes for the first message: it goes by the lengths inside, not by that of the header.
fn message_len(messages: &[u8]) -> Option<usize> {
    let number = |at: usize, len: usize| {
        let bytes = messages.get(at..at.checked_add(len)?)?;
        Some(bytes.iter().fold(0_usize, |number, byte| number << 8 | usize::from(*byte)))
    };
    let body = match *messages.first()? {
        ENCRYPTED_EXTENSIONS => number(4, 2)?.checked_add(2)?,
        CERTIFICATE => {
            let context = number(4, 1)?;
            number(context.checked_add(5)?, 3)?.checked_add(context)?.checked_add(4)?
        }
        CERTIFICATE_REQUEST => {
            let context = number(4, 1)?;
            number(context.checked_add(5)?, 2)?.checked_add(context)?.checked_add(3)?
        }
        CERTIFICATE_VERIFY => number(6, 2)?.checked_add(4)?,
        FINISHED => 32,
        _ => return None,
    };
    body.checked_add(4)
}

/// legacy_record_version on the wire (RFC 8446 section 5.2).
pub(crate) const WIRE_VERSION: [u8; 2] = [3, 3];
/// Stands in its place, between filter and cipher, once the handshake is over.
pub(crate) const APPLICATION_MARK: [u8; 2] = [0xff, 0xff];

pub(crate) const ALERT: u8 = 21;
pub(crate) const HANDSHAKE: u8 = 22;
pub(crate) const APPLICATION_DATA: u8 = 23;

/// Not in an encrypted record (RFC 8446 section 5): change_cipher_spec.
const UNREADABLE: u8 = 20;

// RFC 8446 section 4.
const ENCRYPTED_EXTENSIONS: u8 = 8;
const CERTIFICATE: u8 = 11;
const CERTIFICATE_REQUEST: u8 = 13;
const CERTIFICATE_VERIFY: u8 = 15;
const FINISHED: u8 = 20;

const TAG_LEN: usize = <Aes128Gcm as AeadCore>::TagSize::USIZE;
const _: () = assert!(TAG_LEN >= 1);
