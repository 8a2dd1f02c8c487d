//! Certificates of the toy CA are certificates: read by `x509-cert` by way of the station, and by
//! openssl.

use std::io::Write as _;
use std::process::{Command, Stdio};

use provision_testkit::toy::ToyCa;

#[test]
fn openssl_reads_them() {
    let ca = ToyCa::new();
    for (der, subject) in [(ca.device_root(), "CN = Root"), (ca.server_root(), "CN = Server")] {
        let mut openssl = Command::new("openssl")
            .args(["x509", "-inform", "DER", "-noout", "-subject", "-text"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        openssl.stdin.take().unwrap().write_all(der).unwrap();
        let output = openssl.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success());
        assert!(said.contains(&format!("subject={subject}")), "{said}");
        assert!(said.contains("CA:TRUE"), "{said}");
        assert!(said.contains("Not Before: Nov 14 22:13:20 2023 GMT"), "{said}");
        assert!(said.contains("Not After : Dec 31 23:59:59 2049 GMT"), "{said}");
    }
}
