//! A CA whose keys are in a token: SoftHSM2, through its PKCS#11 library.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use provision_testkit::cli::Ran;
use provision_testkit::impostor::Trick;
use provision_testkit::softhsm::{self, PIN, SoftHsm};

use crate::station::{Station, device, events};
use crate::tools::openssl;

fn library() -> &'static str {
    softhsm::library().expect("softhsm2 is not installed")
}

/// A station without a CA, and a token called "factory".
struct Hsm(Station, SoftHsm);

impl Hsm {
    fn new() -> Self {
        let station = Station::bare();
        let path = station.path();
        fs::write(path.join("pin"), format!("{PIN}\n")).unwrap();
        fs::set_permissions(path.join("pin"), fs::Permissions::from_mode(0o600)).unwrap();
        let tokens = SoftHsm::new(path, "factory").unwrap();
        Self(station, tokens)
    }

    fn tool(&self, program: &str, arguments: &[&str]) -> String {
        let mut command = Command::new(program);
        let output = self.with_token(&mut command).env("GNUTLS_PIN", PIN).args(arguments).output();
        let output = output.expect(program);
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        // Where there is none, p11tool says so and is not content.
        let content = output.status.success() || text.contains("No matching objects found");
        assert!(content, "{program} {arguments:?}: {text}");
        text
    }

    fn with_token<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        self.1.given_to(command.current_dir(self.0.path()))
    }

    /// The token, with or without the file of its PIN.
    fn uri(&self, with_pin: bool) -> String {
        let pin = format!("&pin-source=file:{}", self.0.path().join("pin").display());
        let pin = if with_pin { &pin } else { "" };
        format!("pkcs11:token=factory?module-path={}{pin}", library())
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        self.0.run_with(arguments, |command| self.with_token(command))
    }

    fn done(&self, arguments: &[&str]) -> Ran {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        assert!(!ran.stdout.contains(PIN) && !ran.stderr.contains(PIN), "{ran:?}");
        ran
    }

    /// It must name what is wrong, say what to do, and not say the PIN.
    fn refused(&self, arguments: &[&str], expected: &str, hint: &str) {
        let ran = self.run(arguments);
        assert_eq!(ran.code, 14, "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(expected), "{expected:?} is not in {ran:?}");
        let (_, said) = ran.stderr.split_once("\nhint: ").unwrap();
        assert!(said.contains(hint), "{hint:?} is not in {ran:?}");
        assert!(!ran.stderr.contains(PIN), "{ran:?}");
    }

    /// Its private keys, as GnuTLS sees them.
    fn private_keys(&self) -> String {
        let list = ["--list-privkeys", "--login", "pkcs11:token=factory"];
        self.tool("p11tool", &[&["--provider", library()], &list[..]].concat())
    }

    fn count(&self) -> usize {
        self.private_keys().matches("Type: Private key").count()
    }

    fn check_client(&self, name: &str) {
        self.done(&["client-cert", "--name", name, "--insecure-plaintext-key", "--out", name]);
        let leaf = format!("{name}/client.crt");
        let verify = ["verify", "-x509_strict", "-purpose", "sslclient", "-CAfile"];
        openssl(self.0.path(), &[&verify[..], &["ca/device-ca-bundle.crt", &leaf]].concat());
    }
}

#[test]
fn a_cas_keys_are_made_in_a_token_and_stay_there() {
    for kind in ["p256", "p384", "rsa2048"] {
        let hsm = Hsm::new();
        let init = ["--json", "ca", "init", "--name", "Acme", "--key-type", kind, "--token"];
        let made = hsm.done(&[&init[..], &[&hsm.uri(true)]].concat());
        assert_eq!(events(&made)[0]["token"], hsm.uri(true));
        let keys = hsm.private_keys();
        assert_eq!(keys.matches("CKA_NEVER_EXTRACTABLE; CKA_SENSITIVE").count(), 3, "{keys}");
        assert!(!keys.contains("UNWRAP"), "{keys}");
        for name in ["device-root", "device-issuing", "server-root"] {
            let key = fs::read_to_string(hsm.0.path().join("ca").join(name).with_extension("key"));
            assert!(key.unwrap().starts_with("pkcs11:token=factory;object=Acme%20"));
        }
        hsm.check_client("alice");
        hsm.done(&["server-cert", "--dns", "localhost"]);
        let shown = events(&hsm.done(&["--json", "ca", "show"]));
        assert_eq!(shown.len(), 3);
        assert!(shown.iter().all(|ca| ca["key"] == "in a token"), "{shown:?}");
        assert!(shown[1]["token"].as_str().unwrap().contains("Device%20Issuing"));

        hsm.done(&["revoke", "--certificate", "alice/client.crt", "--reason", "keyCompromise"]);
        hsm.done(&["crl", "--out", "crls"]);
        let crl = ["crl", "-in", "crls/device-issuing.crl", "-CAfile", "ca/device-issuing.crt"];
        assert!(openssl(hsm.0.path(), &[&crl[..], &["-noout"]].concat()).contains("verify OK"));
        hsm.done(&["ocsp", "cert"]);
    }
}

/// The whole of the line, and CAs that take each other's place; the PIN is given as a passphrase.
#[test]
fn a_token_enrolls_devices_and_its_ca_is_rotated() {
    let hsm = Hsm::new();
    fs::copy(hsm.0.path().join("pin"), hsm.0.path().join("passphrase")).unwrap();
    let given = ["--passphrase-file", "passphrase"];
    let init = ["ca", "init", "--name", "Acme", "--token", &hsm.uri(false)];
    hsm.done(&[&init[..], &given].concat());
    for serial in ["dev-1", "dev-2"] {
        let (port, _device) = device(serial, Trick::None);
        let at = ["--port", port.path().to_str().unwrap(), "--endpoint", "10.0.2.100:8883"];
        hsm.done(&[&at[..], &given].concat());
        if serial == "dev-1" {
            hsm.done(&[&["ca", "rotate"][..], &given].concat());
            assert_eq!(hsm.count(), 4);
        }
    }
    hsm.done(&[&["ca", "rotate", "--new-root"][..], &given].concat());
    assert_eq!(hsm.count(), 6);
    let (port, _device) = device("dev-3", Trick::None);
    let at = ["--port", port.path().to_str().unwrap(), "--endpoint", "10.0.2.100:8883"];
    hsm.done(&[&at[..], &given].concat());
    let states: Vec<String> = hsm.0.entries().into_iter().map(|(_, state, _)| state).collect();
    assert_eq!(states, ["enrolled"; 3]);
    // Retired CAs sign their CRLs still.
    let crls = hsm.done(&[&["crl", "--out", "crls"][..], &given].concat());
    assert!(crls.stdout.matches("retired").count() >= 2, "{crls:?}");
}

/// Key and certificate made by GnuTLS.
#[test]
fn a_ca_that_is_in_a_token_already_is_taken_over() {
    let hsm = Hsm::new();
    for (label, kind) in [("ours", "--generate-ecc"), ("rsa", "--generate-rsa")] {
        let size = if kind == "--generate-ecc" { "--curve=secp256r1" } else { "--bits=2048" };
        let make = [kind, size, "--label", label, "--login", "pkcs11:token=factory"];
        hsm.tool("p11tool", &[&["--provider", library()], &make[..]].concat());
        let path = hsm.0.path();
        let template = "cn = ours\nca\ncert_signing_key\ncrl_signing_key\nexpiration_days = 3650\n";
        fs::write(path.join("template"), template).unwrap();
        let key = format!("pkcs11:token=factory;object={label};type=private");
        let sign = ["--generate-self-signed", "--load-privkey", &key, "--template", "template"];
        let out = ["--outfile", "ca.crt", "--provider", library()];
        hsm.tool("certtool", &[&sign[..], &out].concat());

        let pin = path.join("pin").display().to_string();
        // While there is one, the token alone says which: more will come.
        let key = if label == "ours" { "pkcs11:token=factory" } else { &key };
        let key = format!("{key}?module-path={}&pin-source=file:{pin}", library());
        let place = format!("ca-{label}");
        let import = ["ca", "import", "--certificate", "ca.crt", "--key", &key, "--ca", &place];
        // What would be for a key in a file is no reason to warn of one in a token.
        let made = hsm.done(&[&import[..], &["--insecure-plaintext-keys"]].concat());
        assert!(!made.stderr.contains("not encrypted"), "{made:?}");
        let make = ["client-cert", "--name", "bob", "--insecure-plaintext-key", "--out", label];
        hsm.done(&[&make[..], &["--ca", &place]].concat());
        let leaf = format!("{label}/client.crt");
        openssl(path, &["verify", "-CAfile", &format!("{place}/device-ca-bundle.crt"), &leaf]);
        // The root that was made for servers is in the token too.
        let server = fs::read_to_string(path.join(&place).join("server-root.key")).unwrap();
        assert!(server.starts_with("pkcs11:token=factory;object=Factory%20Server%20Root%20CA;"));
    }
    // The other key does not belong to that certificate.
    let key = format!("pkcs11:token=factory;object=ours?module-path={}", library());
    let import = ["ca", "import", "--certificate", "ca.crt", "--key", &key, "--ca", "no"];
    let given = ["--key-passphrase-file", "pin"];
    hsm.refused(
        &[&import[..], &given].concat(),
        "the private key is not the one",
        "nothing was made",
    );
}

#[test]
fn what_is_wrong_with_a_token_is_named() {
    let hsm = Hsm::new();
    let path = hsm.0.path();
    let module = library();
    let init = |uri: &str, expected: &str, hint: &str| {
        hsm.refused(&["ca", "init", "--token", uri], expected, hint);
        assert!(!path.join("ca").exists(), "{uri}");
    };
    let pin = format!("&pin-source=file:{}", path.join("pin").display());
    let at = |token: &str| format!("pkcs11:token={token}?module-path={module}{pin}");
    init(&at("other"), "no token is the one of the PKCS#11 URI; there are: factory", "p11tool");
    init(&hsm.uri(false), "a passphrase is needed", "PROVISION_PASSPHRASE");
    let away = format!("pkcs11:token=factory?module-path=/nowhere.so{pin}");
    init(&away, "the PKCS#11 library /nowhere.so cannot be used", "module-path");
    let no_library = format!("pkcs11:token=factory?module-path=/etc/passwd{pin}");
    init(&no_library, "the PKCS#11 library /etc/passwd cannot be used", "module-path");
    fs::set_permissions(path.join("pin"), fs::Permissions::from_mode(0o644)).unwrap();
    init(&at("factory"), "others than its owner may read the PIN", "chmod 600");
    fs::set_permissions(path.join("pin"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(path.join("pin"), "\n").unwrap();
    init(&at("factory"), "there is no PIN in the first line of", "");
    fs::write(path.join("pin"), "999999\n").unwrap();
    init(&at("factory"), "the token refuses the PIN; it was given once", "lock");
    fs::write(path.join("pin"), PIN).unwrap();
    // What makes no sense is found before anything is asked.
    let value = format!("pkcs11:token=x?module-path=/m&pin-value={PIN}");
    init(&value, "has the PIN in it (pin-value)", "pin-source");
    init("token=x", "it is no PKCS#11 URI", "p11tool");

    // A CA that cannot be put into place leaves no keys behind.
    let out = ["ca", "init", "--token", &at("factory"), "--ca", "nowhere/ca"];
    hsm.refused(&out, "cannot create the directory", "nothing was made");
    assert_eq!(hsm.count(), 0);

    hsm.done(&["ca", "init", "--token", &at("factory")]);
    let key = path.join("ca/device-issuing.key");
    let named = fs::read_to_string(&key).unwrap();
    let sign = ["client-cert", "--name", "x", "--insecure-plaintext-key"];
    for (uri, expected) in [
        (named.replace("Issuing", "Other"), "the token has no private key of that name"),
        (at("factory"), "the token has several private keys of that name"),
        (at("other"), "no token is the one"),
        ("pkcs11:?x=1".into(), "the PKCS#11 URI has \"x\", which is not known here"),
        (format!("pkcs11:token=factory?module-path={module}"), "a passphrase is needed"),
    ] {
        fs::remove_file(&key).unwrap();
        fs::write(&key, uri).unwrap();
        hsm.refused(&sign, expected, "");
    }
    // Another token with the same label, and so with the same URI.
    fs::write(&key, &named).unwrap();
    hsm.1.add_token("factory").unwrap();
    hsm.refused(&sign, "several tokens may be the one", "p11tool");
}
