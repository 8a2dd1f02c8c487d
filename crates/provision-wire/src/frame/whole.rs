//! Frames written whole, in memory that a device has no use for: for hosts. The CRC is taken over all of it at once,
//! and COBS copies block by block.

use heapless::Vec;

use super::crc32::Crc32;
use super::{HEADER_LEN, cobs};
use crate::cbor::{DoesNotFit, Encodable, Encoder, Sink};

/// What becomes a frame, before COBS. Filled where it is: to move it takes longer than to write most frames.
pub(super) struct Raw {
    bytes: Vec<u8, RAW_LEN_MAX>,
    is_full: bool,
}

impl Raw {
    pub(super) const fn new() -> Self {
        Self { bytes: Vec::new(), is_full: false }
    }

    /// `None` if it is longer than most: then it is to be written byte by byte.
    pub(super) fn write(
        &mut self,
        header: [u8; HEADER_LEN],
        message: &impl Encodable,
    ) -> Option<()> {
        let mut this = &mut *self;
        this.put(&header);
        message.encode_to(&mut Encoder::new(this));
        let mut crc = Crc32::new();
        crc.push_all(&self.bytes);
        self.bytes.extend_from_slice(&crc.finish().to_le_bytes()).ok()?;
        (!self.is_full).then_some(())
    }

    /// Writes the frame, both zeros included, and returns its length in bytes.
    pub(super) fn encode(&self, out: &mut [u8]) -> Result<usize, DoesNotFit> {
        let (first, rest) = out.split_first_mut().ok_or(DoesNotFit)?;
        *first = 0;
        let encoded = cobs::encode(&self.bytes, rest).ok_or(DoesNotFit)?;
        *rest.get_mut(encoded).ok_or(DoesNotFit)? = 0;
        encoded.checked_add(2).ok_or(DoesNotFit)
    }
}

impl Sink for &mut Raw {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.is_full |= self.bytes.extend_from_slice(bytes).is_err();
    }
}

/// What stations and devices usually send is shorter.
const RAW_LEN_MAX: usize = 1536;
