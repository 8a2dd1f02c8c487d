//! The header of a record, and which headers may come when.

use core::fmt;

use crate::{
    cipher,
    watch::{Stage, Stop},
};

/// ```text
/// struct {                                               -- RFC 8446 sections 5.1, 5.2
///     ContentType type;
///     ProtocolVersion legacy_record_version;
///     uint16 length;
///     opaque fragment[length];
/// } TLSPlaintext, TLSCiphertext;
/// ```
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) content_type: u8,
    version: [u8; 2],
    len: u16,
}

pub(super) enum Verdict {
    Pass,
    Drop,
}

impl Header {
    pub(super) const LEN: usize = 5;

    pub(super) fn body_len(self) -> usize {
        usize::from(self.len)
    }

    pub(super) fn judge(self, stage: Stage, body_len_max: usize) -> Result<Verdict, Stop> {
        let (verdict, len_min, len_max) = match (stage, self.content_type) {
            // A ServerHello has at least its fixed fields: 4 + 2 + 32 + 1 + 2 + 1.
            (Stage::ServerHello, HANDSHAKE) => (Verdict::Pass, 42, PLAINTEXT_MAX),
            (Stage::ServerHello, ALERT) => (Verdict::Pass, 2, 2),
            (Stage::Handshake, CHANGE_CIPHER_SPEC) => (Verdict::Drop, 1, 1),
            (Stage::Handshake | Stage::Application, ENCRYPTED) => {
                (Verdict::Pass, CIPHERTEXT_MIN, CIPHERTEXT_MAX)
            }
            (_, content_type) => {
                return Err(Stop::Record(RecordFault::UnexpectedType { content_type }));
            }
        };
        let fault = if self.len < len_min || self.len > len_max {
            RecordFault::BadLength { content_type: self.content_type, len: self.len }
        } else if self.body_len() > body_len_max {
            RecordFault::TooLongForBuffer { len: self.len, room: body_len_max }
        } else if self.content_type == ENCRYPTED && self.version != cipher::WIRE_VERSION {
            RecordFault::BadVersion { version: self.version }
        } else {
            return Ok(verdict);
        };
        Err(Stop::Record(fault))
    }

    /// What embedded-tls is shown.
    pub(super) fn shown(self, stage: Stage) -> [u8; Self::LEN] {
        let [major, minor] =
            if stage == Stage::Application { cipher::APPLICATION_MARK } else { self.version };
        let [high, low] = self.len.to_be_bytes();
        [self.content_type, major, minor, high, low]
    }

    /// One message, whole, of the one type that may be plaintext; `from` is where in the body
    /// `part` stands.
    ///
    /// ```text
    /// struct { HandshakeType msg_type; uint24 length; ... } Handshake;     -- RFC 8446 section 4
    /// struct { ProtocolVersion legacy_version; Random random; ... } ServerHello;
    /// ```
    pub(super) fn check_server_hello(self, from: usize, part: &[u8]) -> Result<(), Stop> {
        let [high, low] = self.len.saturating_sub(4).to_be_bytes();
        for (at, byte) in (from..).zip(part) {
            let expected = match at {
                0 => SERVER_HELLO,
                1 => 0,
                2 => high,
                3 => low,
                _ => break,
            };
            if *byte != expected {
                return Err(Stop::Record(RecordFault::NotServerHello));
            }
        }
        Ok(())
    }
}

impl From<[u8; Self::LEN]> for Header {
    fn from([content_type, major, minor, high, low]: [u8; Self::LEN]) -> Self {
        Self { content_type, version: [major, minor], len: u16::from_be_bytes([high, low]) }
    }
}

/// Why a record was refused before it was decrypted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[non_exhaustive]
pub enum RecordFault {
    /// A record type that has no place here: above all a plaintext record, which anybody on the
    /// way could have put in, where only encrypted ones may come.
    UnexpectedType {
        /// TLS ContentType: 20 change_cipher_spec, 21 alert, 22 handshake, 23 encrypted.
        content_type: u8,
    },
    /// A length the protocol does not allow (RFC 8446 sections 5.1 and 5.2).
    BadLength {
        /// TLS ContentType.
        content_type: u8,
        /// The length announced, in bytes.
        len: u16,
    },
    /// The record would be allowed, but the read buffer cannot hold it.
    TooLongForBuffer {
        /// The length announced, in bytes.
        len: u16,
        /// What the buffer holds, in bytes.
        room: usize,
    },
    /// An encrypted record that does not call itself TLS 1.2, as it must (RFC 8446 section 5.2).
    BadVersion {
        /// The two bytes found.
        version: [u8; 2],
    },
    /// The plaintext handshake record is not exactly one ServerHello.
    NotServerHello,
}

impl fmt::Display for RecordFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnexpectedType { content_type } => {
                write!(f, "a record of type {content_type} has no place here")
            }
            Self::BadLength { content_type, len } => {
                write!(f, "no record of type {content_type} is {len} bytes long")
            }
            Self::TooLongForBuffer { len, room } => {
                write!(f, "a record of {len} bytes, and the buffer holds {room}")
            }
            Self::BadVersion { version: [major, minor] } => {
                write!(f, "an encrypted record of version {major:#04x} {minor:#04x}")
            }
            Self::NotServerHello => f.write_str("the first record is not one ServerHello"),
        }
    }
}

impl core::error::Error for RecordFault {}

pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
pub(super) const HANDSHAKE: u8 = 22;
pub(super) const ENCRYPTED: u8 = 23;

const SERVER_HELLO: u8 = 2;

const PLAINTEXT_MAX: u16 = 1 << 14;
/// One byte for the inner type, sixteen for the tag: embedded-tls panics on less.
const CIPHERTEXT_MIN: u16 = 1 + 16;
const CIPHERTEXT_MAX: u16 = PLAINTEXT_MAX + 256;
