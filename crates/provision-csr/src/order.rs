//! The order of the group of P-256.

/// `bits2octets` of RFC 6979 section 2.3.4: the digest as a number, less the order `n` if it is not
/// below it, which is so once in 2^32 times. A signature is made over one as over the other, but
/// its secret number is not.
#[must_use]
pub(crate) fn modulo_order(sha256: &[u8; 32]) -> [u8; 32] {
    let mut reduced = *sha256;
    let mut borrow = false;
    for (digit, order) in reduced.iter_mut().zip(&ORDER).rev() {
        let (less_order, under) = digit.overflowing_sub(*order);
        let (less_borrow, under_again) = less_order.overflowing_sub(u8::from(borrow));
        *digit = less_borrow;
        borrow = under || under_again;
    }
    // A digest is public, so this may take what time it takes.
    if borrow { *sha256 } else { reduced }
}

/// `n`, big-endian (SP 800-186 section 3.2.1.3).
static ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];
