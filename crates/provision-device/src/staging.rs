//! The one large buffer: holds the CSR while it is read, then the delivery while it arrives, then
//! the delivery as read back while it is proven. Never two of them at once.

use provision_wire::Refusal;
use provision_wire::packed::unpack;

/// What the buffer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Nothing,
    Csr { len: usize },
    Delivery { have: usize },
}

/// A piece of a delivery, as it came.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Piece<'a> {
    Plain(&'a [u8]),
    Packed(&'a [u8]),
}

/// `N` bytes, and what they are.
#[derive(Debug)]
pub(crate) struct Staging<const N: usize> {
    bytes: [u8; N],
    holds: Holds,
}

impl<const N: usize> Staging<N> {
    pub(crate) const fn new() -> Self {
        Self { bytes: [0; N], holds: Holds::Nothing }
    }

    pub(crate) fn clear(&mut self) {
        self.holds = Holds::Nothing;
    }

    /// The whole buffer, for something else; what it held is gone.
    pub(crate) fn scratch(&mut self) -> &mut [u8; N] {
        self.holds = Holds::Nothing;
        &mut self.bytes
    }

    /// The CSR now stands in the first `len` bytes of the buffer.
    pub(crate) fn holds_csr(&mut self, len: usize) {
        self.holds = Holds::Csr { len };
    }

    pub(crate) fn csr(&self) -> Option<&[u8]> {
        match self.holds {
            Holds::Csr { len } => self.bytes.get(..len),
            _ => None,
        }
    }

    pub(crate) fn delivery(&self) -> Option<&[u8]> {
        match self.holds {
            Holds::Delivery { have } => self.bytes.get(..have),
            _ => None,
        }
    }

    /// Takes a piece of the delivery; returns the bytes held without a gap. A piece for the start
    /// begins a new delivery.
    pub(crate) fn put(
        &mut self,
        offset: u32,
        piece: Piece<'_>,
        max: usize,
    ) -> Result<u32, Refusal> {
        let have = match self.holds {
            Holds::Delivery { have } => have,
            _ => 0,
        };
        let max = max.min(N);
        let too_long = Refusal::TooLong { max: to_u32(max) };
        let offset = usize::try_from(offset).map_err(|_| too_long)?;
        if offset > have {
            return Err(Refusal::Gap { have: to_u32(have) });
        }
        let end = match piece {
            Piece::Plain(piece) => {
                let end = offset.checked_add(piece.len()).filter(|end| *end <= max);
                let end = end.ok_or(too_long)?;
                self.bytes.get_mut(offset..end).ok_or(too_long)?.copy_from_slice(piece);
                end
            }
            Piece::Packed(block) => {
                // Of a block that makes no sense, half may be there.
                self.holds = Holds::Delivery { have: offset };
                let room = self.bytes.get_mut(..max).ok_or(too_long)?;
                unpack(block, room, offset).ok_or(Refusal::BadDelivery { at: to_u32(offset) })?
            }
        };
        let have = if offset == 0 { end } else { have.max(end) };
        self.holds = Holds::Delivery { have };
        Ok(to_u32(have))
    }
}

/// Lengths on the wire; a device's memory is far below 4 GiB.
pub(crate) fn to_u32(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four bytes as they are.
    const FOUR: Piece<'_> = Piece::Packed(&[0x40, 1, 2, 3, 4]);
    /// One as it is, and five from four back.
    const SIX: Piece<'_> = Piece::Packed(&[0x11, 9, 4, 0, 0x00]);

    #[test]
    fn packed_pieces_go_where_they_belong_and_may_come_twice() {
        let mut staging = Staging::<12>::new();
        for _ in 0..2 {
            assert_eq!(staging.put(0, FOUR, 12), Ok(4));
            for _ in 0..2 {
                assert_eq!(staging.put(4, SIX, 12), Ok(10));
                assert_eq!(staging.delivery(), Some(&[1, 2, 3, 4, 9, 2, 3, 4, 9, 2][..]));
            }
            assert_eq!(staging.put(10, Piece::Plain(&[7, 8]), 12), Ok(12));
            assert_eq!(staging.put(4, SIX, 12), Ok(12), "what comes later stays");
        }
        assert_eq!(staging.put(0, FOUR, 12), Ok(4), "the first begins anew");
    }

    #[test]
    fn a_packed_piece_that_makes_no_sense_is_refused() {
        let mut staging = Staging::<12>::new();
        assert_eq!(staging.put(1, FOUR, 12), Err(Refusal::Gap { have: 0 }));
        assert_eq!(staging.put(0, FOUR, 12), Ok(4));
        assert_eq!(staging.put(4, SIX, 12), Ok(10));
        for (at, max, piece) in [
            (4, 12, &[0x11, 9, 255, 255, 0][..]), // before the dictionary
            (4, 12, &[]),
            (4, 9, &[0x11, 9, 4, 0, 0]), // no room for it
            (10, 12, &[0x40, 1, 2, 3, 4]),
        ] {
            let refused = Err(Refusal::BadDelivery { at });
            assert_eq!(staging.put(at, Piece::Packed(piece), max), refused);
            // What was there before the piece is there still, and nothing behind it.
            assert_eq!(staging.delivery().map(<[u8]>::len), Some(at as usize));
            assert_eq!(staging.put(4, SIX, 12), Ok(10));
        }
    }
}
