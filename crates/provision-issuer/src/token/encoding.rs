//! What a token says, as certificates have it.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::{ID_EC_PUBLIC_KEY, RSA_ENCRYPTION, SECP_256_R_1, SECP_384_R_1};
use cryptoki::object::{Attribute, AttributeType, KeyType as TokenKeyType, ObjectHandle};
use cryptoki::session::Session;
use der::asn1::{Any, Null, OctetStringRef, Uint};
use der::{Decode as _, Encode as _};
use spki::SubjectPublicKeyInfoOwned;

use super::fault::{TokenFault, refused};
use crate::algorithm::{SignatureAlgorithm, oid_name, public_key_of};

/// A token makes the two numbers of a signature one after the other, certificates have them in DER
/// (RFC 3279 section 2.2.3).
pub(super) fn ecdsa(signature: &[u8]) -> Result<Vec<u8>, TokenFault> {
    let (r, s) = signature.split_at(signature.len() / 2);
    let encoded = [r, s].map(Uint::new).into_iter().collect::<Result<Vec<_>, _>>();
    encoded.and_then(|numbers| numbers.to_der()).map_err(|_| TokenFault::Signature)
}

/// The public half of a key, and how the private one signs.
pub(super) fn read_public_key(
    session: &Session,
    handle: ObjectHandle,
) -> Result<(SignatureAlgorithm, SubjectPublicKeyInfoOwned), TokenFault> {
    let unusable = || TokenFault::PublicKey;
    let attributes = session
        .get_attributes(handle, &[AttributeType::KeyType])
        .map_err(refused("describe a key"))?;
    let Some(Attribute::KeyType(kind)) = attributes.first() else { return Err(unusable()) };
    let (kind, oid, parameters, key) = if *kind == TokenKeyType::EC {
        let parameters = bytes(session, handle, AttributeType::EcParams)?;
        let curve = ObjectIdentifier::from_der(&parameters).map_err(|_| unusable())?;
        let (kind, len) = match curve {
            SECP_256_R_1 => (SignatureAlgorithm::EcdsaSha256, 65),
            SECP_384_R_1 => (SignatureAlgorithm::EcdsaSha384, 97),
            other => return Err(TokenFault::Kind { kind: oid_name(&other) }),
        };
        let point = bytes(session, handle, AttributeType::EcPoint)?;
        // The point is in an OCTET STRING (PKCS#11 section 6.3.3), which some tokens leave out.
        let point = match <&OctetStringRef>::from_der(&point) {
            Ok(inner) if inner.as_bytes().len() == len => inner.as_bytes().to_vec(),
            _ if point.len() == len => point,
            _ => return Err(unusable()),
        };
        (kind, ID_EC_PUBLIC_KEY, Any::from(curve), point)
    } else if *kind == TokenKeyType::RSA {
        let number =
            |which| Uint::new(&bytes(session, handle, which)?).map_err(|_| TokenFault::PublicKey);
        let key = vec![number(AttributeType::Modulus)?, number(AttributeType::PublicExponent)?];
        let key = key.to_der().map_err(|_| unusable())?;
        (SignatureAlgorithm::RsaSha256, RSA_ENCRYPTION, Any::from(Null), key)
    } else {
        return Err(TokenFault::Kind { kind: kind.to_string() });
    };
    let key = public_key_of(oid, parameters, &key).map_err(|_| unusable())?;
    Ok((kind, key))
}

/// An attribute of an object that has it.
pub(super) fn bytes(
    session: &Session,
    handle: ObjectHandle,
    which: AttributeType,
) -> Result<Vec<u8>, TokenFault> {
    let found = session
        .get_attributes(handle, &[which])
        .map_err(refused("describe a key"))?
        .into_iter()
        .next();
    match found {
        Some(
            Attribute::Id(bytes)
            | Attribute::EcParams(bytes)
            | Attribute::EcPoint(bytes)
            | Attribute::Modulus(bytes)
            | Attribute::PublicExponent(bytes),
        ) => Ok(bytes),
        _ => Err(TokenFault::PublicKey),
    }
}

/// As CKA_EC_PARAMS has it.
pub(super) fn curve(oid: ObjectIdentifier) -> Result<Vec<u8>, TokenFault> {
    oid.to_der().map_err(|_| TokenFault::PublicKey)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_a_signature_are_as_short_as_der_wants_them() {
        let mut signature = [0; 64];
        // One with zeros in front, one whose first bit would be a sign.
        signature[31] = 5;
        signature[32..].fill(0xff);
        let expected = [&[0x30, 38, 2, 1, 5, 2, 33, 0][..], &[0xff; 32]].concat();
        assert_eq!(ecdsa(&signature).unwrap(), expected);
    }
}
