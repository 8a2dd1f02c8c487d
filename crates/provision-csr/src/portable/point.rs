//! Points of P-256 in projective coordinates, with formulas that hold for all of them.
//!
//! Complete addition by Renes, Costello and Batina, "Complete addition formulas for prime order elliptic curves"
//! (<https://eprint.iacr.org/2015/1060>): no case is an exception, so there is no branch that a secret could take.
//! `p256` has the same formulas, but no way to make its points of coordinates without the encodings of `sec1`.

use p256_device::FieldElement;
use p256_device::elliptic_curve::subtle::{Choice, ConditionallySelectable};

/// A point that is not the neutral one.
#[derive(Clone, Copy)]
pub(super) struct Affine {
    pub(super) x: FieldElement,
    pub(super) y: FieldElement,
}

impl Affine {
    /// `y² = x³ - 3x + b`?
    pub(super) fn is_on_curve(&self) -> bool {
        let Self { x, y } = *self;
        let cube = x * x * x - (x.double() + x);
        y * y == cube + B
    }
}

impl ConditionallySelectable for Affine {
    fn conditional_select(one: &Self, other: &Self, choice: Choice) -> Self {
        Self {
            x: FieldElement::conditional_select(&one.x, &other.x, choice),
            y: FieldElement::conditional_select(&one.y, &other.y, choice),
        }
    }
}

/// `(x / z, y / z)`, or the neutral point where `z` is zero.
#[derive(Clone, Copy)]
pub(super) struct Point {
    x: FieldElement,
    y: FieldElement,
    z: FieldElement,
}

impl Point {
    /// The neutral point.
    pub(super) const NEUTRAL: Self =
        Self { x: FieldElement::ZERO, y: FieldElement::ONE, z: FieldElement::ZERO };

    /// `None` of the neutral point.
    pub(super) fn to_affine(self) -> Option<Affine> {
        let inverse = Option::<FieldElement>::from(self.z.invert())?;
        Some(Affine { x: self.x * inverse, y: self.y * inverse })
    }

    pub(super) fn negative(self) -> Self {
        Self { y: -self.y, ..self }
    }

    /// Algorithm 4.
    #[inline(never)]
    pub(super) fn add(&self, other: &Self) -> Self {
        let xx = self.x * other.x;
        let yy = self.y * other.y;
        let zz = self.z * other.z;
        let xy = (self.x + self.y) * (other.x + other.y) - (xx + yy);
        let yz = (self.y + self.z) * (other.y + other.z) - (yy + zz);
        let xz = (self.x + self.z) * (other.x + other.z) - (xx + zz);
        combine(xx, yy, zz, xy, yz, xz)
    }

    /// Algorithm 5: as if the other had a `z` of one.
    #[inline(never)]
    pub(super) fn add_affine(&self, other: &Affine) -> Self {
        let xx = self.x * other.x;
        let yy = self.y * other.y;
        let xy = (self.x + self.y) * (other.x + other.y) - (xx + yy);
        let yz = other.y * self.z + self.y;
        let xz = other.x * self.z + self.x;
        combine(xx, yy, self.z, xy, yz, xz)
    }

    /// Algorithm 6.
    #[inline(never)]
    pub(super) fn double(&self) -> Self {
        let xx = self.x * self.x;
        let yy = self.y * self.y;
        let zz = self.z * self.z;
        let xy = (self.x * self.y).double();
        let xz = (self.x * self.z).double();
        let yz = (self.y * self.z).double();

        let low = triple(B * zz - xz);
        let minus = yy - low;
        let plus = yy + low;
        let zz = triple(zz);
        let high = triple(B * xz - (zz + xx));
        let xx = triple(xx) - zz;
        Self {
            x: minus * xy - high * yz,
            y: plus * minus + xx * high,
            z: (yz * yy).double().double(),
        }
    }
}

impl ConditionallySelectable for Point {
    fn conditional_select(one: &Self, other: &Self, choice: Choice) -> Self {
        Self {
            x: FieldElement::conditional_select(&one.x, &other.x, choice),
            y: FieldElement::conditional_select(&one.y, &other.y, choice),
            z: FieldElement::conditional_select(&one.z, &other.z, choice),
        }
    }
}

/// What additions have in common: from the products of like coordinates, and the sums of those of unlike ones.
#[inline(never)]
fn combine(
    xx: FieldElement,
    yy: FieldElement,
    zz: FieldElement,
    xy: FieldElement,
    yz: FieldElement,
    xz: FieldElement,
) -> Point {
    let low = triple(xz - B * zz);
    let minus = yy - low;
    let plus = yy + low;
    let zz = triple(zz);
    let high = triple(B * xz - (zz + xx));
    let xx = triple(xx) - zz;
    Point { x: plus * xy - yz * high, y: plus * minus + xx * high, z: minus * yz + xy * xx }
}

fn triple(element: FieldElement) -> FieldElement {
    element.double() + element
}

/// The field element of these words, the highest first.
pub(super) const fn element([highest, high, low, lowest]: [u64; 4]) -> FieldElement {
    /// 2^64.
    const NEXT: FieldElement = FieldElement::from_u64(u64::MAX).add(&FieldElement::ONE);
    let sum = FieldElement::from_u64(highest);
    let sum = sum.multiply(&NEXT).add(&FieldElement::from_u64(high));
    let sum = sum.multiply(&NEXT).add(&FieldElement::from_u64(low));
    sum.multiply(&NEXT).add(&FieldElement::from_u64(lowest))
}

/// The curve's constant (SP 800-186 section 3.2.1.3).
const B: FieldElement = element([
    0x5ac6_35d8_aa3a_93e7,
    0xb3eb_bd55_7698_86bc,
    0x651d_06b0_cc53_b0f6,
    0x3bce_3c3e_27d2_604b,
]);

#[cfg(test)]
mod tests {
    use super::{Affine, Point};
    use crate::portable::generator::GENERATOR;

    fn coordinates(point: Point) -> Option<([u8; 32], [u8; 32])> {
        let Affine { x, y } = point.to_affine()?;
        Some((x.to_bytes().into(), y.to_bytes().into()))
    }

    /// The cases that other formulas have to be told apart for.
    #[test]
    fn addition_has_no_exceptions() {
        let one = Point::NEUTRAL.add_affine(&GENERATOR);
        let two = one.double();
        assert!(coordinates(Point::NEUTRAL).is_none());
        assert!(coordinates(Point::NEUTRAL.double()).is_none());
        assert!(coordinates(Point::NEUTRAL.add(&Point::NEUTRAL)).is_none());
        assert!(coordinates(one.add(&one.negative())).is_none());
        assert!(coordinates(one.negative().add_affine(&GENERATOR)).is_none());
        assert_eq!(coordinates(one.add(&one)), coordinates(two));
        assert_eq!(coordinates(one.add_affine(&GENERATOR)), coordinates(two));
        assert_eq!(coordinates(two.add(&Point::NEUTRAL)), coordinates(two));
        assert_eq!(coordinates(Point::NEUTRAL.add(&two)), coordinates(two));
        assert_eq!(coordinates(two.add(&one.negative())), coordinates(one));
        assert!(two.to_affine().is_some_and(|two| two.is_on_curve()));
    }
}
