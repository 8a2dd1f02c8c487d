//! Requests, as `openssl req` and the crate `x509-cert` see them.
#![expect(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::io::Write;
use std::process::{Command, Stdio};

use der::{Decode, Encode};
use provision_csr::{
    CHALLENGE_LEN, CSR_LEN_MAX, CsrError, Entropy, IdentityKey, NoEntropy, PortableKey,
    PortableP256, PublicKey, SignError, Signature, SoftwareKey, Subject, VerifyP256, write_csr,
};
use sha2_device::{Digest, Sha256};
use x509_cert::request::CertReq;

const CHALLENGE: [u8; CHALLENGE_LEN] = [
    0x00, 0x01, 0x09, 0x0a, 0x0f, 0x10, 0x7f, 0x80, 0xa5, 0xfe, 0xff, 11, 12, 13, 14, 15, 16, 17,
    18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
];
const CHALLENGE_HEX: &str = "0001090a0f107f80a5feff0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// Every combination of the optional attributes, with the name as openssl prints it.
fn subjects() -> Vec<(Subject<'static>, String)> {
    let mut all = Vec::new();
    for choice in 0..16 {
        let chosen = |bit: u8| choice & (1 << bit) != 0;
        let mut subject = Subject::new("sensor-0042").unwrap();
        let mut name = Vec::new();
        if chosen(0) {
            subject = subject.with_country("CH").unwrap();
            name.push("C=CH");
        }
        if chosen(1) {
            subject = subject.with_organization("Müller, Söhne & 語").unwrap();
            name.push("O=Müller\\, Söhne & 語");
        }
        if chosen(2) {
            subject = subject.with_organizational_unit("Line 7").unwrap();
            name.push("OU=Line 7");
        }
        name.push("CN=sensor-0042");
        if chosen(3) {
            subject = subject.with_serial_number("SN 0042/A").unwrap();
            name.push("serialNumber=SN 0042/A");
        }
        all.push((subject, name.join(",")));
    }
    all
}

#[test]
fn openssl_accepts_every_combination_of_attributes() {
    for (subject, name) in subjects() {
        let seen = openssl(&csr(&subject, &key(1)));
        assert!(seen.verified(), "{name}: {seen:?}");
        for line in [
            format!("subject={name}"),
            "        Version: 1 (0x0)".to_owned(),
            "            Public Key Algorithm: id-ecPublicKey".to_owned(),
            "                ASN1 OID: prime256v1".to_owned(),
            format!("            challengePassword        :{CHALLENGE_HEX}"),
            "    Signature Algorithm: ecdsa-with-SHA256".to_owned(),
        ] {
            assert!(seen.out.lines().any(|found| found == line), "{line:?} missing in {seen:?}");
        }
    }
}

#[test]
fn x509_cert_reads_them_and_writes_the_same_bytes() {
    for (subject, name) in subjects() {
        let key = key(2);
        let der = csr(&subject, &key);
        let request = CertReq::from_der(&der).unwrap();
        assert_eq!(request.to_der().unwrap(), der, "{name}");

        let names = 1 + [
            subject.country(),
            subject.organization(),
            subject.organizational_unit(),
            subject.serial_number(),
        ]
        .into_iter()
        .flatten()
        .count();
        assert_eq!(request.info.subject.iter_rdn().count(), names, "{name}");
        assert_eq!(
            request.info.public_key.subject_public_key.raw_bytes(),
            key.public_key().as_sec1()
        );
        let attribute = request.info.attributes.get(0).unwrap();
        assert_eq!(attribute.oid.to_string(), "1.2.840.113549.1.9.7");
        let password = attribute.values.get(0).unwrap();
        assert_eq!(password.value(), CHALLENGE_HEX.as_bytes());

        // And the verifier that the station uses accepts the signature.
        let digest = Sha256::digest(request.info.to_der().unwrap()).into();
        let signature = Signature::from_der(request.signature.raw_bytes()).unwrap();
        assert_eq!(PortableP256::verify_digest(&key.public_key(), &digest, &signature), Ok(()));
    }
}

/// Shorter and shorter numbers in signature and key, until each length field was exercised.
#[test]
fn requests_of_every_length_are_accepted() {
    for len in 1..=64 {
        let common_name = "é".repeat(len);
        let subject = Subject::new(&common_name).unwrap();
        let der = csr(&subject, &key(len as u8));
        assert_eq!(CertReq::from_der(&der).unwrap().to_der().unwrap(), der, "{len}");
        assert!(openssl(&der).verified(), "{len}");
    }
}

#[test]
fn a_changed_request_is_refused() {
    let good = csr(&Subject::new("sensor-0042").unwrap(), &key(3));
    assert!(openssl(&good).verified());
    for at in (0..good.len()).step_by(5) {
        let mut changed = good.clone();
        changed[at] ^= 0x04;
        let seen = openssl(&changed);
        assert!(!seen.verified(), "byte {at}: {seen:?}");
    }
}

#[test]
fn a_request_signed_by_another_key_is_refused() {
    struct Swapped(PortableKey, PortableKey);

    impl IdentityKey for Swapped {
        fn public_key(&self) -> PublicKey {
            self.0.public_key()
        }

        fn sign_digest(&self, sha256: &[u8; 32]) -> Result<Signature, SignError> {
            self.1.sign_digest(sha256)
        }
    }

    let subject = Subject::new("sensor-0042").unwrap();
    let mut out = [0; CSR_LEN_MAX];
    let swapped = Swapped(key(4), key(5));
    let der = write_csr(&subject, &swapped, &CHALLENGE, &mut out).unwrap();
    let seen = openssl(der.as_bytes());
    assert!(!seen.verified() && seen.err.contains("verify failure"), "{seen:?}");
}

#[test]
fn the_longest_request_has_the_length_it_says() {
    let (widest, digits) = ("🜁".repeat(64), "9".repeat(64));
    let subject = Subject::new(&widest)
        .unwrap()
        .with_organization(&widest)
        .unwrap()
        .with_organizational_unit(&widest)
        .unwrap()
        .with_country("CH")
        .unwrap()
        .with_serial_number(&digits)
        .unwrap();

    // The longest signature, whether it verifies or not.
    let mut out = [0; CSR_LEN_MAX];
    let der = write_csr(&subject, &Scribbler, &CHALLENGE, &mut out).unwrap().as_bytes();
    assert_eq!(der.len(), CSR_LEN_MAX);
    assert_eq!(CertReq::from_der(der).unwrap().to_der().unwrap(), der);

    assert!(openssl(&csr(&subject, &key(6))).verified());
}

#[test]
fn a_short_buffer_is_told_the_length_and_nothing_is_signed() {
    struct NeverAsked;

    impl IdentityKey for NeverAsked {
        fn public_key(&self) -> PublicKey {
            key(7).public_key()
        }

        fn sign_digest(&self, _: &[u8; 32]) -> Result<Signature, SignError> {
            panic!("asked to sign");
        }
    }

    for (subject, name) in subjects() {
        let needed = write_csr(&subject, &Scribbler, &CHALLENGE, &mut [0; CSR_LEN_MAX])
            .unwrap()
            .as_bytes()
            .len();
        for have in [0, 1, needed / 2, needed - 1] {
            let mut out = vec![0; have];
            let refused = write_csr(&subject, &NeverAsked, &CHALLENGE, &mut out);
            assert_eq!(refused, Err(CsrError::BufferTooSmall { needed, have }), "{name}");
        }
        assert!(write_csr(&subject, &key(7), &CHALLENGE, &mut vec![0; needed]).is_ok(), "{name}");
    }
}

#[test]
fn a_key_that_refuses_is_named() {
    struct Absent;

    impl IdentityKey for Absent {
        fn public_key(&self) -> PublicKey {
            key(8).public_key()
        }

        fn sign_digest(&self, _: &[u8; 32]) -> Result<Signature, SignError> {
            Err(SignError)
        }
    }

    let subject = Subject::new("sensor-0042").unwrap();
    let mut out = [0; CSR_LEN_MAX];
    let refused = write_csr(&subject, &Absent, &CHALLENGE, &mut out);
    assert_eq!(refused, Err(CsrError::Sign(SignError)));
}

#[test]
fn the_challenge_is_part_of_what_is_signed() {
    let subject = Subject::new("sensor-0042").unwrap();
    let mut outs = [[0; CSR_LEN_MAX]; 2];
    let [first, second] = &mut outs;
    let first = write_csr(&subject, &key(9), &CHALLENGE, first).unwrap();
    let second = write_csr(&subject, &key(9), &[0xff; CHALLENGE_LEN], second).unwrap();

    let signature = |der: &[u8]| CertReq::from_der(der).unwrap().signature.raw_bytes().to_vec();
    assert_ne!(signature(first.as_bytes()), signature(second.as_bytes()));
}

fn csr(subject: &Subject<'_>, key: &PortableKey) -> Vec<u8> {
    write_csr(subject, key, &CHALLENGE, &mut [0; CSR_LEN_MAX]).unwrap().as_bytes().to_vec()
}

fn key(seed: u8) -> PortableKey {
    struct Hashed(u8, u8);

    impl Entropy for Hashed {
        fn fill(&mut self, out: &mut [u8]) -> Result<(), NoEntropy> {
            self.1 += 1;
            out.copy_from_slice(&Sha256::digest([self.0, self.1]));
            Ok(())
        }
    }

    PortableKey::generate(&mut Hashed(seed, 0)).unwrap()
}

/// Gives the longest signature there is.
struct Scribbler;

impl IdentityKey for Scribbler {
    fn public_key(&self) -> PublicKey {
        key(0).public_key()
    }

    fn sign_digest(&self, _: &[u8; 32]) -> Result<Signature, SignError> {
        Ok(Signature::from_raw([0xff; 64]))
    }
}

/// What `openssl req` prints.
#[derive(Debug)]
struct Seen {
    success: bool,
    out: String,
    err: String,
}

impl Seen {
    /// openssl 3.0 leaves with 0 although the signature is wrong; it says so in words.
    fn verified(&self) -> bool {
        self.success && self.err.contains("verify OK")
    }
}

fn openssl(der: &[u8]) -> Seen {
    let mut process = Command::new("openssl")
        .args(["req", "-inform", "DER", "-verify", "-noout", "-text", "-subject"])
        .args(["-nameopt", "RFC2253,-dn_rev,utf8,-esc_msb"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("openssl is installed");
    // It may stop reading early when it makes no sense of what it reads.
    let _ = process.stdin.take().unwrap().write_all(der);
    let output = process.wait_with_output().unwrap();
    Seen {
        success: output.status.success(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}
