//! Groups for Diffie-Hellman over finite fields (RFC 7919).
//!
//! TLS 1.3 and ECDHE need none of this; servers that must still speak DHE under TLS 1.2 take a
//! file of it (`ssl_dhparam`). These groups are known to be good, so nothing has to be generated.

use der::Encode as _;
use der::asn1::Uint;

/// A group of RFC 7919 appendix A.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DhGroup {
    /// 2048 bits.
    Ffdhe2048,
    /// 3072 bits.
    Ffdhe3072,
    /// 4096 bits.
    Ffdhe4096,
}

impl DhGroup {
    /// Of so many bits.
    #[must_use]
    pub const fn of_bits(bits: u32) -> Option<Self> {
        match bits {
            2048 => Some(Self::Ffdhe2048),
            3072 => Some(Self::Ffdhe3072),
            4096 => Some(Self::Ffdhe4096),
            _ => None,
        }
    }

    /// `DHParameter ::= SEQUENCE { prime INTEGER, base INTEGER }` (PKCS#3), DER.
    ///
    /// # Panics
    ///
    /// Never: the tests encode every group.
    #[must_use]
    pub fn to_der(self) -> Vec<u8> {
        let prime = Uint::new(&self.prime()).expect("it is shorter than 256 MB");
        let parameters = DhParameter { prime, base: 2 };
        parameters.to_der().expect("it is shorter than 256 MB")
    }

    /// RFC 7919 appendix A: p = 2^b − 2^(b−64) + (floor(2^(b−130) · e) + X) · 2^64 − 1.
    fn prime(self) -> Vec<u8> {
        let text = match self {
            Self::Ffdhe2048 => include_str!("../groups/ffdhe2048.hex"),
            Self::Ffdhe3072 => include_str!("../groups/ffdhe3072.hex"),
            Self::Ffdhe4096 => include_str!("../groups/ffdhe4096.hex"),
        };
        let digits: Vec<u8> =
            text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
        digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect()
    }
}

#[derive(der::Sequence)]
struct DhParameter {
    prime: Uint,
    base: u8,
}
