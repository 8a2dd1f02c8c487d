//! CRC-32/ISO-HDLC, the one of zlib and Ethernet, bit by bit: a table would be a kilobyte of flash,
//! for the few kilobytes of a whole enrollment. With the feature `crc-table`, for hosts that handle
//! millions of frames, by the crate `crc` and sixteen tables.

#[cfg(not(feature = "crc-table"))]
pub(super) use by_bits::Crc32;
#[cfg(feature = "crc-table")]
pub(super) use by_tables::Crc32;

#[cfg(any(test, not(feature = "crc-table")))]
mod by_bits {
    /// A checksum that is not finished.
    pub(in super::super) struct Crc32(u32);

    impl Crc32 {
        pub(in super::super) const fn new() -> Self {
            Self(u32::MAX)
        }

        pub(in super::super) fn push(&mut self, byte: u8) {
            self.0 ^= u32::from(byte);
            for _ in 0..8 {
                let out = self.0 & 1;
                self.0 >>= 1;
                if out != 0 {
                    self.0 ^= POLYNOMIAL;
                }
            }
        }

        pub(in super::super) fn push_all(&mut self, bytes: &[u8]) {
            for byte in bytes {
                self.push(*byte);
            }
        }

        pub(in super::super) const fn finish(self) -> u32 {
            !self.0
        }
    }

    /// Lowest power first, without that of 32.
    const POLYNOMIAL: u32 = 0xedb8_8320;
}

#[cfg(feature = "crc-table")]
mod by_tables {
    use crc::{CRC_32_ISO_HDLC, Crc, Digest, Table};

    /// A checksum that is not finished.
    pub(in super::super) struct Crc32(Digest<'static, u32, Table<16>>);

    impl Crc32 {
        pub(in super::super) const fn new() -> Self {
            Self(TABLES.digest())
        }

        pub(in super::super) fn push_all(&mut self, bytes: &[u8]) {
            self.0.update(bytes);
        }

        pub(in super::super) const fn finish(self) -> u32 {
            self.0.finalize()
        }
    }

    static TABLES: Crc<u32, Table<16>> = Crc::<u32, Table<16>>::new(&CRC_32_ISO_HDLC);
}

#[cfg(all(test, feature = "crc-table"))]
mod tests {
    use super::{by_bits, by_tables};

    #[test]
    fn bits_and_tables_agree() {
        let bytes: [u8; 300] = core::array::from_fn(|at| (at * 7) as u8);
        for len in 0..bytes.len() {
            let (mut bits, mut tables) = (by_bits::Crc32::new(), by_tables::Crc32::new());
            bits.push_all(bytes.get(..len).unwrap_or(&[]));
            tables.push_all(bytes.get(..len).unwrap_or(&[]));
            assert_eq!(bits.finish(), tables.finish(), "{len} bytes");
        }
    }
}
