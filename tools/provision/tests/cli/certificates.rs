//! Certificates signed, looked at, verified, revoked; and what openssl says of each.

use std::fs;

use crate::station::{Station, events};
use crate::tools::{openssl, openssl_refuses, tool};

/// A station with a key and a CSR made by openssl.
pub(crate) fn with_csr() -> Station {
    let station = Station::new();
    let key = ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    openssl(station.path(), &[&key[..], &["-out", "host.key"]].concat());
    let csr = ["req", "-new", "-key", "host.key", "-subj", "/CN=www.example/O=wish"];
    let names = ["-addext", "subjectAltName=DNS:www.example,IP:192.0.2.9", "-out", "host.csr"];
    openssl(station.path(), &[&csr[..], &names].concat());
    station
}

fn sign(station: &Station, profile: &str, more: &[&str]) -> (i32, String) {
    let out = format!("{profile}.crt");
    let sign = ["sign", "--csr", "host.csr", "--profile", profile, "--out", &out];
    let ran = station.run(&[&sign[..], more].concat());
    (ran.code, ran.stdout + &ran.stderr)
}

#[test]
fn every_profile_makes_what_strict_validators_take() {
    let station = with_csr();
    let no_end = ["ca", "init", "--no-end", "--ca", "long", "--insecure-plaintext-keys"];
    assert_eq!(station.run(&no_end).code, 0);
    let device = ["--name", "sensor-0042"];
    let hardware = ["--set", "hardware_type=1.3.6.1.4.1.99999.1", "--ca", "long"];
    let domain = ["--set", "trust_domain=example.org"];
    for (profile, more, expected) in [
        ("device", &device[..], "Subject: CN = sensor-0042\n"),
        ("client", &device, "TLS Web Client Authentication"),
        ("server", &["--dns", "*.example.org", "--ip", "::1"], "DNS:*.example.org, IP Address:0:"),
        ("idevid", &[&device[..], &hardware].concat(), "Not After : Dec 31 23:59:59 9999 GMT"),
        ("ldevid", &device, "CN = sensor-0042 + serialNumber = sensor-0042"),
        ("spiffe", &[&device[..], &domain].concat(), "URI:spiffe://example.org/device/sensor-0042"),
        ("aws", &device, "CN = sensor-0042"),
        ("azure", &device, "CN = sensor-0042"),
    ] {
        let (code, said) = sign(&station, profile, more);
        assert_eq!(code, 0, "{profile}: {said}");
        let file = format!("{profile}.crt");
        let text = openssl(station.path(), &["x509", "-in", &file, "-noout", "-text"]);
        assert!(text.contains(expected), "{profile}: {expected} is not in {text}");
        assert!(!text.contains("wish"), "what the CSR wishes for does not count: {text}");
        let ca = if profile == "idevid" { "long" } else { "ca" };
        let (anchors, purpose) = if profile == "server" {
            (format!("{ca}/server-root.crt"), "sslserver")
        } else {
            (format!("{ca}/device-ca-bundle.crt"), "sslclient")
        };
        let strict = ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", &anchors, &file];
        openssl(station.path(), &strict);
        let gnutls = ["--verify", "--infile", &file, "--load-ca-certificate", &anchors];
        let (content, said) = tool(station.path(), "certtool", &gnutls);
        assert!(content, "{profile}: {said}");
        let ours = ["verify", &file, "--trusted", &anchors, "--purpose", &purpose[3..]];
        let ours = station.run(&ours);
        assert_eq!(ours.code, 0, "{profile}: {ours:?}");
    }
    let matched = station.run(&["match", "host.key", "host.csr", "device.crt", "idevid.crt"]);
    assert_eq!(matched.code, 0, "{matched:?}");
}

#[test]
fn what_a_profile_cannot_make_is_refused_before_the_ca_is_opened() {
    let station = with_csr();
    // Not even there: so it was not opened.
    fs::remove_file(station.path().join("ca/device-issuing.key")).unwrap();
    let refused = |profile: &str, more: &[&str], cause: &str| {
        let (code, said) = sign(&station, profile, more);
        assert!(code == 14 || code == 2, "{code} {said}");
        assert!(said.contains(cause), "no {cause} in {said}");
    };
    refused("aws", &["--name", "a.b"], "AWS IoT would not take the common name \"a.b\"");
    refused("azure", &["--name", "Big"], "Azure IoT would not take");
    refused("idevid", &["--name", "a"], "needs a value for {hardware_type}");
    refused("server", &[], "at least one name");
    refused("server", &["--dns", "a_b"], "is not a host name");
    refused("client", &[], "needs a value for {common_name}");
    refused("no-such-profile", &[], "shipped profiles are device, server");
    fs::write(station.path().join("mine.toml"), "signed_by = \"device\"\nvalid = 1\nx = 2\n")
        .unwrap();
    refused("mine.toml", &[], "line 3");
    refused("device", &["--name", "x", "--subject", "/Q=1"], "no attribute of a subject");
}

#[test]
fn a_profile_of_ones_own() {
    let station = with_csr();
    let text = "signed_by = \"device\"\n\
         subject = \"/O=Acme/OU={line}/CN={device_serial}\"\n\
         valid = 90\n\
         key_usage = [\"digitalSignature\"]\n\
         extended_key_usage = [\"clientAuth\", \"1.3.6.1.4.1.99999.7\"]\n\
         [names]\n\
         dns = [\"{device_serial}.devices.example\"]\n\
         [revocation]\n\
         crl = [\"http://pki.example/device-issuing.crl\"]\n\
         ocsp = [\"http://pki.example/ocsp\"]\n";
    fs::write(station.path().join("mine.toml"), text).unwrap();
    let sign = ["sign", "--csr", "host.csr", "--profile", "mine.toml", "--name", "s1"];
    let ran = station.run(&[&sign[..], &["--set", "line=7", "--out", "mine.crt"]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let text = openssl(station.path(), &["x509", "-in", "mine.crt", "-noout", "-text"]);
    for expected in [
        "Subject: O = Acme, OU = 7, CN = s1",
        "1.3.6.1.4.1.99999.7",
        "DNS:s1.devices.example",
        "URI:http://pki.example/device-issuing.crl",
        "OCSP - URI:http://pki.example/ocsp",
    ] {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
}

#[test]
fn a_csr_that_is_not_signed_by_its_key_is_not_signed_here() {
    let station = with_csr();
    let der = ["req", "-in", "host.csr", "-outform", "DER", "-out", "host.der"];
    openssl(station.path(), &der);
    let path = station.path().join("host.der");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.len() - 1;
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
    let ran = station.run(&["sign", "--csr", "host.der", "--profile", "client", "--name", "x"]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("the signature does not verify"), "{ran:?}");
}

/// Which certificate is at fault, and why, one row each.
#[test]
fn verify_names_the_certificate_and_the_cause() {
    let station = with_csr();
    let other = ["ca", "init", "--name", "Other", "--ca", "other", "--insecure-plaintext-keys"];
    assert_eq!(station.run(&other).code, 0);
    assert_eq!(sign(&station, "device", &["--name", "s1"]).0, 0);
    assert_eq!(sign(&station, "server", &["--dns", "a.example", "--dns", "*.b.example"]).0, 0);
    let (root, bundle) = ("ca/device-root.crt", "ca/device-ca-bundle.crt");
    let issuing = ["--untrusted", "ca/device-issuing.crt"];
    let far_s = "4000000000";
    for (file, trusted, more, cause) in [
        (
            "device.crt",
            root,
            &[][..],
            "the certificate /CN=s1: was issued by /CN=Test Device Issuing CA, whose certificate is neither trusted nor given",
        ),
        (
            "device.crt",
            "other/device-root.crt",
            &issuing,
            "its issuer /CN=Test Device Issuing CA: was issued by /CN=Test Device Root CA",
        ),
        (
            "device.crt",
            bundle,
            &["--purpose", "server"],
            "is not for a TLS server; it is for clientAuth",
        ),
        ("device.crt", bundle, &["--attime", far_s], "ended on"),
        ("device.crt", bundle, &["--attime", "1000"], "is not valid before"),
        (
            "server.crt",
            "ca/server-root.crt",
            &["--name", "c.example"],
            "is not for c.example; it is for a.example, *.b.example",
        ),
        ("server.crt", "ca/server-root.crt", &["--name", "192.0.2.1"], "is not for 192.0.2.1"),
        (
            "server.crt",
            "ca/server-root.crt",
            &["--name", "x.y.b.example"],
            "is not for x.y.b.example",
        ),
        ("ca/server-root.crt", root, &[], "is self-signed, and not trusted"),
    ] {
        let ran = station.run(&[&["verify", file, "--trusted", trusted], more].concat());
        assert_eq!(ran.code, 18, "{cause}: {ran:?}");
        assert!(ran.stderr.contains(cause), "no {cause} in {ran:?}");
        let json = station.run(&[&["--json", "verify", file, "--trusted", trusted], more].concat());
        assert_eq!(events(&json)[0]["error"], "not-believed", "{json:?}");
    }
    for (file, more, hint) in [
        ("device.crt", &[][..], "`verify` takes it with `--untrusted`"),
        ("ca/server-root.crt", &[], "`--trusted` takes it if it is to be trusted"),
        (
            "device.crt",
            &["--untrusted", "ca/device-issuing.crt", "--attime", "1000"],
            "is the clock",
        ),
        ("device.crt", &["--untrusted", "ca/device-issuing.crt", "--attime", far_s], "it stays so"),
    ] {
        let ran = station.run(&[&["verify", file, "--trusted", root], more].concat());
        let (_, next) = ran.stderr.split_once("\nhint: ").unwrap();
        assert!(next.contains(hint), "no {hint} in {ran:?}");
    }
    for (file, trusted, more) in [
        ("device.crt", root, &issuing[..]),
        ("device.crt", bundle, &["--purpose", "client"]),
        ("server.crt", "ca/server-root.crt", &["--name", "A.example", "--purpose", "server"]),
        ("server.crt", "ca/server-root.crt", &["--name", "x.b.example"]),
    ] {
        let ran = station.run(&[&["verify", file, "--trusted", trusted], more].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
    }
}

/// A CA that was signed by a leaf, one beyond its path length, and one whose name was forged.
#[test]
fn verify_does_not_take_a_leaf_for_a_ca() {
    let station = with_csr();
    assert_eq!(sign(&station, "client", &["--name", "boss"]).0, 0);
    let dir = station.path();
    openssl(dir, &["req", "-new", "-key", "host.key", "-subj", "/CN=below", "-out", "below.csr"]);
    let below = ["x509", "-req", "-in", "below.csr", "-CA", "client.crt", "-CAkey", "host.key"];
    openssl(dir, &[&below[..], &["-days", "10", "-out", "below.crt"]].concat());
    let verify = |file: &str, untrusted: &str| {
        let verify = ["verify", file, "--trusted", "ca/device-ca-bundle.crt"];
        station.run(&[&verify[..], &["--untrusted", untrusted]].concat())
    };
    let ran = verify("below.crt", "client.crt");
    assert_eq!(ran.code, 18, "{ran:?}");
    assert!(
        ran.stderr.contains("its issuer /CN=boss: signed the one below it, but is not a CA's"),
        "{ran:?}"
    );

    // The same issuer name, another key.
    let forged = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "f.key"];
    openssl(
        dir,
        &[&forged[..], &["-subj", "/CN=Test Device Issuing CA", "-out", "f.crt"]].concat(),
    );
    let issued = ["x509", "-req", "-in", "below.csr", "-CA", "f.crt", "-CAkey", "f.key"];
    openssl(dir, &[&issued[..], &["-days", "10", "-out", "g.crt"]].concat());
    let ran = verify("g.crt", "f.crt");
    assert_eq!(ran.code, 18, "{ran:?}");
}

#[test]
fn revoked_certificates_are_on_the_crl_and_every_validator_sees_it() {
    let station = with_csr();
    assert_eq!(sign(&station, "client", &["--name", "alice"]).0, 0);
    assert_eq!(sign(&station, "device", &["--name", "sensor"]).0, 0);
    let crl = |days: &str| {
        let ran = station.run(&["--json", "crl", "--days", days]);
        assert_eq!(ran.code, 0, "{ran:?}");
        events(&ran)
    };
    let empty = crl("30");
    assert_eq!((&empty[0]["number"], &empty[0]["revoked"]), (&1.into(), &0.into()));
    let serial = events(&station.run(&["--json", "inspect", "--serial", "client.crt"]));
    let serial = serial[0]["serial"].as_str().unwrap().to_owned();
    let revoke = ["--json", "revoke", "--serial", &serial, "--reason", "superseded"];
    let revoked = station.run(&revoke);
    assert_eq!(revoked.code, 0, "{revoked:?}");
    assert_eq!(events(&revoked)[0]["earlier"], false);
    let again = events(&station.run(&["--json", "revoke", "--serial", &serial]));
    assert_eq!(again[0]["reason"], "superseded", "what was said first stays: {again:?}");
    let full = crl("30");
    assert_eq!((&full[0]["number"], &full[0]["revoked"]), (&2.into(), &1.into()));

    let text =
        openssl(station.path(), &["crl", "-in", "crl/device-issuing.crl", "-noout", "-text"]);
    for expected in ["X509v3 CRL Number: \n                2", "Superseded", serial.as_str()] {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
    let signed = ["crl", "-in", "crl/device-issuing.crl", "-noout", "-CAfile"];
    let signed = openssl(station.path(), &[&signed[..], &["ca/device-ca-bundle.crt"]].concat());
    assert!(signed.contains("verify OK"), "{signed}");
    let verify = ["verify", "-crl_check_all", "-CAfile", "ca/device-ca-bundle.crt", "-CRLfile"];
    let said =
        openssl_refuses(station.path(), &[&verify[..], &["crl/all.crl", "client.crt"]].concat());
    assert!(said.contains("certificate revoked"), "{said}");
    openssl(station.path(), &[&verify[..], &["crl/all.crl", "device.crt"]].concat());

    let ours = |file: &str, more: &[&str]| {
        let verify = ["verify", file, "--trusted", "ca/device-root.crt", "--untrusted"];
        let all = ["ca/device-issuing.crt", "--crl", "crl/all.crl"];
        station.run(&[&verify[..], &all, more].concat())
    };
    let refused = ours("client.crt", &[]);
    assert_eq!(refused.code, 18, "{refused:?}");
    assert!(refused.stderr.contains("/CN=alice: was revoked on"), "{refused:?}");
    assert!(refused.stderr.contains("superseded"), "{refused:?}");
    assert_eq!(ours("device.crt", &["--crl-check-all"]).code, 0);
    let later =
        (std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
            + 31 * 86_400)
            .to_string();
    let stale = ours("device.crt", &["--attime", &later]);
    assert_eq!(stale.code, 18, "{stale:?}");
    assert!(stale.stderr.contains("the CRL of /CN=Test Device Issuing CA ended on"), "{stale:?}");
    assert!(stale.stderr.contains("hint: whoever signs it has to make a new one"), "{stale:?}");
    let none = ["verify", "device.crt", "--trusted", "ca/device-ca-bundle.crt", "--crl"];
    let none = station.run(&[&none[..], &["crl/server-root.crl"]].concat());
    assert!(none.stderr.contains("is covered by none of the CRLs"), "{none:?}");
    assert!(none.stderr.contains("hint: `--crl` takes the CRL of that CA"), "{none:?}");

    // Nobody who was never on record, but for the certificate itself.
    let unknown = station.run(&["revoke", "--serial", "0102"]);
    assert_eq!(unknown.code, 15, "{unknown:?}");
    assert!(unknown.stderr.contains("is not on record"), "{unknown:?}");
}

/// As Windows and many CAs hand over a chain. A set has no order, so the leaf may stand anywhere in it.
#[test]
fn certificates_are_read_out_of_pkcs7() {
    let station = Station::new();
    let dir = station.path();
    let client = ["client-cert", "--name", "alice", "--insecure-plaintext-key"];
    assert_eq!(station.run(&client).code, 0);
    let certificates = ["client/client.crt", "ca/device-issuing.crt", "ca/device-root.crt"];
    let chain = ["fullchain", "client/client.crt", "ca/device-issuing.crt", "ca/device-root.crt"];
    let expected = station.run(&chain).stdout;
    assert_eq!(expected.matches("BEGIN CERTIFICATE").count(), 2);
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let files = order.map(|at| ["-certfile", certificates[at]]);
        for (form, file) in [("PEM", "chain.p7b"), ("DER", "chain.p7c")] {
            let to = ["crl2pkcs7", "-nocrl", "-outform", form, "-out", file];
            openssl(dir, &[&to[..], files.as_flattened()].concat());
            let full = station.run(&["fullchain", file]);
            assert_eq!((full.code, &full.stdout), (0, &expected), "{order:?}: {full:?}");
            let verify = ["verify", "client/client.crt", "--trusted", file, "--purpose", "client"];
            assert_eq!(station.run(&verify).code, 0, "{order:?}");
        }
    }
    assert_eq!(station.run(&["crl"]).code, 0);
    openssl(dir, &["crl2pkcs7", "-in", "crl/device-issuing.crl", "-out", "none.p7b"]);
    let none = station.run(&["verify", "client/client.crt", "--trusted", "none.p7b"]);
    assert_eq!(none.code, 1, "{none:?}");
    assert!(none.stderr.contains("none.p7b: it holds a PKCS#7, no certificate"), "{none:?}");
    fs::write(dir.join("cut.p7c"), &fs::read(dir.join("chain.p7c")).unwrap()[..900]).unwrap();
    let cut = station.run(&["fullchain", "cut.p7c"]);
    assert_eq!(cut.code, 1, "{cut:?}");
    assert!(cut.stderr.contains("byte 0 a DER element of"), "{cut:?}");
}

#[test]
fn a_serial_number_is_taken_as_anybody_shows_it() {
    let station = Station::new();
    let client = ["--json", "client-cert", "--name", "alice", "--insecure-plaintext-key"];
    let serial = events(&station.run(&client))[0]["cert_serial"].as_str().unwrap().to_owned();
    let pairs: Vec<&str> = (0..serial.len()).step_by(2).map(|at| &serial[at..at + 2]).collect();
    let revoke = |text: &str| station.run(&["revoke", "--dry-run", "--serial", text]);
    for text in [
        serial.to_lowercase(),
        format!("0x{serial}"),
        format!("0X{}", serial.to_lowercase()),
        // As it is encoded where its first bit is set.
        format!("00{serial}"),
        format!("00:{}", pairs.join(":")),
    ] {
        let ran = revoke(&text);
        assert_eq!(ran.code, 0, "{text}: {ran:?}");
        assert!(ran.stdout.contains(&serial), "{text}: {ran:?}");
    }
    for text in ["", "0", "00:00", "0x", "+5", "5 ", "xyz", "\u{e9}\u{e9}", &"11".repeat(21)] {
        let ran = revoke(text);
        assert_eq!(ran.code, 2, "{text:?}: {ran:?}");
        assert!(ran.stderr.contains("is no serial number"), "{text:?}: {ran:?}");
    }
}

/// Those that are never given here are not taken for others.
#[test]
fn reasons_in_the_crls_of_others_are_named() {
    let station = Station::bare();
    let dir = station.path();
    let configuration = "[ca]\ndefault_ca = own\n[own]\ndatabase = index\ncrlnumber = number\n\
        default_md = sha256\ndefault_crl_days = 30\n";
    fs::write(dir.join("ca.cnf"), configuration).unwrap();
    fs::write(dir.join("number"), "01\n").unwrap();
    // openssl ca's own list of what it issued.
    let reasons =
        ["certificateHold", "holdInstruction,holdInstructionReject", "removeFromCRL", "superseded"];
    let lines = reasons.iter().enumerate().map(|(at, reason)| {
        format!("R\t360101000000Z\t260101000000Z,{reason}\t0{}\tunknown\t/CN=x{at}\n", at + 1)
    });
    fs::write(dir.join("index"), lines.collect::<String>()).unwrap();
    let key =
        ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key"];
    openssl(dir, &[&["req", "-x509", "-subj", "/CN=Other", "-out", "ca.crt"], &key[..]].concat());
    let leaf = ["-key", "ca.key", "-subj", "/CN=x0", "-CA", "ca.crt", "-CAkey", "ca.key"];
    let leaf = [&["req", "-x509", "-set_serial", "1", "-out", "x0.crt"], &leaf[..]].concat();
    openssl(dir, &leaf);
    let sign = ["-cert", "ca.crt", "-keyfile", "ca.key", "-out", "other.crl"];
    openssl(dir, &[&["ca", "-config", "ca.cnf", "-gencrl"], &sign[..]].concat());
    let said = station.run(&["inspect", "other.crl"]);
    for entry in
        ["01 since 2026-01-01T00:00:00Z: certificateHold", ": removeFromCRL", ": superseded"]
    {
        assert!(said.stdout.contains(entry), "no {entry:?} in {said:?}");
    }
    assert!(!said.stdout.contains("unspecified"), "{said:?}");
    let refused = station.run(&["verify", "x0.crt", "--trusted", "ca.crt", "--crl", "other.crl"]);
    assert_eq!(refused.code, 18, "{refused:?}");
    assert!(
        refused.stderr.contains("was revoked on 2026-01-01T00:00:00Z: certificateHold"),
        "{refused:?}"
    );
    // Nothing here can take it back, so nothing here holds.
    let made = station.run(&["revoke", "--serial", "01", "--reason", "certificateHold"]);
    assert_eq!(made.code, 2, "{made:?}");
}

/// A CRL that says where it is published, for certificates that say the same.
#[test]
fn a_crl_that_names_its_place_is_taken_by_every_validator() {
    let station = with_csr();
    let dir = station.path();
    let profile = "signed_by = \"device\"\nsubject = \"/CN={common_name}\"\nvalid = 90\n\
         key_usage = [\"digitalSignature\"]\nextended_key_usage = [\"clientAuth\"]\n\
         [revocation]\ncrl = [\"http://pki.example/device-issuing.crl\"]\n";
    fs::write(dir.join("mine.toml"), profile).unwrap();
    for name in ["alice", "bob"] {
        let sign = ["sign", "--csr", "host.csr", "--profile", "mine.toml", "--name", name];
        let out = format!("{name}.crt");
        let ran = station.run(&[&sign[..], &["--out", &out]].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    assert_eq!(station.run(&["revoke", "--certificate", "bob.crt"]).code, 0);
    let crl = ["crl", "--url", "http://pki.example/", "--outform"];
    assert_eq!(station.run(&[&crl[..], &["pem"]].concat()).code, 0);
    let text = openssl(dir, &["crl", "-in", "crl/device-issuing.crl", "-noout", "-text"]);
    let expected = "X509v3 Issuing Distribution Point: critical\n                Full Name:\n";
    assert!(text.contains(expected), "{text}");
    assert!(text.contains("URI:http://pki.example/device-issuing.crl"), "{text}");
    let shown = station.run(&["inspect", "crl/device-issuing.crl"]).stdout;
    let expected = "issuingDistributionPoint (critical): URI:http://pki.example/device-issuing.crl";
    assert!(shown.contains(expected), "{shown}");

    // The CA certificates name no place, so that the root's CRL does not either.
    let theirs = ["verify", "-crl_check_all", "-CAfile", "ca/device-ca-bundle.crt", "-CRLfile"];
    let theirs = [&theirs[..], &["crl/all.crl"]].concat();
    openssl(dir, &[&theirs[..], &["alice.crt"]].concat());
    let said = openssl_refuses(dir, &[&theirs[..], &["bob.crt"]].concat());
    assert!(said.contains("certificate revoked"), "{said}");
    let ours = |file: &str, crl: &str| {
        let verify = ["verify", file, "--trusted", "ca/device-ca-bundle.crt", "--crl", crl];
        station.run(&verify)
    };
    let taken = ours("alice.crt", "crl/all.crl");
    assert_eq!(taken.code, 0, "{taken:?}");
    let refused = ours("bob.crt", "crl/all.crl");
    assert!(refused.stderr.contains("/CN=bob: was revoked on"), "{refused:?}");

    // In DER, as it is to lie there.
    assert_eq!(station.run(&[&crl[..], &["der"]].concat()).code, 0);
    let der = ["crl", "-inform", "DER", "-in", "crl/device-issuing.crl", "-noout", "-crlnumber"];
    assert!(openssl(dir, &der).contains("crlNumber="), "no DER");
    assert!(fs::read_to_string(dir.join("crl/all.crl")).unwrap().contains("BEGIN X509 CRL"));
    assert_eq!(ours("alice.crt", "crl/device-issuing.crl").code, 0);
    openssl(dir, &[&theirs[..], &["alice.crt"]].concat());
}

/// RFC 5280 section 6.3.3 (b): a CRL with a place is for the certificates that name it. OpenSSL says the same of the
/// same files.
#[test]
fn a_crl_of_another_place_is_not_for_a_certificate() {
    let station = with_csr();
    let dir = station.path();
    let url = |name: &str| format!("\"http://{name}.example/device-issuing.crl\"");
    for (name, urls) in [
        ("same", url("pki")),
        ("second", format!("{}, {}", url("other"), url("pki"))),
        ("other", url("other")),
        ("none", String::new()),
    ] {
        let profile = format!(
            "signed_by = \"device\"\nsubject = \"/CN={{common_name}}\"\nvalid = 90\n\
             key_usage = [\"digitalSignature\"]\n[revocation]\ncrl = [{urls}]\n"
        );
        fs::write(dir.join("mine.toml"), profile).unwrap();
        let sign = ["sign", "--csr", "host.csr", "--profile", "mine.toml", "--name", name];
        let ran = station.run(&[&sign[..], &["--out", &format!("{name}.crt")]].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    for (out, more) in [
        ("plain", &[][..]),
        ("pki", &["--url", "http://pki.example"]),
        ("again", &["--url", "http://again.example"]),
    ] {
        assert_eq!(station.run(&[&["crl", "--out", out], more].concat()).code, 0);
    }
    for (certificate, crl, fits) in [
        ("same", "pki", true),
        ("second", "pki", true),
        ("other", "pki", false),
        ("none", "pki", false),
        ("same", "plain", true),
        ("none", "plain", true),
    ] {
        let (file, list) = (format!("{certificate}.crt"), format!("{crl}/device-issuing.crl"));
        let theirs = ["verify", "-crl_check", "-CAfile", "ca/device-ca-bundle.crt", "-CRLfile"];
        let theirs = [&theirs[..], &[&list, &file]].concat();
        let ours = ["verify", &file, "--trusted", "ca/device-ca-bundle.crt", "--crl", &list];
        let ran = station.run(&ours);
        if fits {
            openssl(dir, &theirs);
            assert_eq!(ran.code, 0, "{certificate} {crl}: {ran:?}");
        } else {
            let said = openssl_refuses(dir, &theirs);
            assert!(said.to_lowercase().contains("different crl scope"), "{said}");
            assert_eq!(ran.code, 18, "{certificate} {crl}: {ran:?}");
        }
    }

    // Each that is there is named, with the reason.
    let verify = ["verify", "other.crt", "--trusted", "ca/device-ca-bundle.crt", "--crl"];
    let lists = ["pki/device-issuing.crl", "--crl", "again/device-issuing.crl"];
    let ran = station.run(&[&verify[..], &lists].concat());
    assert_eq!(ran.code, 18, "{ran:?}");
    let names = "this one names URI:http://other.example/device-issuing.crl";
    for (number, place) in [(2, "pki"), (3, "again")] {
        let begins = format!("number {number} of ");
        let is_for = format!(
            " is for certificates that name URI:http://{place}.example/device-issuing.crl; {names}"
        );
        assert!(ran.stderr.contains(&begins) && ran.stderr.contains(&is_for), "{ran:?}");
    }
    assert!(ran.stderr.contains("\nhint: ") && ran.stderr.contains("[revocation] crl"), "{ran:?}");
    let none = ["verify", "none.crt", "--trusted", "ca/device-ca-bundle.crt", "--crl", lists[0]];
    assert!(station.run(&none).stderr.contains("this one names no place"));
    // With one that fits beside them, it is that one that counts.
    let beside = ["--crl", "plain/device-issuing.crl"];
    assert_eq!(station.run(&[&verify[..], &lists, &beside].concat()).code, 0);
    assert_eq!(station.run(&["revoke", "--certificate", "other.crt"]).code, 0);
    assert_eq!(station.run(&["crl", "--out", "plain"]).code, 0);
    let revoked = station.run(&[&verify[..], &lists, &beside].concat());
    assert!(revoked.stderr.contains("was revoked on"), "{revoked:?}");
}

/// The root's key is in a safe, and its CRL comes from there.
#[test]
fn a_crl_that_is_there_goes_into_all_of_them_only_if_it_is_the_cas() {
    let station = Station::new();
    let dir = station.path();
    let other = ["ca", "init", "--name", "Test", "--ca", "other", "--insecure-plaintext-keys"];
    assert_eq!(station.run(&other).code, 0);
    assert_eq!(station.run(&["crl", "--ca", "other", "--out", "theirs"]).code, 0);
    assert_eq!(station.run(&["crl", "--outform", "der"]).code, 0);
    fs::remove_file(dir.join("ca/device-root.key")).unwrap();
    let all = || fs::read_to_string(dir.join("crl/all.crl")).unwrap().matches("BEGIN").count();
    assert_eq!(station.run(&["crl"]).code, 0);
    assert_eq!(all(), 3, "the good one, in DER");

    let good = fs::read(dir.join("crl/device-root.crl")).unwrap();
    let broken = [&good[..good.len() - 1], &[good[good.len() - 1] ^ 1]].concat();
    for (contents, cause) in [
        (b"-----BEGIN X509 CRL-----\nMIIB\n".to_vec(), "it has no END line"),
        (broken, "its signature is not the CA's"),
        (fs::read(dir.join("theirs/device-root.crl")).unwrap(), "its signature is not the CA's"),
        (
            fs::read(dir.join("theirs/device-issuing.crl")).unwrap(),
            "it is the CRL of /CN=Test Device Issuing CA, not of /CN=Test Device Root CA",
        ),
    ] {
        fs::write(dir.join("crl/device-root.crl"), contents).unwrap();
        let ran = station.run(&["crl"]);
        assert_eq!(ran.code, 1, "{cause}: {ran:?}");
        assert!(ran.stderr.contains("crl/device-root.crl: "), "{ran:?}");
        assert!(ran.stderr.contains(cause), "no {cause} in {ran:?}");
        assert_eq!(all(), 2, "{cause}");
    }
    fs::remove_file(dir.join("crl/device-root.crl")).unwrap();
    let none = station.run(&["crl"]);
    assert_eq!(none.code, 0, "{none:?}");
    assert!(none.stderr.contains("device-root has no CRL"), "{none:?}");
}

#[test]
fn certificates_of_hosts_are_written_in_der_too() {
    let station = Station::new();
    let dir = station.path();
    let der = ["--outform", "der"];
    let server = station.run(&[&["server-cert", "--dns", "a.example"], &der[..]].concat());
    assert_eq!(server.code, 0, "{server:?}");
    let client = ["client-cert", "--name", "alice", "--insecure-plaintext-key"];
    assert_eq!(station.run(&[&client[..], &der].concat()).code, 0);
    for name in ["server", "client"] {
        let (certificate, key) = (format!("{name}/{name}.crt"), format!("{name}/{name}.key"));
        openssl(dir, &["x509", "-inform", "DER", "-in", &certificate, "-noout"]);
        assert!(fs::read_to_string(dir.join(&key)).unwrap().starts_with("-----BEGIN PRIVATE KEY"));
        assert_eq!(station.run(&["match", &certificate, &key]).code, 0);
    }
    // A chain has no room in DER.
    let chain = ["fullchain", "client/client.crt", "ca/device-ca-bundle.crt", "--out", "chain"];
    let refused = station.run(&[&chain[..], &der].concat());
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.stderr.contains("its chain has 2 certificates, and DER holds one"));
    assert!(!dir.join("chain").exists());
    assert_eq!(station.run(&chain).code, 0);
    let one = ["fullchain", "ca/device-root.crt", "ca/device-root.crt", "--out", "one"];
    let one = station.run(&[&one[..], &der].concat());
    assert_eq!(one.code, 0, "{one:?}");
}

#[test]
fn single_values_of_csrs_and_crls() {
    let station = with_csr();
    let dir = station.path();
    assert_eq!(station.run(&["crl"]).code, 0);
    let crl = |option: &str| {
        let file = ["crl", "-in", "crl/device-issuing.crl", "-noout", option];
        openssl(dir, &file)
    };
    let ours = |option: &str, file: &str| {
        let ran = station.run(&["inspect", option, file]);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.stdout.trim_end().to_owned()
    };
    let file = "crl/device-issuing.crl";
    assert_eq!(ours("--issuer", file), "/CN=Test Device Issuing CA");
    openssl(dir, &["crl", "-in", file, "-outform", "DER", "-out", "crl.der"]);
    let digest = openssl(dir, &["dgst", "-sha256", "-c", "crl.der"]);
    let digest = digest.trim().rsplit(' ').next().unwrap().to_uppercase();
    assert_eq!(ours("--fingerprint", file), digest);
    let dates = ours("--dates", file);
    assert!(dates.starts_with("thisUpdate=2") && dates.contains("\nnextUpdate=2"), "{dates}");
    let year = &dates["thisUpdate=".len()..][..4];
    assert!(crl("-lastupdate").contains(year), "{dates}");
    assert_eq!(ours("--subject", "host.csr"), "/CN=www.example/O=wish");
    for (option, file, said) in [
        ("--subject", file, "a CRL has no subject"),
        ("--serial", file, "a CRL has no serial number"),
        ("--dates", "host.csr", "a CSR has no dates"),
        ("--issuer", "host.key", "it holds no certificate, CSR or CRL"),
    ] {
        let ran = station.run(&["inspect", option, file]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.stderr.contains(said), "no {said} in {ran:?}");
    }
}

#[test]
fn single_values_are_openssls() {
    let station = with_csr();
    assert_eq!(sign(&station, "server", &["--dns", "a.example"]).0, 0);
    let dir = station.path();
    let x509 = |option: &str| openssl(dir, &["x509", "-in", "server.crt", "-noout", option]);
    let ours = |option: &str| {
        let ran = station.run(&["inspect", option, "server.crt"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        ran.stdout.trim_end().to_owned()
    };
    assert_eq!(format!("serial={}\n", ours("--serial")), x509("-serial"));
    let fingerprint =
        openssl(dir, &["x509", "-in", "server.crt", "-noout", "-fingerprint", "-sha256"]);
    assert_eq!(format!("sha256 Fingerprint={}\n", ours("--fingerprint")), fingerprint);
    assert_eq!(format!("{}\n", ours("--public-key")), x509("-pubkey"));
    let dates =
        openssl(dir, &["x509", "-in", "server.crt", "-noout", "-dates", "-dateopt", "iso_8601"]);
    assert_eq!(ours("--dates").replace('T', " "), dates.trim_end());
    assert_eq!(ours("--subject"), "/CN=a.example");

    let good = station.run(&["check-end", "server.crt", "--days", "800"]);
    assert_eq!(good.code, 0, "{good:?}");
    let ends = station.run(&["check-end", "server.crt", "--days", "830"]);
    assert_eq!(ends.code, 18, "{ends:?}");
}

#[test]
fn inspect_reads_all_that_openssl_writes() {
    let station = with_csr();
    assert_eq!(sign(&station, "server", &["--dns", "a.example"]).0, 0);
    assert_eq!(station.run(&["crl"]).code, 0);
    let dir = station.path();
    let cert = ["-certfile", "server.crt", "-certfile", "ca/server-root.crt", "-out", "c.p7b"];
    openssl(dir, &[&["crl2pkcs7", "-nocrl"], &cert[..]].concat());
    openssl(dir, &["pkey", "-in", "host.key", "-pubout", "-out", "host.pub"]);
    openssl(
        dir,
        &[
            "pkcs12",
            "-export",
            "-inkey",
            "host.key",
            "-in",
            "server.crt",
            "-passout",
            "pass:x",
            "-out",
            "h.p12",
        ],
    );
    for (file, kind, expected) in [
        ("server.crt", "certificate", "a.example"),
        ("host.csr", "CSR", "by the key in it"),
        ("crl/device-issuing.crl", "CRL", "crlNumber"),
        ("host.key", "private key", "P-256"),
        ("host.pub", "public key", "P-256"),
        ("h.p12", "PKCS#12", "encrypted"),
        ("c.p7b", "PKCS#7", "certificate 2"),
    ] {
        let text = station.run(&["inspect", file]);
        assert_eq!(text.code, 0, "{file}: {text:?}");
        assert!(text.stdout.contains(&format!("kind: {kind}")), "{text:?}");
        assert!(text.stdout.contains(expected), "{expected} is not in {text:?}");
        let json = events(&station.run(&["--json", "inspect", file]));
        assert_eq!(json[0]["kind"], kind);
        // And the same in DER, from standard input.
        if kind != "PKCS#12" {
            let der = station.run(&["convert", file, "--outform", "der", "--out", "x.der"]);
            assert_eq!(der.code, 0, "{file}: {der:?}");
            let input = fs::File::open(dir.join("x.der")).unwrap();
            let again = station.run_with(&["--json", "inspect", "-"], |command| {
                command.stdin(input.try_clone().unwrap())
            });
            assert_eq!(events(&again)[0]["kind"], kind, "{again:?}");
            fs::remove_file(dir.join("x.der")).unwrap();
        }
    }
    let chain = ["fullchain", "server.crt", "ca/server-root.crt", "--with-root"];
    let chain = station.run(&chain);
    assert_eq!(chain.stdout.matches("BEGIN CERTIFICATE").count(), 2, "{chain:?}");
}
