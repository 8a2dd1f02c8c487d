//! Thousands of mutations of good files, through everything that reads files: a value or a named error, never a panic,
//! and none that takes long.

use core::time::Duration;
use std::collections::HashSet;
use std::process::Command;
use std::time::Instant;

use provision_issuer::inspect::{certificates_in_pkcs7, facts, public_key_of};
use provision_issuer::verify::{CrlScope, Purpose, VerifyRequest, verify};
use provision_issuer::{
    CertificateRequest, KeyProtection, Passphrase, RevocationList, SealedKey, documents, pkcs12,
    read_limited,
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

/// Everything that reads a file. Returns what it had to say.
fn read(bytes: &[u8]) -> Vec<String> {
    let mut said = Vec::new();
    let secret = Passphrase::new("secret".into()).unwrap();
    match documents(bytes) {
        Ok(found) => {
            for document in &found {
                said.extend(facts(document).err());
                said.extend(public_key_of(document).err().map(|error| error.to_string()));
            }
        }
        Err(error) => said.push(error.to_string()),
    }
    said.extend(read_limited(bytes).err().map(|error| error.to_string()));
    match CertificateRequest::from_der(bytes.to_vec()) {
        Ok(csr) => {
            let _ = (csr.prove().is_ok(), csr.common_name(), csr.key_kind(), csr.server_names());
        }
        Err(error) => said.push(error.to_string()),
    }
    match RevocationList::from_der(bytes) {
        Ok(crl) => {
            let _ = (crl.number(), crl.entries().count(), crl.find(&[7]));
        }
        Err(error) => said.push(error.to_string()),
    }
    said.extend(certificates_in_pkcs7(bytes).err().map(|error| error.to_string()));
    said.extend(pkcs12::open(bytes, &secret).err().map(|error| error.to_string()));
    match SealedKey::find(bytes) {
        Ok(key) => {
            for protection in [KeyProtection::Encrypted(secret), KeyProtection::InsecurePlaintext] {
                said.extend(key.open(&protection).err().map(|error| error.to_string()));
            }
        }
        Err(error) => said.push(error.to_string()),
    }
    let crls: Vec<RevocationList> = RevocationList::from_der(bytes.into()).into_iter().collect();
    let verified = verify(&VerifyRequest {
        leaf: bytes.to_vec(),
        untrusted: vec![bytes.to_vec()],
        anchors: vec![bytes.to_vec()],
        purpose: Purpose::Client,
        name: None,
        at_s: crate::support::NOW_S,
        crls: &crls,
        crl_scope: CrlScope::All,
    });
    said.extend(verified.err().map(|error| error.to_string()));
    said
}

fn read_at_once(what: &str, bytes: &[u8], secrets: &Secrets) {
    let began = Instant::now();
    let said = read(bytes);
    let took = began.elapsed();
    assert!(took < AT_ONCE, "{what} took {took:?}: {bytes:02x?}");
    for line in said {
        assert!(!secrets.are_in(&line), "{what} is quoted: {line}");
    }
}

/// What stands in private keys, in base64: every piece of some length.
struct Secrets(HashSet<Vec<u8>>);

impl Secrets {
    /// Longer than what a label or a message has in common with base64.
    const PIECE: usize = 12;

    fn of(seeds: &[Seed]) -> Self {
        let mut pieces = HashSet::new();
        for seed in seeds.iter().filter(|seed| seed.name.ends_with(".key")) {
            let text = String::from_utf8(seed.bytes.clone()).unwrap();
            for line in text.lines().filter(|line| !line.contains(['-', ':'])) {
                pieces.extend(line.as_bytes().windows(Self::PIECE).map(<[u8]>::to_vec));
            }
        }
        assert!(pieces.len() > 500, "{}", pieces.len());
        Self(pieces)
    }

    fn are_in(&self, text: &str) -> bool {
        text.as_bytes().windows(Self::PIECE).any(|piece| self.0.contains(piece))
    }
}

#[test]
fn of_every_kind_of_file() {
    let place = tempfile::tempdir().unwrap();
    let seeds = seeds(&place);
    let secrets = Secrets::of(&seeds);
    for Seed { name, bytes } in seeds {
        let mut random = Random::new(4);
        for _ in 0..MUTATIONS {
            read_at_once(name, &mutate(&mut random, &bytes), &secrets);
        }
        for len in 0..bytes.len().min(600) {
            read_at_once(name, &bytes[..len], &secrets);
        }
    }
}

/// A dash too few, a line end too few: what follows is the key, and no error quotes it.
#[test]
fn a_key_behind_a_broken_line_is_quoted_nowhere() {
    let place = tempfile::tempdir().unwrap();
    let seeds = seeds(&place);
    let secrets = Secrets::of(&seeds);
    for Seed { name, bytes } in seeds.iter().filter(|seed| seed.name.ends_with(".key")) {
        for at in 0..bytes.len() {
            let without = [&bytes[..at], &bytes[at + 1..]].concat();
            read_at_once(name, &without, &secrets);
        }
        let text = String::from_utf8(bytes.clone()).unwrap();
        for (what, with) in
            [("KEY-----\n", "KEY----\n"), ("\n", ""), ("\n", "\r"), ("KEY-----\n", "KEY---")]
        {
            let broken = text.replace(what, with);
            read_at_once(name, broken.as_bytes(), &secrets);
            read_at_once(name, format!("{text}{broken}").as_bytes(), &secrets);
        }
    }
    let broken = b"text\n-----BEGIN PRIVATE KEY----\nMIGH\n-----END PRIVATE KEY-----\n";
    assert_eq!(documents(broken).err().unwrap().to_string(), "the BEGIN line at byte 5 is broken");
    let key = SealedKey::find(broken).err().unwrap().to_string();
    assert_eq!(key, "its BEGIN line at byte 5 is broken");
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
