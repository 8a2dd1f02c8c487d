//! Public keys whose private half everybody knows.
//!
//! A broken random generator shows as a key that two devices have, which the ledger refuses. The
//! worst ones show with the first device: a scalar of zeros but for its last bits, one byte
//! repeated, a key out of a standard's examples that was left in a firmware.

use core::fmt;
use std::collections::HashMap;
use std::sync::LazyLock;

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use provision_csr::PublicKey;

/// Why a key is no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WeakKey {
    /// It is no point of the curve: all zero, for instance.
    NoPoint,
    /// It is the curve's generator: the private key is 1 (or -1).
    Generator,
    /// The private key is a small number (or its negative).
    Small(u16),
    /// All bytes of the private key are the same.
    OneByte(u8),
    /// The private key is bytes that count up.
    Counting,
    /// It is printed in a standard or a test suite.
    Published(&'static str),
}

impl fmt::Display for WeakKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPoint => f.write_str("it is no point of the curve P-256"),
            Self::Generator => f.write_str("it is the generator of P-256: the private key is 1"),
            Self::Small(number) => write!(f, "the private key is the small number {number}"),
            Self::OneByte(byte) => {
                write!(f, "the private key is the byte {byte:#04x} thirty-two times")
            }
            Self::Counting => f.write_str("the private key is bytes that count up"),
            Self::Published(place) => write!(f, "it is the example in {place}"),
        }
    }
}

/// What is wrong with a key, if it is one of those everybody knows. A key and its negative share a
/// coordinate, and are found by it alike.
#[must_use]
pub fn weak_key(public_key: &PublicKey) -> Option<WeakKey> {
    let point = public_key.as_sec1();
    if point[1..].iter().all(|byte| *byte == 0) {
        return Some(WeakKey::NoPoint);
    }
    KNOWN.get(&point[1..33]).copied()
}

/// By the x coordinate.
static KNOWN: LazyLock<HashMap<Vec<u8>, WeakKey>> = LazyLock::new(|| {
    let mut known = HashMap::new();
    let mut add = |scalar: &[u8; 32], why| {
        if let Some(x) = x_of(scalar) {
            known.entry(x).or_insert(why);
        }
    };
    for number in 1..=SMALL_MAX {
        let mut scalar = [0; 32];
        scalar[30..].copy_from_slice(&number.to_be_bytes());
        add(&scalar, if number == 1 { WeakKey::Generator } else { WeakKey::Small(number) });
        // As a little-endian machine may have it.
        scalar.reverse();
        add(&scalar, WeakKey::Small(number));
    }
    for byte in 1..=u8::MAX {
        add(&[byte; 32], WeakKey::OneByte(byte));
    }
    for start in 0..=1 {
        let mut scalar = [0; 32];
        for (at, byte) in (start..).zip(&mut scalar) {
            *byte = at;
        }
        add(&scalar, WeakKey::Counting);
        scalar.reverse();
        add(&scalar, WeakKey::Counting);
    }
    for (place, scalar) in PUBLISHED {
        add(scalar, WeakKey::Published(place));
    }
    known
});

/// None for what is no private key, such as one above the order.
fn x_of(scalar: &[u8; 32]) -> Option<Vec<u8>> {
    let key = PrivateKey::from_private_key(&ECDH_P256, scalar).ok()?;
    let point = key.compute_public_key().ok()?;
    point.as_ref().get(1..33).map(<[u8]>::to_vec)
}

const SMALL_MAX: u16 = 256;

const PUBLISHED: &[(&str, &[u8; 32])] = &[
    (
        "RFC 6979, A.2.5",
        b"\xC9\xAF\xA9\xD8\x45\xBA\x75\x16\x6B\x5C\x21\x57\x67\xB1\xD6\x93\
          \x4E\x50\xC3\xDB\x36\xE8\x9B\x12\x7B\x8A\x62\x2B\x12\x0F\x67\x21",
    ),
    (
        "RFC 5903, 8.1 (initiator)",
        b"\xC8\x8F\x01\xF5\x10\xD9\xAC\x3F\x70\xA2\x92\xDA\xA2\x31\x6D\xE5\
          \x44\xE9\xAA\xB8\xAF\xE8\x40\x49\xC6\x2A\x9C\x57\x86\x2D\x14\x33",
    ),
    (
        "RFC 5903, 8.1 (responder)",
        b"\xC6\xEF\x9C\x5D\x78\xAE\x01\x2A\x01\x11\x64\xAC\xB3\x97\xCE\x20\
          \x88\x68\x5D\x8F\x06\xBF\x9B\xE0\xB2\x83\xAB\x46\x47\x6B\xEE\x53",
    ),
    (
        "RFC 7515, A.3",
        b"\x8E\x9B\x10\x9E\x71\x90\x98\xBF\x98\x04\x87\xDF\x1F\x5D\x77\xE9\
          \xCB\x29\x60\x6E\xBE\xD2\x26\x3B\x5F\x57\xC2\x13\xDF\x84\xF4\xB2",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn public(scalar: &[u8; 32]) -> PublicKey {
        let key = PrivateKey::from_private_key(&ECDH_P256, scalar).unwrap();
        PublicKey::from_sec1_slice(key.compute_public_key().unwrap().as_ref()).unwrap()
    }

    fn small(number: u8) -> [u8; 32] {
        let mut scalar = [0; 32];
        scalar[31] = number;
        scalar
    }

    #[test]
    fn each_kind_is_named() {
        let mut zero = [0; 65];
        zero[0] = 4;
        assert_eq!(weak_key(&PublicKey::from_sec1(zero).unwrap()), Some(WeakKey::NoPoint));
        assert_eq!(weak_key(&public(&small(1))), Some(WeakKey::Generator));
        assert_eq!(weak_key(&public(&small(200))), Some(WeakKey::Small(200)));
        assert_eq!(weak_key(&public(&[0x42; 32])), Some(WeakKey::OneByte(0x42)));
        let counting: [u8; 32] = core::array::from_fn(|at| at as u8);
        assert_eq!(weak_key(&public(&counting)), Some(WeakKey::Counting));
        for (place, scalar) in PUBLISHED {
            assert_eq!(weak_key(&public(scalar)), Some(WeakKey::Published(place)));
        }
        let text = weak_key(&public(PUBLISHED[0].1)).unwrap().to_string();
        assert_eq!(text, "it is the example in RFC 6979, A.2.5");
    }

    /// The public keys that the standards print beside the private ones: a slip in a scalar above
    /// would show here.
    #[test]
    fn published_keys_are_those_that_are_published() {
        let starts = [
            [0x60, 0xFE, 0xD4, 0xBA, 0x25, 0x5A, 0x9D, 0x31],
            [0xDA, 0xD0, 0xB6, 0x53, 0x94, 0x22, 0x1C, 0xF9],
            [0xD1, 0x2D, 0xFB, 0x52, 0x89, 0xC8, 0xD4, 0xF8],
            // "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU" in base64url.
            [0x7F, 0xCD, 0xCE, 0x27, 0x70, 0xF6, 0xC4, 0x5D],
        ];
        for ((place, scalar), start) in PUBLISHED.iter().zip(starts) {
            assert_eq!(public(scalar).as_sec1()[1..9], start, "{place}");
        }
    }

    #[test]
    fn the_generator_and_its_negative() {
        let generator = public(&small(1));
        assert_eq!(generator.as_sec1()[1..5], [0x6B, 0x17, 0xD1, 0xF2]);
        // The order of the curve, less one (SEC 2, 2.4.2).
        let minus_one = b"\xFF\xFF\xFF\xFF\x00\x00\x00\x00\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\
            \xBC\xE6\xFA\xAD\xA7\x17\x9E\x84\xF3\xB9\xCA\xC2\xFC\x63\x25\x50";
        assert_eq!(weak_key(&public(minus_one)), Some(WeakKey::Generator));
    }

    #[test]
    fn any_other_key_is_none_of_them() {
        for _ in 0..50 {
            let mut scalar = [0; 32];
            getrandom::fill(&mut scalar).unwrap();
            scalar[0] &= 0x7F;
            assert_eq!(weak_key(&public(&scalar)), None);
        }
    }
}
