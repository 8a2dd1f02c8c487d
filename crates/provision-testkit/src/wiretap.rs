//! Frames read off a line by somebody who only listens.

use std::borrow::Cow;

use provision_wire::{Header, Kind};

/// A frame as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overheard<'a> {
    /// What stands before the payload.
    pub header: Header,
    /// The first bytes of the payload, as many as there are. They tell what message it is.
    beginning: [u8; BEGINNING_LEN],
    encoded: Cow<'a, [u8]>,
}

impl Overheard<'_> {
    /// Number of the message's kind, as in docs/protocol.md: the second byte of its CBOR.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        self.beginning[1]
    }

    /// The message, undecoded.
    #[must_use]
    pub fn payload(&self) -> Vec<u8> {
        let mut decoded = self.encoded.to_vec();
        let len = cobs::decode_in_place(&mut decoded).unwrap_or_default();
        decoded.truncate(len.saturating_sub(CRC_LEN));
        decoded.drain(..HEADER_LEN.min(decoded.len()));
        decoded
    }

    /// The same, to be remembered.
    #[must_use]
    pub fn into_owned(self) -> Overheard<'static> {
        let Self { header, beginning, encoded } = self;
        Overheard { header, beginning, encoded: Cow::Owned(encoded.into_owned()) }
    }
}

/// The frames in what one end has just sent, before any line has touched it. The CRC is not looked
/// at: nothing has happened to it yet.
pub fn overhear(sent: &[u8]) -> impl Iterator<Item = Overheard<'_>> {
    pieces(sent).filter_map(|encoded| {
        let [_, kind, s0, s1, s2, s3, q0, q1, beginning @ ..] = decoded_beginning(encoded)?;
        let header = Header {
            kind: if kind == 0 { Kind::Ask } else { Kind::Answer },
            session: u32::from_le_bytes([s0, s1, s2, s3]),
            sequence: u16::from_le_bytes([q0, q1]),
        };
        Some(Overheard { header, beginning, encoded: Cow::Borrowed(encoded) })
    })
}

/// What stands between zeros. Zeros are looked for many bytes at once.
fn pieces(sent: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = sent;
    core::iter::from_fn(move || {
        let is_zero = |byte: &u8| *byte == 0;
        rest = &rest[rest.iter().position(|byte| *byte != 0)?..];
        let whole = rest.as_chunks::<32>().0.iter();
        let without =
            whole.take_while(|chunk| !chunk.iter().fold(false, |any, b| any | is_zero(b)));
        let start = 32 * without.count();
        let end = rest[start..].iter().position(is_zero).map_or(rest.len(), |at| start + at);
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece)
    })
}

/// Most frames are not worth decoding whole. `None` if it is shorter than any frame.
fn decoded_beginning(encoded: &[u8]) -> Option<[u8; HEADER_LEN + BEGINNING_LEN]> {
    let mut decoded = [0; HEADER_LEN + BEGINNING_LEN];
    let mut encoded = encoded.iter().copied();
    let mut left = encoded.next()?;
    for place in &mut decoded {
        left -= 1;
        let byte = encoded.next()?;
        if left > 0 {
            *place = byte;
        } else {
            // A block ends here, in a zero that was left out, and the next one begins.
            left = byte;
        }
    }
    Some(decoded)
}

/// Numbers of the kinds that are of interest here.
pub(crate) mod kind {
    pub(crate) const HELLO: u8 = 1;
    pub(crate) const KEY: u8 = 2;
    pub(crate) const CSR: u8 = 3;
    pub(crate) const CHUNK: u8 = 4;
    #[cfg(feature = "factory")]
    pub(crate) const PUT: u8 = 5;
    pub(crate) const COMMITTED: u8 = 6;
    #[cfg(feature = "factory")]
    pub(crate) const PROVE: u8 = 7;
    pub(crate) const PROOF: u8 = 7;
    pub(crate) const SEALED: u8 = 8;
    #[cfg(feature = "factory")]
    pub(crate) const PUT_PACKED: u8 = 9;
}

/// See docs/protocol.md, "Frames".
const HEADER_LEN: usize = 8;
const CRC_LEN: usize = 4;
/// `82`, and the kind. Every frame is longer than that: its CRC follows.
const BEGINNING_LEN: usize = 2;

#[cfg(test)]
mod tests {
    use provision_wire::{Ask, VersionRange, encode_frame};

    use super::*;

    #[test]
    fn what_is_overheard_is_what_was_sent() {
        let mut sent = Vec::new();
        let asks = [
            Ask::Hello { versions: VersionRange::OURS },
            Ask::Csr { challenge: [0; 32] },
            Ask::Put { offset: 0, bytes: &[7; 300] },
            Ask::Seal,
        ];
        for (sequence, ask) in (1..).zip(&asks) {
            let header = Header { kind: Kind::Ask, session: 0x0100_0000, sequence };
            let mut out = [0; 400];
            let len = encode_frame(header, ask, &mut out).unwrap();
            sent.extend_from_slice(&out[..len]);
        }
        let heard: Vec<_> = overhear(&sent).collect();
        assert_eq!(heard.len(), asks.len());
        for ((sequence, ask), heard) in (1..).zip(&asks).zip(&heard) {
            assert_eq!(heard.header, Header { kind: Kind::Ask, session: 0x0100_0000, sequence });
            assert_eq!(Ask::decode(&heard.payload()).as_ref(), Ok(ask));
            assert_eq!(heard.kind(), heard.payload()[1]);
        }
    }
}
