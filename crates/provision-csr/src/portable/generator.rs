//! Multiples of the generator of P-256, by a comb of four teeth (Lim and Lee, "More flexible exponentiation with
//! precomputation", CRYPTO '94; Handbook of Applied Cryptography, algorithm 14.117).
//!
//! The scalar's bits stand in four rows of 64. Each column names one of fifteen points made beforehand, so that 64
//! doublings are enough, a quarter of what a multiple of any other point takes. The points are 960 bytes of flash.

use p256_device::Scalar;
use p256_device::elliptic_curve::subtle::{ConditionallySelectable, ConstantTimeEq};

use super::point::{Affine, Point, element};

/// `scalar · G`, in the same time and with the same accesses to memory for all scalars.
pub(super) fn multiple_of_generator(scalar: &Scalar) -> Point {
    let scalar: [u8; 32] = scalar.to_bytes().into();
    let mut sum = Point::NEUTRAL;
    for column in (0..COLUMNS).rev() {
        sum = sum.double();
        let digit = digit(&scalar, column);
        let mut chosen = GENERATOR;
        for (entry, of) in COMB.iter().zip(1_u8..) {
            chosen.conditional_assign(entry, digit.ct_eq(&of));
        }
        let added = sum.add_affine(&chosen);
        sum.conditional_assign(&added, !digit.ct_eq(&0));
    }
    sum
}

/// The point to add at this column for a scalar that is public; `None` for the neutral one.
pub(super) fn public_entry(scalar: &[u8; 32], column: usize) -> Option<&'static Affine> {
    let entry = usize::from(digit(scalar, column)).checked_sub(1)?;
    COMB.get(entry)
}

/// Of the comb.
pub(super) const COLUMNS: usize = 64;

/// Of a big-endian scalar: the bits `column`, `column + 64`, `column + 128` and `column + 192`, lowest first.
fn digit(scalar: &[u8; 32], column: usize) -> u8 {
    let (rows, _) = scalar.as_chunks::<{ COLUMNS / 8 }>();
    let at = COLUMNS / 8 - 1 - column / 8;
    rows.iter().fold(0, |digit, row| {
        let bit = row.get(at).map_or(0, |byte| byte >> (column % 8) & 1);
        digit << 1 | bit
    })
}

/// SP 800-186 section 3.2.1.3.
pub(super) const GENERATOR: Affine = COMB[0];

/// `COMB[i - 1]` is the sum of `2^(64 j) · G` over the bits `j` of `i`. The tests compute them anew.
#[rustfmt::skip]
const COMB: [Affine; 15] = [
    affine([0x6b17_d1f2_e12c_4247, 0xf8bc_e6e5_63a4_40f2, 0x7703_7d81_2deb_33a0, 0xf4a1_3945_d898_c296],
           [0x4fe3_42e2_fe1a_7f9b, 0x8ee7_eb4a_7c0f_9e16, 0x2bce_3357_6b31_5ece, 0xcbb6_4068_37bf_51f5]),
    affine([0x0fa8_22bc_2811_aaa5, 0x8492_592e_326e_25de, 0x2949_3baa_ad65_1f7e, 0x90e7_5cb4_8e14_db63],
           [0xbff4_4ae8_f5db_a80d, 0x6f4a_d4bc_b3df_188b, 0x34b1_a650_50fe_82f5, 0xe411_2454_5f46_2ee7]),
    affine([0x300a_4bbc_89d6_726f, 0xb257_c0de_95e0_2789, 0xe96c_98fd_0d35_f1fa, 0x9339_1ce2_0979_92af],
           [0x72aa_c7e0_d09b_4644, 0x7f1d_db25_ff1e_3c6f, 0x5bb1_eead_a9d8_06a5, 0xaa54_a291_c081_27a0]),
    affine([0x447d_739b_eedb_5e67, 0xfb98_2fd5_88c6_766e, 0xfc35_ff7d_c297_eac3, 0x57c8_4fc9_d789_bd85],
           [0x2d48_25ab_8341_31ee, 0xe12e_9d95_3a4a_aff7, 0x3d34_9b95_a7fa_e500, 0x0c7e_33c9_72e2_5b32]),
    affine([0xef95_1932_8a9c_72ff, 0xddc6_068b_b91d_fc60, 0xef7f_bd2b_1a0a_11b7, 0x1394_9c93_2a1d_367f],
           [0x611e_9fc3_7dbb_2c9b, 0xc1ee_9807_022c_219c, 0x2318_3b08_95ca_1740, 0x1960_35a7_7376_d8a8]),
    affine([0x5506_6379_7b51_f5d8, 0x7dea_6482_e112_38bf, 0x2936_df5e_c6c9_bc36, 0xcae2_b192_0b57_f4bc],
           [0x1571_6484_8aec_b851, 0x0afa_4001_8d9d_50e5, 0x9fb3_d576_dbde_fbe1, 0x44ff_e216_348a_964c]),
    affine([0xeb5d_7745_b211_41ea, 0xa2e8_f483_f43e_4391, 0x7ccd_84e7_0d71_5f26, 0xe48e_caff_fc5c_de01],
           [0xeafd_72eb_dbec_c17b, 0x0990_e6a1_5800_6cee, 0x85f2_2cfe_2844_b645, 0xcac9_17e2_731a_3479]),
    affine([0xa6d3_9677_a784_9276, 0x2736_ff83_4431_5fc5, 0x9643_9591_a3c6_b94a, 0x6cf2_0ffb_3137_28be],
           [0x674f_8474_9b0b_8816, 0x66b8_babd_2d27_ecdf, 0x824a_920c_2284_059b, 0xf2ba_b833_c357_f5f4]),
    affine([0x4e76_9e76_72c9_ddad, 0x3185_5f7d_b8c7_fedb, 0x74e0_2f08_0203_a56b, 0x2df4_8c04_677c_8a3e],
           [0x42b9_9082_de83_0663, 0x1ec0_0572_0694_7281, 0xfb9a_e16f_3b91_22a5, 0xa4c3_6165_b824_bbb0]),
    affine([0x7887_8ef6_1c6c_e04d, 0x7fdc_1ca0_08a1_c478, 0xd1f8_9e79_9c0c_e131, 0x6ef9_5150_dda8_68b9],
           [0xb6cb_3f5d_7b72_c321, 0xde53_142c_1230_9def, 0x6ace_570e_bde0_8d4f, 0x9c62_b912_1fe0_d976]),
    affine([0x0c88_bc4d_716b_1287, 0x595c_5220_812f_fcae, 0x5b82_dd5b_d54f_b496, 0x7f99_1ed2_c31a_3573],
           [0xdd5d_dea3_f390_1dc6, 0x18d1_b5b3_9c04_e6aa, 0x7c81_81f4_df25_64f3, 0x3a57_bf63_5f48_aca8]),
    affine([0x68f3_44af_6b31_7466, 0xefe0_a423_083e_49f3, 0x43a0_a28c_42ba_792f, 0xe96a_79fb_3e72_ad0c],
           [0x31b9_c405_f854_0a20, 0x604e_d93c_24d6_7ff3, 0x668b_fc22_71f5_c626, 0xcdfe_17db_3fb2_4d4a]),
    affine([0x4052_bf4b_6f46_1db9, 0x663c_62c3_edba_d7a0, 0x0d1a_1014_4ec3_9c28, 0xd36b_4789_a258_2e7f],
           [0xfecf_4d51_90b0_fc61, 0x862b_e6bd_71d7_0cc8, 0xe724_f339_99bf_cc5b, 0x235a_27c3_188d_25eb]),
    affine([0x1edd_bae2_c802_e41a, 0x1232_02a8_f62b_ff7a, 0xafdf_5cc0_8526_a7a4, 0x7434_6c10_a1d4_cfac],
           [0x4310_4d86_560e_bcfc, 0x0c45_f452_73db_33a0, 0x36e0_6b7e_4c70_1917, 0x8fa0_af2d_d603_f844]),
    affine([0xb48e_26b4_84f7_a21c, 0x0a4a_46fb_6aaf_363a, 0x66b0_de32_25c4_744b, 0x9615_b511_0d1d_78e5],
           [0xfac0_1540_4d4d_3dab, 0x6413_1bcd_fed6_f668, 0xc004_e404_8b7b_0f98, 0x06eb_b0f6_21a0_1b2d]),
];

/// Of coordinates in words, the highest first.
const fn affine(x: [u64; 4], y: [u64; 4]) -> Affine {
    Affine { x: element(x), y: element(y) }
}

#[cfg(test)]
mod tests {
    use p256_device::elliptic_curve::PrimeField;
    use p256_device::elliptic_curve::point::AffineCoordinates;
    use p256_device::{ProjectivePoint, Scalar};

    use super::{COLUMNS, COMB, GENERATOR, multiple_of_generator};
    use crate::portable::point::{Affine, Point};

    fn x_of(point: Point) -> [u8; 32] {
        point.to_affine().map(|Affine { x, .. }| x.to_bytes().into()).unwrap_or_default()
    }

    #[test]
    fn the_comb_is_made_of_the_generator() {
        for (entry, digit) in COMB.iter().zip(1..) {
            let mut sum = Point::NEUTRAL;
            let mut tooth = Point::NEUTRAL.add_affine(&GENERATOR);
            for row in 0..4 {
                if digit >> row & 1 == 1 {
                    sum = sum.add(&tooth);
                }
                for _ in 0..COLUMNS {
                    tooth = tooth.double();
                }
            }
            let sum = sum.to_affine().unwrap_or(GENERATOR);
            assert!(entry.is_on_curve(), "{digit}");
            assert!(entry.x == sum.x && entry.y == sum.y, "{digit}");
        }
    }

    /// Against the crate's own multiplication, at the ends of the range and with each bit alone.
    #[test]
    fn multiples_are_those_of_the_crate() {
        let bits = (0..256).scan(Scalar::ONE, |bit, _| {
            let this = *bit;
            *bit = bit.double();
            Some(this)
        });
        let ends = [1_u32, 2, 3].map(Scalar::from).into_iter().flat_map(|small| [small, -small]);
        let some = (1..50_u64).map(|at| Scalar::from(at.pow(9)).square() * Scalar::ROOT_OF_UNITY);
        for scalar in bits.chain(ends).chain(some) {
            let expected: [u8; 32] = (ProjectivePoint::GENERATOR * scalar).to_affine().x().into();
            assert_eq!(x_of(multiple_of_generator(&scalar)), expected);
        }
        assert!(multiple_of_generator(&Scalar::ZERO).to_affine().is_none());
    }
}
