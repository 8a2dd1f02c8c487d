//! What a device refuses to store: named, and the old state whole.

use provision_csr::PublicKey;
use provision_device::{Stage, Vault as _};
use provision_issuer::{FileIssuer, Issuer as _, Lifetime, Profile};
use provision_station::evidence::{ApprovedCsr, Chain, Csr, Decision, Policy, Standing};
use provision_testkit::ca::ca;
use provision_testkit::device::SimulatedDevice;
use provision_testkit::planted::Bug;
use provision_wire::{
    Answer, Ask, ChainCause, Deframer, Delivery, DeviceSerial, Encodable as _, Endpoint, Event,
    Header, Kind, Refusal, VersionRange, encode_frame,
};
use sha2_device::{Digest as _, Sha256};

const MADE_S: u64 = 1_700_000_000;
const NOW_S: u64 = 1_800_000_000;
const SESSION: u32 = 77;

/// A device, a CA, and nothing in between.
struct Bench {
    device: SimulatedDevice,
    serial: DeviceSerial,
    issuer: FileIssuer,
    server_root: Vec<u8>,
}

/// A delivery, owned, to be spoilt.
#[derive(Clone)]
struct Parts {
    leaf: Vec<u8>,
    issuers: Vec<Vec<u8>>,
    device_anchor: Vec<u8>,
    server_anchors: Vec<Vec<u8>>,
    time: u64,
}

impl Bench {
    fn new() -> Self {
        let (issuer, server_root) = ca(MADE_S).unwrap();
        let serial = DeviceSerial::new("sensor-0001").unwrap();
        let device = SimulatedDevice::new(&serial, 5, Bug::None);
        let mut bench = Self { device, serial, issuer, server_root };
        bench.ask(&Ask::Hello { versions: VersionRange::OURS }, |_| ());
        bench
    }

    fn ask<T>(&mut self, ask: &Ask<'_>, look: impl Fn(&Answer<'_>) -> T) -> T {
        let header = Header { kind: Kind::Ask, session: SESSION, sequence: 1 };
        let mut out = [0; 4096];
        let len = encode_frame(header, ask, &mut out).unwrap();
        let said = self.device.receive(&out[..len]);
        let mut deframer = Deframer::<2048>::new();
        for byte in said {
            if let Event::Frame(frame) = deframer.push(byte) {
                return look(&Answer::decode(frame.payload).unwrap());
            }
        }
        panic!("no answer to {}", ask.name());
    }

    fn refusal(&mut self, ask: &Ask<'_>) -> Option<Refusal> {
        self.ask(ask, |answer| match answer {
            Answer::Refused(refusal) => Some(*refusal),
            _ => None,
        })
    }

    /// A chain as the station would have it signed for a device of this name and key.
    fn chain_for(&mut self, device: &mut SimulatedDevice, serial: &DeviceSerial) -> Chain {
        core::mem::swap(&mut self.device, device);
        self.ask(&Ask::Hello { versions: VersionRange::OURS }, |_| ());
        let public = self.ask(&Ask::Key, |answer| match answer {
            Answer::Key { public } => *public,
            other => panic!("{other:?}"),
        });
        let challenge = [9; 32];
        let len = self.ask(&Ask::Csr { challenge }, |answer| match answer {
            Answer::Csr { len, .. } => *len as usize,
            other => panic!("{other:?}"),
        });
        let mut csr = Vec::new();
        while csr.len() < len {
            let offset = csr.len() as u32;
            csr.extend(self.ask(&Ask::Read { offset }, |answer| match answer {
                Answer::Chunk { bytes, .. } => bytes.to_vec(),
                other => panic!("{other:?}"),
            }));
        }
        core::mem::swap(&mut self.device, device);
        let csr = Csr::parse(&csr).unwrap();
        let csr = csr.prove_possession::<provision_csr::PortableP256>(&challenge).unwrap();
        let announced = PublicKey::from_sec1(public).unwrap();
        let decided = Policy::default().decide(csr, serial, &announced, Standing::Unknown).unwrap();
        let Decision::Issue(approved) = decided else { panic!("{decided:?}") };
        self.sign(&approved)
    }

    fn sign(&mut self, approved: &ApprovedCsr) -> Chain {
        self.issuer.issue(approved, &Profile::new(Lifetime::UntilIssuerEnds), NOW_S).unwrap()
    }

    fn own_parts(&mut self) -> Parts {
        let serial = self.serial.clone();
        let mut device = SimulatedDevice::new(&serial, 5, Bug::None);
        core::mem::swap(&mut self.device, &mut device);
        let chain = self.chain_for(&mut device, &serial);
        self.device = device;
        self.ask(&Ask::Hello { versions: VersionRange::OURS }, |_| ());
        self.parts(&chain)
    }

    fn parts(&self, chain: &Chain) -> Parts {
        Parts {
            leaf: chain.leaf().to_vec(),
            issuers: chain.issuers().to_vec(),
            device_anchor: chain.anchor().to_vec(),
            server_anchors: vec![self.server_root.clone()],
            time: NOW_S,
        }
    }

    /// Sends bytes as a delivery; returns the refusal of the commit.
    fn deliver(&mut self, bytes: &[u8]) -> Option<Refusal> {
        for (number, piece) in bytes.chunks(400).enumerate() {
            let offset = (number * 400) as u32;
            if let Some(refusal) = self.refusal(&Ask::Put { offset, bytes: piece }) {
                return Some(refusal);
            }
        }
        self.refusal(&Ask::Commit { delivery_sha256: Sha256::digest(bytes).into() })
    }

    fn stored(&mut self) -> (Stage, Option<Vec<u8>>) {
        let mut out = [0; 4096];
        let mut vault = self.device.vault();
        let stage = vault.stage().unwrap();
        (stage, vault.read_delivery(&mut out).unwrap().map(<[u8]>::to_vec))
    }

    /// Delivers what `spoil` made of a good delivery: refused as expected, nothing changed. Then
    /// the good one, which is taken: the device was not harmed.
    fn check(&mut self, expected: Refusal, spoil: impl Fn(&mut Parts)) {
        let good = self.own_parts();
        let mut bad = good.clone();
        spoil(&mut bad);
        let before = self.stored();
        assert_eq!(self.deliver(&bad.encode()), Some(expected));
        assert_eq!(self.stored(), before);
        assert_eq!(self.deliver(&good.encode()), None);
        assert_eq!(self.stored(), (Stage::Certified, Some(good.encode())));
        // And once more, over something that is there already.
        let before = self.stored();
        assert_eq!(self.deliver(&bad.encode()), Some(expected));
        assert_eq!(self.stored(), before);
    }
}

impl Parts {
    fn encode(&self) -> Vec<u8> {
        let delivery = Delivery {
            leaf: &self.leaf,
            issuers: self.issuers.iter().map(Vec::as_slice).collect(),
            device_anchor: &self.device_anchor,
            server_anchors: self.server_anchors.iter().map(Vec::as_slice).collect(),
            endpoint: Endpoint { host: "10.0.2.100", port: 8883, alpn: None },
            time: self.time,
            foreign_signatures_unchecked: false,
        };
        let mut out = vec![0; 16_384];
        let len = delivery.encode_into(&mut out).unwrap();
        out.truncate(len);
        out
    }
}

fn broken(certificate: u32, cause: ChainCause) -> Refusal {
    Refusal::ChainBroken { certificate, cause }
}

#[test]
fn a_leaf_for_another_key() {
    let mut bench = Bench::new();
    let serial = bench.serial.clone();
    let mut other = SimulatedDevice::new(&serial, 6, Bug::None);
    let leaf = bench.chain_for(&mut other, &serial).leaf().to_vec();
    bench.check(Refusal::WrongKey, |parts| parts.leaf.clone_from(&leaf));
}

#[test]
fn a_chain_that_does_not_link() {
    let mut bench = Bench::new();
    let other = Bench::new().own_parts();
    bench.check(broken(0, ChainCause::BrokenLink), |parts| parts.issuers.clear());
    let mut bench = Bench::new();
    // Same names, other keys: only the signatures tell, and they are checked from the anchor down.
    bench.check(broken(1, ChainCause::BadSignature), |parts| {
        parts.issuers.clone_from(&other.issuers)
    });
    let mut bench = Bench::new();
    bench.check(broken(1, ChainCause::BadSignature), |parts| {
        parts.device_anchor.clone_from(&other.device_anchor);
    });
    let mut bench = Bench::new();
    let server_root = bench.server_root.clone();
    bench.check(broken(1, ChainCause::BrokenLink), |parts| {
        parts.device_anchor.clone_from(&server_root);
    });
}

#[test]
fn a_signature_that_was_hit() {
    let mut bench = Bench::new();
    bench.check(broken(0, ChainCause::BadSignature), |parts| {
        let last = parts.leaf.len() - 1;
        parts.leaf[last] ^= 1;
    });
}

#[test]
fn a_truncated_chain() {
    let mut bench = Bench::new();
    bench.check(broken(0, ChainCause::Unreadable), |parts| {
        parts.leaf.pop();
    });
    let mut bench = Bench::new();
    bench.check(broken(1, ChainCause::Unreadable), |parts| {
        parts.issuers[0].pop();
    });
}

#[test]
fn an_anchor_that_is_none() {
    let mut bench = Bench::new();
    bench.check(broken(2, ChainCause::NotCa), |parts| parts.device_anchor.clone_from(&parts.leaf));
    let mut bench = Bench::new();
    bench.check(broken(2, ChainCause::Unreadable), |parts| parts.device_anchor.truncate(9));
}

#[test]
fn a_time_outside_the_validity() {
    let mut bench = Bench::new();
    bench.check(broken(0, ChainCause::NotYetValid), |parts| parts.time = NOW_S - 86_400);
    let mut bench = Bench::new();
    bench.check(broken(0, ChainCause::Expired), |parts| parts.time = NOW_S * 2);
}

#[test]
fn a_server_anchor_that_is_none() {
    let mut bench = Bench::new();
    bench.check(Refusal::BadAnchor { anchor: 1 }, |parts| {
        let leaf = parts.leaf.clone();
        parts.server_anchors.push(leaf);
    });
}

#[test]
fn an_oversized_delivery() {
    let mut bench = Bench::new();
    bench.check(Refusal::TooLong { max: 3072 }, |parts| {
        parts.server_anchors.push(vec![0; 2500]);
    });
}

#[test]
fn a_wrong_digest() {
    let mut bench = Bench::new();
    let good = bench.own_parts().encode();
    let len = good.len() as u32;
    for (number, piece) in good.chunks(400).enumerate() {
        bench.refusal(&Ask::Put { offset: (number * 400) as u32, bytes: piece });
    }
    let wrong = Ask::Commit { delivery_sha256: [7; 32] };
    assert_eq!(bench.refusal(&wrong), Some(Refusal::WrongDigest { have: len }));
    assert_eq!(bench.stored(), (Stage::Keyed, None));
    // What was staged is still there: the right digest commits it.
    let right = Ask::Commit { delivery_sha256: Sha256::digest(&good).into() };
    assert_eq!(bench.refusal(&right), None);
    // And says so again, though nothing is staged any more.
    assert_eq!(bench.refusal(&right), None);
    assert_eq!(bench.stored().0, Stage::Certified);
}

#[test]
fn rubbish_for_a_delivery() {
    let mut bench = Bench::new();
    bench.own_parts();
    assert_eq!(bench.deliver(b"not CBOR at all"), Some(Refusal::BadDelivery { at: 0 }));
    assert_eq!(bench.stored(), (Stage::Keyed, None));
}

#[test]
fn out_of_order() {
    let mut bench = Bench::new();
    let blank = Refusal::WrongStage { stage: Some(Stage::Blank) };
    let keyed = Refusal::WrongStage { stage: Some(Stage::Keyed) };
    assert_eq!(bench.refusal(&Ask::Csr { challenge: [0; 32] }), Some(blank));
    assert_eq!(bench.refusal(&Ask::Put { offset: 0, bytes: b"x" }), Some(blank));
    assert_eq!(bench.refusal(&Ask::PutPacked { offset: 0, block: b"\x10x" }), Some(blank));
    assert_eq!(bench.refusal(&Ask::Seal), Some(blank));
    assert_eq!(bench.refusal(&Ask::Read { offset: 0 }), Some(Refusal::NoCsr));
    assert_eq!(bench.refusal(&Ask::Key), None);
    assert_eq!(bench.refusal(&Ask::Prove { challenge: [0; 32] }), Some(keyed));
    assert_eq!(bench.refusal(&Ask::Seal), Some(keyed));
    assert_eq!(bench.refusal(&Ask::Put { offset: 9, bytes: b"x" }), Some(Refusal::Gap { have: 0 }));
    bench.device.reboot();
    assert_eq!(bench.refusal(&Ask::Key), Some(Refusal::UnknownSession));
}

#[test]
fn nothing_changes_a_sealed_device() {
    let mut bench = Bench::new();
    let good = bench.own_parts();
    assert_eq!(bench.deliver(&good.encode()), None);
    assert_eq!(bench.refusal(&Ask::Seal), None);
    let sealed = bench.stored();
    assert_eq!(sealed.0, Stage::Sealed);
    let delivery_sha256 = Sha256::digest(good.encode()).into();
    for ask in [
        Ask::Key,
        Ask::Csr { challenge: [0; 32] },
        Ask::Read { offset: 0 },
        Ask::Put { offset: 0, bytes: b"x" },
        Ask::PutPacked { offset: 0, block: b"\x10x" },
        Ask::Commit { delivery_sha256 },
    ] {
        assert_eq!(bench.refusal(&ask), Some(Refusal::Sealed), "{}", ask.name());
    }
    assert_eq!(bench.refusal(&Ask::Seal), None, "sealed stays sealed, and says so");
    assert_eq!(bench.refusal(&Ask::Prove { challenge: [1; 32] }), None);
    assert_eq!(bench.stored(), sealed);
}
