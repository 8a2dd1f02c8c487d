//! What a device signs to prove that it holds the key of what it stores.

use crate::CHALLENGE_LEN;

/// First part of the signed message, so that the signature can be taken for nothing else: no CSR,
/// certificate or TLS transcript begins so.
pub const PROOF_LABEL: &[u8; 24] = b"provision stored proof 1";

/// The message under a proof: label, challenge, digest of the leaf, digest of the delivery.
///
/// Both digests are over what was read back from the vault, so a proof also says that leaf, chain,
/// anchors and endpoint are stored as they were sent.
#[must_use]
pub fn proof_message(
    challenge: &[u8; CHALLENGE_LEN],
    leaf_sha256: &[u8; 32],
    delivery_sha256: &[u8; 32],
) -> [u8; 120] {
    let mut message = [0; 120];
    let parts = PROOF_LABEL.iter().chain(challenge).chain(leaf_sha256).chain(delivery_sha256);
    for (place, byte) in message.iter_mut().zip(parts) {
        *place = *byte;
    }
    message
}
