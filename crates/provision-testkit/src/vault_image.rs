//! What a vault's flash says, read by the layout that `FlashVault` documents and by nothing of its
//! code: a second opinion, and a quick one.

use provision_csr::PublicKey;
use provision_wire::Stage;
use sha2_device::{Digest as _, Sha256};

use crate::device::Found;

/// Reads a vault that nothing has interrupted: one slot holds a whole record, the other is erased.
/// `None` if it is anything else, which only the vault itself can judge.
#[must_use]
pub fn read_plain(flash: &[u8]) -> Option<Found> {
    let (first, second) = flash.split_at_checked(flash.len() / 2)?;
    let (slot, other) =
        if first.starts_with(COMMIT_WORD) { (first, second) } else { (second, first) };
    if !is_erased(other) {
        return None;
    }
    if is_erased(slot) {
        return Some(Found::BLANK);
    }
    let covered = slot.get(HEADER_AT..)?;
    let (header, _) = covered.split_first_chunk::<UNIT>()?;
    let (magic, fields) = header.split_first_chunk::<8>()?;
    let [stage, _sequence, delivery_len, ..] = fields.as_chunks::<4>().0 else { return None };
    let delivery_len = u32::from_le_bytes(*delivery_len) as usize;
    let delivery = slot.get(DELIVERY_AT..)?.get(..delivery_len)?;
    let covered = covered.get(..DELIVERY_AT - HEADER_AT + delivery_len.next_multiple_of(UNIT))?;
    let digest = slot.get(DIGEST_AT..)?.first_chunk::<UNIT>()?;
    if !slot.starts_with(COMMIT_WORD) || magic != MAGIC || Sha256::digest(covered)[..] != *digest {
        return None;
    }
    let stage = Stage::from_code(u32::from_le_bytes(*stage))?;
    let key = PublicKey::from_sec1(*slot.get(PUBLIC_KEY_AT..)?.first_chunk()?).ok()?;
    let delivery = (stage > Stage::Keyed).then(|| delivery.to_vec());
    Some(Found { stage, key: Some(key), delivery, delivery_sha256: None })
}

fn is_erased(slot: &[u8]) -> bool {
    // All bytes of a unit at once: most of what is looked at is erased.
    slot.chunks(UNIT).all(|unit| unit.iter().fold(0xff, |all, byte| all & byte) == 0xff)
}

/// See `FlashVault`, "Record".
const UNIT: usize = 32;
const COMMIT_WORD: &[u8; UNIT] = b"provision vault record committed";
const DIGEST_AT: usize = 32;
const HEADER_AT: usize = 64;
const PUBLIC_KEY_AT: usize = 128;
const DELIVERY_AT: usize = 224;
const MAGIC: &[u8; 8] = b"vault\0\0\x01";
