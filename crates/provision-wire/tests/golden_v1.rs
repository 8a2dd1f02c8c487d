//! The bytes of protocol version 1.
//!
//! If a test in this file fails, do not change the test: devices in the field speak these bytes.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use provision_wire::{
    Answer, Ask, ChainCause, Delivery, DeviceSerial, Encodable, Endpoint, Header, Hello, Kind,
    Refusal, Stage, VersionRange, encode_frame, proof_message,
};

fn bytes(message: &impl Encodable) -> String {
    let mut out = [0; 512];
    let len = message.encode_into(&mut out).unwrap();
    out[..len].iter().map(|b| format!("{b:02x}")).collect()
}

/// Encodes, compares, decodes, compares.
fn check_ask(ask: Ask<'_>, golden: &str) {
    assert_eq!(bytes(&ask), golden, "{}", ask.name());
    assert_eq!(Ask::decode(&unhex(golden)), Ok(ask));
}

fn check_answer(answer: &Answer<'_>, golden: &str) {
    assert_eq!(bytes(answer), golden, "{}", answer.name());
    assert_eq!(Answer::decode(&unhex(golden)).as_ref(), Ok(answer));
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

#[test]
fn asks() {
    let eleven = "11".repeat(32);
    check_ask(Ask::Hello { versions: VersionRange { min: 1, max: 1 } }, "8201a201010201");
    check_ask(Ask::Key, "8202a0");
    check_ask(Ask::Csr { challenge: [0x11; 32] }, &format!("8203a1015820{eleven}"));
    check_ask(Ask::Read { offset: 256 }, "8204a101190100");
    check_ask(Ask::Put { offset: 70_000, bytes: b"abc" }, "8205a2011a000111700243616263");
    check_ask(Ask::Commit { delivery_sha256: [0x11; 32] }, &format!("8206a1015820{eleven}"));
    check_ask(Ask::Prove { challenge: [0x11; 32] }, &format!("8207a1015820{eleven}"));
    check_ask(Ask::Seal, "8208a0");
    check_ask(Ask::PutPacked { offset: 70_000, block: &[0x10, 7] }, "8209a2011a0001117002421007");
}

#[test]
fn answers() {
    let hello = Hello {
        version: 1,
        device: DeviceSerial::new("sensor-1").unwrap(),
        stage: Stage::Keyed,
        ask_len_max: 580,
        delivery_len_max: 3072,
        dictionary: None,
    };
    check_answer(
        &Answer::Hello(hello.clone()),
        "8201a50101026873656e736f722d3103010419024405190c00",
    );
    let unpacks = Hello { dictionary: Some(1), ..hello };
    check_answer(&Answer::Hello(unpacks), "8201a60101026873656e736f722d3103010419024405190c000601");
    let mut public = [0x22; 65];
    public[0] = 4;
    check_answer(&Answer::Key { public }, &format!("8202a101584104{}", "22".repeat(64)));
    check_answer(
        &Answer::Csr { len: 219, csr_sha256: [0x33; 32] },
        &format!("8203a20118db025820{}", "33".repeat(32)),
    );
    check_answer(&Answer::Chunk { offset: 0, bytes: &[1, 2] }, "8204a2010002420102");
    check_answer(&Answer::Stored { have: 1024 }, "8205a101190400");
    check_answer(
        &Answer::Committed { delivery_sha256: [0x44; 32] },
        &format!("8206a1015820{}", "44".repeat(32)),
    );
    check_answer(
        &Answer::Proof {
            signature: [0x55; 64],
            leaf_sha256: [0x66; 32],
            delivery_sha256: [0x77; 32],
        },
        &format!(
            "8207a3015840{}025820{}035820{}",
            "55".repeat(64),
            "66".repeat(32),
            "77".repeat(32)
        ),
    );
    check_answer(&Answer::Sealed, "8208a0");
}

#[test]
fn refusals() {
    let stage = Some(Stage::Blank);
    for (refusal, golden) in [
        (Refusal::UnknownSession, "8209a10101"),
        (Refusal::Malformed, "8209a10102"),
        (Refusal::UnknownAsk { kind: 99 }, "8209a20103021863"),
        (Refusal::Version { min: 2, max: 3 }, "8209a3010402020303"),
        (Refusal::WrongStage { stage }, "8209a201050200"),
        (Refusal::NoCsr, "8209a10106"),
        (Refusal::Gap { have: 5 }, "8209a201070205"),
        (Refusal::TooLong { max: 5 }, "8209a201080205"),
        (Refusal::WrongDigest { have: 5 }, "8209a201090205"),
        (Refusal::BadDelivery { at: 5 }, "8209a2010a0205"),
        (Refusal::WrongKey, "8209a1010b"),
        (
            Refusal::ChainBroken { certificate: 1, cause: ChainCause::BadSignature },
            "8209a3010c02010303",
        ),
        (Refusal::BadAnchor { anchor: 1 }, "8209a2010d0201"),
        (Refusal::NoEntropy, "8209a1010e"),
        (Refusal::VaultFull { max: 5 }, "8209a2010f0205"),
        (Refusal::VaultFailed, "8209a10110"),
        (Refusal::VaultCorrupt, "8209a10111"),
        (Refusal::KeyFailed, "8209a10112"),
        (Refusal::Sealed, "8209a10113"),
        (Refusal::Other { code: 200 }, "8209a10118c8"),
    ] {
        check_answer(&Answer::Refused(refusal), golden);
    }
}

#[test]
fn every_chain_cause_keeps_its_number() {
    let causes = [
        ChainCause::Unreadable,
        ChainCause::BrokenLink,
        ChainCause::BadSignature,
        ChainCause::Expired,
        ChainCause::NotYetValid,
        ChainCause::Algorithm,
        ChainCause::Purpose,
        ChainCause::NotCa,
        ChainCause::LeafIsCa,
        ChainCause::PathLen,
        ChainCause::KeyUsage,
        ChainCause::CriticalExtension,
        ChainCause::TooMany,
        ChainCause::Other { code: 14 },
    ];
    for (code, cause) in (1..).zip(causes) {
        assert_eq!((cause.code(), ChainCause::from_code(code)), (code, cause));
    }
}

#[test]
fn delivery() {
    let delivery = Delivery {
        leaf: b"L",
        issuers: [&b"I"[..]].into_iter().collect(),
        device_anchor: b"R",
        server_anchors: [&b"S"[..], b"T"].into_iter().collect(),
        endpoint: Endpoint { host: "10.0.2.100", port: 8883, alpn: Some("mqtt") },
        time: 1_800_000_000,
        foreign_signatures_unchecked: false,
    };
    let golden = "a601414c\
                  02814149\
                  034152\
                  048241534154\
                  05a3016a31302e302e322e313030021922b303646d717474\
                  061a6b49d200";
    assert_eq!(bytes(&delivery), golden);
    assert_eq!(Delivery::decode(&unhex(golden)), Ok(delivery.clone()));

    let unchecked = Delivery { foreign_signatures_unchecked: true, ..delivery };
    let golden = golden.replacen("a6", "a7", 1) + "0701";
    assert_eq!(bytes(&unchecked), golden);
    assert_eq!(Delivery::decode(&unhex(&golden)), Ok(unchecked));
    // Nothing else can be left unchecked, and no other field follows.
    for other in ["0700", "0702", "07f5", "0801"] {
        let bytes = unhex(&(golden[..golden.len() - 4].to_owned() + other));
        assert!(Delivery::decode(&bytes).is_err(), "{other}");
    }
}

#[test]
fn frame() {
    let header = Header { kind: Kind::Ask, session: 0x0102_0304, sequence: 5 };
    let mut out = [0; 32];
    let len = encode_frame(header, &Ask::Key, &mut out).unwrap();
    let hex: String = out[..len].iter().map(|b| format!("{b:02x}")).collect();
    // 00 | COBS of 01 00 04030201 0500 8202a0 crc32 | 00
    assert_eq!(hex, "000201060403020105088202a0bb7b18eb00");
}

#[test]
fn proof() {
    let message = proof_message(&[1; 32], &[2; 32], &[3; 32]);
    let expected = [&b"provision stored proof 1"[..], &[1; 32], &[2; 32], &[3; 32]].concat();
    assert_eq!(message[..], expected[..]);
}
