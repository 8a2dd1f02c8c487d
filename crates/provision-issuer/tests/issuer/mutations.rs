//! Thousands of mutations of good files, through everything that reads files: a value or a named error, never a panic,
//! and none that takes long.

use core::time::Duration;
use std::process::Command;
use std::time::Instant;

use provision_issuer::inspect::{certificates_in_pkcs7, facts, public_key_of};
use provision_issuer::verify::{CrlScope, Purpose, VerifyRequest, verify};
use provision_issuer::{
    CertificateRequest, KeyProtection, Passphrase, RevocationList, SealedKey, documents, pkcs12,
};
use provision_testkit::random::Random;
use tempfile::TempDir;

/// Of each file, besides every truncation of the small ones.
const MUTATIONS: usize = 1_500;

/// Far more than any takes: what is looked for are files that say how long they want to be worked at.
const AT_ONCE: Duration = Duration::from_secs(10);

/// A good file.
struct Seed {
    name: &'static str,
    bytes: Vec<u8>,
}

/// Made by openssl, as people's files are.
fn seeds(place: &TempDir) -> Vec<Seed> {
    let script = "set -e; \
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ec.key \
            -out ca.crt -days 9999 -subj /C=CN/O=Acme/CN=CA -addext keyUsage=keyCertSign,cRLSign; \
        openssl req -new -key ec.key -subj /CN=host -addext subjectAltName=DNS:h.example \
            -out host.csr -outform DER; \
        openssl x509 -in ca.crt -outform DER -out ca.der; \
        openssl ec -in ec.key -out sec1.key; \
        openssl pkcs8 -topk8 -in ec.key -passout pass:secret -iter 100 -out pbkdf2.key; \
        openssl pkcs8 -topk8 -in ec.key -passout pass:secret -scrypt -scrypt_N 16 -out scrypt.key; \
        openssl ec -in ec.key -aes128 -passout pass:secret -out traditional.key; \
        openssl pkcs12 -export -inkey ec.key -in ca.crt -passout pass:secret -iter 100 -out both.p12; \
        openssl crl2pkcs7 -nocrl -certfile ca.crt -outform DER -out chain.p7b; \
        touch index.txt; echo 01 > number; \
        printf '[ca]\\ndefault_ca=c\\n[c]\\ndatabase=index.txt\\ncrlnumber=number\\ndefault_md=sha256\\n' > c.cnf; \
        openssl ca -config c.cnf -gencrl -keyfile ec.key -cert ca.crt -crldays 9 -out ca.crl";
    let made = Command::new("sh").args(["-c", script]).current_dir(place.path()).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    [
        "ca.crt",
        "ca.der",
        "host.csr",
        "ec.key",
        "sec1.key",
        "pbkdf2.key",
        "scrypt.key",
        "traditional.key",
        "both.p12",
        "chain.p7b",
        "ca.crl",
    ]
    .map(|name| Seed { name, bytes: std::fs::read(place.path().join(name)).unwrap() })
    .into()
}

/// One or a few of: a byte changed, a bit, a piece taken out, doubled, or exchanged, the end cut off, a length that lies.
fn mutate(random: &mut Random, good: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..=random.below(3) {
        if bytes.is_empty() {
            break;
        }
        let at = random.below(bytes.len() as u64) as usize;
        let len = random.below(32) as usize;
        let end = (at + len).min(bytes.len());
        match random.below(8) {
            0 => bytes[at] = random.below(256) as u8,
            1 => bytes[at] ^= 1 << random.below(8),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
            4 => bytes.truncate(at),
            5 => bytes[at..end].fill(0xff),
            6 => bytes[at..end].reverse(),
            _ => drop(bytes.splice(at..at, [0x84, 0x7f, 0xff, 0xff, 0xff])),
        }
    }
    bytes
}

/// Everything that reads a file.
fn read(bytes: &[u8]) {
    let secret = Passphrase::new("secret".into()).unwrap();
    if let Ok(found) = documents(bytes) {
        for document in &found {
            let _ = facts(document);
            let _ = public_key_of(document);
        }
    }
    let _ = CertificateRequest::from_der(bytes.to_vec()).map(|csr| {
        let _ = (csr.prove().is_ok(), csr.common_name(), csr.key_kind(), csr.server_names());
    });
    let _ = RevocationList::from_der(bytes.to_vec()).map(|crl| {
        let _ = (crl.number(), crl.entries().count(), crl.find(&[7]));
    });
    let _ = certificates_in_pkcs7(bytes);
    let _ = pkcs12::open(bytes, &secret);
    if let Ok(key) = SealedKey::find(bytes) {
        let _ = key.open(&KeyProtection::Encrypted(secret));
        let _ = key.open(&KeyProtection::InsecurePlaintext);
    }
    let _ = verify(&VerifyRequest {
        leaf: bytes.to_vec(),
        untrusted: vec![bytes.to_vec()],
        anchors: vec![bytes.to_vec()],
        purpose: Purpose::Client,
        name: None,
        at_s: crate::support::NOW_S,
        crls: RevocationList::from_der(bytes.to_vec()).into_iter().collect(),
        crl_scope: CrlScope::All,
    });
}

fn read_at_once(what: &str, bytes: &[u8]) {
    let began = Instant::now();
    read(bytes);
    let took = began.elapsed();
    assert!(took < AT_ONCE, "{what} took {took:?}: {bytes:02x?}");
}

#[test]
fn of_every_kind_of_file() {
    let place = tempfile::tempdir().unwrap();
    for Seed { name, bytes } in seeds(&place) {
        let mut random = Random::new(4);
        for _ in 0..MUTATIONS {
            read_at_once(name, &mutate(&mut random, &bytes));
        }
        for len in 0..bytes.len().min(600) {
            read_at_once(name, &bytes[..len]);
        }
    }
}

/// A stranger's file may ask for years of work.
#[test]
fn a_pkcs12_that_wants_to_be_worked_at_for_long_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let both = seeds(&place).into_iter().find(|seed| seed.name == "both.p12").unwrap().bytes;
    let secret = Passphrase::new("secret".into()).unwrap();
    assert_eq!(pkcs12::open(&both, &secret).unwrap().keys.len(), 1);
    // The rounds of the MAC are the last that stands in it: 100, in one byte.
    assert_eq!(both[both.len() - 3..], [0x02, 0x01, 0x64]);
    for rounds in
        [&[0x02, 0x04, 0x7f, 0xff, 0xff, 0xff][..], &[0x02, 0x09, 1, 0, 0, 0, 0, 0, 0, 0, 0]]
    {
        let mut costly = both[..both.len() - 3].to_vec();
        costly.extend(rounds);
        // Two lengths count it: that of the MAC, the last sequence but one in it, and that of the whole.
        let more = rounds.len() as u8 - 3;
        let digest = both.len() - mac_len(&both);
        costly[digest + 1] += more;
        let whole = u16::from_be_bytes([both[2], both[3]]) + u16::from(more);
        costly[2..4].copy_from_slice(&whole.to_be_bytes());
        match pkcs12::open(&costly, &secret) {
            Err(pkcs12::Pkcs12Error::TooCostly { rounds }) => {
                assert!(rounds > 2_000_000, "{rounds}")
            }
            other => panic!("{other:?}"),
        }
    }
}

/// Length of the MacData at the end of a PKCS#12 file as openssl writes it, its header included.
fn mac_len(p12: &[u8]) -> usize {
    (4..120)
        .find(|len| {
            let at = p12.len() - len;
            p12[at] == 0x30 && usize::from(p12[at + 1]) == len - 2 && p12[at + 2] == 0x30
        })
        .unwrap()
}
