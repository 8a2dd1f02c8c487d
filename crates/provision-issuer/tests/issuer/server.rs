//! Certificates for servers.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use provision_issuer::{
    CertificateForm, FileIssuer, HostError, HostFiles, HostIdentity, IssueError, KeyFileFault,
    KeyProtection, KeyType, Lifetime, OpenError, Profile, ServerName, SignedBy,
};
use webpki::KeyUsage;

use crate::support::{
    Ca, DAY_S, NOW_S, accepted, der_of, encrypted, openssl, openssl_verify, refused, request,
    text_of, webpki_verify,
};

struct Wanted {
    names: Vec<ServerName>,
    days: u32,
    now_s: u64,
}

fn wanted(list: &[&str]) -> Wanted {
    let names = list.iter().map(|text| text.parse().unwrap()).collect();
    Wanted { names, days: 825, now_s: NOW_S }
}

/// As the tool does it: nothing is there yet, then sign, then write.
fn issue_with(
    ca: &Ca,
    protection: &KeyProtection,
    wanted: &Wanted,
    out: &Path,
) -> Result<(HostFiles, HostIdentity), HostError> {
    HostFiles::vacant(out, "server")?;
    let (profile, values) = Profile::shipped("server").unwrap().for_server(&wanted.names)?;
    let profile = profile.with_lifetime(Lifetime::Days(wanted.days));
    let mut issuer = FileIssuer::open_for(ca.dir(), SignedBy::Server, protection).unwrap();
    let made = HostIdentity::new(&mut issuer, KeyType::P256, &profile, &values, wanted.now_s)?;
    let files =
        made.write(out, "server", CertificateForm::Pem, &KeyProtection::InsecurePlaintext)?;
    Ok((files, made))
}

fn issue(ca: &Ca, wanted: &Wanted, out: &str) -> Result<HostFiles, HostError> {
    let out = ca.place.path().join(out);
    issue_with(ca, &KeyProtection::InsecurePlaintext, wanted, &out).map(|(files, _)| files)
}

#[test]
fn it_is_a_servers_under_all_its_names() {
    let ca = Ca::new();
    let list = ["mqtt.example", "*.iot.example", "192.0.2.7", "2001:db8::7"];
    let out = ca.place.path().join("server");
    let plain = KeyProtection::InsecurePlaintext;
    let (files, made) = issue_with(&ca, &plain, &wanted(&list), &out).unwrap();
    assert_eq!(made.not_after_s, NOW_S + 825 * DAY_S);
    assert!(made.issuers.is_empty(), "the root signed it itself");

    let root = ca.files.server_root_certificate();
    accepted(&openssl_verify(&root, None, &files.certificate, "sslserver", NOW_S));
    let said = refused(&openssl_verify(&root, None, &files.certificate, "sslclient", NOW_S));
    assert!(said.contains("unsuitable certificate purpose"), "{said}");
    let bundle = ca.files.device_ca_bundle();
    refused(&openssl_verify(&bundle, None, &files.certificate, "sslserver", NOW_S));

    let der = der_of(&files.certificate);
    let anchor = der_of(&root);
    assert_eq!(webpki_verify(&anchor, &[], &der, KeyUsage::server_auth(), NOW_S), Ok(()));
    assert!(webpki_verify(&anchor, &[], &der, KeyUsage::client_auth(), NOW_S).is_err());

    let text = text_of(&ca, &der);
    for expected in [
        "Subject: CN = mqtt.example\n",
        "X509v3 Basic Constraints: critical\n                CA:FALSE\n",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "X509v3 Extended Key Usage: \n                TLS Web Server Authentication\n",
        "X509v3 Subject Alternative Name: \n                DNS:mqtt.example, \
         DNS:*.iot.example, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:7\n",
    ] {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }

    let certificate = files.certificate.to_str().unwrap();
    let host =
        |name| accepted(&openssl(["x509", "-noout", "-in", certificate, "-checkhost", name]));
    assert!(host("mqtt.example").contains("does match"));
    assert!(host("a.iot.example").contains("does match"));
    assert!(host("example").contains("does NOT match"));
    let address =
        |address| accepted(&openssl(["x509", "-noout", "-in", certificate, "-checkip", address]));
    assert!(address("192.0.2.7").contains("does match"));
    assert!(address("2001:db8::7").contains("does match"));
    assert!(address("192.0.2.8").contains("does NOT match"));
}

#[test]
fn the_key_is_its_own_in_the_clear_and_for_its_owner_only() {
    let ca = Ca::of(&request(encrypted("correct horse")));
    assert!(FileIssuer::needs_passphrase_for(ca.dir(), SignedBy::Server).unwrap());
    let out = ca.place.path().join("server");
    let wanted = wanted(&["a.example"]);
    let protection = encrypted("correct horse");
    let (files, _) = issue_with(&ca, &protection, &wanted, &out).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode(&files.key), mode(&files.certificate), mode(&out)), (0o600, 0o444, 0o700));
    let (key, certificate) = (files.key.to_str().unwrap(), files.certificate.to_str().unwrap());
    let public = accepted(&openssl(["pkey", "-in", key, "-passin", "pass:", "-pubout"]));
    assert_eq!(accepted(&openssl(["x509", "-in", certificate, "-noout", "-pubkey"])), public);

    // The passphrase is the CA's, and it decides.
    let error = FileIssuer::open_for(ca.dir(), SignedBy::Server, &encrypted("wrong"));
    assert!(
        matches!(&error, Err(OpenError::Key(error))
            if matches!(error.fault, KeyFileFault::WrongPassphrase)),
        "{error:?}"
    );
}

#[test]
fn what_is_there_is_never_touched() {
    let ca = Ca::new();
    let files = issue(&ca, &wanted(&["a.example"]), "server").unwrap();
    let before = (fs::read(&files.key).unwrap(), fs::read(&files.certificate).unwrap());
    let taken = |expected: &PathBuf| {
        let error = issue(&ca, &wanted(&["b.example"]), "server");
        assert!(
            matches!(&error, Err(HostError::AlreadyExists { path }) if path == expected),
            "{error:?}"
        );
    };
    taken(&files.certificate);
    assert_eq!((fs::read(&files.key).unwrap(), fs::read(&files.certificate).unwrap()), before);
    // One of the two is enough.
    fs::remove_file(&files.certificate).unwrap();
    taken(&files.key);
    assert_eq!(fs::read(&files.key).unwrap(), before.0);
    assert!(!files.certificate.exists());
    // A directory with other files in it is as good as a new one.
    fs::remove_file(&files.key).unwrap();
    fs::write(files.key.with_file_name("nginx.conf"), "#").unwrap();
    issue(&ca, &wanted(&["a.example"]), "server").unwrap();
}

/// A common name holds 64 characters, a host name up to 253.
#[test]
fn a_long_name_stands_in_the_alternative_names_alone() {
    let ca = Ca::new();
    let long = format!("{}.{}.example", "a".repeat(60), "b".repeat(60));
    let files = issue(&ca, &wanted(&[&long]), "server").unwrap();
    let root = ca.files.server_root_certificate();
    accepted(&openssl_verify(&root, None, &files.certificate, "sslserver", NOW_S));
    let der = der_of(&files.certificate);
    let text = text_of(&ca, &der);
    assert!(text.contains("Subject: \n"), "{text}");
    assert!(text.contains("Subject Alternative Name: critical"), "{text}");
    let anchor = der_of(&root);
    assert_eq!(webpki_verify(&anchor, &[], &der, KeyUsage::server_auth(), NOW_S), Ok(()));
}

#[test]
fn what_cannot_be_leaves_nothing_behind() {
    let ca = Ca::new();
    let refused = |request: &Wanted| {
        let error = issue(&ca, request, "server").unwrap_err();
        assert!(!ca.place.path().join("server").exists());
        error
    };
    let no_name = refused(&wanted(&[]));
    assert!(matches!(no_name, HostError::NoName), "{no_name:?}");
    let long = refused(&Wanted { days: 10_958, ..wanted(&["a.example"]) });
    assert!(
        matches!(
            long,
            HostError::Issue(IssueError::OutlivesIssuer { not_after_s, issuer_not_after_s })
                if not_after_s == issuer_not_after_s + DAY_S
        ),
        "{long:?}"
    );
    let never = refused(&Wanted { days: 0, ..wanted(&["a.example"]) });
    assert!(matches!(never, HostError::Issue(IssueError::Validity(_))), "{never:?}");
    let late = Wanted { now_s: NOW_S + 10_957 * DAY_S + 1, ..wanted(&["a.example"]) };
    let late = refused(&late);
    assert!(matches!(late, HostError::Issue(IssueError::IssuerNotValid { .. })), "{late:?}");
}

#[test]
fn a_directory_without_a_ca_is_named() {
    let place = tempfile::tempdir().unwrap();
    let plain = KeyProtection::InsecurePlaintext;
    let error = FileIssuer::open_for(place.path(), SignedBy::Server, &plain).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("{} is not a CA directory: it has no server-root.crt", place.path().display())
    );
}
