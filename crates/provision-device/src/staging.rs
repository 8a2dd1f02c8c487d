//! The one large buffer: holds the CSR while it is read, then the delivery while it arrives, then
//! the delivery as read back while it is proven. Never two of them at once.

use provision_wire::Refusal;

/// What the buffer holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    Nothing,
    Csr { len: usize },
    Delivery { have: usize },
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
    pub(crate) fn put(&mut self, offset: u32, piece: &[u8], max: usize) -> Result<u32, Refusal> {
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
        let end = offset.checked_add(piece.len()).filter(|end| *end <= max).ok_or(too_long)?;
        self.bytes.get_mut(offset..end).ok_or(too_long)?.copy_from_slice(piece);
        let have = if offset == 0 { end } else { have.max(end) };
        self.holds = Holds::Delivery { have };
        Ok(to_u32(have))
    }
}

/// Lengths on the wire; a device's memory is far below 4 GiB.
pub(crate) fn to_u32(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
