//! `kit`: everything at once, and its README tried word for word.

use core::net::SocketAddr;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use provision_testkit::servers::{Ready, Started};

use crate::site::{Answer, free_address};
use crate::station::Station;
use crate::tools::{openssl, openssl_refuses};

const PASS: &str = "the client's own";

/// The lines for curl in a kit's README.
fn curl_lines(kit: &Path) -> Vec<String> {
    let readme = fs::read_to_string(kit.join("README.md")).unwrap();
    let lines = readme.lines().filter(|line| line.starts_with("    curl "));
    let lines: Vec<String> = lines.map(|line| line.trim().to_owned()).collect();
    assert_eq!(lines.len(), 3, "{readme}");
    lines
}

/// Runs such a line in a shell; nothing is added but what prints the status.
fn run(kit: &Path, line: &str) -> Answer {
    fs::write(kit.join(".curlrc"), "write-out = \"\\n%{http_code}\"\nsilent\nshow-error\n")
        .unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", line]).current_dir(kit);
    command.env("PROVISION_NEW_KEY_PASSPHRASE", PASS).env("CURL_HOME", kit);
    for proxy in ["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        command.env_remove(proxy);
    }
    Answer::of(&mut command)
}

fn nginx(kit: &Path, address: SocketAddr) -> Started {
    let arguments = ["-p", ".", "-c", "nginx.conf", "-e", "error.log", "-g"];
    let arguments = [&arguments[..], &["daemon off; master_process off;"]].concat();
    Started::start("nginx", arguments, &kit.join("nginx"), address, Ready::Answers).unwrap()
}

/// Runs the README's last lines: another client, and the first one revoked.
fn check_revocation(kit: &Path, address: SocketAddr, pass: &str) {
    let readme = fs::read_to_string(kit.join("README.md")).unwrap();
    let lines = readme.lines().filter(|line| line.starts_with("    provision "));
    let lines: Vec<&str> = lines.collect();
    assert_eq!(lines.len(), 4, "{readme}");
    let program = Path::new(env!("CARGO_BIN_EXE_provision"));
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    let script = format!("set -e\n{}", lines.join("\n"));
    let mut command = Command::new("sh");
    command.args(["-c", &script]).current_dir(kit).env("PATH", path);
    command.env("PROVISION_PASSPHRASE", pass).env("PROVISION_NEW_KEY_PASSPHRASE", PASS);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let _nginx = nginx(kit, address);
    let line = &curl_lines(kit)[0];
    run(kit, line).is(400, "The SSL certificate error");
    let second = line.replace("client/client1.", "client2/client.");
    run(kit, &second).is(200, "SUCCESS CN=client2");
}

fn check(kit: &Path, address: SocketAddr, wildcard: bool) {
    let _nginx = nginx(kit, address);
    let lines = curl_lines(kit);
    run(kit, &lines[0]).is(200, "SUCCESS CN=client1");
    run(kit, &lines[1]).is(200, "SUCCESS CN=client1");
    assert!(lines[1].contains("--cert-type P12"), "{lines:?}");
    run(kit, &lines[2]).is(400, "No required SSL certificate was sent");
    // The name is checked: another is none of this server's.
    run(kit, &lines[0].replace("example.com", "example.org")).is(0, "example.org");
    let below = run(kit, &lines[0].replace("example.com", "www.example.com"));
    if wildcard { below.is(200, "SUCCESS CN=client1") } else { below.is(0, "www.example.com") }
}

#[test]
fn a_kit_in_the_clear_works_as_its_readme_says() {
    let station = Station::bare();
    let address = free_address().to_string();
    let make = ["kit", "--domain", "example.com", "--wildcard", "--client", "client1"];
    let rest = ["--listen", &address, "--insecure-plaintext-keys", "--out", "my-kit"];
    let made = station.run(&[&make[..], &rest].concat());
    assert_eq!(made.code, 0, "{made:?}");
    assert!(made.stderr.contains("not encrypted; for development only"), "{made:?}");
    let kit = station.path().join("my-kit");
    check(&kit, address.parse().unwrap(), true);
    // Secrets are their owner's alone.
    for secret in [
        "ca/device-root.key",
        "ca/device-issuing.key",
        "ca/server-root.key",
        "nginx/server.key",
        "client/client1.key",
        "client/client1.p12",
        "client/client1.p12.password",
    ] {
        let mode = fs::metadata(kit.join(secret)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{secret}");
    }
    let names =
        openssl(&kit, &["x509", "-in", "nginx/server.crt", "-noout", "-ext", "subjectAltName"]);
    assert!(names.contains("DNS:example.com, DNS:*.example.com"), "{names}");
    check_revocation(&kit, address.parse().unwrap(), "");

    // Never over another.
    let before = fs::read(kit.join("ca/device-root.key")).unwrap();
    let again = station.run(&[&make[..], &rest].concat());
    assert_eq!(again.code, 1, "{again:?}");
    assert!(again.stderr.contains("a key is never replaced"), "{again:?}");
    assert_eq!(fs::read(kit.join("ca/device-root.key")).unwrap(), before);
}

#[test]
fn a_kit_under_passphrases_works_as_its_readme_says() {
    let station = Station::bare();
    fs::write(station.path().join("ca.pass"), "the CA's\n").unwrap();
    fs::write(station.path().join("client.pass"), format!("{PASS}\n")).unwrap();
    let address = free_address().to_string();
    let make = ["--json", "kit", "--domain", "example.com", "--listen", &address];
    let ca = ["--passphrase-file", "ca.pass"];
    let client = ["--new-passphrase-file", "client.pass"];
    // Without one of them, and without a terminal, nothing is made.
    for missing in [&[][..], &ca, &client] {
        let refused = station.run(&[&make[..], missing].concat());
        assert_eq!(refused.code, 14, "{refused:?}");
        assert!(
            refused.stdout.contains("a passphrase is needed, and none is given"),
            "{refused:?}"
        );
    }
    let left: Vec<_> = fs::read_dir(station.path()).unwrap().collect();
    assert_eq!(left.len(), 2, "{left:?}");

    let made = station.run(&[&make[..], &ca, &client].concat());
    assert_eq!(made.code, 0, "{made:?}");
    assert!(!made.stdout.contains(PASS) && !made.stdout.contains("PRIVATE"), "{made:?}");
    let kit = station.path().join("kit");
    check(&kit, address.parse().unwrap(), false);
    let readme = fs::read_to_string(kit.join("README.md")).unwrap();
    assert!(!readme.contains(PASS));
    assert!(!kit.join("client/client1.p12.password").exists());
    check_revocation(&kit, address.parse().unwrap(), "the CA's");
    for (key, pass) in [
        ("ca/device-root.key", "pass:the CA's"),
        ("ca/device-issuing.key", "pass:the CA's"),
        ("ca/server-root.key", "pass:the CA's"),
        ("client/client1.key", "pass:the client's own"),
    ] {
        let show = ["pkey", "-noout", "-in", key, "-passin"];
        openssl(&kit, &[&show[..], &[pass]].concat());
        openssl_refuses(&kit, &[&show[..], &["pass:another"]].concat());
    }
}

/// Of the processor's time, for others work on this machine too.
#[test]
fn a_kit_is_made_within_a_second() {
    let station = Station::bare();
    let kit = ["kit", "--domain", "example.com", "--insecure-plaintext-keys"];
    let mut shell = Command::new("sh");
    shell.args(["-c", "\"$0\" \"$@\" && times", env!("CARGO_BIN_EXE_provision")]).args(kit);
    let output = shell.current_dir(station.path()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    // The last line is of the shell's children: user's and system's, as in 0m0.180000s.
    let text = String::from_utf8(output.stdout).unwrap();
    let seconds = |time: &str| -> f64 {
        let (minutes, seconds) = time.trim_end_matches('s').split_once('m').unwrap();
        minutes.parse::<f64>().unwrap() * 60.0 + seconds.parse::<f64>().unwrap()
    };
    let spent: f64 = text.lines().last().unwrap().split_whitespace().map(seconds).sum();
    assert!(spent > 0.0 && spent < 1.0, "{spent} s: {text}");
}

#[test]
fn what_cannot_be_a_kit_leaves_nothing_behind() {
    let station = Station::bare();
    let plain = "--insecure-plaintext-keys";
    for (arguments, code, cause) in [
        (&["kit"][..], 2, "--domain"),
        (&["kit", "--domain", "a b", plain], 2, "letters, digits"),
        (&["kit", "--domain", "*.example.com", "--wildcard", plain], 2, "*"),
        (&["kit", "--domain", "example.com", "--client", "", plain], 14, "cannot be empty"),
        (&["kit", "--domain", "example.com", "--listen", "0", plain], 2, "port 0"),
        (&["kit", "--domain", "example.com", "--upstream", "a;b:1", plain], 2, "HOST:PORT"),
        (&["kit", "--domain", "example.com", "--out", "a b", plain], 2, "--at"),
    ] {
        let refused = station.run(arguments);
        assert_eq!(refused.code, code, "{arguments:?} {refused:?}");
        assert!(refused.stderr.contains(cause), "{cause:?}: {arguments:?} {refused:?}");
        assert!(refused.stderr.contains("hint:"), "{refused:?}");
    }
    assert_eq!(fs::read_dir(station.path()).unwrap().count(), 0);
    // A name that would lead elsewhere.
    let out = ["kit", "--domain", "example.com", "--client", "../../x", "--out", "k", plain];
    assert_eq!(station.run(&out).code, 0);
    assert!(station.path().join("k/client/______x.p12").exists());
}
