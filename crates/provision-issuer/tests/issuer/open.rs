//! Opening a CA, and what is said when that cannot be.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use provision_issuer::{
    CaFault, DocumentKind, FileIssuer, Issuer as _, KeyFileFault, KeyProtection, Lifetime,
    OpenError, Profile,
};

use crate::support::{Ca, NOW_S, accepted, accepted_stdout, approved, encrypted, openssl, request};

fn open_error(dir: &Path, protection: &KeyProtection) -> OpenError {
    FileIssuer::open(dir, protection).expect_err("should not open")
}

/// Puts another file in the place of one of the CA's.
fn replace(path: &Path, contents: &[u8]) {
    let mode = fs::metadata(path).unwrap().permissions();
    fs::remove_file(path).unwrap();
    fs::write(path, contents).unwrap();
    fs::set_permissions(path, mode).unwrap();
}

#[test]
fn the_passphrase_decides() {
    let ca = Ca::of(&request(encrypted("correct horse")));
    assert!(FileIssuer::needs_passphrase(ca.dir()).unwrap());
    let mut issuer = FileIssuer::open(ca.dir(), &encrypted("correct horse")).unwrap();
    issuer.issue(&approved("d1"), &Profile::new(Lifetime::Days(1)), NOW_S).unwrap();

    let error = open_error(ca.dir(), &encrypted("battery staple"));
    assert_eq!(
        error.to_string(),
        format!(
            "the key file {}: the passphrase does not open it",
            ca.files.device_issuing_key().display()
        )
    );
    // Whatever the padding looks like after a wrong passphrase: the answer is the same.
    let wrong = |n: u32| open_error(ca.dir(), &encrypted(&format!("wrong {n}")));
    for n in 0..4 {
        let error = wrong(n);
        assert!(
            matches!(&error, OpenError::Key(key)
                if matches!(key.fault, KeyFileFault::WrongPassphrase)),
            "{error:?}"
        );
        assert!(!format!("{error:?} {error}").contains("wrong 0"));
    }

    let error = open_error(ca.dir(), &KeyProtection::InsecurePlaintext);
    assert!(error.to_string().ends_with("it is encrypted and needs its passphrase"), "{error}");
}

#[test]
fn a_key_in_the_clear_is_not_taken_for_an_encrypted_one() {
    let ca = Ca::new();
    assert!(!FileIssuer::needs_passphrase(ca.dir()).unwrap());
    let error = open_error(ca.dir(), &encrypted("correct horse"));
    assert!(
        matches!(&error, OpenError::Key(key) if matches!(key.fault, KeyFileFault::NotEncrypted)),
        "{error:?}"
    );
}

#[test]
fn a_key_in_the_clear_that_others_may_read_is_not_used() {
    let ca = Ca::new();
    let key = ca.files.device_issuing_key();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    let error = open_error(ca.dir(), &KeyProtection::InsecurePlaintext);
    assert!(
        error.to_string().ends_with("others than its owner may read it (mode 0640)"),
        "{error}"
    );
    fs::set_permissions(&key, fs::Permissions::from_mode(0o400)).unwrap();
    FileIssuer::open(ca.dir(), &KeyProtection::InsecurePlaintext).unwrap();
}

/// What `openssl` encrypts, with its other key derivation too, opens.
#[test]
fn a_key_that_openssl_encrypted_opens() {
    let ca = Ca::new();
    let key = ca.files.device_issuing_key();
    let (from, to) = (key.to_str().unwrap().to_owned(), ca.place.path().join("new.key"));
    let to = to.to_str().unwrap();
    let pkcs8 = ["pkcs8", "-topk8", "-in", &from, "-out", to, "-passout", "pass:correct horse"];
    accepted(&openssl(pkcs8));
    replace(&key, &fs::read(to).unwrap());
    FileIssuer::open(ca.dir(), &encrypted("correct horse")).unwrap();
    assert!(matches!(open_error(ca.dir(), &encrypted("wrong")), OpenError::Key(_)));
}

#[test]
fn the_root_key_may_be_gone() {
    let ca = Ca::new();
    fs::remove_file(ca.files.device_root_key()).unwrap();
    fs::remove_file(ca.files.server_root_key()).unwrap();
    FileIssuer::open(ca.dir(), &KeyProtection::InsecurePlaintext).unwrap();
}

#[test]
fn what_is_missing_is_named() {
    let ca = Ca::new();
    let plain = KeyProtection::InsecurePlaintext;
    let place = ca.place.path();
    let error = open_error(place, &plain);
    assert_eq!(
        error.to_string(),
        format!("{} is not a CA directory: it has no device-root.crt", place.display())
    );
    assert!(FileIssuer::needs_passphrase(place).is_err());

    let key = ca.files.device_issuing_key();
    fs::remove_file(&key).unwrap();
    let error = open_error(ca.dir(), &plain).to_string();
    assert!(error.starts_with(&format!("the key file {}: cannot read", key.display())), "{error}");
    let certificate = ca.files.device_issuing_certificate();
    fs::remove_file(&certificate).unwrap();
    let error = open_error(ca.dir(), &plain).to_string();
    assert!(error.starts_with(&format!("cannot read {}", certificate.display())), "{error}");
}

#[test]
fn files_that_do_not_belong_together() {
    let plain = KeyProtection::InsecurePlaintext;
    let fault_after = |change: &dyn Fn(&Ca)| {
        let ca = Ca::new();
        change(&ca);
        match open_error(ca.dir(), &plain) {
            OpenError::Unsuitable { fault, .. } => fault,
            other => panic!("{other:?}"),
        }
    };
    let copy = |from: &Path, to: &Path| replace(to, &fs::read(from).unwrap());

    let fault =
        fault_after(&|ca| copy(&ca.files.server_root_key(), &ca.files.device_issuing_key()));
    assert!(matches!(fault, CaFault::OtherKey), "{fault:?}");
    let other = Ca::new();
    let fault = fault_after(&|ca| {
        copy(&other.files.device_root_certificate(), &ca.files.device_root_certificate());
    });
    assert!(matches!(fault, CaFault::NotSignedBy { .. }), "{fault:?}");
    let fault = fault_after(&|ca| {
        copy(&ca.files.device_issuing_certificate(), &ca.files.device_root_certificate());
    });
    assert!(matches!(fault, CaFault::NotSignedBy { .. }), "{fault:?}");
    let fault = fault_after(&|ca| replace(&ca.files.device_root_certificate(), b"rubbish"));
    assert!(matches!(fault, CaFault::Unreadable(_)), "{fault:?}");
    let fault = fault_after(&|ca| {
        copy(&ca.files.device_issuing_key(), &ca.files.device_root_certificate());
    });
    assert!(matches!(&fault, CaFault::Other { kind: DocumentKind::PrivateKey }), "{fault:?}");
}

#[test]
fn key_files_that_hold_something_else() {
    let fault_of = |contents: &[u8]| {
        let ca = Ca::new();
        replace(&ca.files.device_issuing_key(), contents);
        match open_error(ca.dir(), &KeyProtection::InsecurePlaintext) {
            OpenError::Key(error) => {
                assert_eq!(error.path, ca.files.device_issuing_key());
                error.fault
            }
            other => panic!("{other:?}"),
        }
    };
    assert!(matches!(fault_of(b"rubbish"), KeyFileFault::NotPem { at: 0, .. }));
    assert!(matches!(fault_of(b"\xff\xfe"), KeyFileFault::NotPem { at: 0, .. }));
    let made = |arguments: &[&str]| accepted_stdout(&openssl(arguments));
    let other = fault_of(&made(&["genpkey", "-algorithm", "ED25519"]));
    assert!(matches!(other, KeyFileFault::Key(_)), "{other:?}");
    let certificate = fault_of(&made(&[
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "/dev/null",
        "-batch",
    ]));
    assert!(
        matches!(&certificate, KeyFileFault::NotAKey { label } if label == "CERTIFICATE"),
        "{certificate:?}"
    );
}

/// A key of another kind, or in openssl's older form, opens; it is just not this CA's.
#[test]
fn another_key_is_named_whatever_its_form() {
    for arguments in [
        &["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"][..],
        &["ecparam", "-name", "prime256v1", "-genkey"],
        &["genrsa", "-traditional", "2048"],
    ] {
        let ca = Ca::new();
        let key = accepted_stdout(&openssl(arguments));
        replace(&ca.files.device_issuing_key(), &key);
        let error = open_error(ca.dir(), &KeyProtection::InsecurePlaintext);
        assert!(
            matches!(&error, OpenError::Unsuitable { fault: CaFault::OtherKey, .. }),
            "{arguments:?}: {error:?}"
        );
    }
}

#[test]
fn nothing_that_is_printed_shows_a_key() {
    let ca = Ca::new();
    let issuer = FileIssuer::open(ca.dir(), &KeyProtection::InsecurePlaintext).unwrap();
    let key = ca.files.device_issuing_key();
    let text = accepted(&openssl(["pkey", "-in", key.to_str().unwrap(), "-noout", "-text"]));
    let private: String = text
        .split_once("priv:")
        .unwrap()
        .1
        .split_once("pub:")
        .unwrap()
        .0
        .chars()
        .filter(char::is_ascii_hexdigit)
        .collect();
    assert_eq!(private.trim_start_matches("00").len(), 64);
    let shown = format!("{issuer:?}").to_lowercase();
    assert!(shown.contains("privatekey(p-256)"), "{shown}");
    assert!(!shown.contains(&private));
    let bytes: Vec<String> = (0..32)
        .map(|i| u8::from_str_radix(&private[2 * i..2 * i + 2], 16).unwrap().to_string())
        .collect();
    assert!(!shown.contains(&bytes[..8].join(", ")));
}
