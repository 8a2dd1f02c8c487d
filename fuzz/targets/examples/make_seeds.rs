//! Writes the inputs that fuzzing begins with, made of what really goes over a line and a network.
//! Inputs that were found later stay.
//!
//! ```text
//! cargo run -p provision-fuzz-targets --example make_seeds
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use provision_csr::{
    CSR_LEN_MAX, IdentityKey as _, PortableKey, SoftwareKey as _, Subject, write_csr,
};
use provision_testkit::device::SeededEntropy;
use provision_testkit::pki::{self, Certified};
use provision_testkit::random::Random;
use provision_wire::{
    Answer, Ask, ChainCause, Delivery, DeviceSerial, Encodable, Endpoint, Header, Hello, Kind,
    Refusal, Stage, VersionRange, encode_frame,
};

fn main() -> io::Result<()> {
    let crypto = Crypto::new();
    frames()?;
    messages(&crypto)?;
    dialogue()?;
    csr_and_chain(&crypto)?;
    record_filter()?;
    tls_client()
}

struct Crypto {
    key: PortableKey,
    leaf: Vec<u8>,
    issuer: Certified,
    root: Certified,
    server: Certified,
    server_root: Certified,
}

impl Crypto {
    fn new() -> Self {
        let key = PortableKey::generate(&mut SeededEntropy(Random::new(1))).expect("a key");
        let lasting = |params| pki::valid(params, FROM, TO);
        let root = Certified::self_signed(lasting(pki::root("Device Root")));
        let issuer = root.issue(lasting(pki::device_issuer("Device Issuer")));
        let leaf = issuer.issue_for(&lasting(pki::device("fuzzed")), &key.public_key());
        let server_root = Certified::self_signed(lasting(pki::root("Server Root")));
        let names = ["cloud.example", "10.0.2.100"];
        let server = server_root.issue(lasting(pki::server(&names)));
        Self { key, leaf, issuer, root, server, server_root }
    }

    fn delivery(&self) -> Vec<u8> {
        let mut delivery = Delivery {
            leaf: &self.leaf,
            issuers: Default::default(),
            device_anchor: self.root.der(),
            server_anchors: Default::default(),
            endpoint: Endpoint { host: "cloud.example", port: 8883, alpn: Some("mqtt") },
            time: 1_800_000_000,
            foreign_signatures_unchecked: false,
        };
        delivery.issuers.push(self.issuer.der()).expect("room for one");
        delivery.server_anchors.push(self.server_root.der()).expect("room for one");
        encoded(&delivery)
    }

    fn csr(&self) -> Vec<u8> {
        let subject = Subject::new("fuzzed").expect("a name");
        let mut out = [0; CSR_LEN_MAX];
        let csr = write_csr(&subject, &self.key, &[7; 32], &mut out).expect("room for any");
        csr.as_bytes().to_vec()
    }
}

/// `noise, session, sequence, bytes of a piece`.
fn frames() -> io::Result<()> {
    let seed = |noise: &[u8], piece: &[u8]| [&counted(noise)[..], &[7, 0, 1, 0], piece].concat();
    write("frames", "quiet", &seed(&[], b"a piece"))?;
    write("frames", "boot_log", &seed(b"\r\nboot: rom 1.2\r\nok\r\n", &[0; 300]))?;
    write("frames", "no_zero_for_long", &seed(&[], &[0x55; 500]))?;
    write("frames", "noise_too_long", &seed(&[0x55; 700], b"after more than any frame"))?;
    for (name, ask) in [("key", Ask::Key), ("csr", Ask::Csr { challenge: [7; 32] })] {
        let mut frame = [0; 100];
        let header = Header { kind: Kind::Ask, session: 1, sequence: 1 };
        let len = encode_frame(header, &ask, &mut frame).expect("room");
        let mut torn = frame[..len].to_vec();
        write("frames", name, &seed(&torn, b"after a frame"))?;
        torn.truncate(len / 2);
        write("frames", &format!("torn_{name}"), &seed(&torn, b"after half a frame"))?;
        torn.push(0xff);
        torn.extend(&frame[len / 2 + 1..len]);
        write("frames", &format!("hit_{name}"), &seed(&torn, b"after a frame that was hit"))?;
    }
    Ok(())
}

fn messages(crypto: &Crypto) -> io::Result<()> {
    for (name, ask) in [
        ("hello", Ask::Hello { versions: VersionRange::OURS }),
        ("key", Ask::Key),
        ("csr", Ask::Csr { challenge: [7; 32] }),
        ("read", Ask::Read { offset: 256 }),
        ("put", Ask::Put { offset: 0, bytes: b"a piece" }),
        ("commit", Ask::Commit { delivery_sha256: [8; 32] }),
        ("prove", Ask::Prove { challenge: [9; 32] }),
        ("seal", Ask::Seal),
        ("put_packed", Ask::PutPacked { offset: 9, block: b"\x42bytes\x05\0\0" }),
    ] {
        write("messages", &format!("ask_{name}"), &encoded(&ask))?;
    }
    write("messages", "ask_key_and_more", &[&encoded(&Ask::Key)[..], &[0]].concat())?;
    let hello = Hello {
        version: 1,
        device: DeviceSerial::new("fuzzed").expect("a serial"),
        stage: Stage::Keyed,
        ask_len_max: 580,
        delivery_len_max: 3072,
        dictionary: Some(1),
    };
    let chain_broken = Refusal::ChainBroken { certificate: 1, cause: ChainCause::BadSignature };
    let signature = crypto.key.sign_digest(&[7; 32]).expect("a signature");
    let proof = Answer::Proof {
        signature: *signature.as_raw(),
        leaf_sha256: [2; 32],
        delivery_sha256: [8; 32],
    };
    for (name, answer) in [
        ("hello", Answer::Hello(hello)),
        ("key", Answer::Key { public: *crypto.key.public_key().as_sec1() }),
        ("csr", Answer::Csr { len: 300, csr_sha256: [1; 32] }),
        ("chunk", Answer::Chunk { offset: 0, bytes: b"a chunk" }),
        ("stored", Answer::Stored { have: 256 }),
        ("committed", Answer::Committed { delivery_sha256: [8; 32] }),
        ("proof", proof),
        ("sealed", Answer::Sealed),
        ("refused_gap", Answer::Refused(Refusal::Gap { have: 256 })),
        ("refused_chain", Answer::Refused(chain_broken)),
    ] {
        write("messages", &format!("answer_{name}"), &encoded(&answer))?;
    }
    write("messages", "delivery", &crypto.delivery())
}

/// Operations by their numbers, in `src/dialogue.rs`.
fn dialogue() -> io::Result<()> {
    const HELLO: [u8; 2] = [0, 1];
    const KEY: u8 = 2;
    const CSR_READ: [u8; 5] = [3, 7, 4, 0, 0];
    const DELIVER: u8 = 9;
    const PROVE: [u8; 2] = [10, 7];
    const SEAL: u8 = 11;
    const RESET: u8 = 15;
    const REPEAT: u8 = 17;
    const DELIVER_PACKED: u8 = 19;
    let cut = |operations: u8, moment: u8| [14, operations, moment];

    let enrollment =
        [&HELLO[..], &[KEY], &CSR_READ, &[DELIVER, 0], &PROVE, &[SEAL], &PROVE].concat();
    write("dialogue", "enrollment", &enrollment)?;
    let packed =
        [&HELLO[..], &[KEY, DELIVER_PACKED, 0, REPEAT, DELIVER, 1], &PROVE, &[SEAL]].concat();
    write("dialogue", "packed", &packed)?;
    let twice: Vec<u8> =
        [&HELLO[..], &[REPEAT, KEY, REPEAT, DELIVER, 0, REPEAT, SEAL, REPEAT]].concat();
    write("dialogue", "everything_twice", &twice)?;
    write(
        "dialogue",
        "another_endpoint",
        &[&HELLO[..], &[DELIVER, 0, DELIVER, 1], &PROVE].concat(),
    )?;
    write(
        "dialogue",
        "sealed_for_good",
        &[&enrollment[..], &[DELIVER, 1, RESET], &HELLO, &[KEY, SEAL]].concat(),
    )?;
    for (name, variant) in
        [("other_key", 5), ("broken_link", 6), ("cut_off", 7), ("bad_signature", 4)]
    {
        let refused = [&HELLO[..], &[DELIVER, variant, DELIVER, 0], &PROVE, &[SEAL]].concat();
        write("dialogue", name, &refused)?;
    }
    for (name, moment) in [("before", 0), ("after", 1), ("inside", 77)] {
        for operations in [0, 1, 3, 60] {
            let disturbed = [
                &HELLO[..],
                &cut(operations, moment),
                &[KEY],
                &HELLO,
                &[KEY, 7, 0],
                &cut(operations, moment),
                &[8, 0],
                &HELLO,
                &[7, 0, 8, 0],
                &cut(operations, moment),
                &[SEAL],
                &HELLO,
                &[SEAL],
                &PROVE,
            ];
            write("dialogue", &format!("cut_{name}_{operations}"), &disturbed.concat())?;
        }
    }
    write("dialogue", "no_entropy", &[&[16, 1][..], &HELLO, &[KEY, 16, 0, KEY]].concat())?;
    write("dialogue", "noise", &[&[12][..], &counted(b"boot ok\r\n"), &enrollment].concat())
}

/// `what, time, count, that many counted strings, the rest`.
fn csr_and_chain(crypto: &Crypto) -> io::Result<()> {
    // 27,465 times 2^16 seconds: January 2027.
    let time = 27_465_u16.to_le_bytes();
    let seed = |what: u8, parts: &[&[u8]], rest: &[u8]| {
        let parts: Vec<u8> =
            parts.iter().flat_map(|part| counted(part)).chain(rest.iter().copied()).collect();
        [&[what][..], &time, &parts].concat()
    };
    let with_count = |mut seed: Vec<u8>, count: u8| {
        seed.insert(3, count);
        seed
    };
    let (csr, leaf) = (crypto.csr(), &crypto.leaf);
    let (issuer, root) = (crypto.issuer.der(), crypto.root.der());
    let (server, server_root) = (crypto.server.der(), crypto.server_root.der());
    let target = "csr_and_chain";
    write(target, "csr", &with_count(seed(0, &[], &csr), 0))?;
    write(target, "device_chain", &with_count(seed(1, &[issuer, root], leaf), 2))?;
    write(target, "server", &with_count(seed(2, &[server_root], server), 1))?;
    write(target, "server_anchor", &with_count(seed(3, &[], server_root), 0))?;
    write(target, "elements", &with_count(seed(4, &[], server), 0))?;
    let signature = crypto.key.sign_digest(&[7; 32]).expect("a signature").to_der();
    write(target, "signature", &with_count(seed(5, &[], signature.as_bytes()), 0))?;
    write(target, "stored_chain", &with_count(seed(6, &[issuer, root], leaf), 2))?;
    write(target, "all_of_it", &with_count(seed(7, &[&csr, issuer, root], leaf), 3))
}

/// `stage, rhythm of the reads, form`, then records.
fn record_filter() -> io::Result<()> {
    let records: [(&str, &[u8]); 6] = [
        ("nothing", &[]),
        ("change_cipher_spec", &[20, 1, 0, 1]),
        ("alert", &[21, 2, 0, 2, 40]),
        ("handshake", &[22, 4, 0, 20, 0, 0, 0]),
        ("encrypted", &[23, 17, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17]),
        ("empty", &[23, 0, 0]),
    ];
    for (name, records) in records {
        for stage in 0..4 {
            let seed = [&[stage][..], &counted(&[1, 0]), &[1], records].concat();
            write("record_filter", &format!("{name}_{stage}"), &seed)?;
        }
    }
    write(
        "record_filter",
        "raw",
        &[&[1][..], &counted(&[3]), &[0], &[23, 3, 3, 0x40, 0, 1, 2]].concat(),
    )
}

/// Steps by their numbers, in `src/tls_client.rs`.
fn tls_client() -> io::Result<()> {
    let whole = counted(&[]);
    let rhythm = counted(&[1, 5, 0]);
    let honest = [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 0];
    write("tls_client", "honest", &[&whole[..], &honest].concat())?;
    write("tls_client", "honest_in_pieces", &[&rhythm[..], &honest].concat())?;
    for (name, steps) in [
        ("without_certificate", &[0, 2, 3, 5, 6, 8, 9][..]),
        ("without_signature", &[0, 2, 3, 4, 6, 8, 9]),
        ("swapped", &[0, 2, 3, 5, 4, 6, 8, 9]),
        ("wrong_finished", &[0, 2, 3, 4, 5, 7, 8, 9]),
        ("together", &[0, 15, 5, 2, 3, 4, 5, 6, 8, 9]),
        ("split_certificate", &[0, 2, 3, 16, 4, 5, 6]),
        ("mutated_certificate", &[0, 2, 3, 17, 2, 40, 0, 1, 5, 6]),
        ("mutated_signature", &[0, 2, 3, 4, 17, 3, 20, 0, 1, 6]),
        ("mutated_extensions", &[0, 17, 0, 5, 0, 1, 3, 4, 5, 6]),
        ("cut_certificate", &[0, 2, 3, 18, 2, 40, 0]),
        ("ticket", &[0, 2, 3, 4, 5, 6, 8, 12, 8, 0, 4, 0, 0, 3, 1, 2, 3, 22, 9]),
        ("key_update", &[0, 2, 3, 4, 5, 6, 8, 12, 6, 0, 24, 0, 0, 1, 0, 22]),
        ("empty_data", &[0, 2, 3, 4, 5, 6, 8, 11, 0, 0, 11, 0, 0, 9]),
        ("zeros", &[0, 2, 3, 4, 5, 6, 8, 12, 3, 0, 0, 0, 0]),
        ("tampered", &[0, 2, 3, 4, 5, 6, 8, 13, 5]),
        ("alert", &[0, 2, 3, 4, 5, 6, 8, 10, 48]),
        ("hello_twice", &[0, 0, 2, 3, 4, 5, 6]),
        ("hang_up", &[0, 2, 3, 19]),
        ("own_message", &[0, 2, 9, 4, 0, 13, 0, 0, 0, 4, 5, 6]),
    ] {
        write("tls_client", name, &[&whole[..], steps].concat())?;
    }
    Ok(())
}

/// After its length, in two bytes, the low one first.
fn counted(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u16).to_le_bytes()[..], bytes].concat()
}

fn encoded(message: &impl Encodable) -> Vec<u8> {
    let mut out = vec![0; 4096];
    let len = message.encode_into(&mut out).expect("room for four certificates");
    out.truncate(len);
    out
}

fn write(target: &str, name: &str, seed: &[u8]) -> io::Result<()> {
    let directory = here().join("../seeds").join(target);
    fs::create_dir_all(&directory)?;
    fs::write(directory.join(name), seed)
}

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// The certificates are for good: 2020 to 2049.
const FROM: u64 = 1_577_836_800;
const TO: u64 = 2_493_072_000;
