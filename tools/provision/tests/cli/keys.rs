//! CA and server keys: encrypted unless asked for by name, never overwritten, never shown; and
//! what openssl says of all of it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use provision_testkit::impostor::Trick;

use crate::station::{Station, device};

const PASSPHRASE: &str = "correct horse battery";

#[test]
fn the_cas_keys_are_encrypted_unless_asked_for_by_name() {
    let station = Station::bare();
    let refused = station.run(&["ca", "init", "--name", "Acme"]);
    assert_eq!(refused.code, 14, "no terminal, no passphrase: {refused:?}");
    assert!(refused.stderr.contains("--passphrase-file"), "{refused:?}");

    fs::write(station.path().join("pass"), format!("{PASSPHRASE}\n")).unwrap();
    let made = station.run(&["ca", "init", "--name", "Acme", "--passphrase-file", "pass"]);
    assert_eq!(made.code, 0, "{made:?}");
    for output in [&made.stdout, &made.stderr] {
        assert!(!output.contains(PASSPHRASE));
    }
    for key in ["device-root.key", "device-issuing.key", "server-root.key"] {
        let path = station.path().join("ca").join(key);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{key}: {text}");
        let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert!(matches!(mode, 0o600 | 0o400), "{key}: {mode:o}");
    }

    let again = station.run(&["ca", "init", "--name", "Acme", "--passphrase-file", "pass"]);
    assert_eq!(again.code, 14, "never overwritten: {again:?}");
}

#[test]
fn a_passphrase_comes_from_file_or_environment_and_a_wrong_one_is_named() {
    let station = Station::bare();
    fn with(text: &'static str) -> impl Fn(&mut Command) -> &mut Command {
        move |command| command.env("PROVISION_PASSPHRASE", text)
    }
    let made = station.run_with(&["ca", "init", "--name", "Acme"], with(PASSPHRASE));
    assert_eq!(made.code, 0, "{made:?}");
    let (port, _device) = device("sensor-0001", Trick::None);
    let port = port.path().to_str().unwrap();
    let enroll = ["--port", port, "--endpoint", "10.0.2.100:8883"];

    let none = station.run(&enroll);
    assert_eq!(none.code, 14, "{none:?}");
    let wrong = station.run_with(&enroll, with("something else"));
    assert_eq!(wrong.code, 14, "{wrong:?}");
    assert!(wrong.stderr.contains("passphrase"), "{wrong:?}");
    assert!(!wrong.stderr.contains("something else"), "{wrong:?}");
    assert_eq!(station.run_with(&enroll, with(PASSPHRASE)).code, 0);
}

#[test]
fn openssl_accepts_what_is_made() {
    let station = Station::new();
    let (port, device) = device("sensor-0001", Trick::None);
    assert_eq!(station.enroll(&port, &[]).code, 0);
    let leaf = {
        use provision_device::Vault as _;
        let mut stored = [0; 4096];
        let mut device = device.lock().unwrap();
        let mut vault = device.device().vault();
        let stored = vault.read_delivery(&mut stored).unwrap().unwrap();
        provision_wire::Delivery::decode(stored).unwrap().leaf.to_vec()
    };
    fs::write(station.path().join("leaf.der"), leaf).unwrap();
    let openssl = |arguments: &[&str]| {
        let output =
            Command::new("openssl").current_dir(station.path()).args(arguments).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        (output.status.success(), text + &String::from_utf8(output.stderr).unwrap())
    };
    let text = openssl(&["x509", "-inform", "DER", "-in", "leaf.der", "-out", "leaf.pem", "-text"]);
    assert!(text.0, "{}", text.1);

    let chain = ["verify", "-x509_strict", "-CAfile", "ca/device-root.crt", "-untrusted"];
    let verify = |more: &[&str]| {
        let leaf = ["ca/device-issuing.crt"];
        openssl(&[&chain[..], &leaf, more, &["leaf.pem"]].concat())
    };
    let good = verify(&["-purpose", "sslclient"]);
    assert!(good.0, "{}", good.1);
    let bad = verify(&["-purpose", "sslserver"]);
    assert!(!bad.0, "a device's certificate must not serve: {}", bad.1);
    let other_root = openssl(&[
        "verify",
        "-x509_strict",
        "-CAfile",
        "ca/server-root.crt",
        "-untrusted",
        "ca/device-issuing.crt",
        "leaf.pem",
    ]);
    assert!(!other_root.0, "{}", other_root.1);

    let made = station.run(&[
        "server-cert",
        "--dns",
        "mqtt.example",
        "--dns",
        "*.iot.example",
        "--ip",
        "10.0.2.100",
        "--out",
        "server",
    ]);
    assert_eq!(made.code, 0, "{made:?}");
    let server = openssl(&[
        "verify",
        "-x509_strict",
        "-purpose",
        "sslserver",
        "-verify_ip",
        "10.0.2.100",
        "-CAfile",
        "ca/server-root.crt",
        "server/server.crt",
    ]);
    assert!(server.0, "{}", server.1);
    let wrong_name = openssl(&[
        "verify",
        "-x509_strict",
        "-verify_hostname",
        "other.example",
        "-CAfile",
        "ca/server-root.crt",
        "server/server.crt",
    ]);
    assert!(!wrong_name.0, "{}", wrong_name.1);
    let again = station.run(&["server-cert", "--dns", "mqtt.example", "--out", "server"]);
    assert_eq!(again.code, 14, "never overwritten: {again:?}");
    let nameless = station.run(&["server-cert", "--out", "elsewhere"]);
    assert_eq!(nameless.code, 2, "{nameless:?}");
}
