//! The payload of a frame, and a delivery.

use provision_wire::{Answer, Ask, Delivery, Encodable, MessageFault};

/// An ask, an answer, or a delivery: each is tried.
///
/// # Panics
///
/// If one can be read and what it is written as does not read the same.
pub(crate) fn messages<const PLANTED: bool>(data: &[u8]) {
    match decode::<_, PLANTED>(data, Ask::decode) {
        Ok(ask) => {
            assert_eq!(Ask::decode(&written(&ask)), Ok(ask));
            is_cbor(data);
        }
        Err(fault) => is_inside(fault, data),
    }
    match Answer::decode(data) {
        Ok(answer) => {
            assert_eq!(Answer::decode(&written(&answer)), Ok(answer));
            is_cbor(data);
        }
        Err(fault) => is_inside(fault, data),
    }
    match Delivery::decode(data) {
        Ok(delivery) => {
            // One value, one encoding: what a device stores, it understood to the last bit.
            assert_eq!(written(&delivery), data);
            is_cbor(data);
        }
        Err(fault) => is_inside(fault, data),
    }
}

/// What `decode` makes of the bytes; or, with the fault, of as many as it makes something of.
fn decode<'a, T, const PLANTED: bool>(
    data: &'a [u8],
    decode: impl Fn(&'a [u8]) -> Result<T, MessageFault>,
) -> Result<T, MessageFault> {
    let decoded = decode(data);
    match (PLANTED, data) {
        (true, [before @ .., _]) => decoded.or_else(|_| decode(before)),
        _ => decoded,
    }
}

fn is_inside(fault: MessageFault, data: &[u8]) {
    if let MessageFault::Malformed { at } = fault {
        assert!(at <= data.len(), "{at} of {}", data.len());
    }
}

/// By the pseudocode of RFC 8949 appendix C, of which nothing is left over. Text that is passed over need not be UTF-8.
fn is_cbor(data: &[u8]) {
    let mut rest = data;
    assert!(well_formed(&mut rest).is_some() && rest.is_empty(), "{data:02x?}");
}

fn well_formed(rest: &mut &[u8]) -> Option<()> {
    let mut take = |len: u64| {
        let (taken, after) = rest.split_at_checked(usize::try_from(len).ok()?)?;
        *rest = after;
        Some(taken)
    };
    let first = take(1)?[0];
    let argument = match first & 0x1f {
        short @ 0..=23 => u64::from(short),
        long @ 24..=27 => {
            take(1 << (long - 24))?.iter().fold(0, |n, byte| n << 8 | u64::from(*byte))
        }
        // Reserved, or of indefinite length, which is not of this protocol.
        _ => return None,
    };
    let items = match first >> 5 {
        2 | 3 => {
            take(argument)?;
            0
        }
        4 => argument,
        5 => argument.checked_mul(2)?,
        6 => 1,
        _ => 0,
    };
    (0..items).try_for_each(|_| well_formed(rest))
}

fn written(message: &impl Encodable) -> Vec<u8> {
    let mut out = vec![0; 1 << 17];
    let len = message.encode_into(&mut out).expect("longer than any input");
    out.truncate(len);
    out
}
