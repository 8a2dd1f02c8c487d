//! Files that are not what they should be: a named error, at once, and no panic.

use core::time::Duration;
use std::fs::{self, File};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::station::Station;
use crate::tools::openssl;

#[test]
fn files_that_are_something_else_are_named() {
    let station = Station::with_client();
    let dir = station.path();
    openssl(dir, &["x509", "-in", "client/client.crt", "-outform", "DER", "-out", "good.der"]);
    let good = fs::read(dir.join("good.der")).unwrap();
    fs::write(dir.join("empty"), "").unwrap();
    fs::write(dir.join("rubbish"), [0x55; 5000]).unwrap();
    fs::write(dir.join("short.der"), &good[..good.len() - 1]).unwrap();
    fs::write(dir.join("long.der"), [&good[..], b"x"].concat()).unwrap();
    let pem = fs::read_to_string(dir.join("client/client.crt")).unwrap();
    fs::write(dir.join("cut.pem"), &pem[..pem.len() / 2]).unwrap();
    fs::write(dir.join("lies.pem"), pem.replace("CERTIFICATE-", "X509 CRL-")).unwrap();
    fs::write(dir.join("strange.pem"), pem.replace("CERTIFICATE-", "OPENSSH STUFF-")).unwrap();
    // Says that it has two gigabytes.
    fs::write(dir.join("huge.der"), [0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 0, 0]).unwrap();
    File::create(dir.join("sparse")).unwrap().set_len(2 << 30).unwrap();
    for (file, cause) in [
        ("empty", "empty: it is empty"),
        ("rubbish", "neither PEM nor DER"),
        ("short.der", "at byte 0 a DER element"),
        ("long.der", "at byte 0 a DER element"),
        ("cut.pem", "the PEM block at byte 0 is broken: it has no END line"),
        ("lies.pem", "the X509 CRL at byte 0 is none"),
        ("strange.pem", "holds a OPENSSH STUFF, which is not read here"),
        ("huge.der", "larger than"),
        ("sparse", "neither PEM nor DER"),
        ("ca", "cannot read ca"),
        ("not-there", "cannot read not-there"),
    ] {
        for command in [
            &["inspect", file][..],
            &["verify", file, "--trusted", "ca/device-root.crt"],
            &["check-end", file],
            &["match", file, "client/client.key"],
            &["convert", file],
            &["fullchain", file],
            &["key", "public", file],
            &["sign", "--csr", file, "--profile", "client", "--name", "x"],
            &["p12", "open", file, "--out", "x"],
            &["doctor", "localhost:1", "--ca", file],
            &["doctor", "localhost:1", "--crl", file],
            &["doctor", "localhost:1", "--cert", file, "--key", "client/client.key"],
        ] {
            let started = Instant::now();
            let ran = station.run(command);
            assert_eq!(ran.code, 1, "{command:?}: {ran:?}");
            // `key public` looks for a key alone, and says so in its own words.
            if command[0] != "key" {
                assert!(ran.stderr.contains(cause), "{command:?}: no {cause} in {ran:?}");
            }
            assert!(ran.stderr.contains("\nhint: "), "{ran:?}");
            assert!(started.elapsed() < Duration::from_secs(5), "{command:?}");
        }
    }
    let wrong = station.run(&["verify", "client/client.key", "--trusted", "ca/device-root.crt"]);
    assert!(wrong.stderr.contains("it holds a private key, no certificate"), "{wrong:?}");
}

/// `provision inspect … | head` is no fault of the system's.
#[test]
fn whoever_stops_reading_is_named() {
    let station = Station::new();
    let mut inspect = Command::new(env!("CARGO_BIN_EXE_provision"));
    let inspect = inspect.args(["inspect", "-"]).stdin(Stdio::piped());
    let mut child = inspect.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let certificate = fs::read(station.path().join("ca/device-root.crt")).unwrap();
    child.stdin.take().unwrap().write_all(&certificate).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("hint: whoever reads the output has stopped"), "{said}");
}

/// Whoever came second would find nothing, and blame a file.
#[test]
fn standard_input_is_read_once() {
    let station = Station::new();
    let dir = station.path();
    let made = station.run(&["server-cert", "--dns", "localhost"]);
    assert_eq!(made.code, 0, "{made:?}");
    let from = |file: &str, words: &str| {
        let words: Vec<_> = words.split(' ').collect();
        station.run_with(&words, |command| command.stdin(File::open(dir.join(file)).unwrap()))
    };
    for words in [
        "verify - --trusted -",
        "match - -",
        "config nginx --certificate - --key -",
        "p12 make --certificate - --key - --out new",
        "ca import --certificate - --key - --insecure-plaintext-keys --ca new",
        "p12 make --certificate - --key server/server.key --new-passphrase-file - --out new",
    ] {
        let ran = from("server/server.crt", words);
        assert_eq!(ran.code, 2, "{words}: {ran:?}");
        assert!(ran.stderr.contains("standard input (-) can be read once"), "{words}: {ran:?}");
    }
    // And that is enough.
    for (file, words) in [
        ("server/server.crt", "config nginx --certificate - --out one"),
        ("server/server.key", "config nginx --key - --out other"),
    ] {
        let ran = from(file, words);
        assert_eq!(ran.code, 0, "{words}: {ran:?}");
    }
}
