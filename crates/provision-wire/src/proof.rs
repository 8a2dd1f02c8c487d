//! What a device signs to prove that it holds the key of what it stores.

use crate::CHALLENGE_LEN;

/// First part of the signed message, so that the signature can be taken for nothing else: no CSR,
/// certificate or TLS transcript begins so.
const PROOF_LABEL: &[u8; 24] = b"provision stored proof 1";

/// The message under a proof, in parts: label, challenge, digest of the leaf, digest of the delivery.
///
/// Both digests are over what was read back from the vault, so a proof also says that leaf, chain,
/// anchors and endpoint are stored as they were sent.
#[must_use]
pub const fn proof_parts<'a>(
    challenge: &'a [u8; CHALLENGE_LEN],
    leaf_sha256: &'a [u8; 32],
    delivery_sha256: &'a [u8; 32],
) -> [&'a [u8]; 4] {
    [PROOF_LABEL, challenge, leaf_sha256, delivery_sha256]
}

/// The message under a proof as a whole: the [parts](proof_parts), one behind the other.
#[must_use]
pub fn proof_message(
    challenge: &[u8; CHALLENGE_LEN],
    leaf_sha256: &[u8; 32],
    delivery_sha256: &[u8; 32],
) -> [u8; 120] {
    let mut message = [0; 120];
    let parts = proof_parts(challenge, leaf_sha256, delivery_sha256);
    for (place, byte) in message.iter_mut().zip(parts.into_iter().flatten()) {
        *place = *byte;
    }
    message
}
