//! The messages held against their specification, docs/protocol.cddl: what the code writes must
//! validate, and what the code refuses for its shape must not.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use proptest::prelude::*;
use provision_wire::{
    Answer, Ask, ChainCause, Delivery, DeviceSerial, Encodable, Endpoint, Hello, Refusal, Stage,
    VersionRange,
};

const SPECIFICATION: &str = include_str!("../../../docs/protocol.cddl");

/// The rule to start from is the file's first: put another in front.
fn validate(rule: &str, bytes: &[u8]) -> Result<(), String> {
    let cddl = format!("start = {rule}\n{SPECIFICATION}");
    cddl::validate_cbor_from_slice(&cddl, bytes, None).map_err(|e| e.to_string())
}

fn encode(message: &impl Encodable) -> Vec<u8> {
    let mut out = vec![0; 8192];
    let len = message.encode_into(&mut out).unwrap();
    out.truncate(len);
    out
}

fn asks() -> impl Strategy<Value = Vec<u8>> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..300);
    prop_oneof![
        (any::<u32>(), any::<u32>())
            .prop_map(|(min, max)| encode(&Ask::Hello { versions: VersionRange { min, max } })),
        Just(encode(&Ask::Key)),
        any::<[u8; 32]>().prop_map(|challenge| encode(&Ask::Csr { challenge })),
        any::<u32>().prop_map(|offset| encode(&Ask::Read { offset })),
        (any::<u32>(), bytes.clone())
            .prop_map(|(offset, b)| encode(&Ask::Put { offset, bytes: &b })),
        (any::<u32>(), bytes).prop_map(|(offset, b)| encode(&Ask::PutPacked { offset, block: &b })),
        any::<[u8; 32]>().prop_map(|d| encode(&Ask::Commit { delivery_sha256: d })),
        any::<[u8; 32]>().prop_map(|challenge| encode(&Ask::Prove { challenge })),
        Just(encode(&Ask::Seal)),
    ]
}

fn refusals() -> impl Strategy<Value = Refusal> {
    prop_oneof![
        Just(Refusal::UnknownSession),
        any::<u32>().prop_map(|have| Refusal::Gap { have }),
        (any::<u32>(), 1_u32..20).prop_map(|(certificate, code)| Refusal::ChainBroken {
            certificate,
            cause: ChainCause::from_code(code)
        }),
        (any::<u32>(), any::<u32>()).prop_map(|(min, max)| Refusal::Version { min, max }),
        (21..=u32::MAX).prop_map(|code| Refusal::Other { code }),
    ]
}

fn answers() -> impl Strategy<Value = Vec<u8>> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..300);
    let serial = "[A-Za-z0-9]([A-Za-z0-9._:-]{0,62}[A-Za-z0-9])?";
    prop_oneof![
        (any::<u32>(), serial, 0_u32..4, any::<u32>(), any::<u32>(), any::<Option<u32>>())
            .prop_map(|(version, device, stage, ask_len_max, delivery_len_max, dictionary)| {
                encode(&Answer::Hello(Hello {
                    version,
                    device: DeviceSerial::new(&device).unwrap(),
                    stage: Stage::from_code(stage).unwrap(),
                    ask_len_max,
                    delivery_len_max,
                    dictionary,
                }))
            }),
        any::<[u8; 32]>().prop_map(|half| {
            let mut public = [4; 65];
            public[1..33].copy_from_slice(&half);
            encode(&Answer::Key { public })
        }),
        (any::<u32>(), any::<[u8; 32]>())
            .prop_map(|(len, csr_sha256)| encode(&Answer::Csr { len, csr_sha256 })),
        (any::<u32>(), bytes).prop_map(|(offset, b)| encode(&Answer::Chunk { offset, bytes: &b })),
        any::<u32>().prop_map(|have| encode(&Answer::Stored { have })),
        any::<[u8; 32]>().prop_map(|d| encode(&Answer::Committed { delivery_sha256: d })),
        any::<[u8; 32]>().prop_map(|d| encode(&Answer::Proof {
            signature: [7; 64],
            leaf_sha256: d,
            delivery_sha256: d
        })),
        Just(encode(&Answer::Sealed)),
        refusals().prop_map(|refusal| encode(&Answer::Refused(refusal))),
    ]
}

fn deliveries() -> impl Strategy<Value = Vec<u8>> {
    let certificate = || proptest::collection::vec(any::<u8>(), 1..200);
    (
        certificate(),
        proptest::collection::vec(certificate(), 0..=4),
        certificate(),
        proptest::collection::vec(certificate(), 1..=4),
        ("[a-z0-9.-]{1,60}", 1_u16.., proptest::option::of("[a-z0-9-]{1,32}")),
        any::<(u64, bool)>(),
    )
        .prop_map(
            |(leaf, issuers, device_anchor, anchors, (host, port, alpn), (time, unchecked))| {
                encode(&Delivery {
                    leaf: &leaf,
                    issuers: issuers.iter().map(Vec::as_slice).collect(),
                    device_anchor: &device_anchor,
                    server_anchors: anchors.iter().map(Vec::as_slice).collect(),
                    endpoint: Endpoint { host: &host, port, alpn: alpn.as_deref() },
                    time,
                    foreign_signatures_unchecked: unchecked,
                })
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_asked_is_as_specified(bytes in asks()) {
        prop_assert_eq!(validate("ask", &bytes), Ok(()));
    }

    #[test]
    fn what_is_answered_is_as_specified(bytes in answers()) {
        prop_assert_eq!(validate("answer", &bytes), Ok(()));
    }

    #[test]
    fn what_is_delivered_is_as_specified(bytes in deliveries()) {
        prop_assert_eq!(validate("delivery", &bytes), Ok(()));
    }
}

/// The same bytes put to the code and to the specification.
fn refused_by_both(rule: &str, hex: &str) {
    let bytes: Vec<u8> = hex
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    let by_code = match rule {
        "ask" => Ask::decode(&bytes).is_err(),
        "answer" => Answer::decode(&bytes).is_err(),
        _ => Delivery::decode(&bytes).is_err(),
    };
    assert!(by_code, "the code takes {rule} {hex}");
    assert!(validate(rule, &bytes).is_err(), "the specification takes {rule} {hex}");
}

#[test]
fn what_is_not_as_specified_is_refused() {
    // No fields at all; a challenge of 31 bytes; a text for bytes; a kind nobody knows.
    refused_by_both("ask", "8201a0");
    refused_by_both("ask", &format!("8203a101581f{}", "11".repeat(31)));
    refused_by_both("ask", "8205a201000261ff");
    refused_by_both("ask", "820aa0");
    // Stage 4; a key of 64 bytes; no reason.
    refused_by_both("answer", "8201a501010261410304041861051861");
    refused_by_both("answer", &format!("8202a1015840{}", "22".repeat(64)));
    refused_by_both("answer", "8209a0");
    // No server anchor; port 0; five issuers; a field nobody knows.
    refused_by_both(
        "delivery",
        "a601414c02800341520480 05a201616102010600".replace(' ', "").as_str(),
    );
    refused_by_both(
        "delivery",
        "a601414c028003415204814153 05a201616102000600".replace(' ', "").as_str(),
    );
    refused_by_both("delivery", "a601414c0285414141414141414141410341520481415305a201616102010600");
    refused_by_both(
        "delivery",
        "a701414c028003415204814153 05a2016161020106000700".replace(' ', "").as_str(),
    );
}

#[test]
fn fields_of_a_later_version_are_passed_over() {
    // Key with 9: [1, "x"], as a later station might ask it.
    let bytes = [0x82, 0x02, 0xa1, 0x09, 0x82, 0x01, 0x61, 0x78];
    assert_eq!(Ask::decode(&bytes), Ok(Ask::Key));
    assert_eq!(validate("ask", &bytes), Ok(()));
}
