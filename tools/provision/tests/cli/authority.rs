//! CAs of every kind: made, taken over from openssl, put in the place of another.

use std::fs;

use provision_testkit::impostor::Trick;

use crate::station::{Station, device, events};
use crate::tools::{openssl, tool};

/// A client's certificate from the CA in `ca`, accepted by openssl and gnutls with the bundle that
/// servers get.
fn check_signs_clients(station: &Station, name: &str) {
    check_signs_clients_with(station, name, &["-x509_strict"]);
}

fn check_signs_clients_with(station: &Station, name: &str, strictness: &[&str]) {
    let out = format!("client-{name}");
    let made =
        station.run(&["client-cert", "--name", name, "--insecure-plaintext-key", "--out", &out]);
    assert_eq!(made.code, 0, "{made:?}");
    let leaf = format!("{out}/client.crt");
    let purpose = ["-purpose", "sslclient", "-CAfile", "ca/device-ca-bundle.crt", &leaf];
    openssl(station.path(), &[&["verify"], strictness, &purpose].concat());
    let (content, said) = tool(
        station.path(),
        "certtool",
        &["--verify", "--infile", &leaf, "--load-ca-certificate", "ca/device-ca-bundle.crt"],
    );
    assert!(content, "{said}");
    let ours = ["verify", &leaf, "--trusted", "ca/device-ca-bundle.crt", "--purpose", "client"];
    assert_eq!(station.run(&ours).code, 0);
    let server = station.run(&[&ours[..4], &["--purpose", "server"]].concat());
    assert_eq!(server.code, 18, "{server:?}");
}

#[test]
fn a_ca_of_every_kind_of_key_with_a_subject_as_openssl_writes_it() {
    for kind in ["p256", "p384", "rsa2048"] {
        let station = Station::bare();
        let subject = "/C=CN/ST=Guangdong/L=Shenzhen/O=Acme\\/Sons/OU=Line 1/CN=Acme";
        let init = ["ca", "init", "--subject", subject, "--key-type", kind, "--days", "3600"];
        let made = station.run(&[&init[..], &["--insecure-plaintext-keys"]].concat());
        assert_eq!(made.code, 0, "{made:?}");
        assert_eq!(made.stderr.contains("P-256 alone"), kind != "p256", "{made:?}");
        let show =
            ["x509", "-in", "ca/device-root.crt", "-noout", "-subject", "-nameopt", "compat"];
        let said = openssl(station.path(), &show);
        let expected =
            "/C=CN/ST=Guangdong/L=Shenzhen/O=Acme\\/Sons/OU=Line 1/CN=Acme Device Root CA";
        assert!(said.contains(expected), "{said}");
        check_signs_clients(&station, "alice");
        let shown = events(&station.run(&["--json", "ca", "show"]));
        assert_eq!(shown.len(), 3);
        assert_eq!(shown[1]["role"], "device-issuing");
        assert_eq!(shown[1]["key"], "in the clear");
    }
}

/// The script that people have: one self-signed CA of RSA-4096, with what openssl puts in it.
#[test]
fn a_ca_of_openssl_with_rsa_4096_signs_here() {
    let station = Station::bare();
    let dir = station.path();
    fs::write(dir.join("pass"), "their passphrase\n").unwrap();
    openssl(
        dir,
        &["genrsa", "-aes256", "-traditional", "-passout", "file:pass", "-out", "t.key", "4096"],
    );
    openssl(dir, &["rsa", "-in", "t.key", "-passin", "file:pass", "-out", "plain.key"]);
    openssl(
        dir,
        &[
            "rsa",
            "-in",
            "t.key",
            "-passin",
            "file:pass",
            "-aes128",
            "-passout",
            "pass:their passphrase",
            "-out",
            "p8.key",
        ],
    );
    let subject = ["-days", "3650", "-subj", "/C=CN/O=ours/CN=ours root"];
    let request = ["req", "-x509", "-new", "-key", "plain.key", "-out", "ca.crt"];
    openssl(dir, &[&request[..], &subject].concat());

    let import = ["ca", "import", "--certificate", "ca.crt", "--insecure-plaintext-keys", "--key"];
    let wrong = station.run_with(&[&import[..], &["t.key"]].concat(), |command| {
        command.env("PROVISION_KEY_PASSPHRASE", "not theirs")
    });
    assert_eq!(wrong.code, 1, "{wrong:?}");
    assert!(wrong.stderr.contains("the passphrase does not open it"), "{wrong:?}");
    assert!(!dir.join("ca").exists());

    // Whatever the form of the key.
    for (key, place) in [("t.key", "ca-t"), ("p8.key", "ca-8"), ("plain.key", "ca")] {
        let pass: &[&str] =
            if key == "plain.key" { &[] } else { &["--key-passphrase-file", "pass"] };
        let made = station.run(&[&import[..], &[key, "--ca", place], pass].concat());
        assert_eq!(made.code, 0, "{made:?}");
        assert!(made.stderr.contains("RSA-4096, which no device can check"), "{made:?}");
    }
    // What `openssl req -x509` makes has no keyUsage, which its own strict mode refuses.
    check_signs_clients_with(&station, "bob", &[]);

    // A key that is another's, and a certificate that is no CA's.
    openssl(dir, &["genrsa", "-out", "other.key", "2048"]);
    let other = station.run(&[&import[..], &["other.key", "--ca", "x"]].concat());
    assert_eq!(other.code, 14, "{other:?}");
    assert!(other.stderr.contains("the private key is not the one it certifies"), "{other:?}");
    assert!(other.stderr.contains("ca.crt with the key other.key: "), "{other:?}");
    let leaf = ["ca", "import", "--certificate", "client-bob/client.crt", "--ca", "x"];
    let key = ["--key", "client-bob/client.key", "--insecure-plaintext-keys"];
    let leaf = station.run(&[&leaf[..], &key].concat());
    assert_eq!(leaf.code, 14, "{leaf:?}");
    assert!(leaf.stderr.contains("it is not a CA's"), "{leaf:?}");
    assert!(!dir.join("x").exists());
}

#[test]
fn a_new_issuing_ca_takes_over_and_servers_trust_both() {
    let station = Station::new();
    check_signs_clients(&station, "before");
    let old_bundle = fs::read(station.path().join("ca/device-ca-bundle.crt")).unwrap();
    let rotated = station.run(&["--json", "ca", "rotate"]);
    assert_eq!(rotated.code, 0, "{rotated:?}");
    assert_eq!(events(&rotated)[0]["cross"], serde_json::Value::Null);
    check_signs_clients(&station, "between");
    // As long as the one before it, or what the profiles promise could not be kept any more.
    let lasts = station.run(&["check-end", "ca/device-issuing.crt", "--days", "9000"]);
    assert_eq!(lasts.code, 0, "{lasts:?}");
    let again = station.run(&["--json", "ca", "rotate", "--new-root"]);
    assert_eq!(again.code, 0, "{again:?}");
    assert!(events(&again)[0]["cross"].is_string());
    check_signs_clients(&station, "after");
    let show = ["x509", "-in", "ca/device-issuing.crt", "-noout", "-subject"];
    assert!(openssl(station.path(), &show).contains("Device Issuing CA G3"));

    // With the new bundle all three are taken, with the first the first alone; and with the root
    // of before, the one after by way of the cross certificate.
    let strict = ["verify", "-x509_strict", "-CAfile"];
    let verify = |more: &[&str]| tool(station.path(), "openssl", &[&strict[..], more].concat()).0;
    for name in ["before", "between", "after"] {
        let leaf = format!("client-{name}/client.crt");
        assert!(verify(&["ca/device-ca-bundle.crt", &leaf]), "{name}");
    }
    fs::write(station.path().join("old-bundle.crt"), old_bundle).unwrap();
    let after = "client-after/client.crt";
    assert!(verify(&["old-bundle.crt", "client-before/client.crt"]));
    assert!(!verify(&["old-bundle.crt", after]));
    assert!(verify(&["old-bundle.crt", "-untrusted", "ca/device-issuing-cross.crt", after]));

    // All of them are shown.
    let shown = events(&station.run(&["--json", "ca", "show"]));
    let roles: Vec<_> = shown.iter().map(|ca| ca["role"].as_str().unwrap()).collect();
    let now = ["device-root", "device-issuing", "server-root", "device-issuing-cross"];
    assert_eq!(roles[..4], now);
    assert_eq!(roles[4..].len(), 3, "{roles:?}");
    assert!(roles[4..].iter().all(|role| role.starts_with("retired/device-")), "{roles:?}");
    assert!(shown.iter().all(|ca| ca["key"] == "in the clear"), "{shown:?}");

    // Every CA still has a CRL, the retired ones too.
    let crls = events(&station.run(&["--json", "crl"]));
    assert_eq!(crls.iter().filter(|crl| crl["event"] == "crl").count(), 6, "{crls:?}");
}

/// Cut off between the moves, a rotation is named by whoever opens the CA, and finished by the
/// next call.
#[test]
fn a_rotation_that_was_cut_off_is_finished() {
    let station = Station::new();
    let ca = station.path().join("ca");
    let rotated = station.run(&["ca", "rotate"]);
    assert_eq!(rotated.code, 0, "{rotated:?}");
    // As it was before the last move: the new certificate still in next/, the old one in place.
    fs::create_dir(ca.join("next")).unwrap();
    fs::rename(ca.join("device-issuing.crt"), ca.join("next/device-issuing.crt")).unwrap();
    let retired = fs::read_dir(ca.join("retired")).unwrap().map(|entry| entry.unwrap().path());
    let old = retired
        .into_iter()
        .find(|path| {
            path.file_name().unwrap().to_string_lossy().starts_with("device-issuing")
                && path.extension().unwrap() == "crt"
        })
        .unwrap();
    fs::hard_link(old, ca.join("device-issuing.crt")).unwrap();
    let refused = station.run(&["client-cert", "--name", "alice", "--insecure-plaintext-key"]);
    assert_eq!(refused.code, 14, "{refused:?}");
    assert!(refused.stderr.contains("was interrupted"), "{refused:?}");
    let finished = station.run(&["ca", "rotate"]);
    assert_eq!(finished.code, 0, "{finished:?}");
    assert!(finished.stdout.contains("finished the rotation"), "{finished:?}");
    check_signs_clients(&station, "alice");
}

#[test]
fn a_revoked_device_gets_nothing_any_more_and_does_not_pass() {
    for sealing in [&["--no-seal"][..], &[]] {
        let station = Station::new();
        let (port, _device) = device("sensor-0001", Trick::None);
        assert_eq!(station.enroll(&port, sealing).code, 0);
        let revoke = ["revoke", "--device", "sensor-0001", "--reason", "keyCompromise"];
        let revoked = station.run(&revoke);
        assert_eq!(revoked.code, 0, "{revoked:?}");
        let again = station.enroll(&port, sealing);
        assert_eq!(again.code, 13, "{sealing:?}: {again:?}");
        assert!(again.stderr.contains("of device sensor-0001 was revoked"), "{again:?}");
    }
}

/// No CRL that is made here would ever tell of a stranger's certificate.
#[test]
fn a_certificate_of_a_stranger_is_not_revoked_here() {
    let station = Station::new();
    let dir = station.path();
    // Of the same name, even.
    let other = ["ca", "init", "--name", "Test", "--ca", "other", "--insecure-plaintext-keys"];
    assert_eq!(station.run(&other).code, 0);
    let client = ["client-cert", "--name", "eve", "--insecure-plaintext-key", "--out", "eve"];
    assert_eq!(station.run(&[&client[..], &["--ca", "other"]].concat()).code, 0);
    for more in [&[][..], &["--dry-run"]] {
        let ran = station.run(&[&["revoke", "--certificate", "eve/client.crt"], more].concat());
        assert_eq!(ran.code, 15, "{ran:?}");
        let said = "eve/client.crt was signed by /CN=Test Device Issuing CA, which is no CA of ca";
        assert!(ran.stderr.contains(said) && ran.stderr.contains("\nhint: "), "{ran:?}");
    }
    // Where it is on record, it is.
    let there = ["revoke", "--certificate", "eve/client.crt", "--ca", "other"];
    assert_eq!(station.run(&there).code, 0);
    // So it is too with the CA's files away, and one that was never recorded with its key away.
    fs::remove_dir_all(dir.join("eve")).unwrap();
    assert_eq!(station.run(&client).code, 0);
    let unrecorded = ["ledger", "create", "--ledger", "empty.sqlite"];
    assert_eq!(station.run(&unrecorded).code, 0);
    fs::rename(dir.join("ca/device-issuing.key"), dir.join("safe.key")).unwrap();
    let revoke = ["revoke", "--certificate", "eve/client.crt", "--ledger"];
    let ran = station.run(&[&revoke[..], &["empty.sqlite"]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let ran = station.run(&[&revoke[..], &["ca/ledger.sqlite", "--ca", "nowhere"]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
}

/// What `openssl x509 -req` signs does not say by which key.
#[test]
fn a_leaf_from_before_the_import_is_revoked_though_it_names_no_key() {
    let station = Station::bare();
    let dir = station.path();
    let new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    let root = ["-keyout", "ca.key", "-out", "ca.crt", "-subj", "/CN=theirs", "-days", "900"];
    openssl(dir, &[&["req", "-x509"], &new[..], &root].concat());
    let csr = ["-keyout", "leaf.key", "-out", "leaf.csr", "-subj", "/CN=leaf"];
    openssl(dir, &[&["req"], &new[..], &csr].concat());
    fs::write(dir.join("none"), "authorityKeyIdentifier=none\n").unwrap();
    let sign = ["x509", "-req", "-in", "leaf.csr", "-CA", "ca.crt", "-CAkey", "ca.key"];
    openssl(dir, &[&sign[..], &["-out", "leaf.crt", "-extfile", "none"]].concat());
    let text = openssl(dir, &["x509", "-in", "leaf.crt", "-noout", "-text"]);
    assert!(!text.contains("Authority Key Identifier"), "{text}");
    let import = ["ca", "import", "--certificate", "ca.crt", "--key", "ca.key"];
    let ran = station.run(&[&import[..], &["--insecure-plaintext-keys"]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");

    let ran = station.run(&["revoke", "--certificate", "leaf.crt"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(station.run(&["crl"]).code, 0);
    let verify = ["verify", "leaf.crt", "--trusted", "ca.crt", "--crl", "crl/all.crl"];
    let refused = station.run(&verify);
    assert!(refused.stderr.contains("/CN=leaf: was revoked on"), "{refused:?}");
}

#[test]
fn a_lot_is_revoked_by_one_command_after_a_look() {
    let station = Station::new();
    for (device_serial, lot) in
        [("sensor-0001", "W47"), ("sensor-0002", "W47"), ("sensor-0004", "W48")]
    {
        let (port, _device) = device(device_serial, Trick::None);
        let ran = station.enroll(&port, &["--lot", lot, "--no-seal"]);
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    let revoke = ["--json", "revoke", "--lot", "W47", "--reason", "cessationOfOperation"];
    let look = station.run(&[&revoke[..], &["--dry-run"]].concat());
    assert_eq!(look.code, 0, "{look:?}");
    let look = events(&look);
    let names: Vec<_> = look[..2].iter().map(|event| event["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["sensor-0001", "sensor-0002"]);
    assert_eq!(look[2]["would_revoke"], 2);
    let crls = |station: &Station| events(&station.run(&["--json", "crl"]))[0]["revoked"].clone();
    assert_eq!(crls(&station), 0, "a look revokes nothing");

    let revoked = events(&station.run(&revoke));
    assert_eq!((&revoked[2]["certificates"], &revoked[2]["revoked_now"]), (&2.into(), &2.into()));
    assert_eq!(crls(&station), 2);
    let text =
        openssl(station.path(), &["crl", "-in", "crl/device-issuing.crl", "-noout", "-text"]);
    assert_eq!(text.matches("Cessation Of Operation").count(), 2, "{text}");
    let again = events(&station.run(&[&revoke[..], &["--dry-run"]].concat()));
    assert_eq!(again[2]["would_revoke"], 0);

    let nobody = station.run(&["revoke", "--lot", "W49"]);
    assert_eq!(nobody.code, 15, "{nobody:?}");
    assert!(nobody.stderr.contains("lot W49 is not on record"), "{nobody:?}");
    let two = station.run(&["revoke", "--lot", "W48", "--device", "sensor-0004"]);
    assert_eq!(two.code, 2, "{two:?}");
    let wrong = station.run(&["revoke", "--lot", " "]);
    assert_eq!(wrong.code, 2, "{wrong:?}");
}
