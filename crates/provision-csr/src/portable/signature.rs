//! ECDSA (FIPS 186-5 section 6.4).

use p256_device::elliptic_curve::ops::{Invert, Reduce};
use p256_device::elliptic_curve::{Field, PrimeField};
use p256_device::{FieldBytes, Scalar, U256};

use super::generator::{COLUMNS, multiple_of_generator, public_entry};
use super::point::{Affine, Point};

/// `(r, s)`, big-endian one after the other; `None` if one of them is zero, which happens to nobody.
///
/// `secret` and `k` are not zero. In the same time for all of them.
pub(super) fn sign(secret: &Scalar, k: &Scalar, sha256: &[u8; 32]) -> Option<[u8; 64]> {
    let r = x_modulo_order(multiple_of_generator(k))?;
    let s = Option::<Scalar>::from(k.invert())? * (reduced(sha256) + r * secret);
    if bool::from(r.is_zero() | s.is_zero()) {
        return None;
    }
    let mut raw = [0; 64];
    let parts = r.to_bytes().into_iter().chain(s.to_bytes());
    raw.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
    Some(raw)
}

/// Whether it is this key's signature, whose every part is public: takes what time it takes.
pub(super) fn verify(public: &Affine, sha256: &[u8; 32], raw: &[u8; 64]) -> Option<bool> {
    let r = scalar_from(raw.first_chunk()?)?;
    let s = scalar_from(raw.last_chunk()?)?;
    let inverse = Option::<Scalar>::from(s.invert_vartime())?;
    let sum = sum_of_multiples(&(reduced(sha256) * inverse), public, &(r * inverse));
    // The neutral point is nobody's.
    Some(x_modulo_order(sum) == Some(r))
}

/// The scalar, if it is in 1..n.
pub(super) fn scalar_from(big_endian: &[u8; 32]) -> Option<Scalar> {
    let scalar = Option::<Scalar>::from(Scalar::from_repr(FieldBytes::from(*big_endian)))?;
    (!bool::from(scalar.is_zero())).then_some(scalar)
}

fn reduced(big_endian: &[u8; 32]) -> Scalar {
    <Scalar as Reduce<U256>>::reduce_bytes(&FieldBytes::from(*big_endian))
}

fn x_modulo_order(point: Point) -> Option<Scalar> {
    Some(reduced(&point.to_affine()?.x.to_bytes().into()))
}

/// `g · G + p · P`, of public numbers. One row of doublings serves both: of `p` it takes windows of four bits, of `g`,
/// in the last quarter of the way, the generator's comb.
fn sum_of_multiples(g: &Scalar, point: &Affine, p: &Scalar) -> Point {
    let point = Point::NEUTRAL.add_affine(point);
    let twice = point.double();
    let three = point.add(&twice);
    let five = three.add(&twice);
    let odd = [point, three, five, five.add(&twice)];

    let g: [u8; 32] = g.to_bytes().into();
    let digits = signed_digits(&p.to_bytes().into());
    let mut sum = Point::NEUTRAL;
    for (column, digit) in digits.iter().enumerate().rev() {
        sum = sum.double();
        if let Some(multiple) = odd.get(usize::from(digit.unsigned_abs() / 2))
            && *digit != 0
        {
            sum = sum.add(&if *digit < 0 { multiple.negative() } else { *multiple });
        }
        if column < COLUMNS
            && let Some(entry) = public_entry(&g, column)
        {
            sum = sum.add_affine(entry);
        }
    }
    sum
}

/// The digits of the number, lowest first: each zero or odd and of -7 to 7, and of four in a row at most one not zero
/// (the width-4 NAF of Guide to Elliptic Curve Cryptography, algorithm 3.35).
fn signed_digits(big_endian: &[u8; 32]) -> [i8; 257] {
    let bit = |at: usize| {
        let byte = big_endian.iter().rev().nth(at / 8);
        byte.map_or(0, |byte| (byte >> (at % 8) & 1).cast_signed())
    };
    let mut digits = [0; 257];
    let mut carry = 0;
    let mut at = 0;
    while let Some(digit) = digits.get_mut(at) {
        if bit(at) == carry {
            at += 1;
            continue;
        }
        let window = carry + bit(at) + 2 * bit(at + 1) + 4 * bit(at + 2) + 8 * bit(at + 3);
        carry = window >> 3;
        *digit = window - 16 * carry;
        at += 4;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::signed_digits;

    /// The digits' sum, modulo 2^256, in bytes: Horner's rule on numbers of 32 bytes.
    fn number(digits: &[i8; 257]) -> [u8; 32] {
        digits.iter().rev().fold([0; 32], |number, digit| {
            let mut carry = i16::from(*digit);
            let mut next = number;
            for byte in next.iter_mut().rev() {
                carry += 2 * i16::from(*byte);
                *byte = carry.rem_euclid(256) as u8;
                carry = carry.div_euclid(256);
            }
            next
        })
    }

    #[test]
    fn digits_are_sparse_and_sum_up_to_the_number() {
        let some = [[0; 32], [0xff; 32], [0x88; 32], [0x77; 32]];
        let mixed = (0..=255).map(|at| core::array::from_fn(|byte| (byte as u8) ^ at));
        let bits = (0..256).map(|bit: usize| {
            let mut number = [0; 32];
            number[31 - bit / 8] = 1 << (bit % 8);
            number
        });
        for expected in some.into_iter().chain(mixed).chain(bits) {
            let digits = signed_digits(&expected);
            assert_eq!(number(&digits), expected);
            assert!(digits.iter().all(|digit| *digit == 0 || digit % 2 != 0 && digit.abs() < 8));
            let crowded =
                digits.windows(4).any(|four| four.iter().filter(|d| **d != 0).count() > 1);
            assert!(!crowded, "{expected:02x?}");
        }
    }
}
