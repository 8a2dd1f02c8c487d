//! The memory one connection needs.

use crate::watch::Watch;

/// Record buffers of a connection; usually in a `static` or on a long-lived stack frame.
///
/// `READ` bounds what the server may send in one record, headers aside: 16,640 takes any record.
/// With less, the device asks for shorter records by max_fragment_length (RFC 6066 section 4), in
/// steps: 4,352 for 4,096 bytes, 2,304 for 2,048, 1,280 for 1,024, 768 for 512. OpenSSL grants
/// that; not every server does, and a server's whole flight of certificates must fit in a record.
///
/// `WRITE` bounds what the device sends in one record: its certificate and 64 bytes, and never less
/// than 512.
pub struct Buffers<const READ: usize, const WRITE: usize> {
    read: [u8; READ],
    write: [u8; WRITE],
    watch: Watch,
}

impl<const READ: usize, const WRITE: usize> Buffers<READ, WRITE> {
    /// Zeroed buffers. Sizes out of range do not compile:
    ///
    /// ```compile_fail,E0080
    /// let _ = provision_tls::Buffers::<512, 1_024>::new();
    /// ```
    ///
    /// ```compile_fail,E0080
    /// let _ = provision_tls::Buffers::<1_280, 256>::new();
    /// ```
    ///
    /// ```
    /// let _ = provision_tls::Buffers::<1_280, 1_024>::new();
    /// ```
    #[must_use]
    pub const fn new() -> Self {
        const {
            assert!(READ >= 768, "READ holds one record of 512 bytes and its overhead");
            assert!(WRITE >= 512, "WRITE holds the ClientHello");
            assert!(WRITE <= RECORD_MAX, "a longer record would break RFC 8446 section 5.1");
        }
        Self { read: [0; READ], write: [0; WRITE], watch: Watch::new() }
    }
}

impl<const READ: usize, const WRITE: usize> Default for Buffers<READ, WRITE> {
    fn default() -> Self {
        Self::new()
    }
}

/// [`Buffers`] of whatever size, lent to one connection.
pub struct Records<'a> {
    pub(crate) read: &'a mut [u8],
    pub(crate) write: &'a mut [u8],
    pub(crate) watch: &'a Watch,
}

impl<'a, const READ: usize, const WRITE: usize> From<&'a mut Buffers<READ, WRITE>> for Records<'a> {
    fn from(buffers: &'a mut Buffers<READ, WRITE>) -> Self {
        buffers.watch = Watch::new();
        Self { read: &mut buffers.read, write: &mut buffers.write, watch: &buffers.watch }
    }
}

/// embedded-tls keeps 128 bytes of the write buffer free for what encryption adds.
const RECORD_MAX: usize = 16_384 + 128;
