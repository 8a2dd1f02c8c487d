//! DER from stations, devices and servers.

use provision_csr::der::Reader;
use provision_csr::{PublicKey, Signature};
use provision_path::{
    ANCHORS_MAX, ForeignSignatures, ISSUERS_MAX, ServerName, UnixSeconds, check_device_chain,
    check_server, check_server_anchor,
};
use provision_station::evidence::{Chain, Csr};

use crate::input::Input;
use crate::toy::BelievesAll;

/// `what, time, count, that many counted strings, the rest`: a chain, or one thing.
///
/// Signatures are believed, so that a change to a certificate does not end it all at once.
///
/// # Panics
///
/// If what was read is not there, or is not written as it was.
pub(crate) fn csr_and_chain<const PLANTED: bool>(data: &[u8]) {
    let mut input = Input::new(data);
    let what = input.byte().unwrap_or_default();
    let now = UnixSeconds(u64::from(input.number().unwrap_or_default()) << 16);
    let count = input.byte().unwrap_or_default() % 8;
    let parts: Vec<&[u8]> = (0..count).map_while(|_| input.bytes()).collect();
    let rest = input.rest();

    match what {
        0 => request(rest),
        1 => device_chain(rest, &parts, now),
        2 => server::<PLANTED>(rest, &parts, now),
        3 => {
            let _ = check_server_anchor(rest);
        }
        4 => elements(rest, 0),
        5 => signature(rest),
        6 => stored_chain(rest, &parts),
        _ => {
            for each in parts.iter().chain([&rest]) {
                request(each);
                elements(each, 0);
                signature(each);
            }
            device_chain(rest, &parts, now);
            server::<PLANTED>(rest, &parts, now);
            stored_chain(rest, &parts);
        }
    }
}

fn request(der: &[u8]) {
    let Ok(csr) = Csr::parse(der) else { return };
    let (device, public) = (csr.device().clone(), *csr.public_key());
    assert!(der.windows(PublicKey::LEN).any(|part| part == public.as_sec1()), "a key from nowhere");
    assert!(der.windows(device.as_str().len()).any(|part| part == device.as_str().as_bytes()));
    let _ = csr.prove_possession::<BelievesAll>(&[7; 32]);
}

fn device_chain(leaf: &[u8], parts: &[&[u8]], now: UnixSeconds) {
    let Some((anchor, issuers)) = parts.split_last() else { return };
    // The leaf's own key, where it has one in the usual place: else all would end there.
    let key = leaf
        .windows(BEFORE_POINT.len())
        .position(|part| part == BEFORE_POINT)
        .and_then(|at| leaf.get(at + BEFORE_POINT.len()..)?.get(..PublicKey::LEN))
        .and_then(|point| PublicKey::from_sec1_slice(point).ok());
    let key = key.unwrap_or(PublicKey::from_sec1([0x04; 65]).expect("it begins with 04"));
    let check =
        |foreign| check_device_chain::<BelievesAll>(leaf, issuers, anchor, &key, now, foreign);
    let checked = check(ForeignSignatures::Refused);
    assert!(checked.is_err() || check(ForeignSignatures::Unchecked).is_ok(), "less is checked");
    if checked.is_ok() {
        assert!(issuers.len() <= ISSUERS_MAX);
        // What a device takes, the station that issued it can read.
        assert!(Reader::new(leaf).next().is_some_and(|element| element.encoded == leaf));
    }
}

fn server<const PLANTED: bool>(leaf: &[u8], parts: &[&[u8]], now: UnixSeconds) {
    let Some((anchor, issuers)) = parts.split_last() else { return };
    for name in ["cloud.example", "10.0.2.100"] {
        let name = ServerName::parse(name).expect("a name");
        let checked = check_server::<BelievesAll>(leaf, issuers, &[anchor], &name, now);
        // With the fault, who trusts nobody trusts the last certificate that came.
        let trusted: &[&[u8]] = if PLANTED { &[anchor] } else { &[] };
        let nobody = check_server::<BelievesAll>(leaf, issuers, trusted, &name, now);
        assert!(nobody.is_err(), "trusted by nobody");
        if checked.is_ok() {
            assert!(issuers.len() <= ISSUERS_MAX);
            let many = [*anchor; ANCHORS_MAX + 1];
            assert!(check_server::<BelievesAll>(leaf, issuers, &many, &name, now).is_err());
        }
    }
}

/// All elements, and those inside them: each is a part of what it was read from.
fn elements(bytes: &[u8], depth: usize) {
    let mut reader = Reader::new(bytes);
    let mut read = 0;
    while let Some(element) = reader.next() {
        assert!(element.encoded.ends_with(element.contents));
        assert_eq!(element.encoded, &bytes[read..read + element.encoded.len()]);
        read += element.encoded.len();
        if depth < 16 {
            elements(element.contents, depth + 1);
        }
    }
    assert_eq!(reader.is_finished(), read == bytes.len());
}

/// There is one way to write a signature.
fn signature(der: &[u8]) {
    if let Ok(signature) = Signature::from_der(der) {
        assert_eq!(signature.to_der().as_bytes(), der);
    }
}

fn stored_chain(leaf: &[u8], parts: &[&[u8]]) {
    let Some((anchor, issuers)) = parts.split_last() else { return };
    let issuers = issuers.iter().map(|der| der.to_vec()).collect();
    let _ = Chain::from_der(leaf.to_vec(), issuers, anchor.to_vec());
}

/// RFC 5480: BIT STRING, no unused bits, before the point.
const BEFORE_POINT: &[u8] = &[0x03, 0x42, 0x00];
