//! Keys and PKCS#12: every form of them opens here and in openssl, and none is overwritten, shown
//! or left for others to read.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::station::Station;
use crate::tools::{openssl, tool};

#[test]
fn keys_made_encrypted_decrypted_and_read_by_openssl() {
    let station = Station::bare();
    let dir = station.path();
    fs::write(dir.join("pass"), "a passphrase\n").unwrap();
    for kind in ["p256", "p384", "rsa2048"] {
        let file = |suffix: &str| format!("{kind}{suffix}");
        let (plain, sealed, again) = (file(".key"), file(".enc"), file(".dec"));
        let make = ["key", "make", "--key-type", kind, "--insecure-plaintext-key", "--out"];
        assert_eq!(station.run(&[&make[..], &[&plain]].concat()).code, 0);
        let mode = fs::metadata(dir.join(&plain)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{kind}");
        let encrypt = ["key", "encrypt", &plain, "--new-passphrase-file", "pass", "--out", &sealed];
        assert_eq!(station.run(&encrypt).code, 0);
        assert!(fs::read_to_string(dir.join(&sealed)).unwrap().contains("ENCRYPTED PRIVATE KEY"));
        let decrypt = ["key", "decrypt", &sealed, "--key-passphrase-file", "pass", "--out", &again];
        assert_eq!(station.run(&decrypt).code, 0);
        let public = station.run(&["key", "public", &plain]).stdout;
        assert_eq!(public, openssl(dir, &["pkey", "-in", &plain, "-pubout"]));
        let theirs = ["pkey", "-in", &sealed, "-passin", "file:pass", "-pubout"];
        assert_eq!(public, openssl(dir, &theirs));
        assert_eq!(public, station.run(&["key", "public", &again]).stdout);
        // Never over another.
        let over = station.run(&[&make[..], &[&plain]].concat());
        assert_eq!(over.code, 1, "{over:?}");
        assert!(over.stderr.contains("nothing that is there is overwritten"), "{over:?}");
    }
    // Forms that openssl writes, or wrote.
    openssl(dir, &["ec", "-in", "p256.key", "-out", "sec1.key"]);
    openssl(
        dir,
        &["ec", "-in", "p256.key", "-aes256", "-passout", "file:pass", "-out", "sec1.enc"],
    );
    openssl(dir, &["rsa", "-in", "rsa2048.key", "-traditional", "-out", "pkcs1.key"]);
    let old = ["-traditional", "-des3", "-passout", "file:pass", "-out", "pkcs1.enc"];
    openssl(dir, &[&["rsa", "-in", "rsa2048.key"], &old[..]].concat());
    let v2 = ["pkcs8", "-topk8", "-v2", "des3", "-v2prf", "hmacWithSHA1", "-passout", "file:pass"];
    openssl(dir, &[&v2[..], &["-in", "p384.key", "-out", "v2.enc"]].concat());
    for (file, same) in [
        ("sec1.key", "p256.key"),
        ("sec1.enc", "p256.key"),
        ("pkcs1.key", "rsa2048.key"),
        ("pkcs1.enc", "rsa2048.key"),
        ("v2.enc", "p384.key"),
    ] {
        let sealed = ["--key-passphrase-file", "pass"];
        let pass: &[&str] = if file.ends_with("enc") { &sealed } else { &[] };
        let matched = station.run(&[&["match", file, same], pass].concat());
        assert_eq!(matched.code, 0, "{file}: {matched:?}");
        if file.ends_with("enc") {
            fs::write(dir.join("wrong"), "another\n").unwrap();
            let wrong = station.run(&["match", file, same, "--key-passphrase-file", "wrong"]);
            assert_eq!(wrong.code, 1, "{file}: {wrong:?}");
            assert!(wrong.stderr.contains("does not open it"), "{file}: {wrong:?}");
        }
    }
    let other = station.run(&["match", "p256.key", "p384.key"]);
    assert_eq!(other.code, 18, "{other:?}");
    let json = station.run(&["--json", "key", "make", "--insecure-plaintext-key"]);
    assert_eq!(json.code, 2, "no key goes into JSON: {json:?}");
    assert!(!json.stdout.contains("PRIVATE"), "{json:?}");
}

#[test]
fn pkcs12_opens_in_openssl_and_java_and_theirs_opens_here() {
    let station = Station::with_client();
    let dir = station.path();
    fs::write(dir.join("pass"), "p12 password\n").unwrap();
    let make = ["p12", "make", "--certificate", "client/client.crt", "--chain"];
    let rest = ["ca/device-ca-bundle.crt", "--new-passphrase-file", "pass", "--name", "alice"];
    let make = [&make[..], &rest].concat();
    for (strength, out, more) in
        [("current", "new.p12", &[][..]), ("legacy", "old.p12", &["--legacy"])]
    {
        let key = ["--key", "client/client.key", "--out", out];
        let made = station.run(&[&make[..], &key, more].concat());
        assert_eq!(made.code, 0, "{strength}: {made:?}");
        let mut theirs = vec!["pkcs12", "-in", out, "-passin", "file:pass", "-nodes", "-info"];
        if strength == "legacy" {
            theirs.push("-legacy");
        }
        let text = openssl(dir, &theirs);
        assert!(text.contains("friendlyName: alice"), "{text}");
        assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 3, "{text}");
        let opened = format!("opened-{strength}");
        let open = ["p12", "open", out, "--key-passphrase-file", "pass", "--out", &opened];
        let ran = station.run(&[&open[..], &["--insecure-plaintext-key"]].concat());
        assert_eq!(ran.code, 0, "{ran:?}");
        let key = format!("{opened}/alice.key");
        assert_eq!(station.run(&["match", &key, "client/client.crt"]).code, 0);
    }
    let list = ["-list", "-v", "-storetype", "PKCS12", "-keystore", "new.p12"];
    let (content, text) =
        tool(dir, "keytool", &[&list[..], &["-storepass", "p12 password"]].concat());
    assert!(content, "{text}");
    assert!(text.contains("PrivateKeyEntry") && text.contains("chain length: 3"), "{text}");
    // Theirs.
    let export = ["pkcs12", "-export", "-inkey", "client/client.key", "-in", "client/client.crt"];
    openssl(dir, &[&export[..], &["-passout", "file:pass", "-out", "theirs.p12"]].concat());
    let open = ["p12", "open", "theirs.p12", "--key-passphrase-file", "pass", "--out", "theirs"];
    let ran = station.run(&[&open[..], &["--insecure-plaintext-key"]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");

    fs::write(dir.join("wrong"), "another\n").unwrap();
    let wrong =
        station.run(&["p12", "open", "new.p12", "--key-passphrase-file", "wrong", "--out", "w"]);
    assert_eq!(wrong.code, 1, "{wrong:?}");
    assert!(wrong.stderr.contains("the password does not open it"), "{wrong:?}");
    let other = ["--key", "ca/server-root.key", "--out", "x.p12"];
    let other = station.run(&[&make[..], &other].concat());
    assert!(other.stderr.contains("the key is not the one"), "{other:?}");
}

#[test]
fn groups_for_diffie_hellman_are_what_openssl_knows() {
    let station = Station::bare();
    for bits in ["2048", "3072", "4096"] {
        let made = station.run(&["dhparam", "--bits", bits, "--out", bits]);
        assert_eq!(made.code, 0, "{made:?}");
        let group = format!("group:ffdhe{bits}");
        let theirs = ["genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", &group];
        let theirs = openssl(station.path(), &[&theirs[..], &["-outform", "PEM"]].concat());
        let ours = fs::read_to_string(station.path().join(bits)).unwrap();
        let text = |pem: &str| pem.lines().collect::<String>();
        let prime =
            |file: &str| openssl(station.path(), &["dhparam", "-in", file, "-noout", "-text"]);
        fs::write(station.path().join("theirs"), &theirs).unwrap();
        assert_eq!(prime(bits), prime("theirs"), "{}", text(&ours));
    }
    assert_eq!(station.run(&["dhparam", "--bits", "1024"]).code, 2);
}

/// A dash is missing, and what looks like a label is the key.
#[test]
fn a_key_behind_a_broken_line_is_shown_nowhere() {
    let station = Station::with_client();
    let dir = station.path();
    let good = fs::read_to_string(dir.join("client/client.key")).unwrap();
    let secret = &good.lines().nth(1).unwrap()[8..24];
    fs::write(dir.join("k"), good.replace("KEY-----\nM", "KEY----\nM")).unwrap();
    for command in [
        "key public k",
        "inspect k",
        "match k client/client.crt",
        "convert k",
        "csr --key k --subject /CN=x",
        "verify k --trusted ca/device-root.crt",
        "ca import --certificate ca/device-root.crt --key k --insecure-plaintext-keys --ca new",
        "doctor localhost:1 --cert client/client.crt --key k",
        "config nginx --certificate client/client.crt --key k --out new",
        "client-cert --name x --profile k --insecure-plaintext-key --out new",
    ] {
        for json in [&[][..], &["--json"]] {
            let words: Vec<&str> = command.split(' ').collect();
            let ran = station.run(&[json, &words].concat());
            assert!(ran.code > 0, "{command}: {ran:?}");
            let said = ran.stdout + &ran.stderr;
            assert!(!said.contains(secret), "{command}: {said}");
            if !command.contains("--profile") {
                assert!(said.contains("BEGIN line at byte 0 is broken"), "{command}: {said}");
            }
        }
    }
    fs::copy(dir.join("k"), dir.join("ca/device-issuing.key")).unwrap();
    let crl = station.run(&["--json", "crl"]);
    assert!(crl.stdout.contains("device-issuing.key") && !crl.stdout.contains(secret), "{crl:?}");
}

/// Behind a certificate a key would be taken for something public; in front of one it would be all
/// that is left.
#[test]
fn a_key_is_converted_from_a_file_of_its_own() {
    let station = Station::with_client();
    let dir = station.path();
    let read = |file: &str| fs::read_to_string(dir.join(file)).unwrap();
    let (certificate, key) = (read("client/client.crt"), read("client/client.key"));
    let secret = &key.lines().nth(1).unwrap()[8..24];
    for (file, contents) in [
        ("ck.pem", format!("{certificate}{key}")),
        ("kc.pem", format!("{key}{certificate}")),
        ("kk.pem", format!("{key}{key}")),
    ] {
        fs::write(dir.join(file), contents).unwrap();
        for more in [&[][..], &["--out", "new"], &["--outform", "der", "--out", "new"], &["--json"]]
        {
            let ran = station.run(&[&["convert", file], more].concat());
            assert_eq!(ran.code, 1, "{file}: {ran:?}");
            let said = ran.stdout + &ran.stderr;
            assert!(said.contains(file) && said.contains("private key"), "{file}: {said}");
            assert!(!said.contains(secret), "{file}: {said}");
            assert!(!dir.join("new").exists(), "{file}");
        }
    }
    // The curve that `openssl ecparam -genkey` puts first is no document.
    let name = ["ecparam", "-name", "prime256v1", "-genkey", "-out", "curve.key"];
    openssl(dir, &name);
    assert!(read("curve.key").contains("EC PARAMETERS"));
    assert_eq!(station.run(&["convert", "curve.key", "--out", "alone.key"]).code, 0);
}

#[test]
fn pkcs12_without_a_password_is_opened_without_asking() {
    let station = Station::with_client();
    let dir = station.path();
    let export = ["pkcs12", "-export", "-inkey", "client/client.key", "-in", "client/client.crt"];
    openssl(dir, &[&export[..], &["-passout", "pass:", "-out", "empty.p12"]].concat());
    openssl(dir, &[&export[..], &["-passout", "pass:x", "-out", "x.p12"]].concat());
    let open = ["p12", "open", "empty.p12", "--insecure-plaintext-key", "--out", "opened"];
    let ran = station.run(&open);
    assert_eq!(ran.code, 0, "{ran:?}");
    let looked = station.run(&["inspect", "empty.p12"]);
    assert!(looked.stdout.contains("/CN=alice"), "{looked:?}");

    // Where nothing says whether a password is right, one that is given is tried all the same.
    let nomac = ["-passout", "pass:x", "-nomac", "-out", "nomac.p12"];
    openssl(dir, &[&export[..], &nomac].concat());
    let looked = station.run_with(&["inspect", "nomac.p12"], |command| {
        command.env("PROVISION_KEY_PASSPHRASE", "x")
    });
    assert!(looked.stdout.contains("/CN=alice"), "{looked:?}");

    // One that has a password is opened by the environment too, as the help says.
    let inspect = |value: &str| {
        station.run_with(&["inspect", "x.p12"], |command| {
            command.env("PROVISION_KEY_PASSPHRASE", value)
        })
    };
    let looked = inspect("x");
    assert!(looked.stdout.contains("/CN=alice"), "{looked:?}");
    let wrong = inspect("y");
    assert!(wrong.stderr.contains("the password does not open it"), "{wrong:?}");
    let shut = station.run(&["inspect", "x.p12"]);
    assert!(shut.code == 0 && !shut.stdout.contains("alice"), "{shut:?}");
    let sealed = ["key", "encrypt", "client/client.key", "--out", "sealed.key"];
    let sealed =
        station.run_with(&sealed, |command| command.env("PROVISION_NEW_KEY_PASSPHRASE", "x"));
    assert_eq!(sealed.code, 0, "{sealed:?}");
    let looked = station.run_with(&["inspect", "sealed.key"], |command| {
        command.env("PROVISION_KEY_PASSPHRASE", "x")
    });
    assert!(looked.stdout.contains("public_key: P-256"), "{looked:?}");
}

#[test]
fn a_passphrase_that_is_none_is_named_by_where_it_is_from() {
    let station = Station::bare();
    fs::write(station.path().join("blank"), "\n").unwrap();
    let make = ["key", "make", "--out", "k"];
    let ran = station.run(&[&make[..], &["--new-passphrase-file", "blank"]].concat());
    assert!(ran.stderr.contains("blank: the passphrase is empty"), "{ran:?}");
    let ran = station.run_with(&make, |command| command.env("PROVISION_NEW_KEY_PASSPHRASE", ""));
    let said = "PROVISION_NEW_KEY_PASSPHRASE: the passphrase is empty";
    assert!(ran.stderr.contains(said), "{ran:?}");
}
