//! One question by hand.

use std::io::Write as _;
use std::process::{Command, Stdio};

use provision_testkit::impostor::Trick;

use crate::station::{Station, device, events};

#[test]
fn each_question_by_hand() {
    let station = Station::new();
    let (port, _device) = device("sensor-0001", Trick::None);
    let path = port.path().to_str().unwrap();

    let hello = station.run(&["ask", "hello", "--port", path]);
    assert_eq!(hello.code, 0, "{hello:?}");
    assert!(hello.stdout.starts_with("sensor-0001 is blank; speaks version 1"), "{hello:?}");

    let early = station.run(&["ask", "csr", "--port", path]);
    assert_eq!(early.code, 11, "{early:?}");
    assert!(early.stderr.contains("refused `csr`: not while it is blank"), "{early:?}");

    let key = station.run(&["ask", "key", "--port", path]);
    assert_eq!(key.code, 0, "{key:?}");
    assert_eq!(key.stdout.trim().len(), 130);
    let again = station.run(&["ask", "key", "--port", path]);
    assert_eq!(again.stdout, key.stdout, "a repeated ask makes no new key");

    let csr = station.run(&["ask", "csr", "--port", path]);
    assert_eq!(csr.code, 0, "{csr:?}");
    let verified = openssl(&["req", "-verify", "-noout", "-subject"], csr.stdout.as_bytes());
    assert!(verified.contains("CN = sensor-0001"), "{verified}");

    let unproven = station.run(&["ask", "prove", "--port", path]);
    assert_eq!(unproven.code, 15, "nothing in the ledger: {unproven:?}");

    assert_eq!(station.enroll(&port, &[]).code, 0);
    let proof = station.run(&["--json", "ask", "prove", "--port", path]);
    assert_eq!(proof.code, 0, "{proof:?}");
    let event = &events(&proof)[0];
    assert_eq!(event["cert_serial"], station.entries()[0].2.as_str());
    assert_eq!(event["stage"], "sealed");

    let sealed = station.run(&["ask", "key", "--port", path]);
    assert_eq!(sealed.code, 11, "{sealed:?}");
    assert!(sealed.stderr.contains("it is sealed"), "{sealed:?}");
}

#[test]
fn a_proof_for_another_certificate_is_none() {
    let station = Station::new();
    let (port, _device) = device("sensor-0001", Trick::None);
    let path = port.path().to_str().unwrap();
    assert_eq!(station.enroll(&port, &[]).code, 0);
    let leaf = ["--leaf", "ca/server-root.crt"];
    let wrong = station.run(&[&["ask", "prove", "--port", path], &leaf[..]].concat());
    assert_ne!(wrong.code, 0, "{wrong:?}");
}

fn openssl(arguments: &[&str], input: &[u8]) -> String {
    let mut child = Command::new("openssl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}
