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
//! Whether the handshake is over, the cipher reads from the version in the record's header, where
//! the record filter has put it.

use aes_gcm_device::{
    Aes128Gcm, KeyInit, KeySizeUser,
    aead::{self, AeadCore, AeadInPlace, Buffer, Nonce, Tag},
    aes::cipher::Unsigned as _,
};
use embedded_tls::{Aes128GcmSha256, TlsCipherSuite};

/// The cipher suite: TLS_AES_128_GCM_SHA256 with [`InspectingGcm`].
pub(crate) struct InspectingSuite;

impl TlsCipherSuite for InspectingSuite {
    const CODE_POINT: u16 = Aes128GcmSha256::CODE_POINT;
    type Cipher = InspectingGcm;
    type KeyLen = <Aes128GcmSha256 as TlsCipherSuite>::KeyLen;
    type IvLen = <Aes128GcmSha256 as TlsCipherSuite>::IvLen;
    type Hash = <Aes128GcmSha256 as TlsCipherSuite>::Hash;
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
        }
        Ok(())
    }
}

/// legacy_record_version on the wire (RFC 8446 section 5.2).
pub(crate) const WIRE_VERSION: [u8; 2] = [3, 3];
/// Stands in its place, between filter and cipher, once the handshake is over.
pub(crate) const APPLICATION_MARK: [u8; 2] = [0xff, 0xff];

pub(crate) const ALERT: u8 = 21;
pub(crate) const HANDSHAKE: u8 = 22;
pub(crate) const APPLICATION_DATA: u8 = 23;

const TAG_LEN: usize = <Aes128Gcm as AeadCore>::TagSize::USIZE;
const _: () = assert!(TAG_LEN >= 1);
