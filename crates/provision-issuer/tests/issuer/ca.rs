//! Making a CA.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Barrier;
use std::thread;

use provision_issuer::{
    CaDirectory, CaNames, CaValidity, FileIssuer, InitError, KeyProtection, NameError,
    ValidityError, init,
};
use webpki::KeyUsage;

use crate::support::{
    Ca, DAY_S, NOW_S, accepted, der_of, encrypted, openssl, openssl_verify, refused, request,
    text_of, webpki_verify,
};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn contents(dir: &Path) -> HashMap<String, Vec<u8>> {
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
        })
        .collect()
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn its_files_and_who_may_read_them() {
    let ca = Ca::new();
    let expected = [
        ("device-ca-bundle.crt", 0o444),
        ("device-issuing.crt", 0o444),
        ("device-issuing.key", 0o600),
        ("device-root.crt", 0o444),
        ("device-root.key", 0o600),
        ("server-root.crt", 0o444),
        ("server-root.key", 0o600),
    ];
    let found: Vec<(String, u32)> = names(ca.dir())
        .into_iter()
        .map(|name| (name.clone(), mode(&ca.dir().join(name))))
        .collect();
    let expected: Vec<(String, u32)> =
        expected.iter().map(|&(name, mode)| (name.to_owned(), mode)).collect();
    assert_eq!(found, expected);
    assert_eq!(mode(ca.dir()), 0o700);
    // Nothing of the making is left beside it.
    assert_eq!(names(ca.place.path()), ["ca"]);
}

#[test]
fn the_bundle_is_root_and_issuing_ca() {
    let ca = Ca::new();
    let mut both = fs::read(ca.files.device_root_certificate()).unwrap();
    both.extend(fs::read(ca.files.device_issuing_certificate()).unwrap());
    assert_eq!(fs::read(ca.files.device_ca_bundle()).unwrap(), both);
}

#[test]
fn what_its_certificates_say() {
    let ca = Ca::new();
    let text = |path: &Path| text_of(&ca, &der_of(path));

    let root = text(&ca.files.device_root_certificate());
    let issuing = text(&ca.files.device_issuing_certificate());
    let server = text(&ca.files.server_root_certificate());
    for text in [&root, &issuing, &server] {
        assert!(text.contains("Version: 3 (0x2)"), "{text}");
        assert!(text.contains("Signature Algorithm: ecdsa-with-SHA256"), "{text}");
        assert!(text.contains("ASN1 OID: prime256v1"), "{text}");
        let usage = "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign\n";
        assert!(text.contains(usage), "{text}");
        assert!(text.contains("X509v3 Basic Constraints: critical\n"), "{text}");
        assert!(text.contains("X509v3 Subject Key Identifier:"), "{text}");
        assert!(text.contains("X509v3 Authority Key Identifier:"), "{text}");
        assert!(text.contains("Not Before: Jan 15 07:00:00 2027 GMT"), "{text}");
    }
    let constraints = |length| format!("                CA:TRUE, pathlen:{length}\n");
    assert!(root.contains(&constraints(1)), "{root}");
    assert!(issuing.contains(&constraints(0)), "{issuing}");
    assert!(server.contains(&constraints(0)), "{server}");

    let purpose = "X509v3 Extended Key Usage: \n                TLS Web Client Authentication\n";
    assert!(issuing.contains(purpose), "{issuing}");
    assert!(!root.contains("Extended Key Usage"), "{root}");
    assert!(!server.contains("Extended Key Usage"), "{server}");

    let subject = |name| format!("Subject: C = DE, O = \"Acme, Inc.\", CN = {name}\n");
    assert!(root.contains(&subject("Acme Device Root CA")), "{root}");
    assert!(issuing.contains(&subject("Acme Device Issuing CA")), "{issuing}");
    assert!(server.contains(&subject("Acme Server Root CA")), "{server}");
    assert!(issuing.contains("Issuer: C = DE, O = \"Acme, Inc.\", CN = Acme Device Root CA\n"));
}

#[test]
fn its_certificates_stand_up_to_openssl() {
    let ca = Ca::new();
    let root = ca.files.device_root_certificate();
    let issuing = ca.files.device_issuing_certificate();
    let server = ca.files.server_root_certificate();
    for leaf in [&root, &issuing] {
        accepted(&openssl_verify(&root, None, leaf, "any", NOW_S));
    }
    accepted(&openssl_verify(&server, None, &server, "any", NOW_S));
    // The two trees share nothing.
    refused(&openssl_verify(&server, None, &issuing, "any", NOW_S));
}

/// Devices are certified to TLS clients, so whoever holds the issuing CA still makes no server.
#[test]
fn a_server_under_the_device_issuing_ca_is_refused_by_all() {
    let ca = Ca::new();
    let root = ca.files.device_root_certificate();
    let issuing = ca.files.device_issuing_certificate();
    let server_root = ca.files.server_root_certificate();
    let server = |name, authority: &Path, key: &Path| {
        signed_by_openssl(
            &ca,
            name,
            (authority, key),
            "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n\
             extendedKeyUsage=serverAuth\nsubjectAltName=DNS:a.example\n\
             subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n",
        )
    };
    let at_s = now_of_this_machine_s();

    let rogue = server("rogue.crt", &issuing, &ca.files.device_issuing_key());
    let said = refused(&openssl_verify(&root, Some(&issuing), &rogue, "sslserver", at_s));
    assert!(said.contains("unsuitable certificate purpose"), "{said}");
    let verdict = webpki_verify(
        &der_of(&root),
        &[der_of(&issuing)],
        &der_of(&rogue),
        KeyUsage::server_auth(),
        at_s,
    );
    assert!(matches!(verdict, Err(webpki::Error::RequiredEkuNotFoundContext(_))), "{verdict:?}");

    // The same certificate where it belongs: the refusals above are for the reason given.
    let rightful = server("rightful.crt", &server_root, &ca.files.server_root_key());
    accepted(&openssl_verify(&server_root, None, &rightful, "sslserver", at_s));
    let (anchor, leaf) = (der_of(&server_root), der_of(&rightful));
    assert_eq!(webpki_verify(&anchor, &[], &leaf, KeyUsage::server_auth(), at_s), Ok(()));
}

#[test]
fn a_ca_under_the_device_issuing_ca_certifies_nothing() {
    let ca = Ca::new();
    let root = ca.files.device_root_certificate();
    let issuing = ca.files.device_issuing_certificate();
    let sub = signed_by_openssl(
        &ca,
        "sub.crt",
        (&issuing, &ca.files.device_issuing_key()),
        "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign\n\
         subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n",
    );
    let leaf = signed_by_openssl(
        &ca,
        "leaf.crt",
        (&sub, &ca.place.path().join("sub.crt.key")),
        "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n\
         extendedKeyUsage=clientAuth\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n",
    );
    let mut between = fs::read(&issuing).unwrap();
    between.extend(fs::read(&sub).unwrap());
    let between = ca.file("between.crt", &between);
    let at_s = now_of_this_machine_s();
    let said = refused(&openssl_verify(&root, Some(&between), &leaf, "sslclient", at_s));
    assert!(said.contains("path length constraint exceeded"), "{said}");
    let verdict = webpki_verify(
        &der_of(&root),
        &[der_of(&issuing), der_of(&sub)],
        &der_of(&leaf),
        KeyUsage::client_auth(),
        at_s,
    );
    assert_eq!(verdict, Err(webpki::Error::PathLenConstraintViolated));
}

#[test]
fn its_keys_are_encrypted_and_openssl_reads_them() {
    let ca = Ca::of(&request(encrypted("correct horse")));
    let keys = [
        (ca.files.device_root_key(), ca.files.device_root_certificate()),
        (ca.files.device_issuing_key(), ca.files.device_issuing_certificate()),
        (ca.files.server_root_key(), ca.files.server_root_certificate()),
    ];
    for (key, certificate) in keys {
        let pem = fs::read_to_string(&key).unwrap();
        assert!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"), "{pem}");
        let (key, certificate) = (key.to_str().unwrap(), certificate.to_str().unwrap());
        let read = |pass: &str| {
            openssl(["pkey", "-in", key, "-passin", &format!("pass:{pass}"), "-pubout"])
        };
        let public = accepted(&openssl(["x509", "-in", certificate, "-noout", "-pubkey"]));
        assert_eq!(accepted(&read("correct horse")), public);
        refused(&read("wrong horse"));
        let shape = accepted(&openssl(["asn1parse", "-in", key]));
        for part in ["PBES2", "scrypt", "aes-256-cbc"] {
            assert!(shape.contains(part), "{shape}");
        }
    }
}

#[test]
fn keys_in_the_clear_are_so_only_when_asked_for() {
    let ca = Ca::new();
    let key = ca.files.device_issuing_key();
    let text = accepted(&openssl(["pkey", "-in", key.to_str().unwrap(), "-noout", "-text"]));
    assert!(text.contains("ASN1 OID: prime256v1"), "{text}");
}

#[test]
fn what_is_there_is_never_touched() {
    let ca = Ca::new();
    let before = contents(ca.dir());
    let again = init(ca.dir(), &request(KeyProtection::InsecurePlaintext));
    assert!(matches!(again, Err(InitError::AlreadyExists { path }) if path == ca.dir()));
    assert_eq!(contents(ca.dir()), before);

    // Any other file, too, and a file where the directory should be.
    let other = ca.place.path().join("other");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("thesis.txt"), "precious").unwrap();
    let refused = init(&other, &request(KeyProtection::InsecurePlaintext));
    assert!(matches!(refused, Err(InitError::AlreadyExists { .. })), "{refused:?}");
    let file = ca.file("file", b"precious");
    let refused = init(&file, &request(KeyProtection::InsecurePlaintext));
    assert!(matches!(refused, Err(InitError::File(_))), "{refused:?}");
    assert_eq!(fs::read(file).unwrap(), b"precious");
    assert_eq!(names(&other), ["thesis.txt"]);
}

#[test]
fn an_empty_directory_will_do() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("ca");
    fs::create_dir(&dir).unwrap();
    init(&dir, &request(KeyProtection::InsecurePlaintext)).unwrap();
    assert_eq!(names(&dir).len(), 7);
    assert_eq!(mode(&dir), 0o700);
}

#[test]
fn without_a_parent_directory_nothing_is_made() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("no/ca");
    let error = init(&dir, &request(KeyProtection::InsecurePlaintext)).unwrap_err();
    assert!(error.to_string().contains("no/.ca.new-"), "{error}");
    assert!(names(place.path()).is_empty());
}

/// Of many at the same time, one makes the CA, whole; the others find it taken when all they had
/// left to do was to move theirs into place, and leave nothing behind.
#[test]
fn all_or_nothing_when_many_want_one_place() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("ca");
    let start = Barrier::new(8);
    let results: Vec<Result<CaDirectory, InitError>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    init(&dir, &request(KeyProtection::InsecurePlaintext))
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
    for result in results {
        assert!(matches!(result, Ok(_) | Err(InitError::AlreadyExists { .. })), "{result:?}");
    }
    assert_eq!(names(place.path()), ["ca"]);
    FileIssuer::open(&dir, &KeyProtection::InsecurePlaintext).unwrap();
}

#[test]
fn spans_that_cannot_be() {
    let place = tempfile::tempdir().unwrap();
    let with = |validity: CaValidity, now_s: u64| {
        let mut request = request(KeyProtection::InsecurePlaintext);
        request.validity = validity;
        request.now_s = now_s;
        init(&place.path().join("ca"), &request).unwrap_err()
    };
    let longer = CaValidity { device_issuing_days: 10_958, ..CaValidity::default() };
    assert!(matches!(
        with(longer, NOW_S),
        InitError::OutlivesRoot { issuing_days: 10_958, root_days: 10_957 }
    ));
    let none = CaValidity { server_root_days: 0, ..CaValidity::default() };
    assert!(matches!(with(none, NOW_S), InitError::Validity(ValidityError::NoTime)));
    let late_s = 253_402_300_799 - 10_957 * DAY_S + 1;
    assert!(matches!(
        with(CaValidity::default(), late_s),
        InitError::Validity(ValidityError::BeyondYear9999 { .. })
    ));
    assert!(names(place.path()).is_empty());
}

/// The last moment X.509 can write, which stands for "no end known" (RFC 5280 section 4.1.2.5).
#[test]
fn a_ca_may_last_until_the_end_of_the_year_9999() {
    let mut request = request(KeyProtection::InsecurePlaintext);
    request.now_s = 253_402_300_799 - 10_957 * DAY_S;
    let ca = Ca::of(&request);
    let root = ca.files.device_root_certificate();
    let parsed = accepted(&openssl(["asn1parse", "-in", root.to_str().unwrap()]));
    assert!(parsed.contains("GENERALIZEDTIME   :99991231235959Z"), "{parsed}");
}

#[test]
fn names_that_are_too_long() {
    assert!(CaNames::of(&"x".repeat(46)).is_ok());
    assert_eq!(CaNames::of(&"x".repeat(47)), Err(NameError::TooLong { chars: 65, max: 64 }));
    assert_eq!(CaNames::of(""), Err(NameError::Empty));
}

/// Has `openssl` make a key and certify it under `authority`, now.
fn signed_by_openssl(
    ca: &Ca,
    name: &str,
    (authority, authority_key): (&Path, &Path),
    extensions: &str,
) -> std::path::PathBuf {
    let path = |suffix: &str| ca.place.path().join(format!("{name}{suffix}"));
    let (key, csr, certificate) = (path(".key"), path(".csr"), path(""));
    let extensions = ca.file(&format!("{name}.ext"), extensions.as_bytes());
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let curve = "ec_paramgen_curve:P-256";
    let subject = format!("/CN={name}");
    let (key, csr) = (text(&key), text(&csr));
    let request = ["req", "-new", "-newkey", "ec", "-pkeyopt", curve, "-nodes", "-batch"];
    let rest = ["-subj", &subject, "-keyout", &key, "-out", &csr];
    accepted(&openssl(request.iter().chain(&rest)));
    let (out, extensions) = (text(&certificate), text(&extensions));
    let (authority, authority_key) = (text(authority), text(authority_key));
    let sign = ["x509", "-req", "-days", "9000", "-in", &csr, "-CA", &authority];
    let rest = ["-CAkey", &authority_key, "-extfile", &extensions, "-out", &out];
    accepted(&openssl(sign.iter().chain(&rest)));
    certificate
}

/// `openssl x509` knows no other time.
fn now_of_this_machine_s() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs()
        // A CA made at NOW_S must have begun.
        .max(NOW_S)
}
